/* Messages under MLS: what opens, when, and as whose. */
#include "crowd.h"

/* ---- messages */

static void defect_23_payload_is_sealed(void **state)
{
    crowd_start();
    crowd_gather(2);
    struct slim_buf sealed = crowd_seal(MOD, "the secret payload");
    CHECK(memmem(sealed.data, sealed.len, "secret", 6) == NULL);
    static const uint8_t head[] = {0, 1, 0, 2};
    CHECK(sealed.len > 32 && memcmp(sealed.data, head, 4) == 0);
    CHECK(slim_session_crypt_classify(crowd_crypt(BOB), SLIM_VIEW("the secret payload")) ==
          SLIM_SESSION_BLOB_PLAIN);
    CHECK(slim_session_crypt_classify(crowd_crypt(BOB), slim_view_of(sealed.data, 40)) ==
          SLIM_SESSION_BLOB_PLAIN); /* cut in the epoch */
    CHECK(slim_session_crypt_classify(crowd_crypt(BOB), slim_view_of(NULL, 0)) ==
          SLIM_SESSION_BLOB_PLAIN);
    CHECK_OK(crowd_open(BOB, MOD, &sealed, "the secret payload"));
    slim_buf_fini(&sealed);
    crowd_stop();
}

static void ciphertext_opens_once(void **state)
{
    crowd_start();
    crowd_gather(2);
    struct slim_buf sealed = crowd_seal(MOD, "once");
    CHECK_OK(crowd_open(BOB, MOD, &sealed, "once"));
    CHECK(crowd_open(BOB, MOD, &sealed, "once") == SLIM_ERR_REPLAYED);
    slim_buf_fini(&sealed);
    sealed = crowd_seal(BOB, "mine"); /* our own, reflected */
    CHECK(crowd_open(BOB, BOB, &sealed, "mine") == SLIM_ERR_REPLAYED);
    CHECK_OK(crowd_open(MOD, BOB, &sealed, "mine"));
    slim_buf_fini(&sealed);
    crowd_stop();
}

static void forged_ciphertext_moves_nothing(void **state)
{
    crowd_start();
    crowd_gather(2);
    struct slim_buf sealed = crowd_seal(MOD, "genuine");
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 0x04;
        CHECK(crowd_open(BOB, MOD, &sealed, "") != SLIM_OK);
        sealed.data[i] ^= 0x04;
        struct slim_buf cut = {sealed.data, i, sealed.len};
        CHECK(crowd_open(BOB, MOD, &cut, "") != SLIM_OK);
    }
    CHECK_OK(crowd_open(BOB, MOD, &sealed, "genuine"));
    slim_buf_fini(&sealed);
    crowd_stop();
}

static void nobody_speaks_under_the_name_of_another(void **state)
{
    crowd_start();
    crowd_gather(3);
    struct slim_buf sealed = crowd_seal(CAROL, "from carol");
    struct slim_name_key stranger = crowd_name("stranger");
    struct slim_buf plain = {0};
    CHECK(crowd_open(BOB, MOD, &sealed, "from carol") == SLIM_ERR_DENIED);
    CHECK(crowd_open(BOB, BOB, &sealed, "from carol") == SLIM_ERR_DENIED);
    CHECK(slim_session_crypt_open(crowd_crypt(BOB), &stranger, slim_buf_view(&sealed), &plain) ==
          SLIM_ERR_DENIED);
    CHECK_OK(crowd_open(BOB, CAROL, &sealed, "from carol")); /* its key was not used up */
    slim_buf_fini(&sealed);
    slim_buf_fini(&plain);
    crowd_stop();
}

static void who_takes_the_place_of_a_removed_member_is_not_taken_for_it(void **state)
{
    crowd_start();
    crowd_gather(3);
    struct slim_buf old = crowd_seal(CAROL, "of an epoch with carol");
    struct slim_session_commit commit = {0};
    crowd_drop(CAROL, &commit);
    CHECK_OK(crowd_give(BOB, &commit));
    slim_session_commit_fini(&commit);
    crowd_invite(DAVE, &commit); /* in her place */
    CHECK_OK(crowd_give(BOB, &commit));
    slim_session_commit_fini(&commit);
    CHECK(crowd_open(BOB, DAVE, &old, "of an epoch with carol") == SLIM_ERR_DENIED);
    CHECK(crowd_open(MOD, DAVE, &old, "of an epoch with carol") == SLIM_ERR_DENIED);
    const unsigned all[] = {MOD, BOB, DAVE};
    crowd_talk(all, 3);
    slim_buf_fini(&old);
    crowd_stop();
}

static void message_of_an_epoch_to_come_opens_when_it_has_come(void **state)
{
    crowd_start();
    crowd_gather(3);
    struct slim_session_commit commit = {0};
    struct slim_buf before = crowd_seal(MOD, "before");
    crowd_refresh(&commit);
    struct slim_buf after = crowd_seal(MOD, "after");
    CHECK(slim_session_crypt_classify(crowd_crypt(BOB), slim_buf_view(&after)) ==
          SLIM_SESSION_BLOB_FUTURE);
    CHECK(crowd_open(BOB, MOD, &after, "after") == SLIM_ERR_FUTURE);
    CHECK_OK(crowd_give(BOB, &commit));
    CHECK(slim_session_crypt_classify(crowd_crypt(BOB), slim_buf_view(&after)) ==
          SLIM_SESSION_BLOB_SEALED);
    CHECK_OK(crowd_open(BOB, MOD, &after, "after"));
    CHECK_OK(crowd_open(BOB, MOD, &before, "before")); /* late, of the epoch that is over */
    after.data[4 + 1 + 32 + 5] = 1;                    /* an epoch that will not come */
    CHECK(slim_session_crypt_classify(crowd_crypt(BOB), slim_buf_view(&after)) ==
          SLIM_SESSION_BLOB_STALE);
    slim_buf_fini(&before);
    slim_buf_fini(&after);
    slim_session_commit_fini(&commit);
    crowd_stop();
}

static void message_from_before_our_time_is_stale(void **state)
{
    crowd_start();
    crowd_gather(2);
    struct slim_buf sealed = crowd_seal(MOD, "before carol");
    struct slim_session_commit commit = {0};
    crowd_invite(CAROL, &commit);
    CHECK(slim_session_crypt_classify(crowd_crypt(CAROL), slim_buf_view(&sealed)) ==
          SLIM_SESSION_BLOB_STALE);
    CHECK(crowd_open(CAROL, MOD, &sealed, "before carol") == SLIM_ERR_STALE);
    slim_session_commit_fini(&commit);
    slim_buf_fini(&sealed);
    crowd_stop();
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
    crowd.world = (struct world){.seed = 7, .now_s = WORLD_START_S};
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
