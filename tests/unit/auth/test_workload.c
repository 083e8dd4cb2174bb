#include "auth/workload.h"

#include "auth/workload_state.h"
#include "auth_support.h"
#include "wire/wire.h"

enum { NOW_S = 1795344700 }; /* within the life of the recorded tokens */

/* What the client asked its owner for, as text: one letter per call and event. */
static char said[256];
static struct slim_buf last_request;
static enum slim_status start_status;

static void say(char what, enum slim_auth_workload_call call)
{
    static const char letters[] = "XJBC";
    size_t len = strlen(said);
    CHECK(len + 3 < sizeof(said));
    said[len] = what;
    said[len + 1] = letters[call];
    said[len + 2] = '\0';
}

static enum slim_status start(void *ctx, enum slim_auth_workload_call call,
                              struct slim_view request)
{
    (void)ctx;
    say('+', call);
    slim_buf_clear(&last_request);
    return slim_buf_put(&last_request, request) == SLIM_OK ? start_status : SLIM_ERR_NO_MEMORY;
}

static void cancel(void *ctx, enum slim_auth_workload_call call)
{
    (void)ctx;
    say('-', call);
}

static void on_change(void *ctx, enum slim_auth_workload_call call)
{
    (void)ctx;
    say('!', call);
}

static void on_problem(void *ctx, enum slim_auth_workload_call call, const char *text)
{
    (void)ctx;
    CHECK(text[0] != '\0');
    say('?', call);
}

static const struct slim_auth_workload_owner owner = {start, cancel, on_change, on_problem, NULL};

static struct slim_auth_workload *new_client_for(bool wants_x509, bool wants_jwt)
{
    struct slim_auth_workload_options options = {.wants_x509 = wants_x509, .wants_jwt = wants_jwt};
    struct slim_auth_workload *workload;
    said[0] = '\0';
    start_status = SLIM_OK;
    CHECK_OK(slim_auth_workload_new(&options, &owner, &workload, NULL));
    return workload;
}

static struct slim_auth_workload *new_client(void)
{
    return new_client_for(true, true);
}

static bool has_said(const char *text)
{
    bool is_equal = strcmp(said, text) == 0;
    if (!is_equal) {
        print_error("said %s\n", said);
    }
    said[0] = '\0';
    return is_equal;
}

/* JWTSVIDResponse with one token. */
static void put_svid(struct slim_buf *out, struct slim_view id, struct slim_view token)
{
    struct slim_buf svid = {0};
    slim_buf_clear(out);
    CHECK_OK(slim_wire_put_bytes(&svid, 1, id));
    CHECK_OK(slim_wire_put_bytes(&svid, 2, token));
    CHECK_OK(slim_wire_put_bytes(out, 1, slim_buf_view(&svid)));
    slim_buf_fini(&svid);
}

/* JWTBundlesResponse with the recorded JWKS under a trust domain. */
static void put_bundles(struct slim_buf *out, struct slim_view domain, const struct slim_json *jwks)
{
    struct slim_buf text = {0};
    struct slim_buf entry = {0};
    slim_buf_clear(out);
    CHECK_OK(slim_json_put(jwks, &text));
    CHECK_OK(slim_wire_put_bytes(&entry, 1, domain));
    CHECK_OK(slim_wire_put_bytes(&entry, 2, slim_buf_view(&text)));
    CHECK_OK(slim_wire_put_bytes(out, 1, slim_buf_view(&entry)));
    slim_buf_fini(&text);
    slim_buf_fini(&entry);
}

static void recorded_tokens_verify_with_the_recorded_bundle(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("spire-identity-tokens.json");
    const struct slim_json *tokens = slim_json_find(json, "tokens");
    struct slim_auth_workload *workload = new_client();
    struct slim_auth_verifier *verifier;
    struct slim_auth_claims claims;
    struct slim_buf message = {0};
    CHECK_OK(slim_auth_verifier_new_spiffe(workload, test_random, &verifier));
    slim_auth_workload_attach(workload, 0);
    (void)slim_auth_workload_tick(workload, 0, NOW_S); /* starts the calls */
    struct slim_view header = text_of(slim_json_at(tokens, 0), "token");
    struct slim_view credential = text_of(slim_json_at(tokens, 1), "token");
    CHECK(slim_auth_read_claims(verifier, header, NOW_S, NULL, &claims) == SLIM_AGAIN);
    put_bundles(&message, SLIM_VIEW("spiffe://test.domain"), slim_json_find(json, "jwks"));
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_BUNDLES, slim_buf_view(&message),
                                    0, NOW_S);
    CHECK_OK(slim_auth_read_claims(verifier, header, NOW_S, NULL, &claims));
    CHECK_VIEW(claims.subject, "spiffe://test.domain/bob");
    CHECK(claims.pubkey.len == 0);
    CHECK_OK(slim_auth_read_claims(verifier, credential, NOW_S, NULL, &claims));
    CHECK(slim_view_is_equal(claims.pubkey,
                             text_of(slim_json_at(tokens, 1), "leaf_signature_key_b64")));
    CHECK(slim_auth_read_claims(verifier, header, NOW_S + 3600, NULL, &claims) == SLIM_ERR_EXPIRED);
    put_bundles(&message, SLIM_VIEW("other.domain"), slim_json_find(json, "jwks"));
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_BUNDLES, slim_buf_view(&message),
                                    0, NOW_S);
    CHECK(slim_auth_read_claims(verifier, header, NOW_S, NULL, &claims) == SLIM_ERR_NOT_FOUND);
    slim_auth_verifier_free(verifier);
    slim_auth_workload_free(workload);
    slim_buf_fini(&message);
    slim_json_free(json);
}

/* One more entry of a JWTBundlesResponse, with this text as its JWKS. */
static void add_bundle(struct slim_buf *out, struct slim_view domain, struct slim_view text)
{
    struct slim_buf entry = {0};
    CHECK_OK(slim_wire_put_bytes(&entry, 1, domain));
    CHECK_OK(slim_wire_put_bytes(&entry, 2, text));
    CHECK_OK(slim_wire_put_bytes(out, 1, slim_buf_view(&entry)));
    slim_buf_fini(&entry);
}

static void a_broken_bundle_costs_its_own_domain_nothing_but_news(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("spire-identity-tokens.json");
    struct slim_view token = text_of(slim_json_at(slim_json_find(json, "tokens"), 0), "token");
    struct slim_auth_workload *workload = new_client_for(false, true);
    struct slim_auth_verifier *verifier;
    struct slim_auth_claims claims;
    struct slim_buf message = {0};
    CHECK_OK(slim_auth_verifier_new_spiffe(workload, test_random, &verifier));
    slim_auth_workload_attach(workload, 0);
    (void)slim_auth_workload_tick(workload, 0, NOW_S); /* starts the calls */
    CHECK(has_said("+J+B"));

    put_bundles(&message, SLIM_VIEW("test.domain"), slim_json_find(json, "jwks"));
    add_bundle(&message, SLIM_VIEW("partner.test"), SLIM_VIEW("{"));
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_BUNDLES, slim_buf_view(&message),
                                    0, NOW_S);
    CHECK(has_said("?B!B"));
    CHECK(slim_auth_workload_bundle_generation(workload) == 1);
    CHECK_OK(slim_auth_read_claims(verifier, token, NOW_S, NULL, &claims));

    /* now ours is broken: the keys that we have of it stay */
    put_bundles(&message, SLIM_VIEW("partner.test"), slim_json_find(json, "jwks"));
    add_bundle(&message, SLIM_VIEW("test.domain"), SLIM_VIEW("{\"keys\":5}"));
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_BUNDLES, slim_buf_view(&message),
                                    0, NOW_S);
    CHECK(has_said("?B!B"));
    CHECK(slim_auth_workload_bundle_generation(workload) == 2);
    CHECK_OK(slim_auth_read_claims(verifier, token, NOW_S, NULL, &claims));

    /* and when a message leaves a domain out, its keys go */
    put_bundles(&message, SLIM_VIEW("partner.test"), slim_json_find(json, "jwks"));
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_BUNDLES, slim_buf_view(&message),
                                    0, NOW_S);
    CHECK(has_said("!B"));
    CHECK(slim_auth_read_claims(verifier, token, NOW_S, NULL, &claims) == SLIM_ERR_NOT_FOUND);
    slim_auth_verifier_free(verifier);
    slim_auth_workload_free(workload);
    slim_buf_fini(&message);
    slim_json_free(json);
}

static void requests_are_the_recorded_ones(void **state)
{
    (void)state;
    struct slim_auth_workload *workload = new_client();
    static const uint8_t key[SLIM_AUTH_PUBKEY_BYTES] = {
        0xe0, 0x34, 0x0d, 0x9f, 0xd2, 0x9d, 0x4b, 0x46, 0x39, 0xa3, 0x87,
        0x86, 0x16, 0x6a, 0x26, 0x44, 0x47, 0x58, 0x05, 0x8f, 0x58, 0x18,
        0xf6, 0xcf, 0xb3, 0x62, 0x16, 0x57, 0xe1, 0x8c, 0xdd, 0x69};
    struct slim_view token;
    slim_auth_workload_attach(workload, 0);
    (void)slim_auth_workload_tick(workload, 0, NOW_S); /* starts the calls */
    CHECK(has_said("+X+J+B"));
    CHECK(slim_auth_workload_credential(workload, key, NOW_S, &token) == SLIM_AGAIN);
    (void)slim_auth_workload_tick(workload, 1, NOW_S); /* starts the call */
    CHECK(has_said("+C"));
    struct slim_view rest = slim_buf_view(&last_request);
    struct slim_wire_field field;
    CHECK_OK(slim_wire_take_field(&rest, &field));
    CHECK_VIEW(field.bytes, "slim");
    CHECK_OK(slim_wire_take_field(&rest, &field));
    CHECK(slim_view_has_prefix(field.bytes, SLIM_VIEW("slim-claims:eyJwdWJrZXkiOiI0RFFO")));
    CHECK(field.number == 1 && rest.len == 0);
    slim_auth_workload_free(workload);
    CHECK(has_said("-X-J-B-C"));
}

static void an_agent_that_never_answers_is_asked_again(void **state)
{
    (void)state;
    enum { ANSWER_MS = SLIM_AUTH_WORKLOAD_ANSWER_MS };
    struct slim_auth_workload *workload = new_client_for(false, true);
    slim_auth_workload_attach(workload, 5);
    CHECK(slim_auth_workload_tick(workload, 5, NOW_S) == 5 + ANSWER_MS);
    CHECK(has_said("+J+B"));
    CHECK(slim_auth_workload_tick(workload, 4 + ANSWER_MS, NOW_S) == 5 + ANSWER_MS);
    CHECK(has_said(""));
    CHECK(slim_auth_workload_tick(workload, 5 + ANSWER_MS, NOW_S) == 1005 + ANSWER_MS);
    CHECK(has_said("-J?J")); /* the stream of bundles may be silent for as long as it likes */
    CHECK(slim_auth_workload_tick(workload, 1005 + ANSWER_MS, NOW_S) == 1005 + 2 * ANSWER_MS);
    CHECK(has_said("+J"));
    slim_auth_workload_take_end(workload, SLIM_AUTH_WORKLOAD_JWT, SLIM_GRPC_UNAVAILABLE,
                                1006 + ANSWER_MS, NOW_S);
    CHECK(slim_auth_workload_tick(workload, 1006 + ANSWER_MS, NOW_S) == 3006 + ANSWER_MS);
    slim_auth_workload_free(workload);
}

static void failures_are_repeated_ever_more_slowly(void **state)
{
    (void)state;
    struct slim_auth_workload *workload = new_client_for(true, false);
    uint64_t now_ms = 1000;
    static const uint64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    CHECK(slim_auth_workload_tick(workload, now_ms, NOW_S) == UINT64_MAX); /* no connection */
    slim_auth_workload_attach(workload, now_ms);
    CHECK(slim_auth_workload_tick(workload, now_ms, NOW_S) == UINT64_MAX);
    CHECK(has_said("+X"));
    for (size_t i = 0; i < SLIM_COUNT(pauses); i++) {
        slim_auth_workload_take_end(workload, SLIM_AUTH_WORKLOAD_X509, SLIM_GRPC_PERMISSION_DENIED,
                                    now_ms, NOW_S);
        CHECK(slim_auth_workload_tick(workload, now_ms, NOW_S) == now_ms + pauses[i]);
        CHECK(slim_auth_workload_tick(workload, now_ms + pauses[i] - 1, NOW_S) ==
              now_ms + pauses[i]);
        CHECK(has_said("?X"));
        now_ms += pauses[i];
        CHECK(slim_auth_workload_tick(workload, now_ms, NOW_S) == UINT64_MAX);
        CHECK(has_said("+X"));
    }
    start_status = SLIM_ERR_CLOSED;
    slim_auth_workload_take_end(workload, SLIM_AUTH_WORKLOAD_X509, SLIM_GRPC_OK, now_ms, NOW_S);
    now_ms += 30000;
    CHECK(slim_auth_workload_tick(workload, now_ms, NOW_S) == now_ms + 30000);
    CHECK(has_said("?X+X?X"));
    start_status = SLIM_OK;
    slim_auth_workload_detach(workload);
    CHECK(slim_auth_workload_tick(workload, now_ms + 99999, NOW_S) == UINT64_MAX);
    slim_auth_workload_attach(workload, now_ms);
    CHECK(slim_auth_workload_tick(workload, now_ms, NOW_S) == UINT64_MAX);
    CHECK(has_said("+X")); /* a new connection: at once */
    slim_auth_workload_free(workload);
}

static void tokens_are_renewed_at_two_thirds_and_kept_through_failures(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("spire-identity-tokens.json");
    struct slim_view recorded = text_of(slim_json_at(slim_json_find(json, "tokens"), 0), "token");
    struct slim_auth_workload *workload = new_client();
    struct slim_auth_provider *provider;
    struct slim_buf message = {0};
    struct slim_view token;
    uint64_t exp_s = 1795344951;
    CHECK_OK(slim_auth_provider_new_spiffe(workload, &provider));
    CHECK(slim_auth_provider_token(provider, NOW_S, &token) == SLIM_AGAIN);
    slim_auth_workload_attach(workload, 0);
    (void)slim_auth_workload_tick(workload, 0, NOW_S); /* starts the calls */
    put_svid(&message, SLIM_VIEW("spiffe://test.domain/bob"), recorded);
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_JWT, slim_buf_view(&message), 0,
                                    exp_s - 90);
    slim_auth_workload_take_end(workload, SLIM_AUTH_WORKLOAD_JWT, SLIM_GRPC_OK, 0, exp_s - 90);
    CHECK(slim_auth_workload_tick(workload, 0, exp_s - 90) == 60000);
    CHECK_OK(slim_auth_provider_token(provider, exp_s - 90, &token));
    CHECK(slim_view_is_equal(token, recorded));
    CHECK_VIEW(slim_auth_provider_id(provider), "spiffe://test.domain/bob");
    (void)slim_auth_workload_tick(workload, 60000, exp_s - 30); /* starts the renewal */
    for (int i = 0; i < 9; i++) {
        slim_auth_workload_take_end(workload, SLIM_AUTH_WORKLOAD_JWT, SLIM_GRPC_UNAVAILABLE, 60000,
                                    exp_s - 30);
        uint64_t next_ms = slim_auth_workload_tick(workload, 60000, exp_s - 30);
        CHECK(next_ms <= 60000 + 27000);                              /* 90 % of what is left */
        (void)slim_auth_workload_tick(workload, next_ms, exp_s - 30); /* starts it again */
    }
    CHECK_OK(slim_auth_provider_token(provider, exp_s - 1, &token));
    CHECK(slim_auth_provider_token(provider, exp_s, &token) == SLIM_ERR_EXPIRED);
    said[0] = '\0';
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_JWT, SLIM_VIEW("\x0a\x01"), 0,
                                    NOW_S);
    put_svid(&message, SLIM_VIEW("spiffe://test.domain/eve"), recorded);
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_JWT, slim_buf_view(&message), 0,
                                    NOW_S);
    put_svid(&message, SLIM_VIEW("bob"), recorded);
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_JWT, slim_buf_view(&message), 0,
                                    NOW_S);
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_JWT, SLIM_VIEW(""), 0, NOW_S);
    CHECK(has_said("?J?J?J?J"));
    slim_auth_provider_free(provider);
    slim_auth_workload_free(workload);
    slim_buf_fini(&message);
    slim_json_free(json);
}

static void key_number(uint8_t n, uint8_t key[SLIM_AUTH_PUBKEY_BYTES])
{
    memset(key, n, SLIM_AUTH_PUBKEY_BYTES);
}

static enum slim_status ask_credential(struct slim_auth_workload *workload, uint8_t n)
{
    uint8_t key[SLIM_AUTH_PUBKEY_BYTES];
    struct slim_view token;
    key_number(n, key);
    return slim_auth_workload_credential(workload, key, NOW_S, &token);
}

static void end_credential(struct slim_auth_workload *workload, const struct slim_buf *message,
                           enum slim_grpc_status status)
{
    if (message != NULL) {
        slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_CREDENTIAL,
                                        slim_buf_view(message), 0, NOW_S);
    }
    slim_auth_workload_take_end(workload, SLIM_AUTH_WORKLOAD_CREDENTIAL, status, 0, NOW_S);
}

static void several_keys_get_their_tokens_one_after_the_other_and_keep_them(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("spire-identity-tokens.json");
    struct slim_view recorded = text_of(slim_json_at(slim_json_find(json, "tokens"), 1), "token");
    struct slim_auth_workload *workload = new_client_for(false, false);
    struct slim_buf message = {0};
    put_svid(&message, SLIM_VIEW("spiffe://test.domain/bob"), recorded);
    slim_auth_workload_attach(workload, 0);
    CHECK(ask_credential(workload, 1) == SLIM_AGAIN && ask_credential(workload, 2) == SLIM_AGAIN);
    (void)slim_auth_workload_tick(workload, 0, NOW_S); /* starts the first */
    CHECK(has_said("+C"));
    end_credential(workload, NULL, SLIM_GRPC_UNAVAILABLE); /* which costs the second nothing */
    (void)slim_auth_workload_tick(workload, 0, NOW_S);     /* starts the second */
    CHECK(has_said("?C+C"));
    end_credential(workload, &message, SLIM_GRPC_OK);
    CHECK_OK(ask_credential(workload, 2));
    CHECK(ask_credential(workload, 1) == SLIM_AGAIN);
    CHECK(slim_auth_workload_tick(workload, 0, NOW_S) == SLIM_AUTH_WORKLOAD_RETRY_MS_MIN);
    (void)slim_auth_workload_tick(workload, SLIM_AUTH_WORKLOAD_RETRY_MS_MIN, NOW_S); /* again */
    end_credential(workload, &message, SLIM_GRPC_OK);
    CHECK(has_said("!C+C!C"));
    CHECK_OK(ask_credential(workload, 1));
    CHECK_OK(ask_credential(workload, 2));

    /* more than there is room for: the one that was not asked for the longest goes */
    for (uint8_t n = 3; n <= SLIM_AUTH_CREDENTIALS_MAX; n++) {
        CHECK(ask_credential(workload, n) == SLIM_AGAIN);
    }
    CHECK_OK(ask_credential(workload, 1));
    CHECK(ask_credential(workload, 99) == SLIM_AGAIN);
    CHECK_OK(ask_credential(workload, 1));
    CHECK(ask_credential(workload, 2) == SLIM_AGAIN);
    slim_auth_workload_free(workload);
    slim_buf_fini(&message);
    slim_json_free(json);
}

static void a_message_cut_anywhere_changes_nothing(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("spire-identity-tokens.json");
    struct slim_auth_workload *workload = new_client();
    struct slim_buf message = {0};
    slim_auth_workload_attach(workload, 0);
    (void)slim_auth_workload_tick(workload, 0, NOW_S); /* starts the calls */
    put_bundles(&message, SLIM_VIEW("test.domain"), slim_json_find(json, "jwks"));
    for (size_t len = 1; len < message.len; len++) {
        slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_BUNDLES,
                                        slim_view_of(message.data, len), 0, NOW_S);
        CHECK(slim_auth_workload_bundle_generation(workload) == 0);
        said[0] = '\0';
    }
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_BUNDLES, slim_buf_view(&message),
                                    0, NOW_S);
    CHECK(slim_auth_workload_bundle_generation(workload) == 1);
    slim_auth_workload_free(workload);
    slim_buf_fini(&message);
    slim_json_free(json);
}

static void an_x509_svid_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    struct slim_buf message = load_file("x509-svid-response.bin");
    struct slim_auth_workload *workload = new_client();
    struct slim_auth_x509_svid svid;
    slim_auth_workload_attach(workload, 0);
    (void)slim_auth_workload_tick(workload, 0, NOW_S); /* starts the calls */
    size_t svid_len =
        0; /* of the first field: without the federated bundles the message is good too */
    struct slim_view rest = slim_buf_view(&message);
    struct slim_wire_field field;
    CHECK_OK(slim_wire_take_field(&rest, &field));
    svid_len = field.raw.len;
    for (size_t len = 0; len < message.len; len++) {
        slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_X509,
                                        slim_view_of(message.data, len), 0, NOW_S);
        CHECK(slim_auth_workload_x509_generation(workload) == (len >= svid_len ? 1 : 0));
        said[0] = '\0';
        if (len == svid_len) {
            CHECK(slim_auth_workload_roots(workload, SLIM_VIEW("p.t")).len == 0);
        }
    }
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_X509, slim_buf_view(&message), 0,
                                    NOW_S);
    CHECK(slim_auth_workload_x509_generation(workload) == 2);
    CHECK(slim_auth_workload_x509(workload, &svid));
    CHECK_VIEW(svid.spiffe_id, "spiffe://t.d/b");
    CHECK(svid.bundle.len > 0 &&
          slim_view_is_equal(svid.bundle, slim_auth_workload_roots(workload, SLIM_VIEW("t.d"))));
    CHECK(slim_auth_workload_roots(workload, SLIM_VIEW("p.t")).len > 0);
    slim_auth_workload_free(workload);
    slim_buf_fini(&message);
}

static struct slim_buf sweep_svid;
static struct slim_buf sweep_bundles;
static struct slim_buf sweep_x509;

static void sweep(void)
{
    struct slim_auth_workload_options options = {.wants_x509 = true, .wants_jwt = true};
    struct slim_auth_workload *workload;
    struct slim_auth_provider *provider = NULL;
    struct slim_auth_verifier *verifier = NULL;
    struct slim_auth_identity identity;
    struct slim_view token;
    said[0] = '\0';
    start_status = SLIM_OK;
    if (slim_auth_workload_new(&options, &owner, &workload, NULL) != SLIM_OK) {
        return;
    }
    slim_auth_workload_attach(workload, 0);
    (void)slim_auth_workload_tick(workload, 0, NOW_S); /* starts the calls, or some */
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_JWT, slim_buf_view(&sweep_svid), 0,
                                    NOW_S);
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_BUNDLES,
                                    slim_buf_view(&sweep_bundles), 0, NOW_S);
    slim_auth_workload_take_message(workload, SLIM_AUTH_WORKLOAD_X509, slim_buf_view(&sweep_x509),
                                    0, NOW_S);
    enum slim_status status = slim_auth_provider_new_spiffe(workload, &provider);
    if (status == SLIM_OK) {
        status = slim_auth_verifier_new_spiffe(workload, test_random, &verifier);
    }
    if (status == SLIM_OK) {
        status = slim_auth_provider_token(provider, NOW_S, &token);
    }
    if (status == SLIM_OK) {
        status = slim_auth_verify(verifier, token, NOW_S, NULL, &identity);
        CHECK(status == SLIM_OK || status == SLIM_AGAIN || status == SLIM_ERR_NO_MEMORY);
    }
    slim_auth_provider_free(provider);
    slim_auth_verifier_free(verifier);
    slim_auth_workload_free(workload);
    slim_buf_fini(&last_request);
}

static void out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("spire-identity-tokens.json");
    put_svid(&sweep_svid, SLIM_VIEW("spiffe://test.domain/bob"),
             text_of(slim_json_at(slim_json_find(json, "tokens"), 0), "token"));
    put_bundles(&sweep_bundles, SLIM_VIEW("spiffe://test.domain"), slim_json_find(json, "jwks"));
    sweep_x509 = load_file("x509-svid-response.bin");
    slim_json_free(json);
    slim_buf_fini(&last_request);
    slim_sweep_alloc(sweep);
    slim_buf_fini(&sweep_svid);
    slim_buf_fini(&sweep_bundles);
    slim_buf_fini(&sweep_x509);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_tokens_verify_with_the_recorded_bundle),
        cmocka_unit_test(a_broken_bundle_costs_its_own_domain_nothing_but_news),
        cmocka_unit_test(requests_are_the_recorded_ones),
        cmocka_unit_test(an_agent_that_never_answers_is_asked_again),
        cmocka_unit_test(failures_are_repeated_ever_more_slowly),
        cmocka_unit_test(tokens_are_renewed_at_two_thirds_and_kept_through_failures),
        cmocka_unit_test(several_keys_get_their_tokens_one_after_the_other_and_keep_them),
        cmocka_unit_test(a_message_cut_anywhere_changes_nothing),
        cmocka_unit_test(an_x509_svid_is_taken_whole_or_not_at_all),
        cmocka_unit_test(out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
