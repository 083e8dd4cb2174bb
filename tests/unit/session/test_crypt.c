/* The group behind a session: who is in it, and the order of commits. */
#include "crowd.h"

/* ---- the group */

static void members_of_a_session_hear_each_other(void **state)
{
    crowd_start();
    CHECK(slim_session_crypt_is_ready(crowd_crypt(MOD)) &&
          !slim_session_crypt_is_ready(crowd_crypt(BOB)));
    crowd_gather(PEOPLE);
    const unsigned all[] = {MOD, BOB, CAROL, DAVE, EVE, FRED};
    crowd_talk(all, PEOPLE);
    for (unsigned i = 0; i < PEOPLE; i++) {
        CHECK(slim_session_crypt_epoch(crowd_crypt(i)) == PEOPLE - 1);
        for (unsigned j = 0; j < PEOPLE; j++) {
            CHECK(slim_session_crypt_has(crowd_crypt(i), &crowd.people[j].name));
        }
        struct slim_name_key stranger = crowd_name("stranger");
        CHECK(!slim_session_crypt_has(crowd_crypt(i), &stranger));
    }
    crowd_stop();
}

static void credentials_are_not_read_for_each_message(void **state)
{
    crowd_start();
    crowd_gather(3);
    const unsigned all[] = {MOD, BOB, CAROL};
    crowd_talk(all, 3);
    unsigned reads = crowd.reads;
    for (size_t i = 0; i < 10; i++) {
        crowd_talk(all, 3);
    }
    CHECK(crowd.reads == reads);
    crowd_stop();
}

static void removed_member_is_told_and_hears_nothing_more(void **state)
{
    crowd_start();
    crowd_gather(4);
    struct slim_session_commit commit = {0};
    CHECK(slim_session_crypt_has(crowd_crypt(BOB), &crowd.people[CAROL].name));
    crowd_drop(CAROL, &commit);
    CHECK(commit.welcome.len == 0 && commit.commit_id == 4);
    CHECK_OK(crowd_give(BOB, &commit));
    CHECK(crowd_give(CAROL, &commit) == SLIM_ERR_REMOVED &&
          crowd_give(CAROL, &commit) == SLIM_ERR_REMOVED);
    CHECK_OK(crowd_give(DAVE, &commit));
    CHECK(!slim_session_crypt_is_ready(crowd_crypt(CAROL)));
    CHECK(!slim_session_crypt_has(crowd_crypt(BOB), &crowd.people[CAROL].name));
    CHECK(!slim_session_crypt_has(crowd_crypt(MOD), &crowd.people[CAROL].name));
    const unsigned left[] = {MOD, BOB, DAVE};
    crowd_talk(left, 3);
    struct slim_buf sealed = crowd_seal(BOB, "secret");
    CHECK(crowd_open(CAROL, BOB, &sealed, "secret") != SLIM_OK);
    slim_buf_fini(&sealed);
    slim_session_commit_fini(&commit);
    crowd_stop();
}

static void several_changes_fit_into_one_commit(void **state)
{
    crowd_start();
    crowd_gather(3);
    struct slim_buf packages[3] = {{0}};
    struct slim_view views[3];
    struct slim_name_key names[3];
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(slim_session_crypt_key_package(crowd_crypt(DAVE + i), &packages[i]));
        views[i] = slim_buf_view(&packages[i]);
        names[i] = crowd.people[DAVE + i].name;
    }
    struct slim_session_commit commit = {0};
    CHECK_OK(slim_session_crypt_change(crowd_crypt(MOD), views, names, 3, &crowd.people[BOB].name,
                                       1, &commit, NULL));
    CHECK_OK(crowd_give(CAROL, &commit));
    for (unsigned i = DAVE; i < PEOPLE; i++) {
        CHECK_OK(slim_session_crypt_join(crowd_crypt(i), commit.commit_id,
                                         slim_buf_view(&commit.welcome), &crowd.people[MOD].name,
                                         NULL));
    }
    const unsigned all[] = {MOD, CAROL, DAVE, EVE, FRED};
    crowd_talk(all, 5);
    slim_session_commit_fini(&commit);
    crowd_drop(EVE, &commit); /* by the name she was added with, among others */
    CHECK(crowd_give(EVE, &commit) == SLIM_ERR_REMOVED);
    CHECK_OK(crowd_give(FRED, &commit));
    slim_session_commit_fini(&commit);
    for (unsigned i = 0; i < 3; i++) {
        slim_buf_fini(&packages[i]);
    }
    crowd_stop();
}

static void refresh_changes_keys_and_credential_of_the_moderator(void **state)
{
    crowd_start();
    crowd_gather(3);
    const unsigned all[] = {MOD, BOB, CAROL};
    crowd_talk(all, 3);
    struct slim_mls_credential_data credential = {SLIM_MLS_CREDENTIAL_BASIC, world_text("mod#2")};
    CHECK(slim_mls_client_set_credential(crowd.people[MOD].client, &credential) == SLIM_MLS_OK);
    struct slim_session_commit commit = {0};
    crowd_refresh(&commit);
    CHECK(commit.commit_id == 3 && commit.welcome.len == 0);
    CHECK_OK(crowd_give(BOB, &commit));
    CHECK_OK(crowd_give(CAROL, &commit));
    CHECK(slim_session_crypt_epoch(crowd_crypt(BOB)) == 3);
    crowd_talk(all, 3);
    slim_session_commit_fini(&commit);
    crowd_stop();
}

static void plain_adds_carry_no_path(void **state)
{
    size_t len[2];
    for (size_t i = 0; i < 2; i++) {
        crowd_start();
        person_free(&crowd.people[MOD]);
        CHECK_OK(person_new("mod", i == 1, &crowd.people[MOD]));
        CHECK_OK(slim_session_crypt_create(crowd_crypt(MOD)));
        crowd_gather(2);
        struct slim_session_commit commit = {0};
        crowd_invite(CAROL, &commit);
        CHECK_OK(crowd_give(BOB, &commit));
        len[i] = commit.commit.len;
        slim_session_commit_fini(&commit);
        const unsigned all[] = {MOD, BOB, CAROL};
        crowd_talk(all, 3);
        crowd_refresh(&commit); /* a refresh always has one */
        CHECK_OK(crowd_give(BOB, &commit));
        slim_session_commit_fini(&commit);
        crowd_stop();
    }
    CHECK(len[1] + 100 < len[0]);
}

static void two_sessions_of_one_client_do_not_mix(void **state)
{
    crowd_start();
    crowd_gather(2);
    struct slim_session_crypt_options options = {crowd.people[MOD].client, &crowd, crowd_is_source,
                                                 crowd_read_credential, false};
    struct slim_session_crypt *first[2] = {crowd_crypt(MOD), crowd_crypt(BOB)};
    CHECK_OK(slim_session_crypt_new(&options, &crowd.people[MOD].crypt));
    options.client = crowd.people[BOB].client;
    CHECK_OK(slim_session_crypt_new(&options, &crowd.people[BOB].crypt));
    CHECK_OK(slim_session_crypt_create(crowd_crypt(MOD)));
    crowd_gather(2);
    const unsigned all[] = {MOD, BOB};
    crowd_talk(all, 2);
    struct slim_buf sealed = crowd_seal(MOD, "second");
    CHECK(slim_session_crypt_classify(first[1], slim_buf_view(&sealed)) == SLIM_SESSION_BLOB_PLAIN);
    struct slim_buf plain = {0};
    CHECK(slim_session_crypt_open(first[1], &crowd.people[MOD].name, slim_buf_view(&sealed),
                                  &plain) == SLIM_ERR_MALFORMED);
    slim_buf_fini(&plain);
    CHECK_OK(crowd_open(BOB, MOD, &sealed, "second"));
    slim_buf_fini(&sealed);
    slim_session_crypt_free(first[0]);
    slim_session_crypt_free(first[1]);
    crowd_talk(all, 2);
    crowd_stop();
}

static void nothing_goes_without_a_group(void **state)
{
    crowd_start();
    struct slim_buf sealed = {0};
    struct slim_session_commit commit = {0};
    uint64_t epoch;
    CHECK(slim_session_crypt_seal(crowd_crypt(BOB), SLIM_VIEW("x"), &sealed, &epoch) ==
          SLIM_ERR_STATE);
    CHECK(slim_session_crypt_take_commit(crowd_crypt(BOB), 1, SLIM_VIEW("x"), NULL) ==
          SLIM_ERR_STATE);
    CHECK(slim_session_crypt_change(crowd_crypt(BOB), NULL, NULL, 0, NULL, 0, &commit, NULL) ==
          SLIM_ERR_STATE);
    CHECK(slim_session_crypt_epoch(crowd_crypt(BOB)) == 0 &&
          !slim_session_crypt_is_behind(crowd_crypt(BOB)));
    CHECK(!slim_session_crypt_has(crowd_crypt(BOB), &crowd.people[BOB].name));
    CHECK(slim_session_crypt_create(crowd_crypt(MOD)) == SLIM_ERR_STATE); /* there is one */
    sealed = crowd_seal(MOD, "early");
    CHECK(slim_session_crypt_classify(crowd_crypt(BOB), slim_buf_view(&sealed)) ==
          SLIM_SESSION_BLOB_FUTURE);
    CHECK(slim_session_crypt_classify(crowd_crypt(BOB), SLIM_VIEW("early")) ==
          SLIM_SESSION_BLOB_PLAIN);
    CHECK(crowd_open(BOB, MOD, &sealed, "early") == SLIM_ERR_FUTURE);
    slim_buf_fini(&sealed);
    crowd_gather(2); /* a member does not change the group */
    CHECK(slim_session_crypt_change(crowd_crypt(BOB), NULL, NULL, 0, NULL, 0, &commit, NULL) ==
          SLIM_ERR_STATE);
    crowd_stop();
}

/* ---- joining and adding */

static void welcome_counts_once(void **state)
{
    crowd_start();
    struct slim_session_commit commit = {0};
    crowd_invite(BOB, &commit);
    CHECK(slim_session_crypt_join(crowd_crypt(BOB), 1, slim_buf_view(&commit.welcome),
                                  &crowd.people[MOD].name, NULL) == SLIM_ERR_EXISTS);
    CHECK(crowd_give(BOB, &commit) == SLIM_ERR_EXISTS); /* its own add, repeated to all */
    CHECK(slim_session_crypt_epoch(crowd_crypt(BOB)) == 1);
    slim_session_commit_fini(&commit);
    crowd_stop();
}

static void group_of_somebody_else_is_not_joined(void **state)
{
    crowd_start();
    struct slim_buf package = {0};
    struct slim_session_commit commit = {0};
    struct slim_error error;
    CHECK_OK(slim_session_crypt_key_package(crowd_crypt(BOB), &package));
    struct slim_view view = slim_buf_view(&package);
    CHECK_OK(slim_session_crypt_create(crowd_crypt(EVE)));
    CHECK_OK(slim_session_crypt_change(crowd_crypt(EVE), &view, &crowd.people[BOB].name, 1, NULL, 0,
                                       &commit, NULL));
    CHECK(slim_session_crypt_join(crowd_crypt(BOB), 1, slim_buf_view(&commit.welcome),
                                  &crowd.people[MOD].name, &error) == SLIM_ERR_DENIED);
    CHECK(strlen(error.text) > 0 && !slim_session_crypt_is_ready(crowd_crypt(BOB)));
    slim_session_commit_fini(&commit);
    CHECK(slim_session_crypt_join(crowd_crypt(BOB), 1, SLIM_VIEW("nonsense"),
                                  &crowd.people[MOD].name, &error) != SLIM_OK);
    crowd_invite(BOB, &commit); /* the true moderator's welcome still does it */
    const unsigned all[] = {MOD, BOB};
    crowd_talk(all, 2);
    slim_session_commit_fini(&commit);
    slim_buf_fini(&package);
    crowd_stop();
}

static void defect_07_bad_key_package_fails_its_invitation_alone(void **state)
{
    crowd_start();
    crowd_gather(2);
    struct slim_buf good = {0};
    struct slim_buf eves = {0};
    struct slim_buf damaged = {0};
    struct slim_buf bobs = {0};
    struct slim_error error = {0};
    CHECK_OK(slim_session_crypt_key_package(crowd_crypt(CAROL), &good));
    CHECK_OK(slim_session_crypt_key_package(crowd_crypt(EVE), &eves));
    CHECK_OK(slim_session_crypt_key_package(crowd_crypt(BOB), &bobs));
    CHECK_OK(slim_buf_put(&damaged, slim_buf_view(&good)));
    damaged.data[damaged.len - 1] ^= 1;
    const struct {
        const char *why;
        struct slim_view package;
        unsigned who;
        enum slim_status want;
    } rows[] = {
        {"empty", {NULL, 0}, CAROL, SLIM_ERR_MALFORMED},
        {"not a key package", SLIM_VIEW("\0\1\0\1nonsense"), CAROL, SLIM_ERR_INVALID},
        {"cut", {good.data, good.len - 1}, CAROL, SLIM_ERR_MALFORMED},
        {"signature", slim_buf_view(&damaged), CAROL, SLIM_ERR_SIGNATURE},
        {"another's", slim_buf_view(&eves), CAROL, SLIM_ERR_AUTH},
        {"a member's", slim_buf_view(&bobs), BOB, SLIM_ERR_EXISTS},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        const struct slim_name_key *name = &crowd.people[rows[i].who].name;
        struct slim_session_commit commit = {0};
        error = (struct slim_error){.status = SLIM_OK};
        CHECK_ROW(rows[i].why,
                  slim_session_crypt_change(crowd_crypt(MOD), &rows[i].package, name, 1, NULL, 0,
                                            &commit, &error) == rows[i].want);
        CHECK_ROW(rows[i].why, error.status == rows[i].want && strlen(error.text) > 0);
        CHECK_ROW(rows[i].why, slim_session_crypt_epoch(crowd_crypt(MOD)) == 1);
        CHECK_ROW(rows[i].why,
                  !slim_session_crypt_has(crowd_crypt(MOD), &crowd.people[CAROL].name));
    }
    crowd.expired = "carol";
    struct slim_session_commit commit = {0};
    struct slim_view fresh = slim_buf_view(&good);
    CHECK(slim_session_crypt_change(crowd_crypt(MOD), &fresh, &crowd.people[CAROL].name, 1, NULL, 0,
                                    &commit, &error) == SLIM_ERR_EXPIRED);
    CHECK(strcmp(error.text, "token expired") == 0);
    crowd.expired = NULL;
    CHECK(slim_session_crypt_change(crowd_crypt(MOD), NULL, NULL, 0, &crowd.people[CAROL].name, 1,
                                    &commit, &error) == SLIM_ERR_NOT_FOUND);
    CHECK(slim_session_crypt_change(crowd_crypt(MOD), NULL, NULL, 0, &crowd.people[MOD].name, 1,
                                    &commit, &error) == SLIM_ERR_NOT_FOUND);

    slim_buf_fini(&good);
    slim_buf_fini(&eves);
    slim_buf_fini(&damaged);
    slim_buf_fini(&bobs);
    crowd_invite(CAROL, &commit);
    CHECK(commit.commit_id == 2);
    CHECK_OK(crowd_give(BOB, &commit));
    slim_session_commit_fini(&commit);
    const unsigned all[] = {MOD, BOB, CAROL};
    crowd_talk(all, 3);
    crowd_stop();
}

static void member_that_was_removed_comes_back(void **state)
{
    crowd_start();
    crowd_gather(3);
    struct slim_session_commit commit = {0};
    crowd_drop(CAROL, &commit);
    CHECK_OK(crowd_give(BOB, &commit));
    slim_session_commit_fini(&commit);
    person_free(&crowd.people[CAROL]);
    CHECK_OK(person_new("carol", false, &crowd.people[CAROL]));
    crowd_invite(CAROL, &commit);
    CHECK_OK(crowd_give(BOB, &commit));
    slim_session_commit_fini(&commit);
    const unsigned all[] = {MOD, BOB, CAROL};
    crowd_talk(all, 3);
    crowd_stop();
}

/* ---- the order of commits */

static void defect_03_repeated_commit_is_known(void **state)
{
    crowd_start();
    crowd_gather(2);
    struct slim_session_commit commit = {0};
    crowd_invite(CAROL, &commit);
    CHECK_OK(crowd_give(BOB, &commit));
    CHECK(crowd_give(BOB, &commit) == SLIM_ERR_EXISTS &&
          crowd_give(BOB, &commit) == SLIM_ERR_EXISTS);
    CHECK(slim_session_crypt_epoch(crowd_crypt(BOB)) == 2);
    slim_session_commit_fini(&commit);
    crowd_stop();
}

static void defect_11_missed_commit_is_noticed_and_caught_up(void **state)
{
    enum { COUNT = 6 };
    static const unsigned order[COUNT] = {5, 2, 1, 4, 3, 0};
    crowd_start();
    crowd_gather(3);
    struct slim_session_commit commits[COUNT] = {{0}};
    for (size_t i = 0; i < COUNT; i++) {
        crowd_refresh(&commits[i]);
        CHECK_OK(crowd_give(CAROL, &commits[i]));
    }
    for (size_t i = 0; i < COUNT - 1; i++) {
        CHECK(crowd_give(BOB, &commits[order[i]]) == SLIM_AGAIN);
        CHECK(crowd_give(BOB, &commits[order[i]]) == SLIM_ERR_EXISTS);
        CHECK(slim_session_crypt_is_behind(crowd_crypt(BOB)));
    }
    CHECK_OK(crowd_give(BOB, &commits[0]));
    CHECK(!slim_session_crypt_is_behind(crowd_crypt(BOB)));
    CHECK(slim_session_crypt_epoch(crowd_crypt(BOB)) == 2 + COUNT);
    const unsigned all[] = {MOD, BOB, CAROL};
    crowd_talk(all, 3);
    for (size_t i = 0; i < COUNT; i++) {
        slim_session_commit_fini(&commits[i]);
    }
    crowd_stop();
}

static void commits_that_are_kept_are_bounded(void **state)
{
    static uint8_t large[SLIM_SESSION_COMMITS_AHEAD_BYTES_MAX / 2];
    crowd_start();
    crowd_gather(2);
    struct slim_session_crypt *bob = crowd_crypt(BOB);
    struct slim_view junk = SLIM_VIEW("\0\1\0\1 junk");
    CHECK(slim_session_crypt_take_commit(bob, 1 + SLIM_SESSION_COMMITS_AHEAD_MAX + 1, junk, NULL) ==
          SLIM_ERR_LIMIT);
    CHECK(slim_session_crypt_take_commit(bob, UINT32_MAX, junk, NULL) == SLIM_ERR_LIMIT);
    CHECK(slim_session_crypt_take_commit(bob, 3, slim_view_of(large, sizeof(large)), NULL) ==
          SLIM_AGAIN);
    CHECK(slim_session_crypt_take_commit(bob, 4, slim_view_of(large, sizeof(large)), NULL) ==
          SLIM_AGAIN);
    CHECK(slim_session_crypt_take_commit(bob, 5, junk, NULL) == SLIM_ERR_LIMIT);
    crowd_stop();
    crowd_start();
    crowd_gather(2);
    for (uint32_t i = 0; i < SLIM_SESSION_COMMITS_AHEAD_MAX - 1; i++) {
        CHECK(slim_session_crypt_take_commit(crowd_crypt(BOB), 3 + i, junk, NULL) == SLIM_AGAIN);
    }
    crowd_stop();
}

static void forged_commit_changes_nothing(void **state)
{
    crowd_start();
    crowd_gather(3);
    struct slim_session_commit commit = {0};
    crowd_refresh(&commit);
    for (size_t i = 0; i < commit.commit.len; i += 7) {
        commit.commit.data[i] ^= 0x10;
        enum slim_status status = crowd_give(BOB, &commit);
        CHECK(status != SLIM_OK && status != SLIM_AGAIN && status != SLIM_ERR_EXISTS);
        CHECK(slim_session_crypt_epoch(crowd_crypt(BOB)) == 2);
        commit.commit.data[i] ^= 0x10;
    }
    struct slim_buf sealed =
        crowd_seal(MOD, "not a commit"); /* a message in the place of a commit */
    CHECK(slim_session_crypt_take_commit(crowd_crypt(BOB), 3, slim_buf_view(&sealed), NULL) ==
          SLIM_ERR_INVALID);
    slim_buf_fini(&sealed);
    CHECK_OK(crowd_give(BOB, &commit));
    CHECK_OK(crowd_give(CAROL, &commit));
    const unsigned all[] = {MOD, BOB, CAROL};
    crowd_talk(all, 3);
    slim_session_commit_fini(&commit);
    crowd_stop();
}

static void kept_commit_that_turns_out_bad_leaves_us_behind_until_the_true_one(void **state)
{
    crowd_start();
    crowd_gather(3);
    struct slim_session_commit commits[2] = {{0}};
    crowd_refresh(&commits[0]);
    crowd_refresh(&commits[1]);
    CHECK(slim_session_crypt_take_commit(crowd_crypt(BOB), commits[1].commit_id,
                                         SLIM_VIEW("\0\1\0\1 forged"), NULL) == SLIM_AGAIN);
    CHECK_OK(crowd_give(BOB, &commits[0]));
    CHECK(slim_session_crypt_is_behind(crowd_crypt(BOB)));
    CHECK_OK(crowd_give(BOB, &commits[1]));
    CHECK(!slim_session_crypt_is_behind(crowd_crypt(BOB)));
    CHECK(slim_session_crypt_epoch(crowd_crypt(BOB)) == 4);
    slim_session_commit_fini(&commits[0]);
    slim_session_commit_fini(&commits[1]);
    crowd_stop();
}

static void member_cannot_commit(void **state)
{
    crowd_start();
    crowd_gather(3);
    struct slim_mls_client_config config; /* carol again, with a policy that lets her try */
    struct slim_mls_buf key = {0};
    struct slim_mls_client *client;
    struct slim_mls_group *group;
    struct slim_mls_buf package;
    struct slim_mls_commit_output output = {0};
    struct slim_session_commit commit = {0};
    CHECK(world_config(&crowd.world, 1, "dave", &config, &key) == SLIM_MLS_OK);
    CHECK(slim_mls_client_new(&config, &client) == SLIM_MLS_OK);
    CHECK(slim_mls_key_package_new(client, &package) == SLIM_MLS_OK);
    struct slim_view view = slim_view_of(package.data, package.len);
    CHECK_OK(slim_session_crypt_change(crowd_crypt(MOD), &view, &crowd.people[DAVE].name, 1, NULL,
                                       0, &commit, NULL));
    CHECK_OK(crowd_give(BOB, &commit));
    struct slim_mls_view welcome = {commit.welcome.data, commit.welcome.len};
    CHECK(slim_mls_group_join(client, welcome, (struct slim_mls_view){0}, &group) == SLIM_MLS_OK);
    struct slim_mls_commit_options options = {.path = SLIM_MLS_PATH_ALWAYS};
    CHECK(slim_mls_group_commit(group, &options, &output) == SLIM_MLS_OK);
    CHECK(slim_session_crypt_take_commit(crowd_crypt(BOB), 4,
                                         slim_view_of(output.commit.data, output.commit.len),
                                         NULL) == SLIM_ERR_DENIED);
    CHECK(slim_session_crypt_epoch(crowd_crypt(BOB)) == 3);
    slim_mls_commit_output_free(&output);
    slim_session_commit_fini(&commit);
    slim_mls_buf_free(&package);
    slim_mls_buf_free(&key);
    slim_mls_group_free(group);
    slim_mls_client_free(client);
    crowd_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_a_session_hear_each_other),
        cmocka_unit_test(credentials_are_not_read_for_each_message),
        cmocka_unit_test(removed_member_is_told_and_hears_nothing_more),
        cmocka_unit_test(several_changes_fit_into_one_commit),
        cmocka_unit_test(refresh_changes_keys_and_credential_of_the_moderator),
        cmocka_unit_test(plain_adds_carry_no_path),
        cmocka_unit_test(two_sessions_of_one_client_do_not_mix),
        cmocka_unit_test(nothing_goes_without_a_group),
        cmocka_unit_test(welcome_counts_once),
        cmocka_unit_test(group_of_somebody_else_is_not_joined),
        cmocka_unit_test(defect_07_bad_key_package_fails_its_invitation_alone),
        cmocka_unit_test(member_that_was_removed_comes_back),
        cmocka_unit_test(defect_03_repeated_commit_is_known),
        cmocka_unit_test(defect_11_missed_commit_is_noticed_and_caught_up),
        cmocka_unit_test(commits_that_are_kept_are_bounded),
        cmocka_unit_test(forged_commit_changes_nothing),
        cmocka_unit_test(kept_commit_that_turns_out_bad_leaves_us_behind_until_the_true_one),
        cmocka_unit_test(member_cannot_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
