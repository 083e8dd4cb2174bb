/* Records in buffers: big-endian, field by field, as UniFFI writes them. One table of types (types.c) drives the reader and the writer.
 *
 *   bool u8 · numbers 4 or 8 bytes · text and bytes i32 length and bytes (as an argument of its own, text is its bytes alone)
 *   optional u8 flag · list and map i32 count · enumerations and unions i32 variant from 1 · duration u64 seconds, u32 nanoseconds
 *   object u64 handle */
#ifndef UF_SERIAL_H
#define UF_SERIAL_H

#include "records.h"

/* Whoever calls us is in our process; these bounds, and the size of the buffer, keep a damaged count from costing more than the C values of so
 * many elements. */
enum { UF_LIST_COUNT_MAX = 1 << 20, UF_VARIANT_COUNT_MAX = 12 };

enum uf_form {
    UF_BOOL,
    UF_U32,
    UF_U64,
    UF_TEXT,
    UF_BYTES,
    UF_DURATION,
    UF_ENUM,     /* count: number of variants */
    UF_RECORD,   /* fields, count */
    UF_UNION,    /* variants, count: a record for each, NULL for one without fields */
    UF_OPTIONAL, /* inner */
    UF_LIST,     /* inner */
    UF_OBJECT    /* kind */
};

struct uf_field {
    const char *name;
    const struct uf_type *type;
    size_t offset;
};

/* size   of the C value in bytes */
struct uf_type {
    const char *name;
    enum uf_form form;
    size_t size;
    uint32_t count;
    const struct uf_field *fields;
    const struct uf_type *const *variants;
    const struct uf_type *inner;
    enum uf_kind kind;
};

extern const struct uf_type uf_type_optional_text, uf_type_optional_u64, uf_type_optional_duration,
    uf_type_duration, uf_type_bytes, uf_type_texts, uf_type_pairs, uf_type_optional_pairs,
    uf_type_names, uf_type_services;
extern const struct uf_type uf_type_build_info, uf_type_client_config, uf_type_server_config,
    uf_type_dataplane_config, uf_type_service_config, uf_type_service_configs,
    uf_type_runtime_config, uf_type_tracing_config, uf_type_session_config,
    uf_type_session_with_completion, uf_type_message_context, uf_type_received_message;
extern const struct uf_type uf_type_provider, uf_type_verifier, uf_type_direction,
    uf_type_session_type, uf_type_slim_error;

/* All types that cross the border whole, for tests and the fuzzer. */
extern const struct uf_type *const uf_types[];
extern const size_t uf_type_count;

/* Memory of what was read, freed at once, and the objects that came with it. */
struct uf_chunk;
struct uf_taken;
struct uf_arena {
    struct uf_chunk *chunks;
    struct uf_taken *taken;
};
void uf_arena_fini(struct uf_arena *arena);

/* Zeroed, aligned for anything. NULL: no memory. */
UF_CHECKED void *uf_arena_take(struct uf_arena *arena, size_t size);

/* Keep a reference until the end of the arena. False: no memory, and it is not kept. */
UF_CHECKED bool uf_arena_keep(struct uf_arena *arena, struct uf_object *object);

/* Read a value of this type, all of the buffer, into *value (of type->size). Text points into the buffer; the rest, and the counts of handles
 * in it, belong to the arena. False: *error says what is wrong with it, as UF_PANIC. */
UF_CHECKED bool uf_read_record(const struct uf_type *type, struct slim_view in, void *value,
                               struct uf_arena *arena, struct uf_error *error);

/* The other way round, into a new buffer. Objects get a handle each. */
UF_CHECKED bool uf_write_record(const struct uf_type *type, const void *value,
                                struct uf_buffer *buffer, struct uf_error *error);

/* As RFC 3629 has it. */
bool uf_text_is_valid(struct slim_view text);

static inline struct slim_view uf_view_of(const struct uf_buffer *buffer)
{
    return (struct slim_view){buffer->data, (size_t)buffer->len};
}

#endif
