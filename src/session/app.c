/* One application: its names, its sessions by id, when they are due, and the turns in which all of it happens. */
#include "session/compose.h"
#include "session/state.h"

enum {
    HEAP_KEEP_BYTES = 1 << 20,
    BUCKETS_MIN = 16,
    OWNED_MAX = 1024,
    EVENTS_PER_SESSION = 2, /* BEGUN and CLOSED */
};

/* ---- the application */

enum slim_status slim_session_app_new(const struct slim_session_app_options *options,
                                      const struct slim_session_owner *owner,
                                      struct slim_session_app **app)
{
    struct slim_heap *heap;
    SLIM_TRY(slim_heap_new(HEAP_KEEP_BYTES, &heap));
    struct slim_session_app *made = slim_heap_take_zeroed(heap, 1, sizeof(*made));
    if (made == NULL) {
        slim_heap_free(heap);
        return SLIM_ERR_NO_MEMORY;
    }
    made->heap = heap;
    made->options = *options;
    made->owner = *owner;
    owner->random(owner->ctx, &made->key, sizeof(made->key));
    slim_list_init(&made->touched);
    slim_list_init(&made->over);
    slim_list_init(&made->half_open);
    enum slim_status status =
        slim_session_name_init(heap, &options->name, options->name.name.id, &made->name);
    if (status == SLIM_OK) {
        status = slim_session_app_own(made, &made->name.wire);
    }
    if (status != SLIM_OK) {
        slim_session_app_free(made);
        return status;
    }
    made->options.name = made->name.wire;
    if (made->options.session_limit == 0 ||
        made->options.session_limit > SLIM_SESSION_SESSIONS_MAX) {
        made->options.session_limit = SLIM_SESSION_SESSIONS_MAX;
    }
    *app = made;
    return SLIM_OK;
}

static void free_over(struct slim_session_app *app)
{
    struct slim_list *node;
    while ((node = slim_list_take_first(&app->over)) != NULL) {
        slim_session_free(SLIM_LIST_ENTRY(node, struct slim_session, over));
    }
}

void slim_session_app_free(struct slim_session_app *app)
{
    if (app == NULL) {
        return;
    }
    assert(app->depth == 0);
    while (app->session_count > 0) {
        struct slim_session *session = app->due[0];
        slim_session_app_drop(app, session);
        slim_session_free(session);
    }
    free_over(app);
    slim_session_events_free(app);
    slim_session_app_secure_free(app);
    slim_session_name_fini(app->heap, &app->name);
    slim_heap_return(app->heap, app->owned);
    slim_heap_return(app->heap, app->buckets);
    slim_heap_return(app->heap, app->due);
    slim_heap_return(app->heap, app->ended);
    slim_heap_return(app->heap, app->seen);
    slim_buf_fini(&app->out);
    slim_buf_wipe(&app->opened);
    slim_buf_fini(&app->scratch);
    slim_buf_fini(&app->stripped);
    struct slim_heap *heap = app->heap;
    slim_heap_return(heap, app);
    slim_heap_free(heap);
}

static struct slim_name_key *find_owned(const struct slim_session_app *app,
                                        const struct slim_name_key *name)
{
    for (size_t i = 0; i < app->owned_count; i++) {
        if (slim_name_has_prefix_of(&app->owned[i], name)) {
            return &app->owned[i];
        }
    }
    return NULL;
}

enum slim_status slim_session_app_own(struct slim_session_app *app,
                                      const struct slim_wire_name *name)
{
    if (find_owned(app, &name->name) != NULL) {
        return SLIM_OK;
    }
    if (app->owned_count == OWNED_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct slim_name_key *grown =
        slim_heap_resize(app->heap, app->owned, (app->owned_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    app->owned = grown;
    app->owned[app->owned_count++] = name->name;
    return SLIM_OK;
}

void slim_session_app_disown(struct slim_session_app *app, const struct slim_wire_name *name)
{
    struct slim_name_key *owned = find_owned(app, &name->name);
    if (owned != NULL) {
        *owned = app->owned[--app->owned_count];
    }
}

bool slim_session_app_owns(const struct slim_session_app *app, const struct slim_name_key *name)
{
    return find_owned(app, name) != NULL;
}

const struct slim_session_stats *slim_session_app_stats(const struct slim_session_app *app)
{
    return &app->stats;
}

size_t slim_session_app_count(const struct slim_session_app *app)
{
    return app->session_count;
}

uint32_t slim_session_app_random(struct slim_session_app *app)
{
    uint32_t number;
    app->owner.random(app->owner.ctx, &number, sizeof(number));
    return number;
}

/* ---- sessions by id */

static struct slim_session **bucket_of(const struct slim_session_app *app, uint32_t id)
{
    return &app->buckets[slim_hash_fold(id ^ app->key.a, app->key.b | 1) & (app->bucket_count - 1)];
}

struct slim_session *slim_session_find(const struct slim_session_app *app, uint32_t id)
{
    if (app->bucket_count == 0) {
        return NULL;
    }
    struct slim_session *session = *bucket_of(app, id);
    while (session != NULL && session->id != id) {
        session = session->next_in_bucket;
    }
    return session;
}

static enum slim_status grow_buckets(struct slim_session_app *app)
{
    uint32_t count = app->bucket_count == 0 ? BUCKETS_MIN : app->bucket_count * 2;
    struct slim_session **buckets = slim_heap_take_zeroed(app->heap, count, sizeof(*buckets));
    if (buckets == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    slim_heap_return(app->heap, app->buckets);
    app->buckets = buckets;
    app->bucket_count = count;
    for (uint32_t i = 0; i < app->session_count; i++) {
        struct slim_session **bucket = bucket_of(app, app->due[i]->id);
        app->due[i]->next_in_bucket = *bucket;
        *bucket = app->due[i];
    }
    return SLIM_OK;
}

static enum slim_status grow_due(struct slim_session_app *app)
{
    uint32_t capacity = app->due_capacity == 0 ? BUCKETS_MIN : app->due_capacity * 2;
    struct slim_session **due = slim_heap_resize(app->heap, app->due, capacity * sizeof(*due));
    if (due == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    app->due = due;
    app->due_capacity = capacity;
    return SLIM_OK;
}

/* ---- the heap of what is due: the earliest is at 0, and no entry is earlier than the one at half its place */

static void put_due_at(struct slim_session_app *app, size_t index, struct slim_session *session)
{
    app->due[index] = session;
    session->due_index = index;
}

static void sift(struct slim_session_app *app, struct slim_session *session)
{
    size_t at = session->due_index;
    while (at > 0 && app->due[(at - 1) / 2]->due_ms > session->due_ms) {
        put_due_at(app, at, app->due[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < app->session_count &&
            app->due[child + 1]->due_ms < app->due[child]->due_ms) {
            child++;
        }
        if (child >= app->session_count || app->due[child]->due_ms >= session->due_ms) {
            break;
        }
        put_due_at(app, at, app->due[child]);
        at = child;
    }
    put_due_at(app, at, session);
}

void slim_session_set_due(struct slim_session *session, uint64_t due_ms)
{
    if (session->state != SLIM_SESSION_ENDED && session->due_ms != due_ms) {
        session->due_ms = due_ms;
        sift(session->app, session);
    }
}

void slim_session_wake(struct slim_session *session, uint64_t due_ms)
{
    if (due_ms < session->due_ms) {
        slim_session_set_due(session, due_ms);
    }
}

enum slim_status slim_session_app_put(struct slim_session_app *app, struct slim_session *session)
{
    if (app->session_count >= app->options.session_limit) {
        return SLIM_ERR_LIMIT;
    }
    if (app->session_count == app->bucket_count) {
        SLIM_TRY(grow_buckets(app));
    }
    if (app->session_count == app->due_capacity) {
        SLIM_TRY(grow_due(app));
    }
    SLIM_TRY(slim_session_events_reserve(app, EVENTS_PER_SESSION));
    session->promised_count = EVENTS_PER_SESSION;
    struct slim_session **bucket = bucket_of(app, session->id);
    session->next_in_bucket = *bucket;
    *bucket = session;
    put_due_at(app, app->session_count++, session);
    sift(app, session);
    return SLIM_OK;
}

void slim_session_app_drop(struct slim_session_app *app, struct slim_session *session)
{
    struct slim_session **link = bucket_of(app, session->id);
    while (*link != session) {
        link = &(*link)->next_in_bucket;
    }
    *link = session->next_in_bucket;
    struct slim_session *last = app->due[--app->session_count];
    if (last != session) {
        put_due_at(app, session->due_index, last);
        sift(app, last);
    }
    slim_list_remove(&session->touched);
    if (slim_list_is_linked(&session->half_open)) {
        slim_list_remove(&session->half_open);
        app->half_open_count--;
    }
    slim_session_events_release(app, session->promised_count);
    session->promised_count = 0;
}

/* ---- turns */

void slim_session_touch(struct slim_session *session)
{
    if (!slim_list_is_linked(&session->touched) && session->state != SLIM_SESSION_ENDED) {
        slim_list_put_last(&session->app->touched, &session->touched);
    }
}

void slim_session_app_enter(struct slim_session_app *app, uint64_t now_ms)
{
    app->depth++;
    app->now_ms =
        now_ms > app->now_ms ? now_ms : app->now_ms; /* a clock that goes back stands still */
}

void slim_session_app_leave(struct slim_session_app *app)
{
    assert(app->depth > 0);
    if (app->depth == 1) {
        bool is_busy = true;
        while (is_busy) {
            struct slim_list *node = slim_list_take_first(&app->touched);
            if (node != NULL) {
                slim_session_settle(SLIM_LIST_ENTRY(node, struct slim_session, touched));
            } else {
                is_busy = slim_session_tell_event(app);
            }
        }
        free_over(app);
    }
    app->depth--;
}

uint64_t slim_session_app_tick(struct slim_session_app *app, uint64_t now_ms)
{
    slim_session_app_enter(app, now_ms);
    while (app->session_count > 0 && app->due[0]->due_ms <= app->now_ms) {
        slim_session_tick(app->due[0]);
    }
    slim_session_app_leave(app);
    uint64_t due_ms = app->session_count > 0 ? app->due[0]->due_ms : UINT64_MAX;
    return due_ms > app->now_ms ? due_ms : app->now_ms + 1;
}

/* ---- what comes in */

/* Is this DISCOVERY_REQUEST new, or a duplicate that deserves an answer? Without memory it is neither: it will come again. */
static bool must_answer_discovery(struct slim_session_app *app,
                                  const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    if (app->seen == NULL) {
        app->seen = slim_heap_take_zeroed(app->heap, SLIM_SESSION_SEEN_MAX, sizeof(*app->seen));
        if (app->seen == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < SLIM_SESSION_SEEN_MAX; i++) {
        struct slim_session_seen *seen = &app->seen[i];
        if (seen->answer.type != 0 && seen->answer.message_id == head->message_id &&
            seen->session_id == head->session_id &&
            slim_name_is_equal(&seen->source, &head->source.name)) {
            app->stats.duplicates++;
            return slim_session_deserves_answer(&seen->answer, app->now_ms, 0, in->conn_id, false,
                                                false);
        }
    }
    app->seen[app->seen_next] = (struct slim_session_seen){
        .session_id = head->session_id,
        .source = head->source.name,
        .answer = {.type = head->session_message_type,
                   .message_id = head->message_id,
                   .conn_id = in->conn_id,
                   .counted_ms = app->now_ms},
    };
    app->seen_next = (app->seen_next + 1) % SLIM_SESSION_SEEN_MAX;
    return true;
}

/* Discovery needs no session: whoever has the name answers (spec 4.1). */
static void answer_discovery(struct slim_session_app *app, const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    if (!slim_session_app_owns(app, &head->destination.name)) {
        app->stats.unknown_session++;
        return;
    }
    if (!must_answer_discovery(app, in)) {
        return;
    }
    struct slim_wire_session_message reply = {.head = {.kind = SLIM_WIRE_PUBLISH}};
    reply.head.source = head->destination;
    reply.head.source.name.id = app->name.wire.name.id;
    reply.head.destination = head->source;
    reply.head.fanout = 1;
    reply.head.has_forward_to = true;
    reply.head.forward_to = in->conn_id;
    reply.head.session_type = head->session_type;
    reply.head.session_message_type = SLIM_WIRE_TYPE_DISCOVERY_REPLY;
    reply.head.session_id = head->session_id;
    reply.head.message_id = head->message_id;
    reply.payload.kind = SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY;
    (void)slim_session_send(app, &reply); /* it will be asked again */
}

static void dispatch(struct slim_session_app *app, struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    struct slim_session *session = slim_session_find(app, head->session_id);
    bool is_invitation = head->session_message_type == SLIM_WIRE_TYPE_DISCOVERY_REQUEST;
    bool is_for_session = in->message->payload.kind == SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST &&
                          in->message->payload.discovery_request.destination.is_complete;
    if (is_invitation && (session == NULL || !session->is_initiator || !is_for_session)) {
        answer_discovery(app, in);
    } else if (session != NULL) {
        slim_session_take(session, in);
    } else if (head->session_message_type == SLIM_WIRE_TYPE_JOIN_REQUEST) {
        if (slim_session_is_late_join(app, in)) {
            app->stats.duplicates++;
            return;
        }
        slim_session_participant_begin(app, in);
    } else {
        slim_session_take_late(app, in);
    }
}

void slim_session_app_take(struct slim_session_app *app, uint64_t now_ms, uint64_t conn_id,
                           struct slim_view msg)
{
    slim_session_app_enter(app, now_ms);
    struct slim_wire_session_message message;
    struct slim_session_incoming in = {.message = &message, .bytes = msg, .conn_id = conn_id};
    app->stats.received++;
    if (slim_wire_read_session_message(msg, &message) != SLIM_OK) {
        app->stats.malformed++;
    } else if (app->owner.identity.check(app->owner.ctx, message.head.identity,
                                         &message.head.source.name) != SLIM_OK) {
        app->stats.unauthenticated++;
    } else {
        dispatch(app, &in);
    }
    slim_session_app_leave(app);
}
