#include "auth/spiffe.h"

#include "auth_support.h"

static void ids_are_read_as_the_standard_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *domain; /* NULL: not an id */
        const char *path;
    } rows[] = {
        {"spiffe://test.domain/bob", "test.domain", "/bob"},
        {"spiffe://test.domain", "test.domain", ""},
        {"spiffe://a_b-c.1/X/y.z/_-", "a_b-c.1", "/X/y.z/_-"},
        {"spiffe://d/...", "d", "/..."},
        {"", NULL, NULL},
        {"spiffe://", NULL, NULL},
        {"spiffe:///bob", NULL, NULL},
        {"SPIFFE://d/bob", NULL, NULL},
        {"https://d/bob", NULL, NULL},
        {"spiffe://D/bob", NULL, NULL},
        {"spiffe://d:1/bob", NULL, NULL},
        {"spiffe://u@d/bob", NULL, NULL},
        {"spiffe://d/", NULL, NULL},
        {"spiffe://d/a/", NULL, NULL},
        {"spiffe://d//a", NULL, NULL},
        {"spiffe://d/./a", NULL, NULL},
        {"spiffe://d/a/..", NULL, NULL},
        {"spiffe://d/a b", NULL, NULL},
        {"spiffe://d/%41", NULL, NULL},
        {"spiffe://d/\xc3\xa9", NULL, NULL},
        {"spiffe://d/a?b", NULL, NULL},
        {"spiffe://d/a#b", NULL, NULL},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_spiffe_id id;
        enum slim_status status = slim_spiffe_id_parse(slim_view_str(rows[i].text), &id);
        CHECK_ROW(rows[i].text, (status == SLIM_OK) == (rows[i].domain != NULL));
        if (status == SLIM_OK) {
            CHECK_ROW(rows[i].text, slim_view_is_equal(id.domain, slim_view_str(rows[i].domain)));
            CHECK_ROW(rows[i].text, slim_view_is_equal(id.path, slim_view_str(rows[i].path)));
        }
    }
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    char text[2100] = "spiffe://";
    struct slim_spiffe_id id;
    memset(text + 9, 'd', 255);
    CHECK_OK(slim_spiffe_id_parse(slim_view_of(text, 9 + 255), &id));
    text[9 + 255] = 'd';
    CHECK(slim_spiffe_id_parse(slim_view_of(text, 9 + 256), &id) == SLIM_ERR_MALFORMED);
    text[10] = '/';
    memset(text + 11, 'p', sizeof(text) - 11);
    CHECK_OK(slim_spiffe_id_parse(slim_view_of(text, 2048), &id));
    CHECK(slim_spiffe_id_parse(slim_view_of(text, 2049), &id) == SLIM_ERR_MALFORMED);
}

static void domains_come_with_or_without_scheme(void **state)
{
    (void)state;
    struct slim_view domain;
    CHECK_OK(slim_spiffe_domain_parse(SLIM_VIEW("a.test"), &domain));
    CHECK_VIEW(domain, "a.test");
    CHECK_OK(slim_spiffe_domain_parse(SLIM_VIEW("spiffe://a.test"), &domain));
    CHECK_VIEW(domain, "a.test");
    CHECK(slim_spiffe_domain_parse(SLIM_VIEW("spiffe://a.test/x"), &domain) == SLIM_ERR_MALFORMED);
    CHECK(slim_spiffe_domain_parse(SLIM_VIEW(""), &domain) == SLIM_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_read_as_the_standard_says),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(domains_come_with_or_without_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
