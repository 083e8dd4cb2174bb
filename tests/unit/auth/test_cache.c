#include "auth/cache.h"

#include "auth_support.h"

static struct slim_auth_tag tag_of_number(const struct slim_auth_cache *cache, uint32_t number)
{
    return slim_auth_cache_tag(cache, slim_view_of(&number, sizeof(number)));
}

static enum slim_status put_number(struct slim_auth_cache *cache, uint32_t number, uint64_t from_s,
                                   uint64_t until_s)
{
    struct slim_auth_tag tag = tag_of_number(cache, number);
    struct slim_auth_cached content = {
        from_s, until_s, {slim_view_of(&number, sizeof(number)), number}};
    return slim_auth_cache_put(cache, &tag, &content);
}

static bool has_number(struct slim_auth_cache *cache, uint32_t number, uint64_t now_s)
{
    struct slim_auth_tag tag = tag_of_number(cache, number);
    const struct slim_auth_cached *found = slim_auth_cache_find(cache, &tag, now_s);
    if (found != NULL) {
        CHECK(found->identity.app_id == number);
        CHECK(slim_view_is_equal(found->identity.id, slim_view_of(&number, sizeof(number))));
    }
    return found != NULL;
}

static void the_longest_unused_of_4096_gives_way(void **state)
{
    (void)state;
    struct slim_auth_cache *cache;
    CHECK_OK(slim_auth_cache_new(test_random, &cache));
    for (uint32_t i = 0; i < SLIM_AUTH_CACHE_COUNT; i++) {
        CHECK_OK(put_number(cache, i, 0, 100));
    }
    for (uint32_t i = 0; i < SLIM_AUTH_CACHE_COUNT; i++) {
        CHECK(has_number(cache, i, 50));
    }
    CHECK(has_number(cache, 0, 50)); /* now the newest; 1 is the oldest */
    CHECK_OK(put_number(cache, 5000, 0, 100));
    CHECK(slim_auth_cache_count(cache) == SLIM_AUTH_CACHE_COUNT);
    CHECK(has_number(cache, 0, 50) && has_number(cache, 2, 50) && has_number(cache, 5000, 50));
    CHECK(!has_number(cache, 1, 50));
    slim_auth_cache_clear(cache);
    CHECK(slim_auth_cache_count(cache) == 0 && !has_number(cache, 0, 50));
    for (uint32_t i = 0; i < 3 * SLIM_AUTH_CACHE_COUNT; i++) {
        CHECK_OK(put_number(cache, i, 0, 100));
    }
    CHECK(slim_auth_cache_count(cache) == SLIM_AUTH_CACHE_COUNT);
    CHECK(has_number(cache, 3 * SLIM_AUTH_CACHE_COUNT - 1, 1));
    slim_auth_cache_free(cache);
    slim_auth_cache_free(NULL);
}

static void an_entry_lives_within_its_time_only(void **state)
{
    (void)state;
    struct slim_auth_cache *cache;
    CHECK_OK(slim_auth_cache_new(test_random, &cache));
    static const struct {
        const char *why;
        uint64_t now_s;
        bool is_found;
    } rows[] = {
        {"before its first second", 9, false},
        {"in its first second", 10, true},
        {"in its last second", 20, true},
        {"after its last second", 21, false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_OK(put_number(cache, 1, 10, 20));
        CHECK_ROW(rows[i].why, has_number(cache, 1, rows[i].now_s) == rows[i].is_found);
        CHECK_ROW(rows[i].why, slim_auth_cache_count(cache) == (rows[i].is_found ? 1 : 0));
        slim_auth_cache_clear(cache);
    }
    slim_auth_cache_free(cache);
}

static void two_tables_hash_differently(void **state)
{
    (void)state;
    struct slim_auth_cache *a;
    struct slim_auth_cache *b;
    CHECK_OK(slim_auth_cache_new(test_random, &a));
    CHECK_OK(slim_auth_cache_new(test_random, &b));
    struct slim_auth_tag tag_a = tag_of_number(a, 1);
    struct slim_auth_tag tag_b = tag_of_number(b, 1);
    CHECK(memcmp(&tag_a, &tag_b, sizeof(tag_a)) != 0);
    slim_auth_cache_free(a);
    slim_auth_cache_free(b);
}

static void sweep(void)
{
    struct slim_auth_cache *cache;
    if (slim_auth_cache_new(test_random, &cache) != SLIM_OK) {
        return;
    }
    bool is_put = put_number(cache, 1, 0, 9) == SLIM_OK;
    CHECK(has_number(cache, 1, 1) == is_put);
    slim_auth_cache_free(cache);
}

static void out_of_memory_keeps_the_table_whole(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_unused_of_4096_gives_way),
        cmocka_unit_test(an_entry_lives_within_its_time_only),
        cmocka_unit_test(two_tables_hash_differently),
        cmocka_unit_test(out_of_memory_keeps_the_table_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
