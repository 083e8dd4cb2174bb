/* Buffers that change sides, and errors in them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serial.h"

enum { ROOM_MIN = 16 };

bool uf_fail(struct uf_error *error, enum uf_fault fault, const char *format, ...)
{
    if (error->fault == UF_FINE) {
        va_list arguments;
        va_start(arguments, format);
        error->fault = fault;
        (void)vsnprintf(error->text, sizeof(error->text), format, arguments); /* cut is fine */
        va_end(arguments);
    }
    return false;
}

bool uf_fail_no_memory(struct uf_error *error)
{
    return uf_fail(error, UF_PANIC, "out of memory");
}

bool uf_buffer_new(uint64_t capacity, struct uf_buffer *buffer)
{
    uint64_t room = capacity < ROOM_MIN ? ROOM_MIN : capacity;
    uint8_t *data = room > SIZE_MAX / 2 ? NULL : malloc((size_t)room);
    if (data == NULL) {
        return false;
    }
    *buffer = (struct uf_buffer){.capacity = room, .len = 0, .data = data};
    return true;
}

void uf_buffer_free(struct uf_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct uf_buffer){.capacity = 0, .len = 0, .data = NULL};
}

struct uf_buffer uf_buffer_of_text(struct slim_view text)
{
    struct uf_buffer buffer = {.capacity = 0, .len = 0, .data = NULL};
    if (uf_buffer_new(text.len, &buffer) && text.len > 0) {
        memcpy(buffer.data, text.data, text.len);
        buffer.len = text.len;
    }
    return buffer;
}

void uf_status_set(struct uf_status *status, const struct uf_error *error)
{
    if (status == NULL) {
        return;
    }
    struct slim_view text = {(const uint8_t *)error->text, strlen(error->text)};
    if (error->fault == UF_FINE || error->fault == UF_CANCELLED) {
        status->code = error->fault == UF_FINE ? UF_CODE_OK : UF_CODE_CANCELLED;
        return;
    }
    status->code = error->fault == UF_PANIC ? UF_CODE_PANIC : UF_CODE_ERROR;
    if (error->fault == UF_PANIC) {
        status->error = uf_buffer_of_text(text);
    } else {
        struct uf_message_record body = {.message = text};
        struct uf_union value = {.variant = (uint32_t)error->fault, .body = &body};
        struct uf_error ignored = {.fault = UF_FINE};
        if (!uf_write_record(&uf_type_slim_error, &value, &status->error, &ignored)) {
            status->code = UF_CODE_PANIC; /* an empty text: no memory for one */
        }
    }
}

/* ------------------------------------------------------------------------------------------------ what callers see */

UF_EXPORT uint32_t ffi_slim_bindings_uniffi_contract_version(void);
UF_EXPORT struct uf_buffer ffi_slim_bindings_rustbuffer_alloc(uint64_t size,
                                                              struct uf_status *status);
UF_EXPORT struct uf_buffer ffi_slim_bindings_rustbuffer_from_bytes(struct uf_bytes bytes,
                                                                   struct uf_status *status);
UF_EXPORT void ffi_slim_bindings_rustbuffer_free(struct uf_buffer buffer, struct uf_status *status);
UF_EXPORT struct uf_buffer ffi_slim_bindings_rustbuffer_reserve(struct uf_buffer buffer,
                                                                uint64_t additional,
                                                                struct uf_status *status);

uint32_t ffi_slim_bindings_uniffi_contract_version(void)
{
    return UF_CONTRACT_VERSION;
}

/* As its len the whole room is given, as UniFFI does. */
struct uf_buffer ffi_slim_bindings_rustbuffer_alloc(uint64_t size, struct uf_status *status)
{
    struct uf_error error = {.fault = UF_FINE};
    struct uf_buffer buffer = {.capacity = 0, .len = 0, .data = NULL};
    if (uf_buffer_new(size, &buffer)) {
        memset(buffer.data, 0, (size_t)buffer.capacity);
        buffer.len = size;
    } else {
        (void)uf_fail_no_memory(&error); /* told by the status */
    }
    uf_status_set(status, &error);
    return buffer;
}

struct uf_buffer ffi_slim_bindings_rustbuffer_from_bytes(struct uf_bytes bytes,
                                                         struct uf_status *status)
{
    struct uf_error error = {.fault = UF_FINE};
    struct uf_buffer buffer = {.capacity = 0, .len = 0, .data = NULL};
    if (bytes.len < 0 || (bytes.len > 0 && bytes.data == NULL)) {
        (void)uf_fail(&error, UF_PANIC, "bytes of a negative length, or none"); /* likewise */
    } else {
        buffer = uf_buffer_of_text((struct slim_view){bytes.data, (size_t)bytes.len});
        if (buffer.data == NULL) {
            (void)uf_fail_no_memory(&error); /* likewise */
        }
    }
    uf_status_set(status, &error);
    return buffer;
}

void ffi_slim_bindings_rustbuffer_free(struct uf_buffer buffer, struct uf_status *status)
{
    struct uf_error fine = {.fault = UF_FINE};
    uf_buffer_free(&buffer);
    uf_status_set(status, &fine);
}

/* Room for `additional` bytes behind len. When there is no memory the old buffer is gone too, as UniFFI has it. */
struct uf_buffer ffi_slim_bindings_rustbuffer_reserve(struct uf_buffer buffer, uint64_t additional,
                                                      struct uf_status *status)
{
    struct uf_error error = {.fault = UF_FINE};
    uint64_t wanted;
    if (buffer.len > buffer.capacity || __builtin_add_overflow(buffer.len, additional, &wanted) ||
        wanted > SIZE_MAX / 4) {
        (void)uf_fail(&error, UF_PANIC, "a buffer longer than its room, or too much wanted");
    } else if (wanted > buffer.capacity || buffer.data == NULL) {
        uint64_t room = wanted < 2 * buffer.capacity ? 2 * buffer.capacity : wanted;
        room = room < ROOM_MIN ? ROOM_MIN : room;
        uint8_t *grown = realloc(buffer.data, (size_t)room);
        if (grown == NULL) {
            (void)uf_fail_no_memory(&error); /* told by the status */
        } else {
            buffer.data = grown;
            buffer.capacity = room;
        }
    }
    if (error.fault != UF_FINE) {
        uf_buffer_free(&buffer);
    }
    uf_status_set(status, &error);
    return buffer;
}
