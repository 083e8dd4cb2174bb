#include "base/hash.h"
#include "hash_vectors.h"
#include "support/check.h"

static void components_hash_as_in_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(component_vectors); i++) {
        const struct hash_vector *vector = &component_vectors[i];
        CHECK_ROW((const char *)vector->text.data,
                  slim_hash_component(vector->text) == vector->hash);
    }
}

static void app_ids_hash_as_in_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(app_id_vectors); i++) {
        const struct hash_vector *vector = &app_id_vectors[i];
        CHECK_ROW((const char *)vector->text.data, slim_hash_app_id(vector->text) == vector->hash);
    }
}

/* The stack path ends at 255 bytes. The values are XXH64 of n bytes 'x' and 0xFF, computed with an
 * implementation of the published algorithm of its own, in Python. */
static void long_components_hash_as_short_ones(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t hash;
    } rows[] = {{254, 0x226ec7a15b5f6001U},
                {255, 0xf559078381d30d2eU},
                {256, 0x7704eff40ed99c65U},
                {257, 0x1bc9bb435a9d1befU},
                {1023, 0xb402bb0faadb8c4eU}};
    uint8_t text[1024];
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW("length", slim_hash_component(slim_view_of(text, rows[i].len)) == rows[i].hash);
    }
}

static void app_ids_depend_on_every_byte_and_on_the_length(void **state)
{
    (void)state;
    uint8_t zeros[40] = {0};
    uint64_t seen[40];
    for (size_t len = 0; len < SLIM_COUNT(seen); len++) {
        seen[len] = slim_hash_app_id(slim_view_of(zeros, len));
        for (size_t i = 0; i < len; i++) {
            CHECK(seen[i] != seen[len]);
            zeros[i] = 1;
            CHECK(slim_hash_app_id(slim_view_of(zeros, len)) != seen[len]);
            zeros[i] = 0;
        }
    }
}

static void table_hashes_depend_on_the_key_and_every_word(void **state)
{
    (void)state;
    struct slim_hash_key key = {0x3c6ef372fe94f82bU, 0x9b05688c2b3e6c1fU};
    uint64_t base = slim_hash_words(key, 1, 2, 3, 4);
    CHECK(base == slim_hash_words(key, 1, 2, 3, 4));
    CHECK(base != slim_hash_words((struct slim_hash_key){key.a ^ 1, key.b}, 1, 2, 3, 4));
    CHECK(base != slim_hash_words((struct slim_hash_key){key.a, key.b ^ 1}, 1, 2, 3, 4));
    CHECK(base != slim_hash_words(key, 2, 1, 3, 4));
    for (int bit = 0; bit < 64; bit++) {
        uint64_t flip = 1ULL << bit;
        CHECK(base != slim_hash_words(key, 1 ^ flip, 2, 3, 4));
        CHECK(base != slim_hash_words(key, 1, 2 ^ flip, 3, 4));
        CHECK(base != slim_hash_words(key, 1, 2, 3 ^ flip, 4));
        CHECK(base != slim_hash_words(key, 1, 2, 3, 4 ^ flip));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(components_hash_as_in_the_reference),
        cmocka_unit_test(app_ids_hash_as_in_the_reference),
        cmocka_unit_test(long_components_hash_as_short_ones),
        cmocka_unit_test(app_ids_depend_on_every_byte_and_on_the_length),
        cmocka_unit_test(table_hashes_depend_on_the_key_and_every_word),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
