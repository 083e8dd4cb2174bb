#include "base/list.h"
#include "support/check.h"

struct entry {
    int value;
    struct slim_list node;
};

enum { ENTRY_COUNT = 4 };
static struct entry entries[ENTRY_COUNT];
static struct slim_list head;

static int make(void **state)
{
    (void)state;
    slim_list_init(&head);
    for (int i = 0; i < ENTRY_COUNT; i++) {
        entries[i].value = i;
        slim_list_init(&entries[i].node);
    }
    return 0;
}

/* The values in the list are the digits of `want`, both ways round. */
static void check_order(const struct slim_list *list, const char *want)
{
    size_t count = strlen(want);
    size_t i = 0;
    SLIM_LIST_EACH(node, list)
    {
        CHECK_ROW(want,
                  i < count && SLIM_LIST_ENTRY(node, struct entry, node)->value == want[i] - '0');
        CHECK_ROW(want, node->prev->next == node && node->next->prev == node &&
                            slim_list_is_linked(node));
        i++;
    }
    CHECK_ROW(want, i == count);
    CHECK_ROW(want, slim_list_is_empty(list) == (count == 0));
    for (const struct slim_list *node = list->prev; node != list; node = node->prev) {
        i--;
    }
    CHECK_ROW(want, i == 0);
}

static void entries_keep_the_order_of_putting(void **state)
{
    (void)state;
    check_order(&head, "");
    slim_list_put_last(&head, &entries[1].node);
    slim_list_put_last(&head, &entries[2].node);
    slim_list_put_first(&head, &entries[0].node);
    slim_list_put_last(&head, &entries[3].node);
    check_order(&head, "0123");
}

static void removing_is_harmless_twice(void **state)
{
    (void)state;
    for (int i = 0; i < ENTRY_COUNT; i++) {
        slim_list_put_last(&head, &entries[i].node);
    }
    slim_list_remove(&entries[1].node);
    slim_list_remove(&entries[1].node);
    CHECK(!slim_list_is_linked(&entries[1].node));
    check_order(&head, "023");
    slim_list_remove(&entries[0].node);
    slim_list_remove(&entries[3].node);
    check_order(&head, "2");
    slim_list_remove(&entries[2].node);
    check_order(&head, "");
}

static void take_first_empties_the_list_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < ENTRY_COUNT; i++) {
        slim_list_put_last(&head, &entries[i].node);
    }
    for (int i = 0; i < ENTRY_COUNT; i++) {
        struct slim_list *node = slim_list_take_first(&head);
        CHECK(node == &entries[i].node && !slim_list_is_linked(node));
    }
    CHECK(slim_list_take_first(&head) == NULL);
}

static void take_all_appends_and_empties_the_other(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *to;
        const char *from;
        const char *want;
    } rows[] = {
        {"both empty", "", "", ""},      {"from empty", "01", "", "01"},
        {"to empty", "", "01", "01"},    {"one and one", "0", "1", "01"},
        {"several", "02", "31", "0231"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_list from;
        (void)make(NULL);
        slim_list_init(&from);
        for (const char *at = rows[i].to; *at != '\0'; at++) {
            slim_list_put_last(&head, &entries[*at - '0'].node);
        }
        for (const char *at = rows[i].from; *at != '\0'; at++) {
            slim_list_put_last(&from, &entries[*at - '0'].node);
        }
        slim_list_take_all(&head, &from);
        check_order(&head, rows[i].want);
        CHECK_ROW(rows[i].why, slim_list_is_empty(&from));
    }
}

static void walk_survives_removing_the_current_entry(void **state)
{
    (void)state;
    for (int i = 0; i < ENTRY_COUNT; i++) {
        slim_list_put_last(&head, &entries[i].node);
    }
    int seen = 0;
    SLIM_LIST_EACH(node, &head)
    {
        struct entry *entry = SLIM_LIST_ENTRY(node, struct entry, node);
        CHECK(entry->value == seen++);
        if (entry->value % 2 == 1) {
            slim_list_remove(node);
        }
    }
    CHECK(seen == ENTRY_COUNT);
    check_order(&head, "02");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(entries_keep_the_order_of_putting, make),
        cmocka_unit_test_setup(removing_is_harmless_twice, make),
        cmocka_unit_test_setup(take_first_empties_the_list_in_order, make),
        cmocka_unit_test_setup(take_all_appends_and_empties_the_other, make),
        cmocka_unit_test_setup(walk_survives_removing_the_current_entry, make),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
