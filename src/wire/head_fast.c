/* The head of a Publish as every known sender writes it, read in one straight line.
 *
 * This is on the publish path. Three things make it quick: no table and no dispatch on field numbers, since the next key
 * is known; varints of up to ten bytes (hashes are that long) are taken with one 8-byte load; the strings of a name and
 * the identity are checked for UTF-8 by looking for bytes above 127 only, 32 at a time.
 * Anything unexpected returns false, and slim_wire_read_head_any decides. */
#include <endian.h>

#include "base/utf8.h"
#include "wire/field.h"
#include "wire/head.h"
#include "wire/schema.h"

#define KEY_NUMBER(number) ((uint8_t)((number) << 3 | SLIM_WIRE_FIELD_VARINT))
#define KEY_BYTES(number) ((uint8_t)((number) << 3 | SLIM_WIRE_FIELD_BYTES))

/* Without it the compiler keeps the cursor in memory, between calls. */
#define INLINE static inline __attribute__((always_inline))

enum {
    WORD_BYTES = 8,
    CHUNK_BYTES = 32,
};

/* at    next byte
 * end   end of the message: nothing behind it is read. Limits of sub-messages are checked by the callers, who find out
 *       afterwards that a number ran over one. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

INLINE uint64_t load_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Close the gaps between eight groups of 7 bits, the lowest first. */
INLINE uint64_t join_groups(uint64_t word)
{
    word &= 0x7f7f7f7f7f7f7f7fU;
    word = (word & 0x007f007f007f007fU) | (word & 0x7f007f007f007f00U) >> 1;
    word = (word & 0x00003fff00003fffU) | (word & 0x3fff00003fff0000U) >> 2;
    return (word & 0x000000000fffffffU) | (word & 0x0fffffff00000000U) >> 4;
}

/* The same close to the end of the message, where a word cannot be loaded. NULL: refused. The cursor is not handed over by
 * address, so that it can live in registers. */
static __attribute__((noinline)) const uint8_t *
take_number_at_end(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    struct slim_view in = slim_view_of(at, (size_t)(end - at));
    return slim_wire_take_varint(&in, value) == SLIM_OK ? in.data : NULL;
}

INLINE bool take_number(struct cursor *c, uint64_t *value)
{
    const uint8_t *at = c->at;
    if (SLIM_UNLIKELY(c->end - at < SLIM_WIRE_VARINT_BYTES_MAX)) {
        uint64_t got = 0;
        at = take_number_at_end(at, c->end, &got);
        if (at == NULL) {
            return false;
        }
        *value = got;
        c->at = at;
        return true;
    }
    if (at[0] < 0x80) {
        *value = at[0];
        c->at = at + 1;
        return true;
    }
    uint64_t word = le64toh(load_word(at));
    uint64_t stops = ~word & 0x8080808080808080U;
    if (stops != 0) {
        c->at = at + (unsigned)__builtin_ctzll(stops) / 8 + 1;
        *value = join_groups(word & (stops ^ (stops - 1)));
        return true;
    }
    /* nine or ten bytes, as likely as not for a hash: no branch on which */
    uint64_t is_ten = at[8] >> 7;
    uint64_t tenth = at[9] & (0 - is_ten);
    *value = join_groups(word) | (uint64_t)(at[8] & 0x7f) << 56 | tenth << 63;
    c->at = at + 9 + is_ten;
    return tenth <= 1;
}

INLINE bool is_at(const struct cursor *c, const uint8_t *limit, uint8_t key)
{
    return c->at < limit && *c->at == key;
}

/* Step over the length behind a key; *stop is the end of its content, which does not pass `limit`. */
INLINE bool take_len(struct cursor *c, const uint8_t *limit, const uint8_t **stop)
{
    uint64_t len;
    if (!take_number(c, &len) || c->at > limit || len > (uint64_t)(limit - c->at)) {
        return false;
    }
    *stop = c->at + len;
    return true;
}

INLINE bool take_key_and_len(struct cursor *c, const uint8_t *limit, uint8_t key,
                             const uint8_t **stop)
{
    if (!is_at(c, limit, key)) {
        return false;
    }
    c->at++;
    return take_len(c, limit, stop);
}

/* A number that may be absent. */
INLINE bool take_optional(struct cursor *c, const uint8_t *limit, uint8_t key, bool *has,
                          uint64_t *value)
{
    *has = is_at(c, limit, key);
    if (!*has) {
        return true;
    }
    c->at++;
    return take_number(c, value);
}

/* A string that may be absent; its UTF-8 is not looked at. */
INLINE bool take_optional_text(struct cursor *c, const uint8_t *limit, uint8_t key,
                               struct slim_view *text)
{
    if (!is_at(c, limit, key)) {
        return true;
    }
    const uint8_t *stop;
    c->at++;
    if (!take_len(c, limit, &stop)) {
        return false;
    }
    *text = slim_view_of(c->at, (size_t)(stop - c->at));
    c->at = stop;
    return true;
}

INLINE bool is_ascii(const uint8_t *at, size_t len)
{
    uint64_t high = 0;
    if (len >= WORD_BYTES) {
        const uint8_t *last = at + len - WORD_BYTES;
        for (; last - at >= CHUNK_BYTES - WORD_BYTES; at += CHUNK_BYTES) {
            high |= load_word(at) | load_word(at + 8) | load_word(at + 16) | load_word(at + 24);
        }
        for (; at < last; at += WORD_BYTES) {
            high |= load_word(at);
        }
        high |= load_word(last); /* overlaps what was seen already */
        return (high & 0x8080808080808080U) == 0;
    }
    for (size_t i = 0; i < len; i++) {
        high |= at[i];
    }
    return (high & 0x80) == 0;
}

INLINE bool is_text(struct slim_view text)
{
    return is_ascii(text.data, text.len) || slim_utf8_is_valid_slow(text);
}

/* Read the Name in `c`, which is handed over by value; returns what is behind it, or NULL. Not inlined: it is needed twice,
 * and is most of the code. */
static __attribute__((noinline)) const uint8_t *
take_name_at(struct cursor c, const uint8_t *limit, uint8_t key, struct slim_wire_name *name)
{
    const uint8_t *name_end;
    const uint8_t *stop;
    bool has;
    if (!take_key_and_len(&c, limit, key, &name_end) ||
        !take_key_and_len(&c, name_end, KEY_BYTES(SLIM_WIRE_NAME_ENCODED), &stop)) {
        return NULL;
    }
    uint64_t id = 0;
    if (!take_optional(&c, stop, KEY_NUMBER(SLIM_WIRE_ENCODED_COMPONENT_0), &has,
                       &name->name.prefix[0]) ||
        !take_optional(&c, stop, KEY_NUMBER(SLIM_WIRE_ENCODED_COMPONENT_0 + 1), &has,
                       &name->name.prefix[1]) ||
        !take_optional(&c, stop, KEY_NUMBER(SLIM_WIRE_ENCODED_COMPONENT_0 + 2), &has,
                       &name->name.prefix[2]) ||
        !take_optional(&c, stop, KEY_NUMBER(SLIM_WIRE_ENCODED_ID), &has, &id) || c.at != stop) {
        return NULL;
    }
    name->name.id = id == UINT64_MAX ? SLIM_NAME_ANY : id;

    if (!take_key_and_len(&c, name_end, KEY_BYTES(SLIM_WIRE_NAME_STRINGS), &stop) ||
        stop != name_end) {
        return NULL;
    }
    struct slim_view all = slim_view_of(c.at, (size_t)(stop - c.at));
    struct slim_view *part = name->text.part;
    if (!take_optional_text(&c, stop, KEY_BYTES(SLIM_WIRE_STRINGS_COMPONENT_0), &part[0]) ||
        !take_optional_text(&c, stop, KEY_BYTES(SLIM_WIRE_STRINGS_COMPONENT_0 + 1), &part[1]) ||
        !take_optional_text(&c, stop, KEY_BYTES(SLIM_WIRE_STRINGS_COMPONENT_0 + 2), &part[2]) ||
        c.at != stop) {
        return NULL;
    }
    name->is_present = true;
    name->is_complete = true;
    /* keys and short lengths are below 128 too: mostly one look at the whole StringName is enough */
    bool is_valid =
        is_ascii(all.data, all.len) || (is_text(part[0]) && is_text(part[1]) && is_text(part[2]));
    return is_valid ? c.at : NULL;
}

INLINE bool take_name(struct cursor *c, const uint8_t *limit, uint8_t key,
                      struct slim_wire_name *name)
{
    const uint8_t *behind = take_name_at(*c, limit, key, name);
    if (behind == NULL) {
        return false;
    }
    c->at = behind;
    return true;
}

/* The same views, into the copy of the bytes that the memo keeps. */
static void move_text(struct slim_wire_name *name, const uint8_t *from, const uint8_t *to)
{
    for (size_t i = 0; i < SLIM_COUNT(name->text.part); i++) {
        if (name->text.part[i].data != NULL) {
            name->text.part[i].data = to + (name->text.part[i].data - from);
        }
    }
}

/* Not the names themselves, but the same names give the same number. */
INLINE uint64_t trace_of(const struct slim_wire_head *head)
{
    return head->source.name.prefix[2] ^ (uint64_t)head->source.name.id ^
           head->destination.name.prefix[2] ^ (uint64_t)head->destination.name.id << 1;
}

static __attribute__((noinline)) void remember(struct slim_wire_memo *memo, const uint8_t *names,
                                               size_t len, const struct slim_wire_head *head)
{
    memo->len = 0;
    if (len > sizeof(memo->bytes)) {
        return;
    }
    memcpy(memo->bytes, names, len);
    memo->len = len;
    memo->source = head->source;
    memo->destination = head->destination;
    move_text(&memo->source, names, memo->bytes);
    move_text(&memo->destination, names, memo->bytes);
}

/* Source and destination. A sender repeats them from message to message: comparing bytes is quicker than reading them. */
INLINE bool take_names(struct cursor *c, const uint8_t *limit, struct slim_wire_head *head,
                       struct slim_wire_memo *memo)
{
    const uint8_t *names = c->at;
    if (memo != NULL && memo->len > 0 && (size_t)(limit - names) >= memo->len &&
        memcmp(names, memo->bytes, memo->len) == 0) {
        head->source = memo->source;
        head->destination = memo->destination;
        c->at += memo->len;
        return true;
    }
    if (!take_name(c, limit, KEY_BYTES(SLIM_WIRE_HEADER_SOURCE), &head->source) ||
        !take_name(c, limit, KEY_BYTES(SLIM_WIRE_HEADER_DESTINATION), &head->destination)) {
        return false;
    }
    if (memo != NULL) {
        uint64_t trace = trace_of(head);
        if (trace == memo->last_trace) { /* the second time in a row: worth the copy */
            remember(memo, names, (size_t)(c->at - names), head);
        }
        memo->last_trace = trace;
    }
    return true;
}

INLINE bool take_header(struct cursor *c, const uint8_t *limit, struct slim_wire_head *head,
                        struct slim_wire_memo *memo)
{
    const uint8_t *stop;
    bool has;
    uint64_t fanout = 0;
    uint64_t error = 0;
    if (!take_key_and_len(c, limit, KEY_BYTES(SLIM_WIRE_PUBLISH_HEADER), &stop) ||
        !take_names(c, stop, head, memo) ||
        !take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_HEADER_FANOUT), &has, &fanout) ||
        !take_optional_text(c, stop, KEY_BYTES(SLIM_WIRE_HEADER_IDENTITY), &head->identity) ||
        !is_text(head->identity)) {
        return false;
    }
    head->fanout = (uint32_t)fanout;
    if (c->at == stop) {
        return true;
    }
    if (!take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_HEADER_RECV_FROM), &head->has_recv_from,
                       &head->recv_from) ||
        !take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_HEADER_FORWARD_TO), &head->has_forward_to,
                       &head->forward_to) ||
        !take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_HEADER_INCOMING_CONN),
                       &head->has_incoming_conn, &head->incoming_conn) ||
        !take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_HEADER_ERROR), &head->has_error, &error)) {
        return false;
    }
    head->error = error != 0;
    return c->at == stop;
}

INLINE bool take_session(struct cursor *c, const uint8_t *limit, struct slim_wire_head *head)
{
    const uint8_t *stop;
    bool has;
    uint64_t type = 0;
    uint64_t message_type = 0;
    uint64_t session_id = 0;
    uint64_t message_id = 0;
    if (!take_key_and_len(c, limit, KEY_BYTES(SLIM_WIRE_PUBLISH_SESSION), &stop) ||
        !take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_SESSION_TYPE), &has, &type) ||
        !take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_SESSION_MESSAGE_TYPE), &has, &message_type) ||
        !take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_SESSION_ID), &has, &session_id) ||
        !take_optional(c, stop, KEY_NUMBER(SLIM_WIRE_SESSION_MESSAGE_ID), &has, &message_id) ||
        c->at != stop) {
        return false;
    }
    head->has_session = true;
    head->session_type = (int32_t)(uint32_t)type;
    head->session_message_type = (int32_t)(uint32_t)message_type;
    head->session_id = (uint32_t)session_id;
    head->message_id = (uint32_t)message_id;
    return true;
}

/* Step over a Content that holds an ApplicationPayload; a blob is not looked at. */
INLINE bool take_app_payload(struct cursor *c, const uint8_t *stop)
{
    const uint8_t *payload_end;
    struct slim_view type = {0};
    struct slim_view blob = {0};
    return take_key_and_len(c, stop, KEY_BYTES(SLIM_WIRE_CONTENT_APP_PAYLOAD), &payload_end) &&
           take_optional_text(c, payload_end, KEY_BYTES(SLIM_WIRE_APP_PAYLOAD_TYPE), &type) &&
           take_optional_text(c, payload_end, KEY_BYTES(SLIM_WIRE_APP_PAYLOAD_BLOB), &blob) &&
           c->at == payload_end && payload_end == stop && is_text(type);
}

INLINE bool take_content(struct cursor *c, const uint8_t *limit)
{
    const uint8_t *stop;
    if (c->at == limit) {
        return true;
    }
    if (!take_key_and_len(c, limit, KEY_BYTES(SLIM_WIRE_PUBLISH_MSG), &stop)) {
        return false;
    }
    const uint8_t *start = c->at;
    if (is_at(c, stop, KEY_BYTES(SLIM_WIRE_CONTENT_APP_PAYLOAD)) && take_app_payload(c, stop)) {
        return true;
    }
    c->at = stop;
    return slim_wire_check(SLIM_WIRE_SCHEMA_CONTENT, slim_view_of(start, (size_t)(stop - start))) ==
           SLIM_OK;
}

/* The metadata behind the Publish, to the end of the message. */
INLINE bool take_metadata(struct cursor *c)
{
    while (c->at < c->end) {
        const uint8_t *stop;
        if (!take_key_and_len(c, c->end, KEY_BYTES(SLIM_WIRE_MESSAGE_METADATA), &stop) ||
            slim_wire_check(SLIM_WIRE_SCHEMA_MAP_ENTRY,
                            slim_view_of(c->at, (size_t)(stop - c->at))) != SLIM_OK) {
            return false;
        }
        c->at = stop;
    }
    return true;
}

/* A size that the compiler knows makes it choose `rep stos`, which takes longer than the rest of the reader. */
static void clear(struct slim_wire_head *head)
{
    size_t size = sizeof(*head);
    __asm__("" : "+r"(size));
    memset(head, 0, size);
}

bool slim_wire_read_head_fast(struct slim_view msg, struct slim_wire_head *head,
                              struct slim_wire_memo *memo)
{
    if (msg.len == 0) {
        return false;
    }
    struct cursor c = {msg.data, msg.data + msg.len};
    const uint8_t *stop;
    clear(head);
    head->kind = SLIM_WIRE_PUBLISH;
    if (!take_key_and_len(&c, c.end, KEY_BYTES(SLIM_WIRE_MESSAGE_PUBLISH), &stop) ||
        !take_header(&c, stop, head, memo) || !take_session(&c, stop, head) ||
        !take_content(&c, stop) || c.at != stop) {
        return false;
    }
    return take_metadata(&c);
}
