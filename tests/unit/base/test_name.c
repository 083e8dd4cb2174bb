#include "base/name.h"

#include "base/hash.h"
#include "support/check.h"

static struct slim_name_text text_of(const char *a, const char *b, const char *c)
{
    return (struct slim_name_text){{slim_view_str(a), slim_view_str(b), slim_view_str(c)}};
}

static void ids_are_shown_in_hexadecimal(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        unsigned __int128 id;
        const char *text;
    } rows[] = {
        {"zero", 0, "0"},
        {"one", 1, "1"},
        {"seen on the wire", 5048601424467257567U, "46103c3f35e6e8df"},
        {"no leading zeros", 0xabcU, "abc"},
        {"the largest of generation 1", 0xfffffffffffffffeU, "fffffffffffffffe"},
        {"any instance", SLIM_NAME_ANY, "ffffffffffffffff"},
        {"beyond 64 bits", (unsigned __int128)1 << 64, "10000000000000000"},
        {"128 bits", ~(unsigned __int128)0 - 1, "fffffffffffffffffffffffffffffffe"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[SLIM_NAME_ID_TEXT_MAX];
        size_t len = slim_name_id_format(rows[i].id, text);
        CHECK_ROW(rows[i].why, strcmp(text, rows[i].text) == 0 && len == strlen(text));
    }
}

/* The first four rows were shown by the reference. */
static void names_are_shown_as_the_reference_does(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *part[3];
        unsigned __int128 id;
        const char *text;
    } rows[] = {
        {"an application",
         {"agntcy", "demo", "alice"},
         5048601424467257567U,
         "agntcy/demo/alice/46103c3f35e6e8df"},
        {"any instance",
         {"agntcy", "demo", "bob"},
         SLIM_NAME_ANY,
         "agntcy/demo/bob/ffffffffffffffff"},
        {"one", {"o", "n", "a"}, 1, "o/n/a/1"},
        {"zero", {"org", "ns", "app"}, 0, "org/ns/app/0"},
        {"empty parts", {"", "", ""}, 0, "///0"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[100];
        struct slim_name_text name = text_of(rows[i].part[0], rows[i].part[1], rows[i].part[2]);
        size_t len = slim_name_format(&name, rows[i].id, text, sizeof(text));
        CHECK_ROW(rows[i].why, strcmp(text, rows[i].text) == 0 && len == strlen(text));
    }
}

static void long_names_are_cut(void **state)
{
    (void)state;
    struct slim_name_text name = text_of("agntcy", "demo", "alice");
    static const char whole[] = "agntcy/demo/alice/1";
    for (size_t size = 1; size <= sizeof(whole) + 1; size++) {
        char text[sizeof(whole) + 2];
        memset(text, '#', sizeof(text));
        size_t len = slim_name_format(&name, 1, text, size);
        size_t want = size - 1 < sizeof(whole) - 1 ? size - 1 : sizeof(whole) - 1;
        CHECK(len == want && text[len] == '\0' && strncmp(text, whole, len) == 0);
        CHECK(size >= sizeof(text) || text[size] == '#');
    }
}

static void names_are_equal_when_hashes_and_id_are(void **state)
{
    (void)state;
    struct slim_name_text text = text_of("agntcy", "demo", "alice");
    struct slim_name_key a = slim_name_of(&text, 1);
    CHECK(a.prefix[0] == slim_hash_component(SLIM_VIEW("agntcy")) && a.id == 1);
    CHECK(a.prefix[1] == slim_hash_component(SLIM_VIEW("demo")));
    CHECK(a.prefix[2] == slim_hash_component(SLIM_VIEW("alice")));
    struct slim_name_key b = a;
    CHECK(slim_name_is_equal(&a, &b) && slim_name_has_prefix_of(&a, &b));
    b.id = (unsigned __int128)1 << 64 | 1;
    CHECK(!slim_name_is_equal(&a, &b) && slim_name_has_prefix_of(&a, &b));
    for (size_t i = 0; i < 3; i++) {
        b = a;
        b.prefix[i] ^= 1;
        CHECK(!slim_name_is_equal(&a, &b) && !slim_name_has_prefix_of(&a, &b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_shown_in_hexadecimal),
        cmocka_unit_test(names_are_shown_as_the_reference_does),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(names_are_equal_when_hashes_and_id_are),
    };
    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
