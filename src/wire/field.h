/* Protobuf fields: taking them from the front of a view, putting them behind a buffer. Included by wire/wire.h, for
 * other messages than SLIM's (the SPIFFE Workload API). */
#ifndef SLIM_WIRE_FIELD_H
#define SLIM_WIRE_FIELD_H

#include "base/buf.h"

enum {
    SLIM_WIRE_VARINT_BYTES_MAX = 10,
};

/* Wire types 3 and 4 (groups), 6 and 7 are refused. */
enum slim_wire_field_type {
    SLIM_WIRE_FIELD_VARINT = 0,
    SLIM_WIRE_FIELD_FIXED64 = 1,
    SLIM_WIRE_FIELD_BYTES = 2,
    SLIM_WIRE_FIELD_FIXED32 = 5,
};

/* number   field number, 1 .. 2^29 - 1
 * value    the number of a varint field, else 0
 * bytes    the content of a length-delimited field, without its length; else empty
 * raw      the whole field: key, length and content */
struct slim_wire_field {
    uint32_t number;
    enum slim_wire_field_type type;
    uint64_t value;
    struct slim_view bytes;
    struct slim_view raw;
};

/* Take one base-128 number from the front of *in (at most 10 bytes).
 *
 * On SLIM_OK, *value is the number and *in starts behind it. Otherwise both are untouched:
 *   SLIM_ERR_TRUNCATED   the input ends inside the number; more bytes may complete it
 *   SLIM_ERR_MALFORMED   more than 64 bits */
SLIM_MUST_CHECK enum slim_status slim_wire_take_varint(struct slim_view *in, uint64_t *value);

/* Take one field, known or not. Status as slim_wire_take_varint, and SLIM_ERR_MALFORMED also for field number 0, a key
 * beyond 32 bits, group tags and wire types that do not exist. *in is untouched unless SLIM_OK. */
SLIM_MUST_CHECK enum slim_status slim_wire_take_field(struct slim_view *in,
                                                      struct slim_wire_field *field);

/* Bytes that `value` takes as a varint: 1 .. 10. */
static inline size_t slim_wire_varint_size(uint64_t value)
{
    unsigned bits = 64U - (unsigned)__builtin_clzll(value | 1);
    return (bits * 9 + 64) / 64;
}

/* The writers append to `out`. SLIM_ERR_NO_MEMORY; the buffer may then end with a part of a field. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_varint(struct slim_buf *out, uint64_t value);

/* A varint field, always written. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_number(struct slim_buf *out, uint32_t number,
                                                      uint64_t value);

/* A varint field, left out when 0 (a proto3 field without presence). */
SLIM_MUST_CHECK enum slim_status slim_wire_put_number_unless_0(struct slim_buf *out,
                                                               uint32_t number, uint64_t value);

/* A string or bytes field, always written. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_bytes(struct slim_buf *out, uint32_t number,
                                                     struct slim_view bytes);

/* A string or bytes field, left out when empty (a proto3 field without presence). */
SLIM_MUST_CHECK enum slim_status
slim_wire_put_bytes_unless_empty(struct slim_buf *out, uint32_t number, struct slim_view bytes);

/* A sub-message whose length is known only when it is complete:
 *
 *   SLIM_TRY(slim_wire_open(out, NUMBER, expected_len, &nested));
 *   ... put its fields ...
 *   SLIM_TRY(slim_wire_close(out, &nested));
 *
 * open leaves room for the length of `expected_len` bytes; when the real length needs another number of bytes, close moves
 * the content. A wrong guess costs that move and nothing else. */
struct slim_wire_nested {
    size_t length_at;
    size_t content_at;
};

SLIM_MUST_CHECK enum slim_status slim_wire_open(struct slim_buf *out, uint32_t number,
                                                size_t expected_len,
                                                struct slim_wire_nested *nested);
SLIM_MUST_CHECK enum slim_status slim_wire_close(struct slim_buf *out,
                                                 const struct slim_wire_nested *nested);

#endif
