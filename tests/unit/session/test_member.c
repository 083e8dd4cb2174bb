#include "session/member.h"

#include <stdio.h>

#include "support/check.h"

static struct slim_wire_name name_of(char text[8], uint32_t number, uint64_t id)
{
    struct slim_wire_name name = {.is_present = true, .is_complete = true};
    (void)snprintf(text, 8, "m%u", number);
    name.text.part[0] = SLIM_VIEW("a");
    name.text.part[1] = SLIM_VIEW("b");
    name.text.part[2] = slim_view_str(text);
    name.name = slim_name_of(&name.text, id);
    return name;
}

static struct slim_heap *heap;
static struct slim_session_members members;

static int begin(void **state)
{
    (void)state;
    CHECK_OK(slim_heap_new(0, &heap));
    slim_session_members_init(&members, heap, (struct slim_hash_key){1, 2});
    return 0;
}

static int end(void **state)
{
    (void)state;
    slim_session_members_fini(&members);
    slim_heap_free(heap);
    return 0;
}

static void names_are_found_with_and_without_id(void **state)
{
    (void)state;
    char text[8];
    struct slim_session_member *member;
    struct slim_wire_name name = name_of(text, 1, 7);
    CHECK(slim_session_members_by_name(&members, &name.name) == NULL);
    CHECK_OK(slim_session_members_add(&members, &name, SLIM_SESSION_PRESENT, &member));
    CHECK(slim_session_members_add(&members, &name, SLIM_SESSION_PRESENT, &member) ==
          SLIM_ERR_EXISTS);
    CHECK(slim_session_members_by_source(&members, &name.name) == member);
    name.name.id = 8;
    CHECK(slim_session_members_by_source(&members, &name.name) == NULL);
    CHECK(slim_session_members_by_name(&members, &name.name) == member);
    member->is_self = true;
    CHECK_ROW("somebody else of that name",
              slim_session_members_by_name(&members, &name.name) == NULL);
    struct slim_session_member *other;
    CHECK_OK(slim_session_members_add(&members, &name, SLIM_SESSION_PRESENT, &other));
    CHECK(slim_session_members_by_name(&members, &name.name) == other);
}

static void list_is_in_the_order_of_joining(void **state)
{
    (void)state;
    char text[8];
    struct slim_session_member *made[6];
    for (uint32_t i = 0; i < 6; i++) {
        struct slim_wire_name name = name_of(text, i, 1);
        CHECK_OK(slim_session_members_add(
            &members, &name, i == 2 ? SLIM_SESSION_INVITED : SLIM_SESSION_WELCOMED, &made[i]));
    }
    CHECK(members.listed_count == 5);
    slim_session_members_set(&members, made[2], SLIM_SESSION_PRESENT);
    slim_session_members_set(&members, made[1], SLIM_SESSION_GOING);
    slim_session_members_set(&members, made[4], SLIM_SESSION_PRESENT);
    static const uint32_t want[] = {0, 3, 4, 5, 2};
    CHECK(members.listed_count == SLIM_COUNT(want));
    for (uint32_t i = 0; i < SLIM_COUNT(want); i++) {
        CHECK(members.slots[members.listed[i]] == made[want[i]]);
    }
}

static void slots_are_used_again_and_bounded(void **state)
{
    (void)state;
    char text[8];
    struct slim_session_member *member = NULL;
    struct slim_session_member *last = NULL;
    for (uint32_t i = 0; i < SLIM_SESSION_MEMBERS_MAX; i++) {
        struct slim_wire_name name = name_of(text, i, 1);
        CHECK_OK(slim_session_members_add(&members, &name, SLIM_SESSION_PRESENT, &member));
        CHECK(member->slot == i);
        last = i == 77 ? member : last;
    }
    struct slim_wire_name extra = name_of(text, 9999, 1);
    CHECK(slim_session_members_add(&members, &extra, SLIM_SESSION_PRESENT, &member) ==
          SLIM_ERR_LIMIT);
    slim_session_members_remove(&members, last);
    CHECK(slim_session_members_at(&members, 77) == NULL);
    CHECK_OK(slim_session_members_add(&members, &extra, SLIM_SESSION_PRESENT, &member));
    CHECK(member->slot == 77);
    CHECK(slim_session_members_at(&members, SLIM_SESSION_NO_SLOT) == NULL);
}

static void names_are_bounded(void **state)
{
    (void)state;
    static uint8_t large[SLIM_SESSION_NAME_BYTES_MAX];
    struct slim_wire_name name = {.is_present = true, .is_complete = true};
    struct slim_session_name kept;
    for (size_t i = 0; i < sizeof(large); i++) {
        large[i] = 'x';
    }
    name.text.part[0] = slim_view_of(large, sizeof(large));
    name.name = slim_name_of(&name.text, 3);
    CHECK_OK(slim_session_name_init(heap, &name, 3, &kept));
    CHECK(kept.wire.name.id == 3 && kept.wire.text.part[0].len == sizeof(large));
    slim_session_name_fini(heap, &kept);
    name.text.part[2] = SLIM_VIEW("y");
    name.name = slim_name_of(&name.text, 3);
    CHECK(slim_session_name_init(heap, &name, 3, &kept) == SLIM_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_found_with_and_without_id, begin, end),
        cmocka_unit_test_setup_teardown(list_is_in_the_order_of_joining, begin, end),
        cmocka_unit_test_setup_teardown(slots_are_used_again_and_bounded, begin, end),
        cmocka_unit_test_setup_teardown(names_are_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
