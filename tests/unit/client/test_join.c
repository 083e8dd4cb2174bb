/* An application in one call (src/client/join.c). */
#include <string.h>

#include "world.h"

static struct slim_app *join(const struct world *world, const char *text)
{
    struct slim_app *app = NULL;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_name name = world_name(text);
    CHECK_ROW(error.text, slim_app_join(world->url, &name, WORLD_SECRET, world_soon(), &app,
                                        &error) == SLIM_OK);
    return app;
}

static struct slim_session *listen_for(struct slim_app *app)
{
    struct slim_session *session = NULL;
    CHECK_OK(slim_app_listen(app, world_soon(), &session, NULL));
    return session;
}

static void joined_applications_talk_without_routes(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct slim_app *alice = join(&world, "org/ns/alice");
    struct slim_app *bob = join(&world, "org/ns/bob");
    struct slim_name bob_name = world_name("org/ns/bob");
    struct slim_session_config config = world_config(SLIM_POINT_TO_POINT, true);
    struct slim_session *out = NULL;
    struct slim_payload hello = world_payload("hello");
    CHECK_OK(slim_session_open(alice, &config, &bob_name, world_soon(), &out, NULL));
    struct slim_session *in = listen_for(bob);
    WORLD_DO(slim_session_publish(out, &hello, NULL));
    world_expect(in, "hello");
    WORLD_DO(slim_session_delete(out, NULL));
    slim_session_unref(out);
    slim_session_unref(in);
    slim_app_unref(alice);
    slim_app_unref(bob);
    world_fini(&world);
}

static void joined_moderators_invite_without_routes(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct slim_app *alice = join(&world, "org/ns/alice");
    struct slim_app *bob = join(&world, "org/ns/bob");
    struct slim_name room = world_name("org/ns/room");
    struct slim_name bob_name = world_name("org/ns/bob");
    struct slim_session_config config = world_config(SLIM_GROUP, true);
    struct slim_session *group = NULL;
    struct slim_payload hello = world_payload("hello, all");
    CHECK_OK(slim_session_open(alice, &config, &room, world_soon(), &group, NULL));
    WORLD_DO(slim_session_invite(group, &bob_name, NULL));
    struct slim_session *in = listen_for(bob);
    WORLD_DO(slim_session_publish(group, &hello, NULL));
    world_expect(in, "hello, all");
    slim_session_unref(in);
    slim_session_unref(group);
    slim_app_unref(alice);
    slim_app_unref(bob);
    world_fini(&world);
}

static void a_join_that_fails_says_why_and_leaves_nothing(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct slim_name name = world_name("org/ns/alice");
    struct slim_app *app = NULL;
    char closed[sizeof("http://") + WORLD_ENDPOINT_MAX] = "http://";
    world_free_endpoint(closed + strlen(closed));
    const struct {
        const char *why;
        const char *node;
        const struct slim_name *name;
        const char *secret;
        struct slim_app **place;
        uint64_t deadline_ns;
        enum slim_status want;
    } rows[] = {
        {"no node", NULL, &name, WORLD_SECRET, &app, world_soon(), SLIM_ERR_ARGUMENT},
        {"no name", world.url, NULL, WORLD_SECRET, &app, world_soon(), SLIM_ERR_ARGUMENT},
        {"no secret", world.url, &name, NULL, &app, world_soon(), SLIM_ERR_ARGUMENT},
        {"no place", world.url, &name, WORLD_SECRET, NULL, world_soon(), SLIM_ERR_ARGUMENT},
        {"a short secret", world.url, &name, "short", &app, world_soon(), SLIM_ERR_AUTH},
        {"not an endpoint", "http://", &name, WORLD_SECRET, &app, world_soon(), SLIM_ERR_CONFIG},
        {"nobody there", closed, &name, WORLD_SECRET, &app, slim_in_ms(50), SLIM_ERR_TIMEOUT},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_error error = {.status = SLIM_OK};
        enum slim_status got = slim_app_join(rows[i].node, rows[i].name, rows[i].secret,
                                             rows[i].deadline_ns, rows[i].place, &error);
        CHECK_ROW(rows[i].why, got == rows[i].want);
        CHECK_ROW(rows[i].why, error.text[0] != '\0' && app == NULL);
    }
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined_applications_talk_without_routes),
        cmocka_unit_test(joined_moderators_invite_without_routes),
        cmocka_unit_test(a_join_that_fails_says_why_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
