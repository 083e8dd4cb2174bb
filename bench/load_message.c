/* Messages of the load generator, written with just enough protobuf. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

void load_bytes_put(struct load_bytes *bytes, const void *data, size_t len)
{
    if (bytes->len + len > bytes->capacity) {
        size_t capacity = (bytes->len + len) * 2;
        uint8_t *grown = realloc(bytes->data, capacity);
        if (grown == NULL) {
            load_die("no memory for %zu bytes", capacity);
        }
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    if (len > 0) {
        memcpy(bytes->data + bytes->len, data, len);
    }
    bytes->len += len;
}

void load_bytes_put_byte(struct load_bytes *bytes, uint8_t byte)
{
    load_bytes_put(bytes, &byte, 1);
}

void load_bytes_free(struct load_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct load_bytes){0};
}

static uint64_t trailer_check(const struct load_trailer *trailer)
{
    uint64_t mix = trailer->number * 0x9e3779b97f4a7c15U ^ trailer->time_ns;
    mix ^= ((uint64_t)trailer->kind << 32 | trailer->sender) * 0xc2b2ae3d27d4eb4fU;
    return mix ^ mix >> 29 ^ 0x534c494d4c4f4144U;
}

void load_trailer_put(uint8_t *at, enum load_kind kind, uint32_t sender, uint64_t number,
                      uint64_t time_ns)
{
    struct load_trailer trailer = {0, kind, sender, number, time_ns};
    trailer.check = trailer_check(&trailer);
    memcpy(at, &trailer, sizeof(trailer));
}

bool load_trailer_get(const uint8_t *at, struct load_trailer *trailer)
{
    memcpy(trailer, at, sizeof(*trailer));
    return trailer->check == trailer_check(trailer);
}

static void put_varint(struct load_bytes *out, uint64_t value)
{
    while (value >= 0x80) {
        load_bytes_put_byte(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    load_bytes_put_byte(out, (uint8_t)value);
}

static void put_number(struct load_bytes *out, uint32_t field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

static void put_field(struct load_bytes *out, uint32_t field, const void *data, size_t len)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, len);
    load_bytes_put(out, data, len);
}

/* A sub-message: takes and frees its bytes. */
static void put_nested(struct load_bytes *out, uint32_t field, struct load_bytes *nested)
{
    put_field(out, field, nested->data, nested->len);
    load_bytes_free(nested);
}

/* Nodes route on the numbers only; any fixed function of the word will do. */
static uint64_t component_of(const char *word)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (const char *at = word; *at != 0; at++) {
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3U;
    }
    return hash | 1U << 31;
}

static void put_name(struct load_bytes *out, uint32_t field, struct load_name name)
{
    const char *words[3] = {"slim", "load", name.word};
    struct load_bytes encoded = {0};
    struct load_bytes text = {0};
    for (uint32_t i = 0; i < 3; i++) {
        put_number(&encoded, i + 1, component_of(words[i]));
        put_field(&text, i + 1, words[i], strlen(words[i]));
    }
    put_number(&encoded, 4, name.id);
    struct load_bytes whole = {0};
    put_nested(&whole, 1, &encoded);
    put_nested(&whole, 2, &text);
    put_nested(out, field, &whole);
}

static void put_header(struct load_bytes *out, struct load_name from, struct load_name to,
                       uint32_t fanout, size_t identity_bytes)
{
    struct load_bytes header = {0};
    struct load_bytes identity = {0};
    for (size_t i = 0; i < identity_bytes; i++) {
        load_bytes_put_byte(&identity, (uint8_t)('a' + i % 26));
    }
    put_name(&header, 1, from);
    put_name(&header, 2, to);
    put_number(&header, 3, fanout);
    put_nested(&header, 4, &identity);
    put_nested(out, 1, &header);
}

/* Wrap the member `field` of Message, then put the gRPC prefix in front of it. */
static void put_grpc(struct load_bytes *out, uint32_t field, struct load_bytes *member)
{
    struct load_bytes message = {0};
    put_nested(&message, field, member);
    uint32_t len = (uint32_t)message.len;
    uint8_t prefix[LOAD_GRPC_PREFIX_BYTES] = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
                                              (uint8_t)(len >> 8), (uint8_t)len};
    load_bytes_put(out, prefix, sizeof(prefix));
    load_bytes_put(out, message.data, message.len);
    load_bytes_free(&message);
}

void load_put_subscribe(struct load_bytes *out, struct load_name name, size_t identity_bytes)
{
    struct load_bytes subscribe = {0};
    put_header(&subscribe, name, name, 1, identity_bytes);
    put_grpc(out, 1, &subscribe);
}

void load_put_publish(struct load_bytes *out, struct load_name from, struct load_name to,
                      uint32_t fanout, size_t identity_bytes, size_t payload_bytes)
{
    struct load_bytes session = {0};
    put_number(&session, 1, 2); /* multicast */
    put_number(&session, 2, 1); /* MSG */
    put_number(&session, 3, 4711);
    put_number(&session, 4, 1);

    struct load_bytes blob = {0};
    for (size_t i = 0; i < payload_bytes; i++) {
        load_bytes_put_byte(&blob, (uint8_t)(i * 31 + (i >> 8)));
    }
    struct load_bytes payload = {0};
    put_field(&payload, 1, "msg", 3);
    put_nested(&payload, 2, &blob);
    struct load_bytes content = {0};
    put_nested(&content, 1, &payload);

    struct load_bytes publish = {0};
    put_header(&publish, from, to, fanout, identity_bytes);
    put_nested(&publish, 2, &session);
    put_nested(&publish, 3, &content);
    put_grpc(out, 3, &publish);
}

/* Bucket of a time: its highest bit and the six bits below it. */
static size_t bucket_of(uint64_t time_ns)
{
    if (time_ns < LOAD_HISTOGRAM_SUB) {
        return (size_t)time_ns;
    }
    unsigned top = 63U - (unsigned)__builtin_clzll(time_ns);
    size_t bucket = (size_t)(top - 5) * LOAD_HISTOGRAM_SUB +
                    (size_t)((time_ns >> (top - 6)) & (LOAD_HISTOGRAM_SUB - 1));
    return bucket < LOAD_HISTOGRAM_COUNT ? bucket : LOAD_HISTOGRAM_COUNT - 1;
}

void load_histogram_add(struct load_histogram *histogram, uint64_t time_ns)
{
    histogram->buckets[bucket_of(time_ns)]++;
    histogram->count++;
    if (time_ns > histogram->max_ns) {
        histogram->max_ns = time_ns;
    }
}

uint64_t load_histogram_at(const struct load_histogram *histogram, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)histogram->count);
    uint64_t seen = 0;
    for (size_t i = 0; i < LOAD_HISTOGRAM_COUNT; i++) {
        seen += histogram->buckets[i];
        if (seen > wanted) {
            if (i < LOAD_HISTOGRAM_SUB) {
                return i;
            }
            unsigned top = (unsigned)(i / LOAD_HISTOGRAM_SUB) + 5;
            return (LOAD_HISTOGRAM_SUB + (uint64_t)(i % LOAD_HISTOGRAM_SUB)) << (top - 6);
        }
    }
    return histogram->max_ns;
}
