/* Messages of the application: from the sender's table to the wire, from the wire to the receiver's (spec session.md 9, 10).
 *
 *   MSG --> a member's? --> look: duplicate? --> open (MLS) --> take --> acknowledge
 *                                                  |
 *                                                  +--> epoch to come: reserve, keep --> when it has come: open, acknowledge
 *
 * What was not opened moves nothing and is not acknowledged. */
#include <stdio.h>

#include "session/compose.h"

enum {
    RESEAL_EPOCHS = 6, /* receivers remember eight: a repetition this old is sealed again */
    DUE_SOON_MS = 100,
    NUMBER_TEXT_MAX = 11,
    RIVALS_MAX = 4,  /* messages kept under one number */
    EARLY_MAX = 256, /* messages kept before the welcome */
    /* A commit that was missed is told again with the pings. What waits for it was acknowledged, and must not be dropped before. */
    COMMIT_WAIT_MS = (SLIM_SESSION_PING_MISSES + 2) * SLIM_SESSION_PING_MS,
    HELD_BYTES_MAX = 16 * 1024 * 1024,
};

/* The tables may have set a timer; none of theirs is shorter. */
static void data_touched(struct slim_session *session)
{
    uint64_t soon_ms = session->interval_ms < DUE_SOON_MS ? session->interval_ms : DUE_SOON_MS;
    slim_session_wake(session, session->app->now_ms + soon_ms);
    if (session->is_draining) {
        slim_session_touch(session);
    }
}

/* ---- sending */

/* The ciphertext of a message, made at its first transmission. */
static enum slim_status seal(struct slim_session *session, struct slim_session_outgoing *message)
{
    uint64_t epoch = slim_session_crypt_epoch(session->crypt);
    if (message->sealed.len > 0 && epoch - message->sealed_epoch < RESEAL_EPOCHS) {
        return SLIM_OK;
    }
    struct slim_buf sealed = {0};
    enum slim_status status =
        slim_session_crypt_seal(session->crypt, message->content.blob, &sealed, &epoch);
    if (status != SLIM_OK) {
        slim_buf_fini(&sealed);
        return status;
    }
    slim_buf_fini(&message->sealed);
    message->sealed = sealed;
    message->sealed_epoch = epoch;
    return SLIM_OK;
}

static bool is_sealing(const struct slim_session *session)
{
    return session->is_mls && session->app->options.protection == SLIM_SESSION_PROTECTION_REQUIRED;
}

static enum slim_status put_content(struct slim_session *session,
                                    struct slim_session_outgoing *outgoing,
                                    struct slim_wire_session_message *message)
{
    if (is_sealing(session)) {
        if (session->crypt == NULL || !slim_session_crypt_is_ready(session->crypt)) {
            return SLIM_ERR_STATE;
        }
        SLIM_TRY(seal(session, outgoing));
    }
    message->payload.app = (struct slim_wire_app_payload){
        .payload_type = outgoing->content.payload_type,
        .blob = is_sealing(session) ? slim_buf_view(&outgoing->sealed) : outgoing->content.blob,
    };
    message->metadata.encoded = outgoing->content.metadata;
    return SLIM_OK;
}

static enum slim_status on_transmit(void *ctx, struct slim_session_outgoing *outgoing,
                                    uint32_t slot)
{
    struct slim_session *session = ctx;
    const struct slim_wire_name *destination = &session->channel.wire;
    if (slot != SLIM_SESSION_ALL) {
        const struct slim_session_member *member = slim_session_members_at(&session->members, slot);
        if (member == NULL) {
            return SLIM_ERR_NOT_FOUND;
        }
        destination = &member->name.wire;
    }
    if (!destination->is_present) {
        return SLIM_ERR_STATE; /* nobody can be there */
    }
    struct slim_wire_session_message message;
    slim_session_compose(session, SLIM_WIRE_TYPE_MSG, destination, outgoing->message_id, &message);
    message.head.fanout = outgoing->is_direct ? 1 : message.head.fanout;
    session->app->stats.repeated += outgoing->repeat_count > 0 ? 1 : 0;
    SLIM_TRY(put_content(session, outgoing, &message));
    return slim_session_send(session->app, &message);
}

static void on_answer_rtx(void *ctx, uint32_t slot, uint32_t message_id,
                          struct slim_session_outgoing *outgoing)
{
    struct slim_session *session = ctx;
    const struct slim_session_member *member = slim_session_members_at(&session->members, slot);
    if (member == NULL) {
        return;
    }
    struct slim_wire_session_message message;
    slim_session_compose(session, SLIM_WIRE_TYPE_RTX_REPLY, &member->name.wire, message_id,
                         &message);
    message.head.has_forward_to = true;
    message.head.forward_to = member->conn_id;
    if (outgoing == NULL || put_content(session, outgoing, &message) != SLIM_OK) {
        message.head.has_error = true;
        message.head.error = true;
    }
    (void)slim_session_send(session->app, &message); /* asked for again when it is missed */
}

static void on_complete(void *ctx, uint64_t op, uint32_t message_id, enum slim_status status)
{
    struct slim_session *session = ctx;
    char text[SLIM_ERROR_TEXT_MAX] = "session closed";
    if (status == SLIM_ERR_TIMEOUT) {
        (void)snprintf(text, sizeof(text), "message send retries exhausted for id=%u", message_id);
    } else if (status != SLIM_OK && status != SLIM_ERR_CLOSED) {
        (void)snprintf(text, sizeof(text), "%s", slim_status_text(status));
    }
    slim_session_complete(session->app, session->id, op, status, status == SLIM_OK ? NULL : text);
}

static void on_writable(void *ctx)
{
    struct slim_session *session = ctx;
    if (session->is_writable_promised) {
        session->is_writable_promised = false;
        slim_session_put_event(session->app, SLIM_SESSION_WRITABLE, session->id, 0, SLIM_OK, NULL);
    }
}

/* ---- delivering */

static void tell_message(struct slim_session *session, const struct slim_session_member *member,
                         const struct slim_session_origin *origin,
                         const struct slim_session_content *content)
{
    struct slim_session_app *app = session->app;
    struct slim_session_message message = {
        .source = &member->name.wire,
        .destination = origin->is_own_name || origin->is_direct ? &session->source.wire
                                                                : &session->destination.wire,
        .message_id = origin->message_id,
        .conn_id = origin->conn_id,
        .payload_type = content->payload_type.len > 0 ? content->payload_type : SLIM_VIEW("msg"),
        .blob = content->blob,
        .metadata = {.encoded = content->metadata},
        .identity = content->identity,
        .is_sealed = origin->is_sealed,
    };
    struct slim_wire_metadata rest = message.metadata;
    struct slim_wire_pair pair;
    bool has = true;
    while (slim_wire_next_pair(&rest, &has, &pair) == SLIM_OK && has) {
        message.metadata.count++;
    }
    if (session->kind == SLIM_SESSION_POINT_TO_POINT) {
        message.destination = &session->source.wire;
    }
    struct slim_session_event event = {
        .kind = SLIM_SESSION_MESSAGE,
        .session_id = session->id,
        .message = &message,
    };
    app->stats.delivered++;
    app->owner.on_event(app->owner.ctx, &event);
}

static void on_deliver(void *ctx, uint32_t slot, const struct slim_session_origin *origin,
                       const struct slim_session_content *content)
{
    struct slim_session *session = ctx;
    const struct slim_session_member *member = slim_session_members_at(&session->members, slot);
    if (member != NULL && session->app->options.can_receive) {
        tell_message(session, member, origin, content);
    }
}

static void on_lost(void *ctx, uint32_t slot, uint32_t message_id, bool is_answered)
{
    struct slim_session *session = ctx;
    (void)slot; /* the reference does not say whose it was */
    session->app->stats.lost++;
    if (is_answered) {
        slim_session_problem(session, "message lost for session id: %u", session->id);
    } else {
        slim_session_problem(session, "message receive retries exhausted for id=%u", message_id);
    }
}

static void on_request(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    struct slim_session *session = ctx;
    const struct slim_session_member *member = slim_session_members_at(&session->members, slot);
    if (member == NULL) {
        return;
    }
    struct slim_wire_session_message message;
    slim_session_compose(session, SLIM_WIRE_TYPE_RTX_REQUEST, &member->name.wire, message_id,
                         &message);
    message.head.has_forward_to = true;
    message.head.forward_to = conn_id;
    (void)slim_session_send(session->app, &message); /* repeated by its timer */
}

/* The question for the first number is an acknowledgement with our mark. Others take it for what it is anyway; to ask them for a number would
 * be worse: a request counts as an acknowledgement there (spec 9.5), and what they answer may be from before our time. */
static void on_ask_base(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    struct slim_session *session = ctx;
    const struct slim_session_member *member = slim_session_members_at(&session->members, slot);
    if (member == NULL) {
        return;
    }
    struct slim_wire_session_message ack;
    slim_session_compose(session, SLIM_WIRE_TYPE_MSG_ACK, &member->name.wire, message_id, &ack);
    ack.head.has_forward_to = true;
    ack.head.forward_to = conn_id;
    ack.metadata = (struct slim_wire_metadata){.pairs = &slim_session_mark, .count = 1};
    (void)slim_session_send(session->app, &ack); /* repeated by its timer */
}

enum slim_status slim_session_data_new(struct slim_session *session)
{
    const struct slim_session_sender_options options = {
        .is_reliable = session->has_timer,
        .interval_ms = session->interval_ms,
        .max_retries = session->max_retries,
    };
    const struct slim_session_sender_owner sender = {
        .ctx = session,
        .transmit = on_transmit,
        .answer_rtx = on_answer_rtx,
        .complete = on_complete,
        .writable = on_writable,
    };
    const struct slim_session_receiver_owner receiver = {
        .ctx = session,
        .deliver = on_deliver,
        .lost = on_lost,
        .request = on_request,
        .ask_base = on_ask_base,
    };
    SLIM_TRY(slim_session_sender_new(&options, &sender, &session->sender));
    return slim_session_receiver_new(&options, &receiver, &session->receiver);
}

/* ---- receiving */

static void acknowledge(const struct slim_session *session, const struct slim_session_incoming *in,
                        bool is_direct)
{
    static const struct slim_wire_pair publish_to = {.key = {(const uint8_t *)"PUBLISH_TO", 10},
                                                     .value = {(const uint8_t *)"TRUE", 4}};
    if (!session->has_timer || in->message->head.session_message_type != SLIM_WIRE_TYPE_MSG) {
        return; /* unreliable, or an RTX_REPLY */
    }
    struct slim_wire_session_message ack;
    slim_session_compose_answer(session, SLIM_WIRE_TYPE_MSG_ACK, in, &ack);
    if (is_direct) {
        ack.metadata = (struct slim_wire_metadata){.pairs = &publish_to, .count = 1};
    } else if (slim_session_receiver_wants_base(session->receiver, in->source->slot)) {
        ack.metadata = (struct slim_wire_metadata){.pairs = &slim_session_mark, .count = 1};
    }
    (void)slim_session_send(session->app, &ack); /* the message comes again when it is missed */
}

static struct slim_session_origin origin_of(const struct slim_session *session,
                                            const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    return (struct slim_session_origin){
        .message_id = head->message_id,
        .conn_id = in->conn_id,
        .is_direct = session->kind == SLIM_SESSION_GROUP &&
                     slim_session_has_key(in->message, SLIM_SESSION_KEY_PUBLISH_TO),
        .is_own_name = slim_name_is_equal(&head->destination.name, &session->source.wire.name),
    };
}

/* Without PUBLISH_TO, which means nothing in a point-to-point session. */
static enum slim_status strip_publish_to(struct slim_session_app *app,
                                         const struct slim_wire_metadata *metadata,
                                         struct slim_view *stripped)
{
    struct slim_wire_metadata rest = *metadata;
    struct slim_wire_pair pair;
    bool has = true;
    slim_buf_clear(&app->stripped);
    for (;;) {
        SLIM_TRY(slim_wire_next_pair(&rest, &has, &pair));
        if (!has) {
            break;
        }
        if (!slim_view_is_equal(pair.key, SLIM_SESSION_KEY_PUBLISH_TO)) {
            struct slim_wire_metadata one = {.pairs = &pair, .count = 1};
            SLIM_TRY(slim_wire_put_metadata(&app->stripped, &one));
        }
    }
    *stripped = slim_buf_view(&app->stripped);
    return SLIM_OK;
}

static enum slim_status take_opened(struct slim_session *session,
                                    const struct slim_session_incoming *in,
                                    const struct slim_session_origin *origin, struct slim_view blob)
{
    struct slim_session_content content = {
        .payload_type = in->message->payload.app.payload_type,
        .blob = blob,
        .metadata = in->message->metadata.encoded,
        .identity = in->message->head.identity,
    };
    if (session->kind == SLIM_SESSION_POINT_TO_POINT &&
        slim_session_has_key(in->message, SLIM_SESSION_KEY_PUBLISH_TO)) {
        SLIM_TRY(strip_publish_to(session->app, &in->message->metadata, &content.metadata));
    }
    return slim_session_receiver_take(session->receiver, session->app->now_ms, in->source->slot,
                                      origin, &content);
}

/* Keep the bytes of a message for later. */
static enum slim_status keep(struct slim_session *session, const struct slim_session_incoming *in,
                             bool is_reserved)
{
    if (session->held_count >= (is_reserved ? SLIM_SESSION_HELD_MAX : EARLY_MAX) ||
        session->held_bytes + in->bytes.len > HELD_BYTES_MAX ||
        (!is_reserved &&
         session->app->early_bytes + in->bytes.len > SLIM_SESSION_EARLY_BYTES_MAX)) {
        session->app->stats.limit++;
        return SLIM_ERR_LIMIT;
    }
    struct slim_session_held *held =
        slim_heap_take(session->app->heap, sizeof(*held) + in->bytes.len);
    if (held == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    *held = (struct slim_session_held){
        .conn_id = in->conn_id,
        .since_ms = session->app->now_ms,
        .slot = in->source != NULL ? in->source->slot : SLIM_SESSION_NO_SLOT,
        .message_id = in->message->head.message_id,
        .is_reserved = is_reserved,
        .len = in->bytes.len,
    };
    memcpy(held->bytes, in->bytes.data, in->bytes.len);
    slim_list_put_last(&session->held, &held->node);
    session->held_count++;
    session->held_bytes += held->len;
    session->app->early_bytes += is_reserved ? 0 : held->len;
    slim_session_touch(session);
    return SLIM_OK;
}

static void held_free(struct slim_session *session, struct slim_session_held *held)
{
    slim_list_remove(&held->node);
    session->held_count--;
    session->held_bytes -= held->len;
    session->app->early_bytes -= held->is_reserved ? 0 : held->len;
    slim_heap_return(session->app->heap, held);
}

void slim_session_held_free(struct slim_session *session)
{
    SLIM_LIST_EACH(node, &session->held)
    {
        held_free(session, SLIM_LIST_ENTRY(node, struct slim_session_held, node));
    }
}

/* Told once for each member, who may not know better. */
static void refuse_plaintext(struct slim_session *session, struct slim_session_member *source)
{
    session->app->stats.refused_plaintext++;
    if (!source->has_sent_plaintext) {
        char name[SLIM_SESSION_NAME_TEXT_MAX];
        source->has_sent_plaintext = true;
        slim_session_problem(session,
                             "a message in clear from %s was refused: this session requires MLS",
                             slim_session_name_format(&source->name.wire, name));
    }
}

/* SLIM_AGAIN: keep it, its epoch is to come. */
static enum slim_status open_blob(struct slim_session *session,
                                  const struct slim_session_incoming *in, struct slim_view *blob,
                                  bool *is_sealed)
{
    struct slim_session_app *app = session->app;
    *is_sealed = false;
    if (!session->is_mls) {
        return SLIM_OK;
    }
    switch (slim_session_crypt_classify(session->crypt, *blob)) {
    case SLIM_SESSION_BLOB_PLAIN:
        if (app->options.protection == SLIM_SESSION_PROTECTION_PLAINTEXT) {
            return SLIM_OK;
        }
        refuse_plaintext(session, in->source);
        return SLIM_ERR_DENIED;
    case SLIM_SESSION_BLOB_FUTURE:
        return SLIM_AGAIN;
    case SLIM_SESSION_BLOB_STALE:
        app->stats.undecryptable++;
        return SLIM_ERR_STALE;
    case SLIM_SESSION_BLOB_SEALED:
        break;
    }
    slim_buf_clear(&app->opened);
    enum slim_status status =
        slim_session_crypt_open(session->crypt, &in->source->name.wire.name, *blob, &app->opened);
    if (status == SLIM_ERR_FUTURE) {
        return SLIM_AGAIN;
    }
    if (status != SLIM_OK) {
        app->stats.undecryptable++;
        return status;
    }
    *is_sealed = true;
    *blob = slim_buf_view(&app->opened);
    return SLIM_OK;
}

/* Read a kept message again. False: it makes no sense any more. */
static bool read_held(const struct slim_session *session, const struct slim_session_held *held,
                      struct slim_wire_session_message *message, struct slim_session_incoming *in)
{
    *in = (struct slim_session_incoming){
        .message = message,
        .bytes = slim_view_of(held->bytes, held->len),
        .conn_id = held->conn_id,
    };
    if (slim_wire_read_session_message(in->bytes, message) != SLIM_OK) {
        return false;
    }
    in->source = slim_session_members_by_source(&session->members, &message->head.source.name);
    return true;
}

/* What is kept under the number of this message: how many, and is this one among them? */
struct kept {
    uint32_t count;
    bool has_same;
};

static struct kept find_kept(const struct slim_session *session,
                             const struct slim_session_incoming *in)
{
    struct kept found = {.count = 0};
    SLIM_LIST_EACH(node, &session->held)
    {
        const struct slim_session_held *held =
            SLIM_LIST_ENTRY(node, struct slim_session_held, node);
        struct slim_wire_session_message message;
        struct slim_session_incoming kept;
        if (held->is_reserved && held->slot == in->source->slot &&
            held->message_id == in->message->head.message_id &&
            read_held(session, held, &message, &kept)) {
            found.count++;
            found.has_same = found.has_same || slim_view_is_equal(message.payload.app.blob,
                                                                  in->message->payload.app.blob);
        }
    }
    return found;
}

/* Is another message, or another copy, still kept under the number of this one? */
static bool has_rival(const struct slim_session *session, const struct slim_session_held *held)
{
    SLIM_LIST_EACH(node, &session->held)
    {
        const struct slim_session_held *other =
            SLIM_LIST_ENTRY(node, struct slim_session_held, node);
        if (other != held && other->is_reserved && other->slot == held->slot &&
            other->message_id == held->message_id) {
            return true;
        }
    }
    return false;
}

/* One under this number has turned out genuine: the others are nobody's. */
static void disown_held(struct slim_session *session, uint32_t slot, uint32_t message_id)
{
    SLIM_LIST_EACH(node, &session->held)
    {
        struct slim_session_held *held = SLIM_LIST_ENTRY(node, struct slim_session_held, node);
        if (held->is_reserved && held->slot == slot && held->message_id == message_id) {
            held->slot = SLIM_SESSION_NO_SLOT;
        }
    }
}

/* A message comes under a number that others have taken which cannot be opened yet: whichever opens is the genuine one. True: this one is. */
static bool take_rival(struct slim_session *session, const struct slim_session_incoming *in,
                       struct slim_session_origin *origin, const struct kept *rivals)
{
    struct slim_view blob = in->message->payload.app.blob;
    enum slim_status status = open_blob(session, in, &blob, &origin->is_sealed);
    if (status == SLIM_AGAIN && rivals->count < RIVALS_MAX) {
        status = keep(session, in, true) == SLIM_OK ? SLIM_AGAIN : SLIM_ERR_LIMIT;
    }
    if (status != SLIM_OK || !origin->is_sealed) {
        return false;
    }
    disown_held(session, in->source->slot, origin->message_id);
    slim_session_receiver_give_up(session->receiver, session->app->now_ms, in->source->slot,
                                  origin->message_id);
    return take_opened(session, in, origin, blob) == SLIM_OK;
}

/* A message of this number is NEW: take it (SLIM_OK: acknowledge it), or keep it until it can be opened (SLIM_AGAIN): it may be forged. */
static enum slim_status take_new(struct slim_session *session,
                                 const struct slim_session_incoming *in,
                                 struct slim_session_origin *origin)
{
    struct slim_view blob = in->message->payload.app.blob;
    enum slim_status status = open_blob(session, in, &blob, &origin->is_sealed);
    if (status == SLIM_AGAIN) {
        status = slim_session_receiver_reserve(session->receiver, session->app->now_ms,
                                               in->source->slot, origin, in->bytes.len);
        if (status == SLIM_OK) {
            status = keep(session, in, true);
            if (status != SLIM_OK) {
                slim_session_receiver_give_up(session->receiver, session->app->now_ms,
                                              in->source->slot, origin->message_id);
            }
            status = status == SLIM_OK ? SLIM_AGAIN : status;
        }
    } else if (status == SLIM_OK) {
        status = take_opened(session, in, origin, blob);
    }
    return status;
}

enum slim_status slim_session_on_msg(struct slim_session *session,
                                     const struct slim_session_incoming *in)
{
    struct slim_session_app *app = session->app;
    if (in->source == NULL || in->source->is_self || !slim_session_member_is_listed(in->source)) {
        app->stats.unauthorised++;
        return SLIM_AGAIN;
    }
    struct slim_session_origin origin = origin_of(session, in);
    struct kept kept;
    switch (slim_session_receiver_look(session->receiver, in->source->slot, origin.message_id,
                                       origin.is_direct, in->bytes.len)) {
    case SLIM_SESSION_DUPLICATE:
        app->stats.duplicates++;
        kept = find_kept(session, in);
        if (kept.count == 0 || (!kept.has_same && take_rival(session, in, &origin, &kept))) {
            acknowledge(session, in, origin.is_direct);
        }
        return SLIM_AGAIN;
    case SLIM_SESSION_BEYOND:
        app->stats.beyond_window++;
        return SLIM_AGAIN;
    case SLIM_SESSION_NEW:
        break;
    }
    if (session->is_paused && session->has_timer) {
        app->stats.unread++;
        return SLIM_AGAIN;
    }
    data_touched(session);
    slim_session_drain_heard(session);
    if (take_new(session, in, &origin) == SLIM_OK) {
        acknowledge(session, in, origin.is_direct);
    }
    return SLIM_AGAIN;
}

/* "Of what I have for you, this is the first that you have not acknowledged": RTX_REPLY with `error`, and the number under our mark. */
static void answer_base(const struct slim_session *session, const struct slim_session_incoming *in)
{
    uint32_t message_id = in->message->head.message_id;
    char number[NUMBER_TEXT_MAX];
    int len =
        snprintf(number, sizeof(number), "%u",
                 slim_session_sender_first_missing(session->sender, in->source->slot, message_id));
    struct slim_wire_pair base = slim_session_mark;
    struct slim_wire_session_message reply;
    base.value = slim_view_of(number, (size_t)len);
    slim_session_compose_answer(session, SLIM_WIRE_TYPE_RTX_REPLY, in, &reply);
    reply.head.has_error = true;
    reply.head.error = true;
    reply.metadata = (struct slim_wire_metadata){.pairs = &base, .count = 1};
    (void)slim_session_send(session->app, &reply); /* it is asked again */
}

/* SLIM_ERR_NOT_FOUND: this RTX_REPLY answers another question. */
static enum slim_status take_base(struct slim_session *session,
                                  const struct slim_session_incoming *in)
{
    struct slim_view text;
    uint64_t base = 0;
    if (!slim_wire_find_metadata(&in->message->metadata, SLIM_SESSION_MARK, &text)) {
        return SLIM_ERR_NOT_FOUND;
    }
    if (text.len == 0 || text.len >= NUMBER_TEXT_MAX) {
        return SLIM_ERR_MALFORMED;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return SLIM_ERR_MALFORMED;
        }
        base = base * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (base > SLIM_SESSION_SEQUENCE_MAX) {
        return SLIM_ERR_MALFORMED;
    }
    slim_session_receiver_take_base(session->receiver, session->app->now_ms, in->source->slot,
                                    in->message->head.message_id, (uint32_t)base);
    data_touched(session);
    return SLIM_AGAIN;
}

enum slim_status slim_session_on_msg_ack(struct slim_session *session,
                                         const struct slim_session_incoming *in)
{
    uint32_t message_id = in->message->head.message_id;
    slim_session_sender_take_ack(session->sender, session->app->now_ms, in->source->slot,
                                 message_id);
    if (message_id <= SLIM_SESSION_SEQUENCE_MAX && session->has_timer &&
        slim_session_has_key(in->message, SLIM_SESSION_MARK)) {
        answer_base(session, in);
    }
    data_touched(session);
    return SLIM_AGAIN;
}

enum slim_status slim_session_on_rtx_request(struct slim_session *session,
                                             const struct slim_session_incoming *in)
{
    slim_session_sender_take_rtx(session->sender, session->app->now_ms, in->source->slot,
                                 in->message->head.message_id);
    data_touched(session);
    return SLIM_AGAIN;
}

enum slim_status slim_session_on_rtx_reply(struct slim_session *session,
                                           const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    uint32_t slot = in->source->slot;
    bool is_error = head->has_error && head->error;
    enum slim_status status = is_error ? take_base(session, in) : SLIM_ERR_NOT_FOUND;
    if (status != SLIM_ERR_NOT_FOUND) {
        return status;
    }
    if (!slim_session_receiver_is_wanted(session->receiver, slot, head->message_id)) {
        return SLIM_ERR_STATE;
    }
    data_touched(session);
    if (is_error) {
        slim_session_receiver_take_lost(session->receiver, session->app->now_ms, slot,
                                        head->message_id);
        return SLIM_AGAIN;
    }
    if (in->message->payload.kind != SLIM_WIRE_PAYLOAD_APP) {
        return SLIM_ERR_MALFORMED;
    }
    struct slim_session_origin origin = origin_of(session, in);
    origin.is_direct = false;
    origin.is_own_name = true;
    if (slim_session_receiver_look(session->receiver, slot, head->message_id, false,
                                   in->bytes.len) == SLIM_SESSION_NEW) {
        (void)take_new(session, in, &origin); /* asked for again when it came to nothing */
    }
    return SLIM_AGAIN;
}

/* ---- what was kept */

enum slim_status slim_session_keep_early(struct slim_session *session,
                                         const struct slim_session_incoming *in)
{
    (void)keep(session, in, false); /* not acknowledged: it comes again */
    return SLIM_AGAIN;
}

void slim_session_take_early(struct slim_session *session)
{
    struct slim_list early;
    slim_list_init(&early);
    slim_list_take_all(&early, &session->held);
    session->held_count = 0;
    session->held_bytes = 0;
    struct slim_list *node;
    while ((node = slim_list_take_first(&early)) != NULL) {
        struct slim_session_held *held = SLIM_LIST_ENTRY(node, struct slim_session_held, node);
        struct slim_wire_session_message message;
        struct slim_session_incoming in;
        if (session->state != SLIM_SESSION_ENDED && read_held(session, held, &message, &in)) {
            (void)slim_session_on_msg(session, &in); /* counts what it cannot take */
        }
        session->app->early_bytes -= held->len;
        slim_heap_return(session->app->heap, held);
    }
}

/* One reserved message: opened and taken, given up, or still to wait (false). */
static bool resolve(struct slim_session *session, const struct slim_session_held *held)
{
    struct slim_wire_session_message message;
    struct slim_session_incoming in;
    bool is_readable = read_held(session, held, &message, &in);
    if (!is_readable || in.source == NULL || in.source->slot != held->slot) {
        return true; /* the member went, and with it what was reserved */
    }
    struct slim_session_origin origin = origin_of(session, &in);
    struct slim_view blob = message.payload.app.blob;
    if (message.head.session_message_type == SLIM_WIRE_TYPE_RTX_REPLY) {
        origin.is_direct = false;
        origin.is_own_name = true;
    }
    enum slim_status status = open_blob(session, &in, &blob, &origin.is_sealed);
    if (status == SLIM_AGAIN) {
        return false;
    }
    if (status == SLIM_OK) {
        status = take_opened(session, &in, &origin, blob);
    }
    if (status == SLIM_OK) {
        acknowledge(session, &in, origin.is_direct);
        disown_held(session, held->slot, held->message_id);
    } else if (!has_rival(session, held)) {
        slim_session_receiver_give_up(session->receiver, session->app->now_ms, held->slot,
                                      held->message_id);
    }
    return true;
}

void slim_session_open_held(struct slim_session *session)
{
    SLIM_LIST_EACH(node, &session->held)
    {
        struct slim_session_held *held = SLIM_LIST_ENTRY(node, struct slim_session_held, node);
        if (held->is_reserved && resolve(session, held)) {
            held_free(session, held);
        }
    }
}

void slim_session_expire_held(struct slim_session *session)
{
    uint64_t patience_ms = slim_session_patience_ms(session);
    SLIM_LIST_EACH(node, &session->held)
    {
        struct slim_session_held *held = SLIM_LIST_ENTRY(node, struct slim_session_held, node);
        uint64_t wait_ms = patience_ms + (held->is_reserved ? COMMIT_WAIT_MS : 0);
        if (session->app->now_ms - held->since_ms < wait_ms) {
            continue;
        }
        bool is_deaf =
            held->is_reserved && !session->is_initiator && held->slot == session->peer_slot;
        if (held->is_reserved) {
            session->app->stats.undecryptable++;
        }
        if (held->is_reserved && held->slot != SLIM_SESSION_NO_SLOT && !has_rival(session, held)) {
            slim_session_receiver_give_up(session->receiver, session->app->now_ms, held->slot,
                                          held->message_id);
        }
        held_free(session, held);
        if (is_deaf) { /* our own moderator is in an epoch that we do not get to */
            slim_session_input(session, SLIM_SESSION_ON_WAIT_OVER, NULL);
            return;
        }
    }
}
