#include "mls/group.h"
#include "mls/profile.h"
#include "support/check.h"
#include "world.h"

/* A verifier of tokens like "subject|base64 key|time": an hour valid. */
struct verifier {
    uint64_t now_s;
    unsigned any_age_count;
    unsigned fresh_count;
};

static struct slim_view take_part(struct slim_view *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != '|') {
        len++;
    }
    struct slim_view part = slim_view_of(rest->data, len);
    *rest = slim_view_skip(*rest, len < rest->len ? len + 1 : len);
    return part;
}

static enum slim_status verify(void *context, struct slim_view token, bool any_age,
                               struct slim_mls_claims *claims, struct slim_error *error)
{
    struct verifier *verifier = context;
    claims->subject = take_part(&token);
    claims->public_key = take_part(&token);
    uint64_t issued_s = 0;
    for (size_t i = 0; i < token.len; i++) {
        issued_s = issued_s * 10 + (uint64_t)(token.data[i] - '0');
    }
    *(any_age ? &verifier->any_age_count : &verifier->fresh_count) += 1;
    if (!any_age && verifier->now_s > issued_s + 3600) {
        return slim_error_set(error, SLIM_ERR_EXPIRED, "token invalid");
    }
    return SLIM_OK;
}

static uint64_t now_s(void *context)
{
    const struct verifier *verifier = context;
    return verifier->now_s;
}

/* 32 bytes of key and their base64, by an independent program. */
static const char key[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
#define KEY64 "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="

static void leaves_are_what_their_tokens_say(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint16_t type;
        const char *token;
        enum slim_mls_check_reason reason;
        enum slim_mls_status want;
        const char *text;
    } rows[] = {
        {"a token of this key", 1, "sub|" KEY64 "|1000", SLIM_MLS_CHECK_ADD, SLIM_MLS_OK, ""},
        {"x509", 2, "sub|" KEY64 "|1000", SLIM_MLS_CHECK_ADD, SLIM_MLS_ERR_AUTH,
         "not a basic credential"},
        {"not text", 1, "\xff|" KEY64 "|1000", SLIM_MLS_CHECK_ADD, SLIM_MLS_ERR_AUTH,
         "invalid UTF-8 in credential"},
        {"no key claim", 1, "sub||1000", SLIM_MLS_CHECK_ADD, SLIM_MLS_ERR_AUTH,
         "public key not found in signed identity"},
        {"no subject", 1, "|" KEY64 "|1000", SLIM_MLS_CHECK_ADD, SLIM_MLS_ERR_AUTH,
         "subject not found"},
        {"another key", 1, "sub|QUJD" KEY64 "|1000", SLIM_MLS_CHECK_ADD, SLIM_MLS_ERR_AUTH,
         "public key mismatch: identity public key does not match provided public key"},
        {"without padding", 1, "sub|QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU|1000",
         SLIM_MLS_CHECK_ADD, SLIM_MLS_ERR_AUTH,
         "public key mismatch: identity public key does not match provided public key"},
        {"an old token enters", 1, "sub|" KEY64 "|1", SLIM_MLS_CHECK_ADD, SLIM_MLS_ERR_EXPIRED,
         "token invalid"},
        {"an old token replaces", 1, "sub|" KEY64 "|1", SLIM_MLS_CHECK_REPLACE,
         SLIM_MLS_ERR_EXPIRED, "token invalid"},
        {"an old token vouches", 1, "sub|" KEY64 "|1", SLIM_MLS_CHECK_SIGNER, SLIM_MLS_ERR_EXPIRED,
         "token invalid"},
        {"an old token is there already", 1, "sub|" KEY64 "|1", SLIM_MLS_CHECK_MEMBER, SLIM_MLS_OK,
         ""},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct verifier verifier = {.now_s = 4000};
        struct slim_mls_profile profile = {
            .context = &verifier, .verify_token = verify, .now_s = now_s};
        struct slim_mls_check check = {
            .reason = rows[i].reason,
            .credential = {rows[i].type, world_text(rows[i].token)},
            .signature_key = world_text(key),
        };
        struct slim_mls_view name = {0};
        CHECK_ROW(rows[i].why, slim_mls_profile_check(&profile, &check, &name) == rows[i].want);
        CHECK_ROW(rows[i].why, strcmp(profile.error.text, rows[i].text) == 0);
        if (rows[i].want == SLIM_MLS_OK) {
            CHECK_ROW(rows[i].why,
                      slim_view_is_equal(slim_view_of(name.data, name.len), SLIM_VIEW("sub")));
        }
        profile.is_strict = true;
        if (rows[i].reason == SLIM_MLS_CHECK_MEMBER) {
            CHECK_ROW(rows[i].why,
                      slim_mls_profile_check(&profile, &check, &name) == SLIM_MLS_ERR_EXPIRED);
        }
    }
}

/* ---- a group whose members' tokens grow old */

static uint64_t seed = 21;

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        ((uint8_t *)out)[i] = (uint8_t)(seed >> 56);
    }
}

static void put64(char *out, const uint8_t *bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < 33; i++) {
        bits = bits << 8 | (i < 32 ? bytes[i] : 0);
        for (count += 8; count >= 6; count -= 6) {
            *out++ = alphabet[bits >> (count - 6) & 63];
        }
    }
    out[-1] = '=';
}

static void token_for(const char *subject, const uint8_t *public_key, uint64_t issued_s,
                      char *token, size_t size)
{
    char text[45] = {0};
    put64(text, public_key);
    (void)snprintf(token, size, "%s|%s|%llu", subject, text,
                   (unsigned long long)issued_s); /* fits: 128 bytes */
}

static struct slim_mls_client *member_new(struct slim_mls_profile *profile, const char *subject,
                                          uint64_t issued_s)
{
    struct slim_mls_client_config config = {.cipher_suite = 1};
    struct slim_mls_buf private_key;
    struct slim_mls_buf public_key;
    struct slim_mls_client *client;
    char token[128];
    slim_mls_profile_policy(&config.policy);
    slim_mls_profile_callbacks(profile, &config.callbacks);
    assert_int_equal(slim_mls_signature_key_new(1, &config.callbacks, &private_key, &public_key),
                     SLIM_MLS_OK);
    token_for(subject, public_key.data, issued_s, token, sizeof(token));
    config.signature_key = world_view(&private_key);
    config.credential =
        (struct slim_mls_credential_data){SLIM_MLS_CREDENTIAL_BASIC, world_text(token)};
    assert_int_equal(slim_mls_client_new(&config, &client), SLIM_MLS_OK);
    slim_mls_buf_free(&private_key);
    slim_mls_buf_free(&public_key);
    return client;
}

/* The reference cannot add anybody once a token is an hour old (spec mls.md 0, number 4). */
static void membership_outlives_tokens(void **state)
{
    (void)state;
    struct verifier verifier = {.now_s = WORLD_START_S};
    struct slim_mls_profile profile = {
        .context = &verifier, .verify_token = verify, .now_s = now_s, .random = fill};
    struct slim_mls_client *alice = member_new(&profile, "alice", WORLD_START_S);
    struct slim_mls_client *bob = member_new(&profile, "bob", WORLD_START_S);
    struct slim_mls_group *groups[4] = {0};
    assert_int_equal(slim_mls_group_create(alice, NULL, &groups[0]), SLIM_MLS_OK);
    assert_int_equal(world_add(groups[0], bob, &groups[1], NULL), SLIM_MLS_OK);

    verifier.now_s += 7200;
    struct slim_mls_client *carol = member_new(&profile, "carol", verifier.now_s);
    struct slim_mls_buf commit;
    assert_int_equal(world_add(groups[0], carol, &groups[2], &commit),
                     SLIM_MLS_ERR_EXPIRED); /* alice vouches: too old */

    slim_mls_group_free(groups[0]); /* the moderator refreshes its token in time instead */
    slim_mls_group_free(groups[1]);
    assert_int_equal(slim_mls_group_create(alice, NULL, &groups[0]), SLIM_MLS_ERR_EXPIRED);
    char token[128];
    token_for("alice", slim_mls_client_signature_key(alice).data, verifier.now_s, token,
              sizeof(token));
    struct slim_mls_credential_data credential = {SLIM_MLS_CREDENTIAL_BASIC, world_text(token)};
    assert_int_equal(slim_mls_client_set_credential(alice, &credential), SLIM_MLS_OK);
    assert_int_equal(slim_mls_group_create(alice, NULL, &groups[0]), SLIM_MLS_OK);
    assert_int_equal(world_add(groups[0], carol, &groups[1], NULL), SLIM_MLS_OK);

    verifier.now_s += 3000;
    token_for("alice", slim_mls_client_signature_key(alice).data, verifier.now_s, token,
              sizeof(token));
    credential.data = world_text(token);
    assert_int_equal(slim_mls_client_set_credential(alice, &credential), SLIM_MLS_OK);
    struct slim_mls_commit_options refresh = {0};
    struct slim_mls_commit_output output;
    assert_int_equal(slim_mls_group_commit(groups[0], &refresh, &output), SLIM_MLS_OK);
    assert_int_equal(slim_mls_group_commit_apply(groups[0]), SLIM_MLS_OK);
    assert_int_equal(world_process(groups[1], &output.commit, SLIM_MLS_EVENT_COMMIT), SLIM_MLS_OK);
    slim_mls_commit_output_free(&output);

    verifier.now_s +=
        3000; /* carol's own token is too old now, and she stays a member of whom others learn */
    struct slim_mls_client *dave = member_new(&profile, "dave", verifier.now_s);
    assert_int_equal(world_add(groups[0], dave, &groups[3], &commit), SLIM_MLS_OK);
    assert_int_equal(world_process(groups[1], &commit, SLIM_MLS_EVENT_COMMIT), SLIM_MLS_OK);
    CHECK(world_agrees(groups[1], groups[3]));
    slim_mls_buf_free(&commit);
    slim_mls_group_free(groups[0]);
    slim_mls_group_free(groups[1]);
    slim_mls_group_free(groups[3]);
    slim_mls_client_free(alice);
    slim_mls_client_free(bob);
    slim_mls_client_free(carol);
    slim_mls_client_free(dave);
}

/* A group of alice, the moderator, and bob, and carol beside it. */
struct trio {
    struct verifier verifier;
    struct slim_mls_profile profile;
    struct slim_mls_client *clients[3];
    struct slim_mls_group *groups[2];
    struct slim_mls_buf package; /* of carol */
};

static void trio_new(struct trio *trio)
{
    *trio = (struct trio){.verifier = {.now_s = WORLD_START_S}};
    trio->profile = (struct slim_mls_profile){
        .context = &trio->verifier, .verify_token = verify, .now_s = now_s, .random = fill};
    static const char *const names[] = {"alice", "bob", "carol"};
    for (size_t i = 0; i < 3; i++) {
        trio->clients[i] = member_new(&trio->profile, names[i], WORLD_START_S);
    }
    assert_int_equal(slim_mls_group_create(trio->clients[0], NULL, &trio->groups[0]), SLIM_MLS_OK);
    assert_int_equal(world_add(trio->groups[0], trio->clients[1], &trio->groups[1], NULL),
                     SLIM_MLS_OK);
    assert_int_equal(slim_mls_key_package_new(trio->clients[2], &trio->package), SLIM_MLS_OK);
}

static void trio_free(struct trio *trio)
{
    slim_mls_buf_free(&trio->package);
    for (size_t i = 0; i < 2; i++) {
        slim_mls_group_free(trio->groups[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        slim_mls_client_free(trio->clients[i]);
    }
}

/* Spec mls.md 10, numbers 4 and 5: membership is the moderator's alone. What the others would refuse is not made: applied
 * here, it would part us from them. */
static void a_member_of_a_slim_group_makes_no_handshake(void **state)
{
    (void)state;
    struct trio trio;
    struct slim_mls_buf before;
    struct slim_mls_buf after;
    struct slim_mls_buf out;
    struct slim_mls_commit_output output;
    trio_new(&trio);
    struct slim_mls_group *bob = trio.groups[1];
    struct slim_mls_view package = world_view(&trio.package);
    const uint32_t alice = 0;
    const struct slim_mls_psk_choice psk = {
        .type = SLIM_MLS_PSK_RESUMPTION, .epoch = 1, .usage = 1};
    const struct slim_mls_reinit_choice reinit = {.group_id = world_text("next"),
                                                  .cipher_suite = 1};
    const struct slim_mls_view none = {0};
    const struct slim_mls_commit_options commits[] = {
        {0},
        {.key_packages = &package, .key_package_count = 1, .path = SLIM_MLS_PATH_NEEDED},
        {.removed = &alice, .removed_count = 1},
        {.psks = &psk, .psk_count = 1},
        {.extensions = &none},
        {.reinit = &reinit},
    };
    assert_int_equal(slim_mls_group_save(bob, &before), SLIM_MLS_OK);
    for (size_t i = 0; i < SLIM_COUNT(commits); i++) {
        CHECK(slim_mls_group_commit(bob, &commits[i], &output) == SLIM_MLS_ERR_DENIED);
        CHECK(slim_mls_group_commit_apply(bob) == SLIM_MLS_ERR_STATE);
    }
    CHECK(slim_mls_group_propose_add(bob, package, &out) == SLIM_MLS_ERR_DENIED);
    CHECK(slim_mls_group_propose_update(bob, &out) == SLIM_MLS_ERR_DENIED);
    CHECK(slim_mls_group_propose_remove(bob, 0, &out) == SLIM_MLS_ERR_DENIED);
    CHECK(slim_mls_group_propose_psk(bob, &psk, &out) == SLIM_MLS_ERR_DENIED);
    CHECK(slim_mls_group_propose_reinit(bob, &reinit, &out) == SLIM_MLS_ERR_DENIED);
    CHECK(slim_mls_group_propose_extensions(bob, none, &out) == SLIM_MLS_ERR_DENIED);
    CHECK(slim_mls_group_info(bob, true, &out) == SLIM_MLS_ERR_DENIED);
    assert_int_equal(slim_mls_group_save(bob, &after), SLIM_MLS_OK);
    CHECK(before.len == after.len && memcmp(before.data, after.data, before.len) == 0);

    /* the moderator commits, but proposes nothing either: members take its commits only */
    CHECK(slim_mls_group_propose_update(trio.groups[0], &out) == SLIM_MLS_ERR_DENIED);
    CHECK(slim_mls_group_propose_add(trio.groups[0], package, &out) == SLIM_MLS_ERR_DENIED);
    assert_int_equal(slim_mls_group_commit(trio.groups[0], &commits[1], &output), SLIM_MLS_OK);
    assert_int_equal(slim_mls_group_commit_apply(trio.groups[0]), SLIM_MLS_OK);
    assert_int_equal(world_process(bob, &output.commit, SLIM_MLS_EVENT_COMMIT), SLIM_MLS_OK);
    CHECK(world_agrees(trio.groups[0], bob));
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&before);
    slim_mls_buf_free(&after);
    trio_free(&trio);
}

/* The same by a member whose program does not ask for leave. */
static void only_the_moderator_changes_a_slim_group(void **state)
{
    (void)state;
    struct trio trio;
    struct slim_mls_group *joined;
    struct slim_mls_buf proposal;
    struct slim_mls_commit_output output;
    trio_new(&trio);
    struct slim_mls_group *bob = trio.groups[1];
    struct slim_mls_view package = world_view(&trio.package);
    struct slim_mls_commit_options add = {.key_packages = &package, .key_package_count = 1};
    trio.clients[1]->policy.moderated = false;
    assert_int_equal(slim_mls_group_commit(bob, &add, &output), SLIM_MLS_OK);
    CHECK(slim_mls_group_join(trio.clients[2], world_view(&output.welcome),
                              (struct slim_mls_view){0},
                              &joined) == SLIM_MLS_ERR_DENIED); /* bob vouches */
    CHECK(world_process(trio.groups[0], &output.commit, SLIM_MLS_EVENT_COMMIT) ==
          SLIM_MLS_ERR_DENIED);
    slim_mls_group_commit_cancel(bob);
    slim_mls_commit_output_free(&output);
    assert_int_equal(slim_mls_group_propose_update(bob, &proposal), SLIM_MLS_OK);
    CHECK(world_process(trio.groups[0], &proposal, SLIM_MLS_EVENT_PROPOSAL) == SLIM_MLS_ERR_DENIED);
    slim_mls_group_proposals_clear(bob);
    slim_mls_buf_free(&proposal);
    CHECK(slim_mls_group_proposal_count(trio.groups[0]) == 0);
    assert_int_equal(world_talk(trio.groups[0], bob, "still here"),
                     SLIM_MLS_OK); /* nobody is kept from speaking */
    trio_free(&trio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_what_their_tokens_say),
        cmocka_unit_test(membership_outlives_tokens),
        cmocka_unit_test(a_member_of_a_slim_group_makes_no_handshake),
        cmocka_unit_test(only_the_moderator_changes_a_slim_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
