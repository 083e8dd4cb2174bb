#include "client/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "client/inbox.h"

#define SLIM_LOG_TARGET "slim_auth::identity"

enum { US_PER_S = 1000000 };

/* name_text   what the views of `name` point into
 * out         scratch for subscriptions
 * refused     limit of the lines about identities that were refused */
struct slim_client_local {
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    struct slim_auth_provider *provider;
    struct slim_auth_verifier *verifier;
    void (*on_event)(void *ctx, const struct slim_session_event *event);
    void (*on_error)(void *ctx, const char *text);
    void (*on_batch)(void *ctx);
    void (*on_wanted)(void *ctx);
    void *ctx;
    struct slim_log_limit refused;
    struct slim_session_app *sessions;
    struct slim_wire_name name;
    struct slim_buf name_text;
    uint64_t conn_id;
    bool is_attached;
    struct slim_client_inbox inbox;
    struct slim_task task;
    struct slim_timer timer;
    bool has_timer;
    struct slim_buf out;
};

static uint64_t wall_s(void)
{
    return slim_clock_wall_us() / US_PER_S;
}

/* ------------------------------------------------------------------------------------------------ what the engine says
 *
 * The engine is in the middle of a delivery, or of taking a message of ours: everything waits for the end of the turn. */

static void wake(struct slim_client_local *app)
{
    slim_loop_at_turn_end(app->loop, &app->task);
}

static void on_message(void *ctx, uint64_t incoming_conn, const struct slim_wire_head *head,
                       struct slim_view msg, struct slim_block *block)
{
    struct slim_client_local *app = ctx;
    if (head->kind != SLIM_WIRE_PUBLISH) {
        return;
    }
    /* without memory it is as if the network had lost it: its sender repeats it */
    if (slim_client_inbox_put_message(&app->inbox, incoming_conn, msg, block) == SLIM_OK) {
        wake(app);
    }
}

static void on_error(void *ctx, struct slim_view json)
{
    struct slim_client_local *app = ctx;
    if (slim_client_inbox_put_error(&app->inbox, json) == SLIM_OK) {
        wake(app);
    }
}

static void on_link(void *ctx, uint64_t conn_id, bool is_up)
{
    struct slim_client_local *app = ctx;
    if (!is_up && slim_client_inbox_put_loss(&app->inbox, conn_id) == SLIM_OK) {
        wake(app);
    }
}

/* ------------------------------------------------------------------------------------------------ what sessions say */

static void send_message(void *ctx, struct slim_view msg)
{
    struct slim_client_local *app = ctx;
    enum slim_status status = slim_datapath_submit(app->datapath, app->conn_id, msg);
    (void)status; /* reported through on_error */
}

/* A Subscribe or Unsubscribe of ours, with recv_from (a route) or forward_to (a subscription). */
static enum slim_status submit_subscription(struct slim_client_local *app,
                                            const struct slim_wire_name *name, uint64_t conn_id,
                                            bool is_add, bool is_route)
{
    struct slim_wire_subscription subscription = {
        .is_unsubscribe = !is_add,
        .source = app->name.name,
        .source_text = app->name.text,
        .destination = name->name,
        .destination_text = name->text,
        .fanout = 1,
        .has_recv_from = is_route,
        .recv_from = is_route ? conn_id : 0,
        .has_forward_to = !is_route && conn_id != SLIM_CLIENT_NO_CONN,
        .forward_to = !is_route && conn_id != SLIM_CLIENT_NO_CONN ? conn_id : 0,
    };
    if (!is_route) {
        /* a node may want to see it; one that cannot be made now is not worth failing for: nobody verifies it */
        enum slim_status status =
            slim_auth_provider_token(app->provider, wall_s(), &subscription.identity);
        (void)status;
    }
    slim_buf_clear(&app->out);
    SLIM_TRY(slim_wire_put_subscription(&app->out, &subscription));
    return slim_datapath_submit(app->datapath, app->conn_id, slim_buf_view(&app->out));
}

static void session_route(void *ctx, const struct slim_wire_name *name, uint64_t conn_id,
                          bool is_add)
{
    enum slim_status status = submit_subscription(ctx, name, conn_id, is_add, true);
    (void)status; /* reported through on_error */
}

static void session_subscribe(void *ctx, const struct slim_wire_name *name, uint64_t conn_id,
                              bool is_add)
{
    enum slim_status status = submit_subscription(ctx, name, conn_id, is_add, false);
    (void)status; /* reported through on_error */
}

static void session_event(void *ctx, const struct slim_session_event *event)
{
    struct slim_client_local *app = ctx;
    app->on_event(app->ctx, event);
}

static uint64_t session_now_s(void *ctx)
{
    (void)ctx; /* the machine's clock */
    return wall_s();
}

static void session_random(void *ctx, void *out, size_t len)
{
    (void)ctx; /* the kernel's */
    slim_random_fill(out, len);
}

/* ------------------------------------------------------------------------------------------------ identity */

static enum slim_status identity_token(void *ctx, struct slim_view *token)
{
    struct slim_client_local *app = ctx;
    return slim_auth_provider_token(app->provider, wall_s(), token);
}

/* Nobody else says it: to the session layer the message never came. */
static void say_refused(struct slim_client_local *app, const struct slim_name_key *source,
                        const char *why)
{
    char id[24];
    (void)snprintf(id, sizeof(id), "%llx", (unsigned long long)source->id); /* fits */
    slim_log_limited(&app->refused, WARN, "identity of a peer refused, its message is dropped",
                     SLIM_LOG_STR("peer_id", id), SLIM_LOG_STR("error", why));
}

static enum slim_status identity_check(void *ctx, struct slim_view token,
                                       const struct slim_name_key *source)
{
    struct slim_client_local *app = ctx;
    struct slim_auth_identity identity;
    enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
    enum slim_status status = slim_auth_verify(app->verifier, token, wall_s(), &check, &identity);
    if (status == SLIM_AGAIN) {
        return status;
    }
    if (status != SLIM_OK) {
        say_refused(app, source,
                    check == SLIM_AUTH_CHECK_NONE ? slim_status_text(status)
                                                  : slim_auth_check_text(check));
        return status;
    }
    if (!slim_auth_identity_is_source(&identity, source)) {
        say_refused(app, source, "the token belongs to another name than the message");
        return SLIM_ERR_DENIED;
    }
    return SLIM_OK;
}

static bool identity_is_source(void *ctx, struct slim_view subject,
                               const struct slim_name_key *name)
{
    (void)ctx; /* the same for all */
    struct slim_auth_identity identity = {.id = subject, .app_id = slim_hash_app_id(subject)};
    return slim_auth_identity_is_source(&identity, name);
}

static enum slim_status identity_make(void *ctx, const uint8_t *key, struct slim_buf *token)
{
    struct slim_client_local *app = ctx;
    enum slim_status status = slim_auth_provider_make(app->provider, wall_s(), key, token);
    if (status == SLIM_AGAIN && app->on_wanted != NULL) {
        app->on_wanted(app->ctx);
    }
    return status;
}

static enum slim_status identity_read(void *ctx, struct slim_view token, bool any_age,
                                      struct slim_mls_claims *claims, struct slim_error *error)
{
    struct slim_client_local *app = ctx;
    enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
    struct slim_auth_claims found;
    enum slim_status status =
        slim_auth_read_credential(app->verifier, token, wall_s(), any_age, &check, &found);
    if (status != SLIM_OK) {
        return slim_error_set(error, status == SLIM_ERR_EXPIRED ? SLIM_ERR_EXPIRED : SLIM_ERR_AUTH,
                              "the identity in an MLS credential was refused: %s",
                              check == SLIM_AUTH_CHECK_NONE ? slim_status_text(status)
                                                            : slim_auth_check_text(check));
    }
    *claims = (struct slim_mls_claims){.subject = found.subject, .public_key = found.pubkey};
    return SLIM_OK;
}

/* ------------------------------------------------------------------------------------------------ the end of a turn */

/* {"error": text, "session_context": {...}} (wire.md 9.2). */
static void take_error(struct slim_client_local *app, struct slim_view text)
{
    static const struct slim_json_limits limits = {.bytes_max = 4096, .depth_max = 4};
    struct slim_json *json = NULL;
    struct slim_view sentence = {0};
    int64_t session_id = -1;
    int64_t message_id = -1;
    int64_t type = 0;
    if (slim_json_parse(text, &limits, &json, NULL) != SLIM_OK) {
        return; /* no memory: the message counts as lost */
    }
    const struct slim_json *context = slim_json_find(json, "session_context");
    char copy[SLIM_ERROR_TEXT_MAX];
    if (slim_json_read_text(slim_json_find(json, "error"), &sentence)) {
        (void)snprintf(copy, sizeof(copy), "%.*s", SLIM_VIEW_ARG(sentence)); /* may be cut */
        if (slim_json_read_integer(slim_json_find(context, "session_id"), &session_id) &&
            slim_json_read_integer(slim_json_find(context, "message_id"), &message_id) &&
            slim_json_read_integer(slim_json_find(context, "session_message_type"), &type)) {
            static const char lead[] =
                "message processing error: "; /* sessions put it in front themselves */
            const char *why =
                strncmp(copy, lead, sizeof(lead) - 1) == 0 ? copy + sizeof(lead) - 1 : copy;
            bool is_down = strstr(why, "connection not found") != NULL;
            slim_session_app_take_error(app->sessions, slim_loop_now_ms(app->loop),
                                        is_down ? SLIM_SESSION_LINK_DOWN : SLIM_SESSION_NO_ROUTE,
                                        (uint32_t)session_id, (int32_t)type, (uint32_t)message_id,
                                        why);
        } else if (app->on_error != NULL) {
            app->on_error(app->ctx, copy);
        }
    }
    slim_json_free(json);
}

static void take(struct slim_client_local *app, const struct slim_client_inbox_entry *entry)
{
    switch (entry->kind) {
    case SLIM_CLIENT_INBOX_MESSAGE:
        slim_session_app_take(app->sessions, slim_loop_now_ms(app->loop), entry->conn_id,
                              entry->bytes);
        break;
    case SLIM_CLIENT_INBOX_ERROR:
        take_error(app, entry->bytes);
        break;
    case SLIM_CLIENT_INBOX_LOSS:
        slim_session_app_lost_link(app->sessions, entry->conn_id);
        break;
    }
}

static void do_what_is_due(struct slim_client_local *app)
{
    uint64_t now_ms = slim_loop_now_ms(app->loop);
    struct slim_client_inbox_entry entry;
    slim_client_inbox_turn(&app->inbox);
    while (slim_client_inbox_next(&app->inbox, &entry)) {
        take(app, &entry);
    }
    uint64_t next_ms = slim_session_app_tick(app->sessions, now_ms);
    if (app->on_batch != NULL) {
        app->on_batch(app->ctx);
    }
    if (!slim_client_inbox_is_empty(&app->inbox)) {
        wake(app); /* the engine answered what we just said */
    }
    if (next_ms == UINT64_MAX) {
        slim_timer_cancel(app->loop, &app->timer);
    } else {
        slim_timer_set(app->loop, &app->timer, next_ms);
    }
}

static void on_turn_end(struct slim_task *task)
{
    do_what_is_due(SLIM_CONTAINER_OF(task, struct slim_client_local, task));
}

static void on_due(struct slim_timer *timer)
{
    wake(SLIM_CONTAINER_OF(timer, struct slim_client_local, timer));
}

void slim_client_local_wake(struct slim_client_local *app)
{
    wake(app);
}

/* ------------------------------------------------------------------------------------------------ its life */

static enum slim_status set_name(struct slim_client_local *app, const struct slim_name_text *text)
{
    size_t at[3];
    for (size_t i = 0; i < SLIM_COUNT(at); i++) {
        at[i] = app->name_text.len;
        SLIM_TRY(slim_buf_put(&app->name_text, text->part[i]));
    }
    for (size_t i = 0; i < SLIM_COUNT(at); i++) {
        app->name.text.part[i] = slim_view_of(app->name_text.data + at[i], text->part[i].len);
    }
    app->name.name = slim_name_of(&app->name.text, slim_auth_provider_app_id(app->provider));
    app->name.is_present = true;
    app->name.is_complete = true;
    return SLIM_OK;
}

static enum slim_status make_sessions(struct slim_client_local *app,
                                      const struct slim_client_local_options *options)
{
    struct slim_session_app_options session_options = {
        .name = app->name,
        .can_send = options->can_send,
        .can_receive = options->can_receive,
        .session_limit = options->session_limit,
        .protection = options->protection,
        .has_plain_adds = options->has_plain_adds,
    };
    struct slim_session_owner owner = {
        .ctx = app,
        .send = send_message,
        .route = session_route,
        .subscribe = session_subscribe,
        .on_event = session_event,
        .now_s = session_now_s,
        .random = session_random,
        .identity = {.token = identity_token,
                     .check = identity_check,
                     .is_source = identity_is_source,
                     .make_credential = identity_make,
                     .read_credential = identity_read},
    };
    return slim_session_app_new(&session_options, &owner, &app->sessions);
}

static enum slim_status attach(struct slim_client_local *app)
{
    struct slim_datapath_app callbacks = {
        .on_message = on_message, .on_error = on_error, .on_link = on_link, .ctx = app};
    SLIM_TRY(slim_datapath_attach(app->datapath, &callbacks, &app->conn_id));
    app->is_attached = true;
    return submit_subscription(app, &app->name, SLIM_CLIENT_NO_CONN, true, false);
}

enum slim_status slim_client_local_new(const struct slim_client_local_options *options,
                                       struct slim_client_local **result, struct slim_error *error)
{
    struct slim_view token;
    enum slim_status status = slim_auth_provider_token(options->provider, wall_s(), &token);
    if (status != SLIM_OK) {
        return slim_error_set(error, status == SLIM_AGAIN ? SLIM_AGAIN : SLIM_ERR_AUTH,
                              "the identity provider gives no token: %s", slim_status_text(status));
    }
    struct slim_client_local *app = calloc(1, sizeof(*app));
    if (app == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    *app = (struct slim_client_local){
        .loop = options->loop,
        .datapath = options->datapath,
        .provider = options->provider,
        .verifier = options->verifier,
        .on_event = options->on_event,
        .on_error = options->on_error,
        .on_batch = options->on_batch,
        .on_wanted = options->on_wanted,
        .ctx = options->ctx,
    };
    slim_task_init(&app->task, on_turn_end);
    slim_timer_init(&app->timer, on_due);
    status = set_name(app, &options->name);
    if (status == SLIM_OK) {
        status = slim_loop_reserve_timer(app->loop);
        app->has_timer = status == SLIM_OK;
    }
    if (status == SLIM_OK) {
        status = make_sessions(app, options);
    }
    if (status == SLIM_OK) {
        status = attach(app);
    }
    if (status != SLIM_OK) {
        slim_client_local_free(app);
        return slim_error_set(error, status, "the application cannot be made: %s",
                              slim_status_text(status));
    }
    *result = app;
    return SLIM_OK;
}

void slim_client_local_free(struct slim_client_local *app)
{
    if (app == NULL) {
        return;
    }
    slim_session_app_free(app->sessions);
    if (app->is_attached) {
        slim_datapath_detach(app->datapath, app->conn_id);
    }
    slim_task_cancel(&app->task);
    slim_timer_cancel(app->loop, &app->timer);
    if (app->has_timer) {
        slim_loop_release_timer(app->loop);
    }
    slim_client_inbox_fini(&app->inbox);
    slim_buf_fini(&app->out);
    slim_buf_fini(&app->name_text);
    free(app);
}

const struct slim_wire_name *slim_client_local_name(const struct slim_client_local *app)
{
    return &app->name;
}

struct slim_session_app *slim_client_local_sessions(struct slim_client_local *app)
{
    return app->sessions;
}

enum slim_status slim_client_local_subscribe(struct slim_client_local *app,
                                             const struct slim_wire_name *name, uint64_t conn_id,
                                             bool is_add)
{
    struct slim_wire_name own = *name;
    own.name.id = app->name.name.id;
    if (is_add) {
        SLIM_TRY(slim_session_app_own(app->sessions, name));
    } else {
        slim_session_app_disown(app->sessions, name);
    }
    return submit_subscription(app, &own, conn_id, is_add, false);
}

enum slim_status slim_client_local_route(struct slim_client_local *app,
                                         const struct slim_wire_name *name, uint64_t conn_id,
                                         bool is_add)
{
    return submit_subscription(app, name, conn_id, is_add, true);
}
