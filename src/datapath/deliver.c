/* From the table's answer into the outputs. Nothing here asks the system for memory in the steady state. */
#include "datapath/internal.h"

/* Short messages for several receivers are framed once into a block that all outputs refer to; neighbours in the block are
 * neighbours in each output, so that a receiver of the whole channel holds one piece instead of one per message.
 *
 *   fanout:  | prefix msg 1 | prefix msg 2 | prefix msg 3 |  room  |
 *              ^ receiver A .............................^
 *                             ^ receiver B ..............^ */
static enum slim_status put_into_fanout(struct slim_datapath *datapath, struct slim_view msg,
                                        size_t *offset)
{
    size_t need = SLIM_GRPC_PREFIX_BYTES + msg.len;
    if (datapath->fanout != NULL && (slim_block_room(datapath->fanout) < need)) {
        slim_block_unref(datapath->fanout);
        datapath->fanout = NULL;
    }
    if (datapath->fanout == NULL) {
        SLIM_TRY(
            slim_block_new(datapath->pool, SLIM_DATAPATH_FANOUT_BLOCK_BYTES, &datapath->fanout));
    }
    *offset = datapath->fanout->len;
    uint8_t prefix[SLIM_GRPC_PREFIX_BYTES];
    slim_grpc_write_prefix(prefix, (uint32_t)msg.len);
    slim_block_put(datapath->fanout, slim_view_of(prefix, sizeof(prefix)));
    slim_block_put(datapath->fanout, msg);
    return SLIM_OK;
}

static void count_lost(struct slim_datapath *datapath, enum slim_status status, size_t count)
{
    if (status == SLIM_ERR_NO_MEMORY) {
        datapath->stats.no_memory_count += count;
    } else if (status == SLIM_ERR_LIMIT) {
        datapath->stats.too_long_count += count;
    } else {
        datapath->stats.receiver_gone_count += count;
    }
}

static void count_delivered(struct slim_datapath_conn *to, size_t bytes)
{
    to->messages_delivered++;
    to->bytes_delivered += bytes;
    to->datapath->stats.messages_delivered++;
    to->datapath->stats.bytes_delivered += bytes;
}

/* `to` took a message, or could not. */
static void note(struct slim_datapath_conn *to, struct slim_datapath_conn *from, size_t bytes,
                 enum slim_status status)
{
    if (SLIM_UNLIKELY(status != SLIM_OK)) {
        count_lost(to->datapath, status, 1);
        return;
    }
    count_delivered(to, bytes);
    slim_transport_touch(to->socket->transport);
    slim_datapath_slow_queued(to, from, bytes);
}

enum slim_status slim_datapath_deliver_one(struct slim_datapath *datapath,
                                           struct slim_datapath_conn *from,
                                           struct slim_datapath_conn *to,
                                           const struct slim_wire_head *head, struct slim_view msg,
                                           struct slim_block *block)
{
    if (to->kind == SLIM_DATAPATH_CONN_LOCAL) {
        count_delivered(to, msg.len);
        datapath->delivery_depth++;
        to->app.on_message(to->app.ctx, from == NULL ? UINT64_MAX : from->peer.id, head, msg,
                           block);
        datapath->delivery_depth--;
        return SLIM_OK;
    }
    if (SLIM_UNLIKELY(to->call == NULL)) {
        datapath->stats.link_down_count++;
        return SLIM_ERR_NOT_FOUND;
    }
    enum slim_status status;
    if (block != NULL && msg.len > SLIM_DATAPATH_SHARED_ABOVE_BYTES) {
        status = slim_grpc_call_put_block(to->call, block);
    } else {
        status = slim_grpc_call_put_message(to->call, msg);
    }
    note(to, from, msg.len, status);
    return status == SLIM_OK ? SLIM_OK : SLIM_ERR_NOT_FOUND;
}

/* A copy of `msg` in a block of its own. */
static enum slim_status copy_into_block(struct slim_datapath *datapath, struct slim_view msg,
                                        struct slim_block **block)
{
    SLIM_TRY(slim_block_new(datapath->pool, msg.len, block));
    slim_block_put(*block, msg);
    return SLIM_OK;
}

/* One message for several receivers. What one receiver cannot take is lost to it alone. */
static size_t deliver_many(struct slim_datapath *datapath, struct slim_datapath_conn *from,
                           const struct slim_route_hits *hits, const struct slim_wire_head *head,
                           struct slim_view msg, struct slim_block *block)
{
    bool is_long = msg.len > SLIM_DATAPATH_SHARED_ABOVE_BYTES;
    size_t offset = 0;
    struct slim_block *own = NULL;
    enum slim_status made = SLIM_OK;
    if (!is_long) {
        made = put_into_fanout(datapath, msg, &offset);
    } else if (block == NULL) {
        made = copy_into_block(datapath, msg, &own);
        block = own;
    }
    if (made != SLIM_OK) {
        count_lost(datapath, made, hits->count);
        return 0;
    }
    /* a receiver may be disconnected below, and the piece must stay: our own reference holds it */
    struct slim_block *fanout = is_long ? NULL : slim_block_ref(datapath->fanout);
    size_t taken = 0;
    struct slim_datapath_tally tally = {0};
    for (size_t i = 0; i < hits->count; i++) {
        struct slim_datapath_conn *to =
            SLIM_CONTAINER_OF(hits->peers[i], struct slim_datapath_conn, peer);
        if (to->kind == SLIM_DATAPATH_CONN_LOCAL || to->call == NULL) {
            taken += slim_datapath_deliver_one(datapath, from, to, head, msg, block) == SLIM_OK;
            continue;
        }
        enum slim_status status = is_long
                                      ? slim_grpc_call_put_block(to->call, block)
                                      : slim_grpc_call_put_framed(to->call, fanout, offset,
                                                                  SLIM_GRPC_PREFIX_BYTES + msg.len);
        taken += status == SLIM_OK;
        note(to, NULL, msg.len, status);
        slim_datapath_slow_tally(&tally, to);
    }
    slim_datapath_slow_fanned(&tally, from, msg.len);
    slim_block_unref(fanout);
    slim_block_unref(own);
    return taken;
}

size_t slim_datapath_deliver(struct slim_datapath *datapath, struct slim_datapath_conn *from,
                             const struct slim_route_hits *hits, const struct slim_wire_head *head,
                             struct slim_view msg, struct slim_block *block)
{
    size_t taken;
    if (hits->count == 1) {
        struct slim_datapath_conn *to =
            SLIM_CONTAINER_OF(hits->peers[0], struct slim_datapath_conn, peer);
        taken = slim_datapath_deliver_one(datapath, from, to, head, msg, block) == SLIM_OK;
    } else {
        taken = deliver_many(datapath, from, hits, head, msg, block);
    }
    slim_datapath_slow_bury(datapath);
    return taken;
}
