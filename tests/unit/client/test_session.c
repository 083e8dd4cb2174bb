/* Sessions: point-to-point and groups, and the sentences of spec bindings.md 3.4 (src/client/session.c, publish.c). */
#include <string.h>

#include "world.h"

struct trio {
    struct world world;
    struct world_app alice;
    struct world_app bob;
    struct world_app carol;
};

static int set_up(void **state)
{
    static struct trio trio;
    world_init(&trio.world);
    world_app_init(&trio.alice, &trio.world, "org/ns/alice");
    world_app_init(&trio.bob, &trio.world, "org/ns/bob");
    world_app_init(&trio.carol, &trio.world, "org/ns/carol");
    *state = &trio;
    return 0;
}

static int tear_down(void **state)
{
    struct trio *trio = *state;
    world_app_fini(&trio->alice);
    world_app_fini(&trio->bob);
    world_app_fini(&trio->carol);
    world_fini(&trio->world);
    return 0;
}

static struct slim_session *group_of(const struct world_app *app, bool enable_mls)
{
    struct slim_session *session = NULL;
    struct slim_session_config config = world_config(SLIM_GROUP, enable_mls);
    struct slim_name channel = world_name("org/ns/room");
    CHECK_OK(slim_session_open(app->app, &config, &channel, world_soon(), &session, NULL));
    return session;
}

static struct slim_session *invite(struct slim_session *group, const struct world_app *from,
                                   const struct world_app *whom, const char *name_text)
{
    struct slim_name name = world_name(name_text);
    world_route(from, name_text);
    WORLD_DO(slim_session_invite(group, &name, NULL));
    return world_listen(whom);
}

static void publish(struct slim_session *session, const char *text)
{
    struct slim_payload payload = world_payload(text);
    WORLD_DO(slim_session_publish(session, &payload, NULL));
}

static void two_talk_with_and_without_mls(void **state)
{
    struct trio *trio = *state;
    for (int i = 0; i < 2; i++) {
        bool is_mls = i == 1;
        struct slim_session *out;
        struct slim_session *in;
        struct slim_message *message;
        world_pair(&trio->alice, &trio->bob, "org/ns/bob", is_mls, &out, &in);
        publish(out, "to bob");
        publish(in, "to alice");
        publish(out, "");
        world_expect(in, "to bob");
        CHECK_OK(slim_session_receive(out, world_soon(), &message, NULL));
        const struct slim_message_info *info = slim_message_look(message);
        CHECK_VIEW(info->payload, "to alice");
        CHECK_VIEW(info->type, "msg");
        CHECK(info->metadata_count == 0 && info->is_encrypted == is_mls);
        CHECK_VIEW(info->source.part[2], "bob");
        CHECK(slim_name_same(&info->source, slim_app_name(trio->bob.app)));
        CHECK(slim_name_same(&info->destination, slim_app_name(trio->alice.app)));
        slim_message_unref(message);
        world_expect(in, "");
        const struct slim_session_look *a = slim_session_info(out);
        const struct slim_session_look *b = slim_session_info(in);
        CHECK(a->id == b->id && a->is_initiator && !b->is_initiator && b->enable_mls == is_mls);
        CHECK(b->max_retries == 20 && b->interval_ms == 200);
        CHECK(a->destination.id == SLIM_ANY_ID);
        CHECK(slim_name_same(&b->destination, slim_app_name(trio->alice.app)));
        WORLD_DO(slim_session_delete(out, NULL));
        world_expect_end(in, SLIM_ERR_CLOSED, "session closed");
        WORLD_DO(slim_session_delete(in, NULL));
        WORLD_DO(slim_session_delete(out, NULL));
        slim_session_unref(out);
        slim_session_unref(in);
    }
}

static void both_ends_may_delete_at_once(void **state)
{
    struct trio *trio = *state;
    for (int i = 0; i < 20; i++) {
        struct slim_session *out;
        struct slim_session *in;
        world_pair(&trio->alice, &trio->bob, "org/ns/bob", i % 2 == 1, &out, &in);
        struct slim_op *a = slim_session_delete(out, NULL);
        struct slim_op *b = slim_session_delete(in, NULL);
        struct slim_op *c = slim_session_delete(out, NULL);
        WORLD_DO(a);
        WORLD_DO(b);
        WORLD_DO(c);
        slim_session_unref(out);
        slim_session_unref(in);
    }
}

static void what_was_published_before_a_delete_arrives(void **state)
{
    struct trio *trio = *state;
    enum { COUNT = 2000 };
    struct slim_session *out;
    struct slim_session *in;
    char text[16];
    world_pair(&trio->alice, &trio->bob, "org/ns/bob", false, &out, &in);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        struct slim_payload payload = world_payload(text);
        slim_op_unref(slim_session_publish(out, &payload, NULL));
    }
    struct slim_op *done = slim_session_delete(out, NULL);
    slim_session_unref(out); /* nobody looks: the window is still full of it */
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        world_expect(in, text);
    }
    world_expect_end(in, SLIM_ERR_CLOSED, "session closed");
    WORLD_DO(done);
    slim_session_unref(in);
}

static void a_group_grows_talks_and_shrinks(void **state)
{
    struct trio *trio = *state;
    for (int i = 0; i < 2; i++) {
        bool is_mls = i == 1;
        struct slim_session *group = group_of(&trio->alice, is_mls);
        struct slim_name_list *list;
        struct slim_session *bob = invite(group, &trio->alice, &trio->bob, "org/ns/bob");
        publish(group, "for bob");
        struct slim_session *carol = invite(group, &trio->alice, &trio->carol, "org/ns/carol");
        publish(group, "for both");
        world_expect(bob, "for bob");
        world_expect(bob, "for both");
        world_expect(carol, "for both");
        publish(carol, "from carol");
        world_expect(bob, "from carol");
        world_expect(group, "from carol");
        CHECK_OK(slim_session_participants(group, &list, NULL));
        CHECK(list->count == 3);
        CHECK(slim_name_same(&list->names[0], slim_app_name(trio->alice.app)));
        CHECK_VIEW(list->names[2].part[2], "carol");
        slim_name_list_free(list);
        struct slim_payload direct = world_payload("for carol alone");
        WORLD_DO(slim_session_publish_to(group, slim_app_name(trio->carol.app), &direct, NULL));
        struct slim_message *message;
        CHECK_OK(slim_session_receive(carol, world_soon(), &message, NULL));
        CHECK(slim_message_look(message)->metadata_count == 1);
        CHECK_VIEW(slim_message_look(message)->metadata[0].key, "PUBLISH_TO");
        slim_message_unref(message);
        WORLD_DO(slim_session_remove(group, slim_app_name(trio->bob.app), NULL));
        world_expect_end(bob, SLIM_ERR_CLOSED, "session closed");
        WORLD_DO(slim_session_delete(group, NULL));
        world_expect_end(carol, SLIM_ERR_CLOSED, "session closed");
        slim_session_unref(group);
        slim_session_unref(bob);
        slim_session_unref(carol);
    }
}

static void metadata_is_a_map(void **state)
{
    struct trio *trio = *state;
    const struct slim_pair pairs[] = {{SLIM_VIEW("k"), SLIM_VIEW("first")},
                                      {SLIM_VIEW("other"), SLIM_VIEW("")},
                                      {SLIM_VIEW("k"), SLIM_VIEW("last")}};
    struct slim_session_config config = world_config(SLIM_POINT_TO_POINT, false);
    struct slim_name name = world_name("org/ns/bob");
    struct slim_session *out;
    struct slim_message *message;
    config.metadata = pairs;
    config.metadata_count = SLIM_COUNT(pairs);
    world_route(&trio->alice, "org/ns/bob");
    CHECK_OK(slim_session_open(trio->alice.app, &config, &name, world_soon(), &out, NULL));
    struct slim_session *in = world_listen(&trio->bob);
    const struct slim_session *both[] = {out, in};
    for (size_t i = 0; i < SLIM_COUNT(both); i++) {
        const struct slim_session_look *look = slim_session_info(both[i]);
        CHECK(look->metadata_count == 2);
        size_t at = slim_view_is_equal(look->metadata[0].key, SLIM_VIEW("k")) ? 0 : 1;
        CHECK_VIEW(look->metadata[at].value, "last");
        CHECK_VIEW(look->metadata[1 - at].key, "other");
    }
    struct slim_payload payload = {.data = "x",
                                   .len = 1,
                                   .type = "text/x",
                                   .metadata = pairs,
                                   .metadata_count = SLIM_COUNT(pairs)};
    WORLD_DO(slim_session_publish(out, &payload, NULL));
    CHECK_OK(slim_session_receive(in, world_soon(), &message, NULL));
    const struct slim_message_info *info = slim_message_look(message);
    CHECK(info->metadata_count == 2);
    CHECK_VIEW(info->type, "text/x");
    size_t at = slim_view_is_equal(info->metadata[0].key, SLIM_VIEW("k")) ? 0 : 1;
    CHECK_VIEW(info->metadata[at].value, "last");
    slim_message_unref(message);
    WORLD_DO(slim_session_delete(out, NULL));
    slim_session_unref(out);
    slim_session_unref(in);
}

/* ---- sentences */

static void check_text(const char *why, struct slim_op *op, enum slim_status want, const char *text)
{
    struct slim_error error = {.status = SLIM_OK};
    enum slim_status status = world_end(op, &error);
    if (status != want || strstr(error.text, text) == NULL) {
        print_error("%s: %d %s\n", why, status, error.text);
    }
    CHECK_ROW(why, status == want && strstr(error.text, text) != NULL);
}

static void what_makes_no_sense_says_so(void **state)
{
    struct trio *trio = *state;
    struct slim_session *out;
    struct slim_session *in;
    struct slim_name carol = world_name("org/ns/carol");
    struct slim_name ghost = world_name("org/ns/ghost");
    world_pair(&trio->alice, &trio->bob, "org/ns/bob", false, &out, &in);
    check_text("invite in p2p", slim_session_invite(out, &carol, NULL), SLIM_ERR_DENIED,
               "cannot invite participant to point-to-point session");
    check_text("remove in p2p", slim_session_remove(out, &carol, NULL), SLIM_ERR_DENIED,
               "cannot remove participant from point-to-point session");
    WORLD_DO(slim_session_delete(out, NULL));
    struct slim_session *group = group_of(&trio->alice, false);
    struct slim_session *bob = invite(group, &trio->alice, &trio->bob, "org/ns/bob");
    check_text("a participant invites", slim_session_invite(bob, &carol, NULL), SLIM_ERR_DENIED,
               "only initiator can modify participants");
    check_text("a participant removes", slim_session_remove(bob, &carol, NULL), SLIM_ERR_DENIED,
               "only initiator can modify participants");
    check_text("in already", slim_session_invite(group, slim_app_name(trio->bob.app), NULL),
               SLIM_ERR_EXISTS, "session cleanup failed: participant already in group: org/ns/bob");
    check_text("not in", slim_session_remove(group, &ghost, NULL), SLIM_ERR_NOT_FOUND,
               "session cleanup failed: participant not found in group: org/ns/ghost");
    check_text("nobody of that name", slim_session_invite(group, &ghost, NULL), SLIM_ERR_NO_ROUTE,
               "failed to add participant to session\nCaused by:\n  -> send failure reported "
               "from slim: ErrorPayload: message processing error: no matching found for "
               "org/ns/ghost/ffffffffffffffff (session_id=");
    struct slim_payload payload = world_payload("x");
    check_text("direct to a stranger", slim_session_publish_to(group, &ghost, &payload, NULL),
               SLIM_ERR_NOT_FOUND, "error receiving ack for message: channel closed");
    WORLD_DO(slim_session_delete(group, NULL));
    slim_session_unref(out);
    slim_session_unref(in);
    slim_session_unref(group);
    slim_session_unref(bob);
}

static void in_a_closed_session_everything_says_so(void **state)
{
    struct trio *trio = *state;
    struct slim_error error;
    struct slim_name_list *list;
    struct slim_name carol = world_name("org/ns/carol");
    struct slim_payload payload = world_payload("x");
    struct slim_session *group = group_of(&trio->alice, false);
    struct slim_session *bob = invite(group, &trio->alice, &trio->bob, "org/ns/bob");
    WORLD_DO(slim_session_delete(group, NULL));
    world_expect_end(bob, SLIM_ERR_CLOSED, "session closed");
    struct slim_session *both[] = {group, bob};
    for (size_t i = 0; i < SLIM_COUNT(both); i++) {
        const char *dropped = "Session already closed or dropped";
        check_text("publish", slim_session_publish(both[i], &payload, NULL), SLIM_ERR_CLOSED,
                   dropped);
        check_text("publish_to", slim_session_publish_to(both[i], &carol, &payload, NULL),
                   SLIM_ERR_CLOSED, "session closed");
        check_text("invite", slim_session_invite(both[i], &carol, NULL), SLIM_ERR_CLOSED,
                   "session closed");
        check_text("remove", slim_session_remove(both[i], &carol, NULL), SLIM_ERR_CLOSED,
                   "session closed");
        CHECK(slim_session_participants(both[i], &list, &error) == SLIM_ERR_CLOSED);
        CHECK(strcmp(error.text, dropped) == 0);
        CHECK(slim_session_try_publish(both[i], &payload, &error) == SLIM_ERR_CLOSED);
        CHECK(strcmp(error.text, dropped) == 0);
        WORLD_DO(slim_session_await_writable(both[i], NULL));
        WORLD_DO(slim_session_await_message(both[i], NULL));
        WORLD_DO(slim_session_delete(both[i], NULL));
        slim_session_unref(both[i]);
    }
}

static void identities_that_cannot_be_are_refused(void **state)
{
    struct trio *trio = *state;
    struct slim_error error;
    struct slim_app *app;
    struct slim_name name = world_name("org/ns/dave");
    CHECK(slim_app_new_with_secret(trio->alice.service, &name, "short", &app, &error) ==
          SLIM_ERR_AUTH);
    CHECK(strcmp(error.text, "hmac key is too short") == 0);
    CHECK(slim_app_new_with_secret(trio->alice.service, &name, NULL, &app, &error) ==
          SLIM_ERR_AUTH);
    struct slim_app_config config = {.provider = "{type: nothing}", .verifier = "{type: none}"};
    CHECK(slim_app_new(trio->alice.service, &name, &config, world_soon(), &app, &error) ==
          SLIM_ERR_CONFIG);
    CHECK(error.text[0] != 0);
    CHECK(slim_app_new(trio->alice.service, &name, NULL, world_soon(), &app, &error) ==
          SLIM_ERR_ARGUMENT);
}

/* A peer with another secret hears us and must not answer. */
static void a_silent_peer_is_given_up_or_deleted(void **state)
{
    struct trio *trio = *state;
    struct slim_error error;
    struct slim_app *deaf;
    struct slim_session *session;
    struct slim_name name = world_name("org/ns/deaf");
    struct slim_session_config config = {.max_retries = 2, .interval_ms = 20};
    CHECK_OK(slim_app_new_with_secret(trio->bob.service, &name, "quite another secret, long enough",
                                      &deaf, &error));
    WORLD_DO(slim_app_subscribe(deaf, &name, trio->bob.link, NULL));
    world_route(&trio->alice, "org/ns/deaf");
    CHECK(slim_session_open(trio->alice.app, &config, &name, world_soon(), &session, &error) ==
          SLIM_ERR_TIMEOUT);
    CHECK_ROW(error.text,
              strncmp(error.text,
                      "failed to add participant to session\nCaused by:\n  -> message send "
                      "retries exhausted for id=",
                      85) == 0);
    config.max_retries = 1000;
    config.interval_ms = 1000;
    CHECK_ROW("by the deadline", slim_session_open(trio->alice.app, &config, &name, slim_in_ms(20),
                                                   &session, &error) == SLIM_ERR_TIMEOUT);
    CHECK(strcmp(error.text, "Operation timed out") == 0);
    struct slim_op *op = slim_app_create_session(trio->alice.app, &config, &name, NULL, &session);
    struct slim_payload payload = world_payload("nobody reads this");
    struct slim_op *lost = slim_session_publish(session, &payload, NULL);
    WORLD_DO(slim_session_delete(session, NULL));
    CHECK_ROW("creation ends with the session", world_end(op, &error) != SLIM_OK);
    CHECK_ROW("so does what was published", world_end(lost, &error) != SLIM_OK);
    slim_session_unref(session);
    slim_app_unref(deaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_talk_with_and_without_mls),
        cmocka_unit_test(both_ends_may_delete_at_once),
        cmocka_unit_test(what_was_published_before_a_delete_arrives),
        cmocka_unit_test(a_group_grows_talks_and_shrinks),
        cmocka_unit_test(metadata_is_a_map),
        cmocka_unit_test(what_makes_no_sense_says_so),
        cmocka_unit_test(in_a_closed_session_everything_says_so),
        cmocka_unit_test(identities_that_cannot_be_are_refused),
        cmocka_unit_test(a_silent_peer_is_given_up_or_deleted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
