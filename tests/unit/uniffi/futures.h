/* The support functions of futures that the tests call; the library declares all of them where it defines them. */
#ifndef SLIM_TESTS_UNIFFI_FUTURES_H
#define SLIM_TESTS_UNIFFI_FUTURES_H

#include "uniffi/abi.h"

#define FUTURE(name, type)                                                                         \
    void ffi_slim_bindings_rust_future_poll_##name(uint64_t, uf_continuation, uint64_t);           \
    void ffi_slim_bindings_rust_future_cancel_##name(uint64_t);                                    \
    void ffi_slim_bindings_rust_future_free_##name(uint64_t);                                      \
    type ffi_slim_bindings_rust_future_complete_##name(uint64_t, struct uf_status *)

FUTURE(i8, int8_t);
FUTURE(u64, uint64_t);
FUTURE(pointer, void *);
FUTURE(rust_buffer, struct uf_buffer);
FUTURE(void, void);
#undef FUTURE

struct uf_buffer ffi_slim_bindings_rustbuffer_alloc(uint64_t size, struct uf_status *status);
struct uf_buffer ffi_slim_bindings_rustbuffer_from_bytes(struct uf_bytes bytes,
                                                         struct uf_status *status);
void ffi_slim_bindings_rustbuffer_free(struct uf_buffer buffer, struct uf_status *status);
struct uf_buffer ffi_slim_bindings_rustbuffer_reserve(struct uf_buffer buffer, uint64_t additional,
                                                      struct uf_status *status);

#endif
