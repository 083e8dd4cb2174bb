/* Reading records, and the memory of what was read. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "serial.h"

enum { CHUNK_BYTES = 4096, ALIGNMENT = 16, TEXT_BYTES_MAX = INT32_MAX };

/* ------------------------------------------------------------------------------------------------ arena */

struct uf_chunk {
    struct uf_chunk *next;
    size_t used;
    size_t size;
    _Alignas(ALIGNMENT) uint8_t bytes[];
};

void *uf_arena_take(struct uf_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t wanted = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct uf_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < wanted) {
        size_t room = wanted > CHUNK_BYTES ? wanted : CHUNK_BYTES;
        chunk = calloc(1, sizeof(*chunk) + room);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->size = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *taken = chunk->bytes + chunk->used;
    chunk->used += wanted;
    return taken;
}

/* In the memory of the arena. */
struct uf_taken {
    struct uf_taken *next;
    struct uf_object *object;
};

bool uf_arena_keep(struct uf_arena *arena, struct uf_object *object)
{
    struct uf_taken *taken = uf_arena_take(arena, sizeof(*taken));
    if (taken == NULL) {
        return false;
    }
    *taken = (struct uf_taken){.next = arena->taken, .object = object};
    arena->taken = taken;
    return true;
}

void uf_arena_fini(struct uf_arena *arena)
{
    for (; arena->taken != NULL; arena->taken = arena->taken->next) {
        uf_object_unref(arena->taken->object);
    }
    while (arena->chunks != NULL) {
        struct uf_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}

/* ------------------------------------------------------------------------------------------------ text */

/* Length of the well-formed sequence at the front, or 0. */
static size_t sequence_len(struct slim_view text)
{
    uint8_t first = text.data[0];
    uint8_t low = 0x80;
    uint8_t high = 0xbf; /* bounds of the second byte */
    size_t len;
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        len = 2;
    } else if ((first & 0xf0) == 0xe0) {
        len = 3;
        low = first == 0xe0 ? 0xa0 : 0x80;  /* overlong */
        high = first == 0xed ? 0x9f : 0xbf; /* surrogates */
    } else if (first >= 0xf0 && first <= 0xf4) {
        len = 4;
        low = first == 0xf0 ? 0x90 : 0x80;  /* overlong */
        high = first == 0xf4 ? 0x8f : 0xbf; /* above U+10FFFF */
    } else {
        return 0;
    }
    if (text.len < len || text.data[1] < low || text.data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

bool uf_text_is_valid(struct slim_view text)
{
    while (text.len > 0) {
        size_t len = sequence_len(text);
        if (len == 0) {
            return false;
        }
        text.data += len;
        text.len -= len;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ values */

struct reader {
    struct slim_view in;
    struct uf_arena *arena;
    struct uf_error *error;
};

static bool read_value(struct reader *reader, const struct uf_type *type, void *value);

static bool fail(struct reader *reader, const struct uf_type *type, const char *why)
{
    (void)uf_fail(reader->error, UF_PANIC, "malformed argument: %s: %s", type->name, why);
    return false;
}

static bool take(struct reader *reader, const struct uf_type *type, size_t len,
                 const uint8_t **bytes)
{
    if (reader->in.len < len) {
        return fail(reader, type, "the buffer ends too early");
    }
    *bytes = reader->in.data;
    reader->in.data += len;
    reader->in.len -= len;
    return true;
}

static bool take_number(struct reader *reader, const struct uf_type *type, size_t len,
                        uint64_t *number)
{
    const uint8_t *bytes;
    uint64_t result = 0;
    if (!take(reader, type, len, &bytes)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        result = result << 8 | bytes[i];
    }
    *number = result;
    return true;
}

static bool read_number(struct reader *reader, const struct uf_type *type, void *value)
{
    uint64_t number;
    if (!take_number(reader, type, type->form == UF_BOOL ? 1 : type->size, &number)) {
        return false;
    }
    if (type->form == UF_BOOL) {
        if (number > 1) {
            return fail(reader, type, "neither 0 nor 1");
        }
        *(bool *)value = number == 1;
    } else if (type->form == UF_U64) {
        *(uint64_t *)value = number;
    } else {
        *(uint32_t *)value = (uint32_t)number;
    }
    return true;
}

static bool read_text(struct reader *reader, const struct uf_type *type, struct slim_view *text)
{
    uint64_t len;
    const uint8_t *bytes;
    if (!take_number(reader, type, sizeof(uint32_t), &len)) {
        return false;
    }
    if (len > TEXT_BYTES_MAX) {
        return fail(reader, type, "a negative length");
    }
    if (!take(reader, type, (size_t)len, &bytes)) {
        return false;
    }
    *text = (struct slim_view){bytes, (size_t)len};
    return type->form == UF_BYTES || uf_text_is_valid(*text) ||
           fail(reader, type, "not valid UTF-8");
}

static bool read_duration(struct reader *reader, const struct uf_type *type,
                          struct uf_duration *duration)
{
    enum { NANOSECONDS = 1000000000 };
    uint64_t nanoseconds;
    if (!take_number(reader, type, sizeof(uint64_t), &duration->seconds) ||
        !take_number(reader, type, sizeof(uint32_t), &nanoseconds)) {
        return false;
    }
    if (nanoseconds >= NANOSECONDS) {
        return fail(reader, type, "more than a second of nanoseconds");
    }
    duration->nanoseconds = (uint32_t)nanoseconds;
    return true;
}

static bool read_variant(struct reader *reader, const struct uf_type *type, uint32_t *variant)
{
    uint64_t number;
    if (!take_number(reader, type, sizeof(uint32_t), &number)) {
        return false;
    }
    if (number < 1 || number > type->count) {
        return fail(reader, type, "no such variant");
    }
    *variant = (uint32_t)number;
    return true;
}

static bool read_union(struct reader *reader, const struct uf_type *type, struct uf_union *value)
{
    if (!read_variant(reader, type, &value->variant)) {
        return false;
    }
    const struct uf_type *body_type = type->variants[value->variant - 1];
    if (body_type == NULL) {
        value->body = NULL;
        return true;
    }
    void *body = uf_arena_take(reader->arena, body_type->size);
    value->body = body;
    return body == NULL ? uf_fail_no_memory(reader->error) : read_value(reader, body_type, body);
}

static bool read_optional(struct reader *reader, const struct uf_type *type, const void **value)
{
    uint64_t flag;
    if (!take_number(reader, type, 1, &flag)) {
        return false;
    }
    if (flag > 1) {
        return fail(reader, type, "a flag that is neither 0 nor 1");
    }
    *value = NULL;
    if (flag == 0) {
        return true;
    }
    void *inner = uf_arena_take(reader->arena, type->inner->size);
    *value = inner;
    return inner == NULL ? uf_fail_no_memory(reader->error)
                         : read_value(reader, type->inner, inner);
}

/* Every element takes at least one byte, so a count is never believed beyond what is there. */
static bool read_list(struct reader *reader, const struct uf_type *type, struct uf_list *list)
{
    uint64_t count;
    if (!take_number(reader, type, sizeof(uint32_t), &count)) {
        return false;
    }
    if (count > UF_LIST_COUNT_MAX || count > reader->in.len) {
        return fail(reader, type, "a count beyond what is there");
    }
    uint8_t *items = uf_arena_take(reader->arena, (size_t)count * type->inner->size);
    if (items == NULL) {
        return uf_fail_no_memory(reader->error);
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_value(reader, type->inner, items + i * type->inner->size)) {
            return false;
        }
    }
    *list = (struct uf_list){.count = (size_t)count, .items = items};
    return true;
}

static bool read_object(struct reader *reader, const struct uf_type *type, void **value)
{
    uint64_t handle;
    if (!take_number(reader, type, sizeof(uint64_t), &handle)) {
        return false;
    }
    struct uf_object *object = uf_handle_take(handle, type->kind);
    if (object == NULL) {
        return fail(reader, type, "a handle of nothing");
    }
    if (!uf_arena_keep(reader->arena, object)) {
        uf_object_unref(object);
        return uf_fail_no_memory(reader->error);
    }
    *value = object;
    return true;
}

static bool read_fields(struct reader *reader, const struct uf_type *type, uint8_t *value)
{
    for (uint32_t i = 0; i < type->count; i++) {
        if (!read_value(reader, type->fields[i].type, value + type->fields[i].offset)) {
            return false;
        }
    }
    return true;
}

static bool read_value(struct reader *reader, const struct uf_type *type, void *value)
{
    switch (type->form) {
    case UF_BOOL:
    case UF_U32:
    case UF_U64:
        return read_number(reader, type, value);
    case UF_TEXT:
    case UF_BYTES:
        return read_text(reader, type, value);
    case UF_DURATION:
        return read_duration(reader, type, value);
    case UF_ENUM:
        return read_variant(reader, type, value);
    case UF_RECORD:
        return read_fields(reader, type, value);
    case UF_UNION:
        return read_union(reader, type, value);
    case UF_OPTIONAL:
        return read_optional(reader, type, value);
    case UF_LIST:
        return read_list(reader, type, value);
    case UF_OBJECT:
        return read_object(reader, type, value);
    }
    assert(false); /* all forms are above */
    return false;
}

bool uf_read_record(const struct uf_type *type, struct slim_view in, void *value,
                    struct uf_arena *arena, struct uf_error *error)
{
    struct reader reader = {.in = in, .arena = arena, .error = error};
    memset(value, 0, type->size);
    return read_value(&reader, type, value) &&
           (reader.in.len == 0 || fail(&reader, type, "bytes behind its end"));
}
