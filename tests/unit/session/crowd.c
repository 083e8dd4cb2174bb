#include "crowd.h"

#include "base/hash.h"

struct crowd crowd;

bool crowd_is_source(void *ctx, struct slim_view subject, const struct slim_name_key *name)
{
    CHECK(ctx == &crowd);
    return slim_hash_app_id(subject) == (uint64_t)name->id;
}

enum slim_status crowd_read_credential(void *ctx, struct slim_view token, bool any_age,
                                       struct slim_mls_claims *claims, struct slim_error *error)
{
    CHECK(ctx == &crowd);
    crowd.reads++;
    if (!any_age && crowd.expired != NULL &&
        slim_view_is_equal(token, slim_view_str(crowd.expired))) {
        return slim_error_set(error, SLIM_ERR_EXPIRED, "token expired");
    }
    const uint8_t *end = memchr(token.data, '#', token.len);
    claims->subject =
        slim_view_of(token.data, end == NULL ? token.len : (size_t)(end - token.data));
    return SLIM_OK;
}

struct slim_name_key crowd_name(const char *subject)
{
    return (struct slim_name_key){{1, 2, 3}, slim_hash_app_id(slim_view_str(subject))};
}

enum slim_status person_new(const char *subject, bool has_plain_adds, struct person *person)
{
    struct slim_mls_client_config config;
    struct slim_mls_buf key = {0};
    enum slim_mls_status status = world_config(&crowd.world, 1, subject, &config, &key);
    config.policy.moderated = true;
    *person = (struct person){.subject = subject, .name = crowd_name(subject)};
    if (status == SLIM_MLS_OK) {
        status = slim_mls_client_new(&config, &person->client);
    }
    slim_mls_buf_free(&key);
    if (status != SLIM_MLS_OK) {
        return (enum slim_status)status;
    }
    struct slim_session_crypt_options options = {person->client, &crowd, crowd_is_source,
                                                 crowd_read_credential, has_plain_adds};
    return slim_session_crypt_new(&options, &person->crypt);
}

void person_free(struct person *person)
{
    slim_session_crypt_free(person->crypt);
    slim_mls_client_free(person->client);
    *person = (struct person){0};
}

void crowd_start(void)
{
    static const char *const subjects[PEOPLE] = {"mod", "bob", "carol", "dave", "eve", "fred"};
    memset(&crowd, 0, sizeof(crowd));
    crowd.world = (struct world){.seed = 7, .now_s = WORLD_START_S};
    for (size_t i = 0; i < PEOPLE; i++) {
        CHECK_OK(person_new(subjects[i], false, &crowd.people[i]));
    }
    CHECK_OK(slim_session_crypt_create(crowd.people[MOD].crypt));
}

void crowd_stop(void)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        person_free(&crowd.people[i]);
    }
}

struct slim_session_crypt *crowd_crypt(unsigned index)
{
    return crowd.people[index].crypt;
}

void crowd_invite(unsigned index, struct slim_session_commit *commit)
{
    struct slim_buf package = {0};
    CHECK_OK(slim_session_crypt_key_package(crowd_crypt(index), &package));
    struct slim_view view = slim_buf_view(&package);
    CHECK_OK(slim_session_crypt_change(crowd_crypt(MOD), &view, &crowd.people[index].name, 1, NULL,
                                       0, commit, NULL));
    CHECK_OK(slim_session_crypt_join(crowd_crypt(index), commit->commit_id,
                                     slim_buf_view(&commit->welcome), &crowd.people[MOD].name,
                                     NULL));
    slim_buf_fini(&package);
}

enum slim_status crowd_give(unsigned index, const struct slim_session_commit *commit)
{
    return slim_session_crypt_take_commit(crowd_crypt(index), commit->commit_id,
                                          slim_buf_view(&commit->commit), NULL);
}

void crowd_gather(unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct slim_session_commit commit = {0};
        crowd_invite(i, &commit);
        for (unsigned other = 1; other < i; other++) {
            CHECK_OK(crowd_give(other, &commit));
        }
        slim_session_commit_fini(&commit);
    }
}

void crowd_refresh(struct slim_session_commit *commit)
{
    CHECK_OK(slim_session_crypt_change(crowd_crypt(MOD), NULL, NULL, 0, NULL, 0, commit, NULL));
}

void crowd_drop(unsigned index, struct slim_session_commit *commit)
{
    CHECK_OK(slim_session_crypt_change(crowd_crypt(MOD), NULL, NULL, 0, &crowd.people[index].name,
                                       1, commit, NULL));
}

struct slim_buf crowd_seal(unsigned from, const char *text)
{
    struct slim_buf sealed = {0};
    uint64_t epoch;
    CHECK_OK(slim_session_crypt_seal(crowd_crypt(from), slim_view_str(text), &sealed, &epoch));
    CHECK(epoch == slim_session_crypt_epoch(crowd_crypt(from)));
    return sealed;
}

enum slim_status crowd_open(unsigned to, unsigned source, const struct slim_buf *sealed,
                            const char *text)
{
    struct slim_buf plain = {0};
    enum slim_status status = slim_session_crypt_open(crowd_crypt(to), &crowd.people[source].name,
                                                      slim_buf_view(sealed), &plain);
    if (status == SLIM_OK) {
        CHECK(slim_view_is_equal(slim_buf_view(&plain), slim_view_str(text)));
    } else {
        CHECK(plain.len == 0);
    }
    slim_buf_fini(&plain);
    return status;
}

void crowd_talk(const unsigned *who, size_t count)
{
    for (size_t from = 0; from < count; from++) {
        struct slim_buf sealed = crowd_seal(who[from], "hello");
        for (size_t to = 0; to < count; to++) {
            if (to != from) {
                CHECK(slim_session_crypt_classify(crowd_crypt(who[to]), slim_buf_view(&sealed)) ==
                      SLIM_SESSION_BLOB_SEALED);
                CHECK_OK(crowd_open(who[to], who[from], &sealed, "hello"));
            }
        }
        slim_buf_fini(&sealed);
    }
}
