/* Several members of one MLS session in one process. Who they are: the credential is the subject ("bob", or "bob#2" for a later one of
 * the same subject), and a name belongs to a subject when its id is the subject's hash. */
#include "base/hash.h"
#include "session/crypt.h"
#include "support/check.h"
#include "unit/mls/world.h"

enum { PEOPLE = 6, MOD = 0, BOB, CAROL, DAVE, EVE, FRED };

struct person {
    const char *subject;
    struct slim_name_key name;
    struct slim_mls_client *client;
    struct slim_session_crypt *crypt;
};

static struct {
    struct world world;
    struct person people[PEOPLE];
    unsigned reads; /* credentials read */
    const char *expired;
} t;

static bool is_source(void *ctx, struct slim_view subject, const struct slim_name_key *name)
{
    CHECK(ctx == &t);
    return slim_hash_app_id(subject) == (uint64_t)name->id;
}

static enum slim_status read_credential(void *ctx, struct slim_view token, bool any_age,
                                        struct slim_mls_claims *claims, struct slim_error *error)
{
    CHECK(ctx == &t);
    t.reads++;
    if (!any_age && t.expired != NULL && slim_view_is_equal(token, slim_view_str(t.expired))) {
        return slim_error_set(error, SLIM_ERR_EXPIRED, "token expired");
    }
    const uint8_t *end = memchr(token.data, '#', token.len);
    claims->subject =
        slim_view_of(token.data, end == NULL ? token.len : (size_t)(end - token.data));
    return SLIM_OK;
}

static struct slim_name_key name_of(const char *subject)
{
    return (struct slim_name_key){{1, 2, 3}, slim_hash_app_id(slim_view_str(subject))};
}

static enum slim_status person_new(const char *subject, bool has_plain_adds, struct person *person)
{
    struct slim_mls_client_config config;
    struct slim_mls_buf key = {0};
    enum slim_mls_status status = world_config(&t.world, 1, subject, &config, &key);
    config.policy.moderated = true;
    *person = (struct person){.subject = subject, .name = name_of(subject)};
    if (status == SLIM_MLS_OK) {
        status = slim_mls_client_new(&config, &person->client);
    }
    slim_mls_buf_free(&key);
    if (status != SLIM_MLS_OK) {
        return (enum slim_status)status;
    }
    struct slim_session_crypt_options options = {person->client, &t, is_source, read_credential,
                                                 has_plain_adds};
    return slim_session_crypt_new(&options, &person->crypt);
}

static void person_free(struct person *person)
{
    slim_session_crypt_free(person->crypt);
    slim_mls_client_free(person->client);
    *person = (struct person){0};
}

static void start(void)
{
    static const char *const subjects[PEOPLE] = {"mod", "bob", "carol", "dave", "eve", "fred"};
    memset(&t, 0, sizeof(t));
    t.world = (struct world){.seed = 7, .now_s = WORLD_START_S};
    for (size_t i = 0; i < PEOPLE; i++) {
        CHECK_OK(person_new(subjects[i], false, &t.people[i]));
    }
    CHECK_OK(slim_session_crypt_create(t.people[MOD].crypt));
}

static void stop(void)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        person_free(&t.people[i]);
    }
}

static struct slim_session_crypt *crypt_of(unsigned index)
{
    return t.people[index].crypt;
}

/* A commit of the moderator that adds one person, who joins; the commit is the caller's. */
static void invite(unsigned index, struct slim_session_commit *commit)
{
    struct slim_buf package = {0};
    CHECK_OK(slim_session_crypt_key_package(crypt_of(index), &package));
    struct slim_view view = slim_buf_view(&package);
    CHECK_OK(slim_session_crypt_check(crypt_of(MOD), view, &t.people[index].name, NULL));
    CHECK_OK(slim_session_crypt_change(crypt_of(MOD), &view, &t.people[index].name, 1, NULL, 0,
                                       commit, NULL));
    CHECK_OK(slim_session_crypt_join(crypt_of(index), commit->commit_id,
                                     slim_buf_view(&commit->welcome), &t.people[MOD].name, NULL));
    slim_buf_fini(&package);
}

static enum slim_status give(unsigned index, const struct slim_session_commit *commit)
{
    return slim_session_crypt_take_commit(crypt_of(index), commit->commit_id,
                                          slim_buf_view(&commit->commit), NULL);
}

/* The first `count` people, moderator included, are a group and know it. */
static void gather(unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct slim_session_commit commit = {0};
        invite(i, &commit);
        for (unsigned other = 1; other < i; other++) {
            CHECK_OK(give(other, &commit));
        }
        slim_session_commit_fini(&commit);
    }
}

static void refresh(struct slim_session_commit *commit)
{
    CHECK_OK(slim_session_crypt_change(crypt_of(MOD), NULL, NULL, 0, NULL, 0, commit, NULL));
}

static void drop(unsigned index, struct slim_session_commit *commit)
{
    CHECK_OK(slim_session_crypt_change(crypt_of(MOD), NULL, NULL, 0, &t.people[index].name, 1,
                                       commit, NULL));
}

static struct slim_buf seal(unsigned from, const char *text)
{
    struct slim_buf sealed = {0};
    uint64_t epoch;
    CHECK_OK(slim_session_crypt_seal(crypt_of(from), slim_view_str(text), &sealed, &epoch));
    CHECK(epoch == slim_session_crypt_epoch(crypt_of(from)));
    return sealed;
}

/* Open it as a message of `source`; the text must be the one given when it opens. */
static enum slim_status open_as(unsigned to, unsigned source, const struct slim_buf *sealed,
                                const char *text)
{
    struct slim_buf plain = {0};
    enum slim_status status = slim_session_crypt_open(crypt_of(to), &t.people[source].name,
                                                      slim_buf_view(sealed), &plain);
    if (status == SLIM_OK) {
        CHECK(slim_view_is_equal(slim_buf_view(&plain), slim_view_str(text)));
    } else {
        CHECK(plain.len == 0);
    }
    slim_buf_fini(&plain);
    return status;
}

/* Everybody of these hears everybody. */
static void all_talk(const unsigned *who, size_t count)
{
    for (size_t from = 0; from < count; from++) {
        struct slim_buf sealed = seal(who[from], "hello");
        for (size_t to = 0; to < count; to++) {
            if (to != from) {
                CHECK(slim_session_crypt_classify(crypt_of(who[to]), slim_buf_view(&sealed)) ==
                      SLIM_SESSION_BLOB_SEALED);
                CHECK_OK(open_as(who[to], who[from], &sealed, "hello"));
            }
        }
        slim_buf_fini(&sealed);
    }
}

/* ---- the group */

static void members_of_a_session_hear_each_other(void **state)
{
    start();
    CHECK(slim_session_crypt_is_ready(crypt_of(MOD)) &&
          !slim_session_crypt_is_ready(crypt_of(BOB)));
    gather(PEOPLE);
    const unsigned all[] = {MOD, BOB, CAROL, DAVE, EVE, FRED};
    all_talk(all, PEOPLE);
    for (unsigned i = 0; i < PEOPLE; i++) {
        CHECK(slim_session_crypt_epoch(crypt_of(i)) == PEOPLE - 1);
        for (unsigned j = 0; j < PEOPLE; j++) {
            CHECK(slim_session_crypt_has(crypt_of(i), &t.people[j].name));
        }
        struct slim_name_key stranger = name_of("stranger");
        CHECK(!slim_session_crypt_has(crypt_of(i), &stranger));
    }
    stop();
}

static void credentials_are_not_read_for_each_message(void **state)
{
    start();
    gather(3);
    const unsigned all[] = {MOD, BOB, CAROL};
    all_talk(all, 3);
    unsigned reads = t.reads;
    for (size_t i = 0; i < 10; i++) {
        all_talk(all, 3);
    }
    CHECK(t.reads == reads);
    stop();
}

static void removed_member_is_told_and_hears_nothing_more(void **state)
{
    start();
    gather(4);
    struct slim_session_commit commit = {0};
    drop(CAROL, &commit);
    CHECK(commit.welcome.len == 0 && commit.commit_id == 4);
    CHECK_OK(give(BOB, &commit));
    CHECK(give(CAROL, &commit) == SLIM_ERR_REMOVED && give(CAROL, &commit) == SLIM_ERR_REMOVED);
    CHECK_OK(give(DAVE, &commit));
    CHECK(!slim_session_crypt_is_ready(crypt_of(CAROL)));
    CHECK(!slim_session_crypt_has(crypt_of(BOB), &t.people[CAROL].name));
    CHECK(!slim_session_crypt_has(crypt_of(MOD), &t.people[CAROL].name));
    const unsigned left[] = {MOD, BOB, DAVE};
    all_talk(left, 3);
    struct slim_buf sealed = seal(BOB, "secret");
    CHECK(open_as(CAROL, BOB, &sealed, "secret") != SLIM_OK);
    slim_buf_fini(&sealed);
    slim_session_commit_fini(&commit);
    stop();
}

static void several_changes_fit_into_one_commit(void **state)
{
    start();
    gather(3);
    struct slim_buf packages[3] = {{0}};
    struct slim_view views[3];
    struct slim_name_key names[3];
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(slim_session_crypt_key_package(crypt_of(DAVE + i), &packages[i]));
        views[i] = slim_buf_view(&packages[i]);
        names[i] = t.people[DAVE + i].name;
    }
    struct slim_session_commit commit = {0};
    CHECK_OK(slim_session_crypt_change(crypt_of(MOD), views, names, 3, &t.people[BOB].name, 1,
                                       &commit, NULL));
    CHECK_OK(give(CAROL, &commit));
    for (unsigned i = DAVE; i < PEOPLE; i++) {
        CHECK_OK(slim_session_crypt_join(crypt_of(i), commit.commit_id,
                                         slim_buf_view(&commit.welcome), &t.people[MOD].name,
                                         NULL));
    }
    const unsigned all[] = {MOD, CAROL, DAVE, EVE, FRED};
    all_talk(all, 5);
    slim_session_commit_fini(&commit);
    drop(EVE, &commit); /* by the name she was added with, among others */
    CHECK(give(EVE, &commit) == SLIM_ERR_REMOVED);
    CHECK_OK(give(FRED, &commit));
    slim_session_commit_fini(&commit);
    for (unsigned i = 0; i < 3; i++) {
        slim_buf_fini(&packages[i]);
    }
    stop();
}

static void refresh_changes_keys_and_credential_of_the_moderator(void **state)
{
    start();
    gather(3);
    const unsigned all[] = {MOD, BOB, CAROL};
    all_talk(all, 3);
    struct slim_mls_credential_data credential = {SLIM_MLS_CREDENTIAL_BASIC, world_text("mod#2")};
    CHECK(slim_mls_client_set_credential(t.people[MOD].client, &credential) == SLIM_MLS_OK);
    struct slim_session_commit commit = {0};
    refresh(&commit);
    CHECK(commit.commit_id == 3 && commit.welcome.len == 0);
    CHECK_OK(give(BOB, &commit));
    CHECK_OK(give(CAROL, &commit));
    CHECK(slim_session_crypt_epoch(crypt_of(BOB)) == 3);
    all_talk(all, 3);
    slim_session_commit_fini(&commit);
    stop();
}

static void plain_adds_carry_no_path(void **state)
{
    size_t len[2];
    for (size_t i = 0; i < 2; i++) {
        start();
        person_free(&t.people[MOD]);
        CHECK_OK(person_new("mod", i == 1, &t.people[MOD]));
        CHECK_OK(slim_session_crypt_create(crypt_of(MOD)));
        gather(2);
        struct slim_session_commit commit = {0};
        invite(CAROL, &commit);
        CHECK_OK(give(BOB, &commit));
        len[i] = commit.commit.len;
        slim_session_commit_fini(&commit);
        const unsigned all[] = {MOD, BOB, CAROL};
        all_talk(all, 3);
        refresh(&commit); /* a refresh always has one */
        CHECK_OK(give(BOB, &commit));
        slim_session_commit_fini(&commit);
        stop();
    }
    CHECK(len[1] + 100 < len[0]);
}

static void two_sessions_of_one_client_do_not_mix(void **state)
{
    start();
    gather(2);
    struct slim_session_crypt_options options = {t.people[MOD].client, &t, is_source,
                                                 read_credential, false};
    struct slim_session_crypt *first[2] = {crypt_of(MOD), crypt_of(BOB)};
    CHECK_OK(slim_session_crypt_new(&options, &t.people[MOD].crypt));
    options.client = t.people[BOB].client;
    CHECK_OK(slim_session_crypt_new(&options, &t.people[BOB].crypt));
    CHECK_OK(slim_session_crypt_create(crypt_of(MOD)));
    gather(2);
    const unsigned all[] = {MOD, BOB};
    all_talk(all, 2);
    struct slim_buf sealed = seal(MOD, "second");
    CHECK(slim_session_crypt_classify(first[1], slim_buf_view(&sealed)) == SLIM_SESSION_BLOB_PLAIN);
    struct slim_buf plain = {0};
    CHECK(slim_session_crypt_open(first[1], &t.people[MOD].name, slim_buf_view(&sealed), &plain) ==
          SLIM_ERR_MALFORMED);
    CHECK_OK(open_as(BOB, MOD, &sealed, "second"));
    slim_buf_fini(&sealed);
    slim_session_crypt_free(first[0]);
    slim_session_crypt_free(first[1]);
    all_talk(all, 2);
    stop();
}

static void nothing_goes_without_a_group(void **state)
{
    start();
    struct slim_buf sealed = {0};
    struct slim_session_commit commit = {0};
    uint64_t epoch;
    CHECK(slim_session_crypt_seal(crypt_of(BOB), SLIM_VIEW("x"), &sealed, &epoch) ==
          SLIM_ERR_STATE);
    CHECK(slim_session_crypt_take_commit(crypt_of(BOB), 1, SLIM_VIEW("x"), NULL) == SLIM_ERR_STATE);
    CHECK(slim_session_crypt_change(crypt_of(BOB), NULL, NULL, 0, NULL, 0, &commit, NULL) ==
          SLIM_ERR_STATE);
    CHECK(slim_session_crypt_check(crypt_of(BOB), SLIM_VIEW("x"), &t.people[CAROL].name, NULL) ==
          SLIM_ERR_STATE);
    CHECK(slim_session_crypt_epoch(crypt_of(BOB)) == 0 &&
          !slim_session_crypt_is_behind(crypt_of(BOB)));
    CHECK(!slim_session_crypt_has(crypt_of(BOB), &t.people[BOB].name));
    CHECK(slim_session_crypt_create(crypt_of(MOD)) == SLIM_ERR_STATE); /* there is one */
    sealed = seal(MOD, "early");
    CHECK(slim_session_crypt_classify(crypt_of(BOB), slim_buf_view(&sealed)) ==
          SLIM_SESSION_BLOB_FUTURE);
    CHECK(slim_session_crypt_classify(crypt_of(BOB), SLIM_VIEW("early")) ==
          SLIM_SESSION_BLOB_PLAIN);
    CHECK(open_as(BOB, MOD, &sealed, "early") == SLIM_ERR_FUTURE);
    slim_buf_fini(&sealed);
    gather(2); /* a member does not change the group */
    CHECK(slim_session_crypt_change(crypt_of(BOB), NULL, NULL, 0, NULL, 0, &commit, NULL) ==
          SLIM_ERR_STATE);
    stop();
}

/* ---- joining and adding */

static void welcome_counts_once(void **state)
{
    start();
    struct slim_session_commit commit = {0};
    invite(BOB, &commit);
    CHECK(slim_session_crypt_join(crypt_of(BOB), 1, slim_buf_view(&commit.welcome),
                                  &t.people[MOD].name, NULL) == SLIM_ERR_EXISTS);
    CHECK(give(BOB, &commit) == SLIM_ERR_EXISTS); /* its own add, repeated to all */
    CHECK(slim_session_crypt_epoch(crypt_of(BOB)) == 1);
    slim_session_commit_fini(&commit);
    stop();
}

static void group_of_somebody_else_is_not_joined(void **state)
{
    start();
    struct slim_buf package = {0};
    struct slim_session_commit commit = {0};
    struct slim_error error;
    CHECK_OK(slim_session_crypt_key_package(crypt_of(BOB), &package));
    struct slim_view view = slim_buf_view(&package);
    CHECK_OK(slim_session_crypt_create(crypt_of(EVE)));
    CHECK_OK(slim_session_crypt_change(crypt_of(EVE), &view, &t.people[BOB].name, 1, NULL, 0,
                                       &commit, NULL));
    CHECK(slim_session_crypt_join(crypt_of(BOB), 1, slim_buf_view(&commit.welcome),
                                  &t.people[MOD].name, &error) == SLIM_ERR_DENIED);
    CHECK(strlen(error.text) > 0 && !slim_session_crypt_is_ready(crypt_of(BOB)));
    slim_session_commit_fini(&commit);
    CHECK(slim_session_crypt_join(crypt_of(BOB), 1, SLIM_VIEW("nonsense"), &t.people[MOD].name,
                                  &error) != SLIM_OK);
    invite(BOB, &commit); /* the true moderator's welcome still does it */
    const unsigned all[] = {MOD, BOB};
    all_talk(all, 2);
    slim_session_commit_fini(&commit);
    slim_buf_fini(&package);
    stop();
}

static void defect_07_bad_key_package_fails_its_invitation_alone(void **state)
{
    start();
    gather(2);
    struct slim_buf good = {0};
    struct slim_buf eves = {0};
    struct slim_buf damaged = {0};
    struct slim_buf bobs = {0};
    struct slim_error error = {0};
    CHECK_OK(slim_session_crypt_key_package(crypt_of(CAROL), &good));
    CHECK_OK(slim_session_crypt_key_package(crypt_of(EVE), &eves));
    CHECK_OK(slim_session_crypt_key_package(crypt_of(BOB), &bobs));
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
        const struct slim_name_key *name = &t.people[rows[i].who].name;
        struct slim_session_commit commit = {0};
        CHECK_ROW(rows[i].why, slim_session_crypt_check(crypt_of(MOD), rows[i].package, name,
                                                        &error) == rows[i].want);
        CHECK_ROW(rows[i].why, error.status == rows[i].want && strlen(error.text) > 0);
        CHECK_ROW(rows[i].why, slim_session_crypt_change(crypt_of(MOD), &rows[i].package, name, 1,
                                                         NULL, 0, &commit, &error) == rows[i].want);
        CHECK_ROW(rows[i].why, slim_session_crypt_epoch(crypt_of(MOD)) == 1);
        CHECK_ROW(rows[i].why, !slim_session_crypt_has(crypt_of(MOD), &t.people[CAROL].name));
    }
    t.expired = "carol";
    CHECK(slim_session_crypt_check(crypt_of(MOD), slim_buf_view(&good), &t.people[CAROL].name,
                                   &error) == SLIM_ERR_EXPIRED);
    CHECK(strcmp(error.text, "token expired") == 0);
    t.expired = NULL;
    struct slim_session_commit commit = {0};
    CHECK(slim_session_crypt_change(crypt_of(MOD), NULL, NULL, 0, &t.people[CAROL].name, 1, &commit,
                                    &error) == SLIM_ERR_NOT_FOUND);
    CHECK(slim_session_crypt_change(crypt_of(MOD), NULL, NULL, 0, &t.people[MOD].name, 1, &commit,
                                    &error) == SLIM_ERR_NOT_FOUND);

    slim_buf_fini(&good);
    slim_buf_fini(&eves);
    slim_buf_fini(&damaged);
    slim_buf_fini(&bobs);
    invite(CAROL, &commit);
    CHECK(commit.commit_id == 2);
    CHECK_OK(give(BOB, &commit));
    slim_session_commit_fini(&commit);
    const unsigned all[] = {MOD, BOB, CAROL};
    all_talk(all, 3);
    stop();
}

static void member_that_was_removed_comes_back(void **state)
{
    start();
    gather(3);
    struct slim_session_commit commit = {0};
    drop(CAROL, &commit);
    CHECK_OK(give(BOB, &commit));
    slim_session_commit_fini(&commit);
    person_free(&t.people[CAROL]);
    CHECK_OK(person_new("carol", false, &t.people[CAROL]));
    invite(CAROL, &commit);
    CHECK_OK(give(BOB, &commit));
    slim_session_commit_fini(&commit);
    const unsigned all[] = {MOD, BOB, CAROL};
    all_talk(all, 3);
    stop();
}

/* ---- the order of commits */

static void defect_03_repeated_commit_is_known(void **state)
{
    start();
    gather(2);
    struct slim_session_commit commit = {0};
    invite(CAROL, &commit);
    CHECK_OK(give(BOB, &commit));
    CHECK(give(BOB, &commit) == SLIM_ERR_EXISTS && give(BOB, &commit) == SLIM_ERR_EXISTS);
    CHECK(slim_session_crypt_epoch(crypt_of(BOB)) == 2);
    slim_session_commit_fini(&commit);
    stop();
}

static void defect_11_missed_commit_is_noticed_and_caught_up(void **state)
{
    enum { COUNT = 6 };
    static const unsigned order[COUNT] = {5, 2, 1, 4, 3, 0};
    start();
    gather(3);
    struct slim_session_commit commits[COUNT] = {{0}};
    for (size_t i = 0; i < COUNT; i++) {
        refresh(&commits[i]);
        CHECK_OK(give(CAROL, &commits[i]));
    }
    for (size_t i = 0; i < COUNT - 1; i++) {
        CHECK(give(BOB, &commits[order[i]]) == SLIM_AGAIN);
        CHECK(give(BOB, &commits[order[i]]) == SLIM_ERR_EXISTS);
        CHECK(slim_session_crypt_is_behind(crypt_of(BOB)));
    }
    CHECK_OK(give(BOB, &commits[0]));
    CHECK(!slim_session_crypt_is_behind(crypt_of(BOB)));
    CHECK(slim_session_crypt_epoch(crypt_of(BOB)) == 2 + COUNT);
    const unsigned all[] = {MOD, BOB, CAROL};
    all_talk(all, 3);
    for (size_t i = 0; i < COUNT; i++) {
        slim_session_commit_fini(&commits[i]);
    }
    stop();
}

static void commits_that_are_kept_are_bounded(void **state)
{
    static uint8_t large[SLIM_SESSION_COMMITS_AHEAD_BYTES_MAX / 2];
    start();
    gather(2);
    struct slim_session_crypt *bob = crypt_of(BOB);
    struct slim_view junk = SLIM_VIEW("\0\1\0\1 junk");
    CHECK(slim_session_crypt_take_commit(bob, 1 + SLIM_SESSION_COMMITS_AHEAD_MAX + 1, junk, NULL) ==
          SLIM_ERR_LIMIT);
    CHECK(slim_session_crypt_take_commit(bob, UINT32_MAX, junk, NULL) == SLIM_ERR_LIMIT);
    CHECK(slim_session_crypt_take_commit(bob, 3, slim_view_of(large, sizeof(large)), NULL) ==
          SLIM_AGAIN);
    CHECK(slim_session_crypt_take_commit(bob, 4, slim_view_of(large, sizeof(large)), NULL) ==
          SLIM_AGAIN);
    CHECK(slim_session_crypt_take_commit(bob, 5, junk, NULL) == SLIM_ERR_LIMIT);
    stop();
    start();
    gather(2);
    for (uint32_t i = 0; i < SLIM_SESSION_COMMITS_AHEAD_MAX - 1; i++) {
        CHECK(slim_session_crypt_take_commit(crypt_of(BOB), 3 + i, junk, NULL) == SLIM_AGAIN);
    }
    stop();
}

static void forged_commit_changes_nothing(void **state)
{
    start();
    gather(3);
    struct slim_session_commit commit = {0};
    refresh(&commit);
    for (size_t i = 0; i < commit.commit.len; i += 7) {
        commit.commit.data[i] ^= 0x10;
        enum slim_status status = give(BOB, &commit);
        CHECK(status != SLIM_OK && status != SLIM_AGAIN && status != SLIM_ERR_EXISTS);
        CHECK(slim_session_crypt_epoch(crypt_of(BOB)) == 2);
        commit.commit.data[i] ^= 0x10;
    }
    struct slim_buf sealed = seal(MOD, "not a commit"); /* a message in the place of a commit */
    CHECK(slim_session_crypt_take_commit(crypt_of(BOB), 3, slim_buf_view(&sealed), NULL) ==
          SLIM_ERR_INVALID);
    slim_buf_fini(&sealed);
    CHECK_OK(give(BOB, &commit));
    CHECK_OK(give(CAROL, &commit));
    const unsigned all[] = {MOD, BOB, CAROL};
    all_talk(all, 3);
    slim_session_commit_fini(&commit);
    stop();
}

static void kept_commit_that_turns_out_bad_leaves_us_behind_until_the_true_one(void **state)
{
    start();
    gather(3);
    struct slim_session_commit commits[2] = {{0}};
    refresh(&commits[0]);
    refresh(&commits[1]);
    CHECK(slim_session_crypt_take_commit(crypt_of(BOB), commits[1].commit_id,
                                         SLIM_VIEW("\0\1\0\1 forged"), NULL) == SLIM_AGAIN);
    CHECK_OK(give(BOB, &commits[0]));
    CHECK(slim_session_crypt_is_behind(crypt_of(BOB)));
    CHECK_OK(give(BOB, &commits[1]));
    CHECK(!slim_session_crypt_is_behind(crypt_of(BOB)));
    CHECK(slim_session_crypt_epoch(crypt_of(BOB)) == 4);
    slim_session_commit_fini(&commits[0]);
    slim_session_commit_fini(&commits[1]);
    stop();
}

static void member_cannot_commit(void **state)
{
    start();
    gather(3);
    struct slim_mls_client_config config; /* carol again, with a policy that lets her try */
    struct slim_mls_buf key = {0};
    struct slim_mls_client *client;
    struct slim_mls_group *group;
    struct slim_mls_buf package;
    struct slim_mls_commit_output output = {0};
    struct slim_session_commit commit = {0};
    CHECK(world_config(&t.world, 1, "dave", &config, &key) == SLIM_MLS_OK);
    CHECK(slim_mls_client_new(&config, &client) == SLIM_MLS_OK);
    CHECK(slim_mls_key_package_new(client, &package) == SLIM_MLS_OK);
    struct slim_view view = slim_view_of(package.data, package.len);
    CHECK_OK(slim_session_crypt_change(crypt_of(MOD), &view, &t.people[DAVE].name, 1, NULL, 0,
                                       &commit, NULL));
    CHECK_OK(give(BOB, &commit));
    struct slim_mls_view welcome = {commit.welcome.data, commit.welcome.len};
    CHECK(slim_mls_group_join(client, welcome, (struct slim_mls_view){0}, &group) == SLIM_MLS_OK);
    struct slim_mls_commit_options options = {.path = SLIM_MLS_PATH_ALWAYS};
    CHECK(slim_mls_group_commit(group, &options, &output) == SLIM_MLS_OK);
    CHECK(slim_session_crypt_take_commit(crypt_of(BOB), 4,
                                         slim_view_of(output.commit.data, output.commit.len),
                                         NULL) == SLIM_ERR_DENIED);
    CHECK(slim_session_crypt_epoch(crypt_of(BOB)) == 3);
    slim_mls_commit_output_free(&output);
    slim_session_commit_fini(&commit);
    slim_mls_buf_free(&package);
    slim_mls_buf_free(&key);
    slim_mls_group_free(group);
    slim_mls_client_free(client);
    stop();
}

/* ---- messages */

static void defect_23_payload_is_sealed(void **state)
{
    start();
    gather(2);
    struct slim_buf sealed = seal(MOD, "the secret payload");
    CHECK(memmem(sealed.data, sealed.len, "secret", 6) == NULL);
    static const uint8_t head[] = {0, 1, 0, 2};
    CHECK(sealed.len > 32 && memcmp(sealed.data, head, 4) == 0);
    CHECK(slim_session_crypt_classify(crypt_of(BOB), SLIM_VIEW("the secret payload")) ==
          SLIM_SESSION_BLOB_PLAIN);
    CHECK(slim_session_crypt_classify(crypt_of(BOB), slim_view_of(sealed.data, 40)) ==
          SLIM_SESSION_BLOB_PLAIN); /* cut in the epoch */
    CHECK(slim_session_crypt_classify(crypt_of(BOB), slim_view_of(NULL, 0)) ==
          SLIM_SESSION_BLOB_PLAIN);
    CHECK_OK(open_as(BOB, MOD, &sealed, "the secret payload"));
    slim_buf_fini(&sealed);
    stop();
}

static void ciphertext_opens_once(void **state)
{
    start();
    gather(2);
    struct slim_buf sealed = seal(MOD, "once");
    CHECK_OK(open_as(BOB, MOD, &sealed, "once"));
    CHECK(open_as(BOB, MOD, &sealed, "once") == SLIM_ERR_REPLAYED);
    slim_buf_fini(&sealed);
    sealed = seal(BOB, "mine"); /* our own, reflected */
    CHECK(open_as(BOB, BOB, &sealed, "mine") == SLIM_ERR_REPLAYED);
    CHECK_OK(open_as(MOD, BOB, &sealed, "mine"));
    slim_buf_fini(&sealed);
    stop();
}

static void forged_ciphertext_moves_nothing(void **state)
{
    start();
    gather(2);
    struct slim_buf sealed = seal(MOD, "genuine");
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 0x04;
        CHECK(open_as(BOB, MOD, &sealed, "") != SLIM_OK);
        sealed.data[i] ^= 0x04;
        struct slim_buf cut = {sealed.data, i, sealed.len};
        CHECK(open_as(BOB, MOD, &cut, "") != SLIM_OK);
    }
    CHECK_OK(open_as(BOB, MOD, &sealed, "genuine"));
    slim_buf_fini(&sealed);
    stop();
}

static void nobody_speaks_under_the_name_of_another(void **state)
{
    start();
    gather(3);
    struct slim_buf sealed = seal(CAROL, "from carol");
    struct slim_name_key stranger = name_of("stranger");
    struct slim_buf plain = {0};
    CHECK(open_as(BOB, MOD, &sealed, "from carol") == SLIM_ERR_DENIED);
    CHECK(open_as(BOB, BOB, &sealed, "from carol") == SLIM_ERR_DENIED);
    CHECK(slim_session_crypt_open(crypt_of(BOB), &stranger, slim_buf_view(&sealed), &plain) ==
          SLIM_ERR_DENIED);
    CHECK_OK(open_as(BOB, CAROL, &sealed, "from carol")); /* its key was not used up */
    slim_buf_fini(&sealed);
    stop();
}

static void who_takes_the_place_of_a_removed_member_is_not_taken_for_it(void **state)
{
    start();
    gather(3);
    struct slim_buf old = seal(CAROL, "of an epoch with carol");
    struct slim_session_commit commit = {0};
    drop(CAROL, &commit);
    CHECK_OK(give(BOB, &commit));
    slim_session_commit_fini(&commit);
    invite(DAVE, &commit); /* in her place */
    CHECK_OK(give(BOB, &commit));
    slim_session_commit_fini(&commit);
    CHECK(open_as(BOB, DAVE, &old, "of an epoch with carol") == SLIM_ERR_DENIED);
    CHECK(open_as(MOD, DAVE, &old, "of an epoch with carol") == SLIM_ERR_DENIED);
    const unsigned all[] = {MOD, BOB, DAVE};
    all_talk(all, 3);
    slim_buf_fini(&old);
    stop();
}

static void message_of_an_epoch_to_come_opens_when_it_has_come(void **state)
{
    start();
    gather(3);
    struct slim_session_commit commit = {0};
    struct slim_buf before = seal(MOD, "before");
    refresh(&commit);
    struct slim_buf after = seal(MOD, "after");
    CHECK(slim_session_crypt_classify(crypt_of(BOB), slim_buf_view(&after)) ==
          SLIM_SESSION_BLOB_FUTURE);
    CHECK(open_as(BOB, MOD, &after, "after") == SLIM_ERR_FUTURE);
    CHECK_OK(give(BOB, &commit));
    CHECK(slim_session_crypt_classify(crypt_of(BOB), slim_buf_view(&after)) ==
          SLIM_SESSION_BLOB_SEALED);
    CHECK_OK(open_as(BOB, MOD, &after, "after"));
    CHECK_OK(open_as(BOB, MOD, &before, "before")); /* late, of the epoch that is over */
    after.data[4 + 1 + 32 + 5] = 1;                 /* an epoch that will not come */
    CHECK(slim_session_crypt_classify(crypt_of(BOB), slim_buf_view(&after)) ==
          SLIM_SESSION_BLOB_STALE);
    slim_buf_fini(&before);
    slim_buf_fini(&after);
    slim_session_commit_fini(&commit);
    stop();
}

static void message_from_before_our_time_is_stale(void **state)
{
    start();
    gather(2);
    struct slim_buf sealed = seal(MOD, "before carol");
    struct slim_session_commit commit = {0};
    invite(CAROL, &commit);
    CHECK(slim_session_crypt_classify(crypt_of(CAROL), slim_buf_view(&sealed)) ==
          SLIM_SESSION_BLOB_STALE);
    CHECK(open_as(CAROL, MOD, &sealed, "before carol") == SLIM_ERR_STALE);
    slim_session_commit_fini(&commit);
    slim_buf_fini(&sealed);
    stop();
}

/* ---- memory */

/* Everything once, whatever fails: what was refused for lack of memory works when it is tried again. */
static void all_calls(void)
{
    struct person mod;
    struct person bob;
    struct person carol;
    struct slim_buf package = {0};
    struct slim_session_commit commits[2] = {{0}};
    struct slim_buf sealed = {0};
    struct slim_buf plain = {0};
    uint64_t epoch;
    t.world = (struct world){.seed = 7, .now_s = WORLD_START_S};
    bool has_people = person_new("mod", false, &mod) == SLIM_OK;
    has_people = person_new("bob", false, &bob) == SLIM_OK && has_people;
    has_people = person_new("carol", false, &carol) == SLIM_OK && has_people;
    if (!has_people) {
        goto out;
    }
#define TWICE(call)                                                                                \
    do {                                                                                           \
        enum slim_status status_ = (call);                                                         \
        if (status_ == SLIM_ERR_NO_MEMORY) {                                                       \
            status_ = (call);                                                                      \
        }                                                                                          \
        assert_int_equal(status_, SLIM_OK);                                                        \
    } while (0)
    TWICE(slim_session_crypt_create(mod.crypt));
    TWICE(slim_session_crypt_key_package(bob.crypt, &package));
    struct slim_view view = slim_buf_view(&package);
    TWICE(slim_session_crypt_check(mod.crypt, view, &bob.name, NULL));
    TWICE(slim_session_crypt_change(mod.crypt, &view, &bob.name, 1, NULL, 0, &commits[0], NULL));
    enum slim_status joined =
        slim_session_crypt_join(bob.crypt, 1, slim_buf_view(&commits[0].welcome), &mod.name, NULL);
    if (joined != SLIM_OK) {
        /* its key package may have been used up: then it is invited again */
        CHECK(joined == SLIM_ERR_NO_MEMORY && !slim_session_crypt_is_ready(bob.crypt));
        goto out;
    }
    slim_session_commit_fini(&commits[0]);
    TWICE(slim_session_crypt_change(mod.crypt, NULL, NULL, 0, NULL, 0, &commits[0], NULL));
    TWICE(slim_session_crypt_seal(mod.crypt, SLIM_VIEW("text"), &sealed, &epoch));
    TWICE(slim_session_crypt_key_package(carol.crypt, &package));
    view = slim_buf_view(&package);
    TWICE(slim_session_crypt_change(mod.crypt, &view, &carol.name, 1, NULL, 0, &commits[1], NULL));
    enum slim_status kept =
        slim_session_crypt_take_commit(bob.crypt, 3, slim_buf_view(&commits[1].commit), NULL);
    CHECK(kept == SLIM_AGAIN || kept == SLIM_ERR_NO_MEMORY);
    TWICE(slim_session_crypt_take_commit(bob.crypt, 2, slim_buf_view(&commits[0].commit), NULL));
    enum slim_status again =
        slim_session_crypt_take_commit(bob.crypt, 3, slim_buf_view(&commits[1].commit), NULL);
    CHECK(again == SLIM_OK || again == SLIM_ERR_EXISTS || again == SLIM_ERR_NO_MEMORY);
    TWICE(slim_session_crypt_open(bob.crypt, &mod.name, slim_buf_view(&sealed), &plain));
    CHECK_VIEW(slim_buf_view(&plain), "text");
    CHECK(slim_session_crypt_epoch(bob.crypt) == 3 || again == SLIM_ERR_NO_MEMORY);
    bool has_carol = slim_session_crypt_has(bob.crypt, &carol.name);
    CHECK(has_carol || slim_test_alloc_has_failed());
out:
    slim_buf_fini(&package);
    slim_buf_fini(&sealed);
    slim_buf_fini(&plain);
    slim_session_commit_fini(&commits[0]);
    slim_session_commit_fini(&commits[1]);
    person_free(&mod);
    person_free(&bob);
    person_free(&carol);
}

static void failing_allocations_change_nothing(void **state)
{
    slim_sweep_alloc(all_calls);
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
        cmocka_unit_test(defect_23_payload_is_sealed),
        cmocka_unit_test(ciphertext_opens_once),
        cmocka_unit_test(forged_ciphertext_moves_nothing),
        cmocka_unit_test(nobody_speaks_under_the_name_of_another),
        cmocka_unit_test(who_takes_the_place_of_a_removed_member_is_not_taken_for_it),
        cmocka_unit_test(message_of_an_epoch_to_come_opens_when_it_has_come),
        cmocka_unit_test(message_from_before_our_time_is_stale),
        cmocka_unit_test(failing_allocations_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
