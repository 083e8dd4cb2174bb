/* What the engine does with a message (spec wire.md 6, 9, 11). */
#include "datapath/internal.h"

#include <stdio.h>

#define SLIM_LOG_TARGET "slim_datapath::message_processing"

/* ------------------------------------------------------------------------------------------------ subscriptions */

static void count_refused(struct slim_datapath *datapath, enum slim_status status)
{
    if (status == SLIM_ERR_NO_MEMORY) {
        datapath->stats.subscription_no_memory_count++;
    } else if (status == SLIM_ERR_NOT_FOUND) {
        datapath->stats.subscription_unknown_count++;
    } else {
        datapath->stats.subscription_limit_count++;
    }
}

static void count_kind(struct slim_datapath *datapath, enum slim_wire_kind kind)
{
    switch (kind) {
    case SLIM_WIRE_PUBLISH:
        datapath->stats.publish_count++;
        break;
    case SLIM_WIRE_SUBSCRIBE:
        datapath->stats.subscribe_count++;
        break;
    case SLIM_WIRE_UNSUBSCRIBE:
        datapath->stats.unsubscribe_count++;
        break;
    case SLIM_WIRE_LINK:
        datapath->stats.link_count++;
        break;
    case SLIM_WIRE_SUBSCRIPTION_ACK:
        datapath->stats.subscription_ack_count++;
        break;
    case SLIM_WIRE_NONE:
        break; /* has a fault, and was counted as invalid */
    }
}

/* Change the table for `conn` as the message says. */
static enum slim_status change_table(struct slim_datapath_conn *conn,
                                     const struct slim_wire_head *head, struct slim_error *error)
{
    struct slim_datapath *datapath = conn->datapath;
    const struct slim_wire_name *name = &head->destination;
    enum slim_status status;
    if (head->kind == SLIM_WIRE_SUBSCRIBE) {
        if (!slim_datapath_slow_has_table_room(datapath)) {
            datapath->stats.subscription_refused_count++;
            return slim_error_set(error, SLIM_ERR_LIMIT, "the node's memory limit is reached");
        }
        status = slim_routes_add(datapath->routes, &name->name, &name->text, &conn->peer,
                                 head->subscription_id, NULL);
        if (status != SLIM_OK) {
            count_refused(datapath, status);
            return slim_error_set(error, status, "%s", slim_status_text(status));
        }
        return SLIM_OK;
    }
    status = slim_routes_remove(datapath->routes, &name->name, &conn->peer, head->subscription_id,
                                NULL, error);
    if (status != SLIM_OK) {
        count_refused(datapath, status);
    }
    return status;
}

/* A peer that gave an id wants to know (wire.md 11.3). 1.0.0 peers never give one. */
static void put_ack(struct slim_datapath_conn *conn, uint64_t subscription_id,
                    const struct slim_error *error)
{
    struct slim_datapath *datapath = conn->datapath;
    bool success = error->status == SLIM_OK;
    slim_buf_clear(&datapath->scratch);
    if (slim_wire_put_subscription_ack(&datapath->scratch, subscription_id, success,
                                       success ? (struct slim_view){0}
                                               : slim_view_str(error->text)) == SLIM_OK) {
        slim_datapath_put_own(conn);
    }
}

static void receive_subscription(struct slim_datapath_conn *conn, const struct slim_wire_head *head)
{
    struct slim_error error = {.status = SLIM_OK};
    enum slim_status status = change_table(conn, head, &error);
    if (status != SLIM_OK) {
        slim_log_limited(&conn->datapath->log_invalid, DEBUG, "error processing message",
                         SLIM_LOG_U64("conn_index", conn->peer.id),
                         SLIM_LOG_STR("error", error.text));
    }
    if (head->subscription_id != 0) {
        error.status = status;
        put_ack(conn, head->subscription_id, &error);
    }
}

/* ------------------------------------------------------------------------------------------------ remote messages */

/* The peer set fields that mean something only inside a process: act as if they were not there (design: they would let
 * anybody route into anybody's connection). Returns the bytes to pass on. */
static struct slim_view ignore_private_fields(struct slim_datapath_conn *conn,
                                              struct slim_wire_head *head, struct slim_view msg)
{
    struct slim_datapath *datapath = conn->datapath;
    if (!head->has_recv_from && !head->has_forward_to) {
        return msg;
    }
    datapath->stats.ignored_forward_to_count++;
    slim_log_limited(&datapath->log_ignored, WARN,
                     "ignored recv_from or forward_to of a remote peer",
                     SLIM_LOG_U64("conn_index", conn->peer.id));
    head->has_recv_from = false;
    head->has_forward_to = false;
    slim_buf_clear(&datapath->scratch);
    if (slim_wire_put_stripped(&datapath->scratch, msg) != SLIM_OK) {
        datapath->stats.no_memory_count++;
        return (struct slim_view){0};
    }
    return slim_buf_view(&datapath->scratch);
}

static void receive_publish(struct slim_datapath_conn *conn, struct slim_wire_head *head,
                            struct slim_view msg, struct slim_block *block)
{
    struct slim_datapath *datapath = conn->datapath;
    struct slim_view forwarded = ignore_private_fields(conn, head, msg);
    if (forwarded.len == 0) {
        return; /* no memory for the rewritten message, which was counted */
    }
    if (forwarded.data != msg.data) {
        block = NULL; /* the block holds the message as it came */
    }
    struct slim_route_hits hits;
    slim_routes_match(datapath->routes, &head->destination.name, head->fanout, &conn->peer, &hits);
    if (SLIM_UNLIKELY(hits.count == 0)) {
        datapath->stats.no_match_count++;
        /* a remote sender learns of it from its own session's timers */
        return;
    }
    /* a gone receiver was counted */
    (void)slim_datapath_deliver(datapath, conn, &hits, head, forwarded, block);
}

void slim_datapath_receive(struct slim_datapath_conn *conn, struct slim_view msg,
                           struct slim_block *block)
{
    struct slim_datapath *datapath = conn->datapath;
    struct slim_wire_head head;
    datapath->stats.messages_received++;
    datapath->stats.bytes_received += msg.len;
    conn->messages_received++;
    conn->bytes_received += msg.len;
    if (SLIM_UNLIKELY(slim_wire_read_head_memo(msg, &head, &datapath->memo) != SLIM_OK)) {
        datapath->stats.malformed_count++;
        slim_log_limited(&datapath->log_malformed, WARN, "stream ended: message is not decodable",
                         SLIM_LOG_U64("conn_index", conn->peer.id), SLIM_LOG_U64("bytes", msg.len));
        datapath->stats.undecodable_count++;
        conn->why = "undecodable";
        slim_datapath_conn_end(conn, SLIM_GRPC_INTERNAL, "failed to decode Protobuf message", true);
        return;
    }
    if (SLIM_UNLIKELY(head.fault != SLIM_WIRE_FAULT_NONE)) {
        datapath->stats.invalid_count++;
        slim_log_limited(&datapath->log_invalid, DEBUG, "error processing message",
                         SLIM_LOG_U64("conn_index", conn->peer.id),
                         SLIM_LOG_STR("error", slim_wire_fault_text(head.fault)));
        return;
    }
    count_kind(datapath, head.kind);
    switch (head.kind) {
    case SLIM_WIRE_PUBLISH:
        receive_publish(conn, &head, msg, block);
        break;
    case SLIM_WIRE_SUBSCRIBE:
    case SLIM_WIRE_UNSUBSCRIBE:
        if (ignore_private_fields(conn, &head, msg).len > 0) {
            receive_subscription(conn, &head);
        }
        break;
    case SLIM_WIRE_LINK:
        slim_datapath_negotiate(conn, &head);
        break;
    case SLIM_WIRE_SUBSCRIPTION_ACK: /* answers to subscriptions that we forwarded: nobody here waits for them */
    case SLIM_WIRE_NONE: /* has a fault, handled above */
        break;
    }
}

/* ------------------------------------------------------------------------------------------------ local messages */

static enum slim_status no_connection(struct slim_error *error, bool is_target, uint64_t id)
{
    return slim_error_set(error, SLIM_ERR_NOT_FOUND, "%sconnection not found: %lu",
                          is_target ? "" : "message processing error: ", id);
}

static enum slim_status unknown_connection(struct slim_datapath *datapath, struct slim_error *error,
                                           bool is_target, uint64_t id)
{
    datapath->stats.unknown_conn_count++;
    return no_connection(error, is_target, id);
}

/* The message in datapath->scratch, without the fields that must not leave. */
static enum slim_status strip(struct slim_datapath *datapath, struct slim_view msg,
                              struct slim_error *error)
{
    slim_buf_clear(&datapath->scratch);
    if (slim_wire_put_stripped(&datapath->scratch, msg) != SLIM_OK) {
        datapath->stats.no_memory_count++;
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    return SLIM_OK;
}

/* wire.md 6.1 and 11.3: recv_from names the connection that the change is for, forward_to where the message goes on. */
static enum slim_status process_subscription(struct slim_datapath_conn *conn,
                                             const struct slim_wire_head *head,
                                             struct slim_view msg, struct slim_error *error)
{
    struct slim_datapath *datapath = conn->datapath;
    struct slim_datapath_conn *subject = conn;
    if (head->has_recv_from) {
        subject = slim_datapath_conn_find(datapath, head->recv_from);
        if (subject == NULL) {
            return unknown_connection(datapath, error, false, head->recv_from);
        }
    }
    SLIM_TRY(change_table(subject, head, error));
    if (!head->has_forward_to) {
        return SLIM_OK;
    }
    struct slim_datapath_conn *target = slim_datapath_conn_find(datapath, head->forward_to);
    if (target == NULL) {
        /* the table change stays, as in the reference */
        return unknown_connection(datapath, error, true, head->forward_to);
    }
    if (target->kind == SLIM_DATAPATH_CONN_LOCAL) {
        return SLIM_OK;
    }
    if (target->link != NULL) {
        /* first: a link that is down sends it when it is back */
        slim_datapath_link_note(target->link, head);
    }
    SLIM_TRY(strip(datapath, msg, error));
    if (target->call != NULL) {
        slim_datapath_put_own(target);
    }
    return SLIM_OK;
}

static enum slim_status process_publish(struct slim_datapath_conn *conn,
                                        const struct slim_wire_head *head, struct slim_view msg,
                                        struct slim_error *error)
{
    struct slim_datapath *datapath = conn->datapath;
    struct slim_view forwarded = msg;
    if (head->has_recv_from || head->has_forward_to || head->has_incoming_conn) {
        SLIM_TRY(strip(datapath, msg, error));
        forwarded = slim_buf_view(&datapath->scratch);
    }
    if (head->has_forward_to) {
        struct slim_datapath_conn *target = slim_datapath_conn_find(datapath, head->forward_to);
        if (target == NULL) {
            return unknown_connection(datapath, error, false, head->forward_to);
        }
        enum slim_status status =
            slim_datapath_deliver_one(datapath, conn, target, head, forwarded, NULL);
        return status == SLIM_OK ? SLIM_OK : no_connection(error, false, head->forward_to);
    }
    struct slim_route_hits hits;
    slim_routes_match(datapath->routes, &head->destination.name, head->fanout, &conn->peer, &hits);
    if (hits.count == 0) {
        datapath->stats.no_match_count++;
        char name[256];
        /* may be cut */
        (void)slim_name_format(&head->destination.text, head->destination.name.id, name,
                               sizeof(name));
        return slim_error_set(error, SLIM_ERR_NO_ROUTE,
                              "message processing error: no matching found for %s", name);
    }
    uint64_t first_id = hits.peers[0]->id;
    if (slim_datapath_deliver(datapath, conn, &hits, head, forwarded, NULL) == 0) {
        return no_connection(error, false, first_id);
    }
    return SLIM_OK;
}

enum slim_status slim_datapath_process_local(struct slim_datapath_conn *conn,
                                             const struct slim_wire_head *head,
                                             struct slim_view msg, struct slim_error *error)
{
    if (head->fault != SLIM_WIRE_FAULT_NONE) {
        conn->datapath->stats.invalid_count++;
        return slim_error_set(error, SLIM_ERR_INVALID,
                              "message processing error: malformed message");
    }
    count_kind(conn->datapath, head->kind);
    switch (head->kind) {
    case SLIM_WIRE_PUBLISH:
        return process_publish(conn, head, msg, error);
    case SLIM_WIRE_SUBSCRIBE:
    case SLIM_WIRE_UNSUBSCRIBE:
        return process_subscription(conn, head, msg, error);
    case SLIM_WIRE_LINK:
    case SLIM_WIRE_SUBSCRIPTION_ACK:
    case SLIM_WIRE_NONE:
        conn->datapath->stats.app_ignored_count++; /* wire.md 11.2 */
        break;
    }
    return SLIM_OK;
}
