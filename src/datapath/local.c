/* Local connections: applications of this process (spec wire.md 7.5, 9.2). */
#include "datapath/internal.h"

enum slim_status slim_datapath_attach(struct slim_datapath *datapath,
                                      const struct slim_datapath_app *app, uint64_t *conn_id)
{
    if (datapath->is_draining) {
        return SLIM_ERR_STATE;
    }
    struct slim_datapath_conn *conn;
    SLIM_TRY(slim_datapath_conn_new(datapath, SLIM_DATAPATH_CONN_LOCAL, &conn));
    conn->app = *app;
    *conn_id = conn->peer.id;
    return SLIM_OK;
}

void slim_datapath_detach(struct slim_datapath *datapath, uint64_t conn_id)
{
    assert(datapath->delivery_depth == 0);
    struct slim_datapath_conn *conn = slim_datapath_conn_find(datapath, conn_id);
    if (conn != NULL && conn->kind == SLIM_DATAPATH_CONN_LOCAL) {
        slim_datapath_conn_free(conn, false);
    }
}

void slim_datapath_tell_link(struct slim_datapath *datapath, uint64_t conn_id, bool is_up)
{
    datapath->delivery_depth++; /* as in a delivery: nobody may submit or detach now */
    SLIM_LIST_EACH(node, &datapath->conns)
    {
        struct slim_datapath_conn *conn = SLIM_LIST_ENTRY(node, struct slim_datapath_conn, node);
        if (conn->kind == SLIM_DATAPATH_CONN_LOCAL && conn->app.on_link != NULL) {
            conn->app.on_link(conn->app.ctx, conn_id, is_up);
        }
    }
    datapath->delivery_depth--;
}

/* Append `text` as the inside of a JSON string. Names are UTF-8, checked when they were read. */
static enum slim_status put_json_text(struct slim_buf *out, const char *text)
{
    for (const char *c = text; *c != 0; c++) {
        if (*c == '"' || *c == '\\') {
            SLIM_TRY(slim_buf_put_text(out, "\\%c", *c));
        } else if ((unsigned char)*c < 0x20) {
            SLIM_TRY(slim_buf_put_text(out, "\\u%04x", (unsigned)*c));
        } else {
            SLIM_TRY(slim_buf_put_byte(out, (uint8_t)*c));
        }
    }
    return SLIM_OK;
}

/* {"error":"<text>","session_context":{...}}; the context only for a Publish whose error carries the message. */
static enum slim_status put_report(struct slim_buf *out, const char *text,
                                   const struct slim_wire_head *head)
{
    SLIM_TRY(slim_buf_put_text(out, "{\"error\":\""));
    SLIM_TRY(put_json_text(out, text));
    SLIM_TRY(slim_buf_put_text(out, "\""));
    if (head != NULL && head->kind == SLIM_WIRE_PUBLISH && head->has_session) {
        SLIM_TRY(slim_buf_put_text(out,
                                   ",\"session_context\":{\"message_id\":%u,\"session_id\":%u,"
                                   "\"session_message_type\":%d}",
                                   head->message_id, head->session_id, head->session_message_type));
    }
    return slim_buf_put_text(out, "}");
}

static void report(struct slim_datapath_conn *conn, const char *text,
                   const struct slim_wire_head *head)
{
    struct slim_buf json = {0};
    if (put_report(&json, text, head) == SLIM_OK) {
        conn->app.on_error(conn->app.ctx, slim_buf_view(&json));
    }
    slim_buf_fini(&json);
}

enum slim_status slim_datapath_submit(struct slim_datapath *datapath, uint64_t conn_id,
                                      struct slim_view msg)
{
    struct slim_datapath_conn *conn = slim_datapath_conn_find(datapath, conn_id);
    if (conn == NULL || conn->kind != SLIM_DATAPATH_CONN_LOCAL) {
        return SLIM_ERR_NOT_FOUND;
    }
    if (datapath->delivery_depth > 0) {
        return SLIM_ERR_STATE;
    }
    struct slim_wire_head head;
    struct slim_error error = {.status = SLIM_OK};
    datapath->stats.messages_received++;
    datapath->stats.bytes_received += msg.len;
    conn->messages_received++;
    conn->bytes_received += msg.len;
    if (msg.len > SLIM_WIRE_MESSAGE_BYTES_MAX) {
        datapath->stats.too_long_count++;
        report(conn, "message processing error: message is larger than 4194304 bytes", NULL);
        return SLIM_ERR_LIMIT;
    }
    enum slim_status status = slim_wire_read_head(msg, &head);
    if (status != SLIM_OK) {
        datapath->stats.malformed_count++;
        report(conn, "message processing error: malformed message", NULL);
        return status;
    }
    status = slim_datapath_process_local(conn, &head, msg, &error);
    if (status != SLIM_OK) {
        report(conn, error.text, &head);
    }
    slim_datapath_slow_bury(datapath);
    return status;
}
