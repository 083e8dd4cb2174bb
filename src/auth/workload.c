#include "auth/workload.h"

#include <stdlib.h>

#include "auth/secret.h"
#include "auth/workload_message.h"
#include "auth/workload_state.h"
#include "base/base64.h"
#include "base/secret.h"

static const uint64_t never = UINT64_MAX;

/* ---- making and freeing */

static enum slim_status fill(struct slim_auth_workload *workload,
                             const struct slim_auth_workload_options *options,
                             struct slim_error *error)
{
    static const struct slim_view default_audience = {(const uint8_t *)"slim", 4};
    bool has_list = options->audience_count > 0;
    SLIM_TRY(slim_auth_names_init(&workload->audiences,
                                  has_list ? options->audiences : &default_audience,
                                  has_list ? options->audience_count : 1, "jwt_audiences", error));
    struct slim_spiffe_id id;
    if (options->spiffe_id.len > 0 && slim_spiffe_id_parse(options->spiffe_id, &id) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "target_spiffe_id is not a SPIFFE id");
    }
    if (slim_buf_put(&workload->spiffe_id, options->spiffe_id) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    return SLIM_OK;
}

enum slim_status slim_auth_workload_new(const struct slim_auth_workload_options *options,
                                        const struct slim_auth_workload_owner *owner,
                                        struct slim_auth_workload **workload,
                                        struct slim_error *error)
{
    struct slim_auth_workload *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    made->owner = *owner;
    made->current = &made->credentials[0];
    made->wants_x509 = options->wants_x509;
    made->wants_jwt = options->wants_jwt;
    enum slim_status status = fill(made, options, error);
    if (status != SLIM_OK) {
        slim_auth_workload_free(made);
        return status;
    }
    *workload = made;
    return SLIM_OK;
}

void slim_auth_workload_free(struct slim_auth_workload *workload)
{
    if (workload == NULL) {
        return;
    }
    for (unsigned i = 0; i < SLIM_AUTH_WORKLOAD_CALL_COUNT; i++) {
        if (workload->calls[i].is_running) {
            workload->owner.cancel(workload->owner.ctx, (enum slim_auth_workload_call)i);
        }
    }
    slim_auth_names_fini(&workload->audiences);
    slim_buf_fini(&workload->spiffe_id);
    slim_auth_x509_state_fini(&workload->x509);
    slim_auth_jwt_svid_fini(&workload->jwt);
    for (size_t i = 0; i < SLIM_AUTH_CREDENTIALS_MAX; i++) {
        slim_auth_jwt_svid_fini(&workload->credentials[i].svid);
    }
    slim_auth_keyset_fini(&workload->bundles);
    slim_buf_fini(&workload->request);
    free(workload);
}

struct slim_view slim_auth_workload_path(enum slim_auth_workload_call call)
{
    switch (call) {
    case SLIM_AUTH_WORKLOAD_X509:
        return SLIM_VIEW("/SpiffeWorkloadAPI/FetchX509SVID");
    case SLIM_AUTH_WORKLOAD_BUNDLES:
        return SLIM_VIEW("/SpiffeWorkloadAPI/FetchJWTBundles");
    case SLIM_AUTH_WORKLOAD_JWT:
    case SLIM_AUTH_WORKLOAD_CREDENTIAL:
    case SLIM_AUTH_WORKLOAD_CALL_COUNT:
        break;
    }
    return SLIM_VIEW("/SpiffeWorkloadAPI/FetchJWTSVID");
}

/* ---- starting calls */

static bool is_wanted(const struct slim_auth_workload *workload, enum slim_auth_workload_call call)
{
    switch (call) {
    case SLIM_AUTH_WORKLOAD_X509:
        return workload->wants_x509;
    case SLIM_AUTH_WORKLOAD_JWT:
    case SLIM_AUTH_WORKLOAD_BUNDLES:
        return workload->wants_jwt;
    case SLIM_AUTH_WORKLOAD_CREDENTIAL:
        return workload->asked_count > 0;
    case SLIM_AUTH_WORKLOAD_CALL_COUNT:
        break;
    }
    return false;
}

/* "slim-claims:" and the base64 of {"pubkey":"..."}: how a claim gets into a token whose claims the agent chooses. */
static enum slim_status put_claims_audience(const uint8_t *pubkey, struct slim_buf *out)
{
    char claims[SLIM_AUTH_PUBKEY_CLAIMS_BYTES];
    slim_auth_pubkey_claims(pubkey, claims);
    SLIM_TRY(slim_buf_put(out, SLIM_VIEW("slim-claims:")));
    return slim_base64_put(SLIM_BASE64_STANDARD, slim_view_of(claims, sizeof(claims)), out);
}

static enum slim_status build_request(struct slim_auth_workload *workload,
                                      enum slim_auth_workload_call call)
{
    slim_buf_clear(&workload->request);
    if (call == SLIM_AUTH_WORKLOAD_X509 || call == SLIM_AUTH_WORKLOAD_BUNDLES) {
        return SLIM_OK; /* empty messages */
    }
    struct slim_buf extra = {0};
    enum slim_status status = SLIM_OK;
    if (call == SLIM_AUTH_WORKLOAD_CREDENTIAL) {
        status = put_claims_audience(workload->current->key, &extra);
    }
    if (status == SLIM_OK) {
        status = slim_auth_message_put_jwt_request(&workload->audiences, slim_buf_view(&extra),
                                                   slim_buf_view(&workload->spiffe_id),
                                                   &workload->request);
    }
    slim_buf_fini(&extra);
    return status;
}

/* Those end with their answer; the others are streams, which may be silent for as long as nothing changes. */
static bool is_for_token(enum slim_auth_workload_call call)
{
    return call == SLIM_AUTH_WORKLOAD_JWT || call == SLIM_AUTH_WORKLOAD_CREDENTIAL;
}

/* Life left of the token that this call fetches; 0 for the others. */
static uint64_t life_left_ms(const struct slim_auth_workload *workload,
                             enum slim_auth_workload_call call, uint64_t now_s)
{
    const struct slim_auth_jwt_svid *svid = NULL;
    if (call == SLIM_AUTH_WORKLOAD_JWT) {
        svid = &workload->jwt;
    } else if (call == SLIM_AUTH_WORKLOAD_CREDENTIAL) {
        svid = &workload->current->svid;
    }
    return svid == NULL || svid->exp_s <= now_s ? 0 : (svid->exp_s - now_s) * 1000;
}

/* The key whose token is due first is the next one that is asked for. */
static void choose_credential(struct slim_auth_workload *workload)
{
    struct slim_auth_call_state *state = &workload->calls[SLIM_AUTH_WORKLOAD_CREDENTIAL];
    if (state->is_running) {
        return;
    }
    for (size_t i = 0; i < SLIM_AUTH_CREDENTIALS_MAX; i++) {
        struct slim_auth_credential *credential = &workload->credentials[i];
        if (credential->asked_at > 0 && credential->due_ms < workload->current->due_ms) {
            workload->current = credential;
        }
    }
    state->due_ms = workload->current->due_ms;
    state->fail_count = workload->current->fail_count;
}

/* Its call is over: what was planned for it is remembered, whichever comes next. */
static void note_credential(struct slim_auth_workload *workload)
{
    const struct slim_auth_call_state *state = &workload->calls[SLIM_AUTH_WORKLOAD_CREDENTIAL];
    workload->current->due_ms = state->due_ms;
    workload->current->fail_count = state->fail_count;
}

/* The next attempt after a failure. */
static void delay(struct slim_auth_workload *workload, enum slim_auth_workload_call call,
                  uint64_t now_ms, uint64_t now_s)
{
    enum { SHIFT_MAX = 5 };
    struct slim_auth_call_state *state = &workload->calls[call];
    uint32_t shift = state->fail_count < SHIFT_MAX ? state->fail_count : SHIFT_MAX;
    uint64_t pause_ms = (uint64_t)SLIM_AUTH_WORKLOAD_RETRY_MS_MIN << shift;
    uint64_t left_ms = life_left_ms(workload, call, now_s) / 10 * 9;
    if (pause_ms > SLIM_AUTH_WORKLOAD_RETRY_MS_MAX) {
        pause_ms = SLIM_AUTH_WORKLOAD_RETRY_MS_MAX;
    }
    if (left_ms > 0 && pause_ms > left_ms) {
        pause_ms = left_ms;
    }
    state->fail_count++;
    state->due_ms =
        now_ms +
        (pause_ms > SLIM_AUTH_WORKLOAD_RENEW_MS_MIN ? pause_ms : SLIM_AUTH_WORKLOAD_RENEW_MS_MIN);
    if (call == SLIM_AUTH_WORKLOAD_CREDENTIAL) {
        note_credential(workload);
    }
}

static void report(struct slim_auth_workload *workload, enum slim_auth_workload_call call,
                   const char *text)
{
    if (workload->owner.on_problem != NULL) {
        workload->owner.on_problem(workload->owner.ctx, call, text);
    }
}

static void start(struct slim_auth_workload *workload, enum slim_auth_workload_call call,
                  uint64_t now_ms, uint64_t now_s)
{
    struct slim_auth_call_state *state = &workload->calls[call];
    enum slim_status status = build_request(workload, call);
    if (status == SLIM_OK) {
        status =
            workload->owner.start(workload->owner.ctx, call, slim_buf_view(&workload->request));
    }
    if (status != SLIM_OK) {
        report(workload, call, slim_status_text(status));
        delay(workload, call, now_ms, now_s);
        return;
    }
    state->is_running = true;
    state->is_answered = false;
    state->due_ms = is_for_token(call) ? now_ms + SLIM_AUTH_WORKLOAD_ANSWER_MS : never;
}

uint64_t slim_auth_workload_tick(struct slim_auth_workload *workload, uint64_t now_ms,
                                 uint64_t now_s)
{
    uint64_t next_ms = never;
    for (unsigned i = 0; workload->is_attached && i < SLIM_AUTH_WORKLOAD_CALL_COUNT; i++) {
        enum slim_auth_workload_call call = (enum slim_auth_workload_call)i;
        struct slim_auth_call_state *state = &workload->calls[i];
        if (!is_wanted(workload, call)) {
            continue;
        }
        choose_credential(workload);
        if (now_ms >= state->due_ms && state->is_running) {
            workload->owner.cancel(workload->owner.ctx, call);
            slim_auth_workload_take_end(workload, call, SLIM_GRPC_DEADLINE_EXCEEDED, now_ms, now_s);
        } else if (now_ms >= state->due_ms) {
            start(workload, call, now_ms, now_s);
        }
        choose_credential(workload);
        if (state->due_ms < next_ms) {
            next_ms = state->due_ms;
        }
    }
    return next_ms;
}

void slim_auth_workload_attach(struct slim_auth_workload *workload, uint64_t now_ms)
{
    workload->is_attached = true;
    for (unsigned i = 0; i < SLIM_AUTH_WORKLOAD_CALL_COUNT; i++) {
        if (!workload->calls[i].is_running) {
            workload->calls[i].due_ms = now_ms;
            workload->calls[i].fail_count = 0;
        }
    }
    for (size_t i = 0; i < SLIM_AUTH_CREDENTIALS_MAX; i++) {
        workload->credentials[i].due_ms = now_ms;
        workload->credentials[i].fail_count = 0;
    }
}

void slim_auth_workload_detach(struct slim_auth_workload *workload)
{
    workload->is_attached = false;
    for (unsigned i = 0; i < SLIM_AUTH_WORKLOAD_CALL_COUNT; i++) {
        workload->calls[i].is_running = false;
    }
}

/* ---- what comes back */

static enum slim_status read_message(struct slim_auth_workload *workload,
                                     enum slim_auth_workload_call call, struct slim_view message,
                                     struct slim_error *error)
{
    switch (call) {
    case SLIM_AUTH_WORKLOAD_X509:
        SLIM_TRY(slim_auth_x509_state_read(message, &workload->x509, error));
        workload->x509_generation++;
        return SLIM_OK;
    case SLIM_AUTH_WORKLOAD_JWT:
        return slim_auth_jwt_svid_read(message, &workload->jwt, error);
    case SLIM_AUTH_WORKLOAD_CREDENTIAL:
        return slim_auth_jwt_svid_read(message, &workload->current->svid, error);
    case SLIM_AUTH_WORKLOAD_BUNDLES:
        SLIM_TRY(slim_auth_bundles_read(message, &workload->bundles, error));
        workload->has_bundles = true;
        workload->bundle_generation++;
        return SLIM_OK;
    case SLIM_AUTH_WORKLOAD_CALL_COUNT:
        break;
    }
    return slim_error_set(error, SLIM_ERR_ARGUMENT, "no such call");
}

void slim_auth_workload_take_message(struct slim_auth_workload *workload,
                                     enum slim_auth_workload_call call, struct slim_view message,
                                     uint64_t now_ms, uint64_t now_s)
{
    (void)now_ms; /* times matter at the end of a call */
    (void)now_s;
    struct slim_auth_call_state *state = &workload->calls[call];
    if (!state->is_running) {
        return;
    }
    struct slim_error error = {0};
    if (read_message(workload, call, message, &error) != SLIM_OK) {
        report(workload, call, error.text);
        return;
    }
    if (error.text[0] != 0) {
        report(workload, call, error.text); /* a part of it was of no use */
    }
    state->is_answered = true;
    state->fail_count = 0;
    workload->owner.on_change(workload->owner.ctx, call);
}

/* A token came: again at two thirds of its life. */
static void plan_renewal(struct slim_auth_workload *workload, enum slim_auth_workload_call call,
                         uint64_t now_ms, uint64_t now_s)
{
    uint64_t left_ms = life_left_ms(workload, call, now_s);
    uint64_t pause_ms = left_ms == 0 ? SLIM_AUTH_WORKLOAD_UNKNOWN_MS : left_ms / 3 * 2;
    workload->calls[call].due_ms =
        now_ms +
        (pause_ms > SLIM_AUTH_WORKLOAD_RENEW_MS_MIN ? pause_ms : SLIM_AUTH_WORKLOAD_RENEW_MS_MIN);
    if (call == SLIM_AUTH_WORKLOAD_CREDENTIAL) {
        note_credential(workload);
    }
}

void slim_auth_workload_take_end(struct slim_auth_workload *workload,
                                 enum slim_auth_workload_call call, enum slim_grpc_status status,
                                 uint64_t now_ms, uint64_t now_s)
{
    struct slim_auth_call_state *state = &workload->calls[call];
    if (!state->is_running) {
        return;
    }
    state->is_running = false;
    if (is_for_token(call) && state->is_answered) {
        plan_renewal(workload, call, now_ms, now_s);
        return;
    }
    if (status == SLIM_GRPC_PERMISSION_DENIED) {
        report(workload, call,
               "the agent denies us an identity: no registration entry fits this process");
    } else if (!state->is_answered) {
        report(workload, call, "the call to the agent ended without a usable answer");
    }
    delay(workload, call, now_ms, now_s);
}

/* ---- asking */

bool slim_auth_workload_x509(const struct slim_auth_workload *workload,
                             struct slim_auth_x509_svid *svid)
{
    const struct slim_auth_x509_state *state = &workload->x509;
    if (!state->has_svid) {
        return false;
    }
    *svid = (struct slim_auth_x509_svid){
        .spiffe_id = slim_buf_view(&state->spiffe_id),
        .chain = slim_buf_view(&state->chain),
        .key = slim_buf_view(&state->key),
        .bundle = slim_buf_view(&state->roots[0].der),
    };
    return true;
}

struct slim_view slim_auth_workload_roots(const struct slim_auth_workload *workload,
                                          struct slim_view domain)
{
    for (size_t i = 0; i < workload->x509.root_count; i++) {
        if (slim_view_is_equal(slim_buf_view(&workload->x509.roots[i].domain), domain)) {
            return slim_buf_view(&workload->x509.roots[i].der);
        }
    }
    return SLIM_VIEW("");
}

uint64_t slim_auth_workload_x509_generation(const struct slim_auth_workload *workload)
{
    return workload->x509_generation;
}

uint64_t slim_auth_workload_bundle_generation(const struct slim_auth_workload *workload)
{
    return workload->bundle_generation;
}

/* The place of a key: its own, a free one, or that of the key not asked for the longest, unless its call runs. */
static struct slim_auth_credential *place_for(struct slim_auth_workload *workload,
                                              const uint8_t *pubkey)
{
    bool is_running = workload->calls[SLIM_AUTH_WORKLOAD_CREDENTIAL].is_running;
    struct slim_auth_credential *oldest = NULL;
    for (size_t i = 0; i < SLIM_AUTH_CREDENTIALS_MAX; i++) {
        struct slim_auth_credential *credential = &workload->credentials[i];
        if (credential->asked_at > 0 &&
            memcmp(credential->key, pubkey, SLIM_AUTH_PUBKEY_BYTES) == 0) {
            return credential;
        }
        bool is_busy = is_running && credential == workload->current;
        if (!is_busy && (oldest == NULL || credential->asked_at < oldest->asked_at)) {
            oldest = credential;
        }
    }
    assert(oldest != NULL); /* there are several places, and one call at most */
    slim_auth_jwt_svid_fini(&oldest->svid);
    *oldest = (struct slim_auth_credential){0}; /* due at once */
    memcpy(oldest->key, pubkey, SLIM_AUTH_PUBKEY_BYTES);
    return oldest;
}

enum slim_status slim_auth_workload_credential(struct slim_auth_workload *workload,
                                               const uint8_t *pubkey, uint64_t now_s,
                                               struct slim_view *token)
{
    struct slim_auth_credential *credential = place_for(workload, pubkey);
    credential->asked_at = ++workload->asked_count;
    if (credential->svid.token.len > 0 &&
        credential->svid.exp_s > now_s + SLIM_AUTH_CREDENTIAL_SPARE_S) {
        *token = slim_buf_view(&credential->svid.token);
        return SLIM_OK;
    }
    return SLIM_AGAIN;
}
