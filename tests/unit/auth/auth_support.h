/* Helpers of the auth tests: recorded vectors, reproducible randomness. */
#ifndef SLIM_TESTS_UNIT_AUTH_SUPPORT_H
#define SLIM_TESTS_UNIT_AUTH_SUPPORT_H

#include <stdlib.h>

#include "auth/auth.h"
#include "support/check.h"

static uint64_t random_state = 1;

/* A counter, stirred: the same bytes in every run. */
static inline void test_random(void *out, size_t len)
{
    uint8_t *to = out;
    for (size_t i = 0; i < len; i++) {
        random_state = random_state * 6364136223846793005U + 1442695040888963407U;
        to[i] = (uint8_t)(random_state >> 56);
    }
}

/* The content of tests/vectors/auth/NAME; the caller frees it. */
static inline struct slim_buf load_file(const char *name)
{
    char path[512];
    const char *folder = getenv("SLIM_VECTORS");
    CHECK(folder != NULL);
    (void)snprintf(path, sizeof(path), "%s/auth/%s", folder, name); /* a cut path does not open */
    FILE *file = fopen(path, "rb");
    CHECK_ROW(path, file != NULL);
    struct slim_buf text = {0};
    uint8_t part[4096];
    size_t got;
    while ((got = fread(part, 1, sizeof(part), file)) > 0) {
        CHECK_OK(slim_buf_put(&text, slim_view_of(part, got)));
    }
    (void)fclose(file); /* was only read */
    return text;
}

/* The same as JSON. */
static inline struct slim_json *load_vectors(const char *name)
{
    static const struct slim_json_limits limits = {.bytes_max = 1 << 20, .depth_max = 16};
    struct slim_buf text = load_file(name);
    struct slim_json *json;
    CHECK_OK(slim_json_parse(slim_buf_view(&text), &limits, &json, NULL));
    slim_buf_fini(&text);
    return json;
}

/* A member that must be there. */
static inline struct slim_view text_of(const struct slim_json *json, const char *key)
{
    struct slim_view text = {0};
    CHECK_ROW(key, slim_json_read_text(slim_json_find(json, key), &text));
    return text;
}

static inline uint64_t number_of(const struct slim_json *json, const char *key)
{
    int64_t number = 0;
    CHECK_ROW(key, slim_json_read_integer(slim_json_find(json, key), &number) && number >= 0);
    return (uint64_t)number;
}

static inline bool flag_of(const struct slim_json *json, const char *key)
{
    bool flag = false;
    CHECK_ROW(key, slim_json_read_bool(slim_json_find(json, key), &flag));
    return flag;
}

#endif
