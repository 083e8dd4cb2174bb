/* Link negotiation, and the routes kept for links that come back (spec wire.md 11.2, 11.4). */
#include "datapath/internal.h"

#include <ctype.h>
#include <string.h>

#define SLIM_LOG_TARGET "slim_datapath::message_processing"

/* ------------------------------------------------------------------------------------------------ texts */

static bool is_uuid_v4(struct slim_view text)
{
    if (text.len != SLIM_DATAPATH_LINK_ID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.data[i] != '-' : !isxdigit(text.data[i])) {
            return false;
        }
    }
    return text.data[14] == '4' && strchr("89abAB", text.data[19]) != NULL;
}

/* Take a decimal number without leading zeros from the front of *text. */
static bool take_number(struct slim_view *text, uint64_t *number)
{
    size_t count = 0;
    *number = 0;
    while (count < text->len && isdigit(text->data[count])) {
        if (__builtin_mul_overflow(*number, (uint64_t)10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(text->data[count] - '0'), number)) {
            return false;
        }
        count++;
    }
    if (count == 0 || (count > 1 && text->data[0] == '0')) {
        return false;
    }
    *text = slim_view_skip(*text, count);
    return true;
}

/* "MAJOR.MINOR.PATCH", with anything behind a - or + (semver.org). */
static bool parse_version(struct slim_view text, uint64_t version[static 3])
{
    for (size_t i = 0; i < 3; i++) {
        if (i > 0) {
            if (text.len == 0 || text.data[0] != '.') {
                return false;
            }
            text = slim_view_skip(text, 1);
        }
        if (!take_number(&text, &version[i])) {
            return false;
        }
    }
    return text.len == 0 || ((text.data[0] == '-' || text.data[0] == '+') && text.len > 1);
}

/* ------------------------------------------------------------------------------------------------ kept routes */

/* One subscription, in one object of the loop's heap, so that memory_max counts it: ids[id_count], then the text. */
struct kept {
    struct kept *next;
    struct slim_name_key name;
    uint32_t reference_count;
    size_t id_count;
    size_t part_len[3];
    uint64_t ids[];
};

struct recovery {
    struct slim_datapath *datapath;
    struct slim_list node; /* in datapath->recoveries, the earliest to expire first */
    char link_id[SLIM_DATAPATH_LINK_ID_BYTES + 1];
    uint64_t expires_ms;
    struct kept *subscriptions;
};

static void recovery_free(struct recovery *recovery)
{
    struct slim_datapath *datapath = recovery->datapath;
    while (recovery->subscriptions != NULL) {
        struct kept *kept = recovery->subscriptions;
        recovery->subscriptions = kept->next;
        slim_heap_return(datapath->heap, kept);
    }
    slim_list_remove(&recovery->node);
    datapath->recovery_count--;
    slim_heap_return(datapath->heap, recovery);
}

static uint8_t *text_of(struct kept *kept)
{
    return (uint8_t *)&kept->ids[kept->id_count];
}

/* Copy one subscription. Without memory it is not kept, and its peer subscribes again anyway. */
static void keep_one(void *ctx, const struct slim_route_subscription *subscription)
{
    struct recovery *recovery = ctx;
    size_t bytes;
    if (!slim_datapath_slow_has_table_room(recovery->datapath) ||
        __builtin_mul_overflow(subscription->id_count, sizeof(uint64_t), &bytes)) {
        recovery->datapath->stats.unkept_count++;
        return;
    }
    bytes += sizeof(struct kept); /* the ids exist in memory already: this cannot wrap */
    for (size_t i = 0; i < 3; i++) {
        bytes += subscription->text.part[i].len;
    }
    struct kept *kept = slim_heap_take(recovery->datapath->heap, bytes);
    if (kept == NULL) {
        recovery->datapath->stats.unkept_count++;
        return;
    }
    kept->name = subscription->name;
    kept->reference_count = subscription->reference_count;
    kept->id_count = subscription->id_count;
    if (kept->id_count > 0) {
        memcpy(kept->ids, subscription->ids, kept->id_count * sizeof(uint64_t));
    }
    uint8_t *to = text_of(kept);
    for (size_t i = 0; i < 3; i++) {
        kept->part_len[i] = subscription->text.part[i].len;
        if (kept->part_len[i] > 0) {
            memcpy(to, subscription->text.part[i].data, kept->part_len[i]);
            to += kept->part_len[i];
        }
    }
    kept->next = recovery->subscriptions;
    recovery->subscriptions = kept;
}

void slim_datapath_recovery_keep(struct slim_datapath_conn *conn)
{
    struct slim_datapath *datapath = conn->datapath;
    if (datapath->options.recovery_ttl_ms == 0 || datapath->is_draining ||
        conn->kind != SLIM_DATAPATH_CONN_SERVER || conn->peer.subscription_count == 0) {
        return;
    }
    struct recovery *recovery = NULL;
    if (datapath->recovery_count < SLIM_DATAPATH_RECOVERIES_MAX &&
        slim_datapath_slow_has_table_room(datapath)) {
        recovery = slim_heap_take_zeroed(datapath->heap, 1, sizeof(*recovery));
    }
    if (recovery == NULL) {
        datapath->stats.unkept_count += conn->peer.subscription_count;
        return;
    }
    recovery->datapath = datapath;
    memcpy(recovery->link_id, conn->link_id, sizeof(recovery->link_id));
    recovery->expires_ms = slim_loop_now_ms(datapath->loop) + datapath->options.recovery_ttl_ms;
    slim_list_init(&recovery->node);
    slim_list_put_last(&datapath->recoveries, &recovery->node);
    datapath->recovery_count++;
    slim_routes_each(datapath->routes, &conn->peer, keep_one, recovery);
    if (!slim_timer_is_set(&datapath->recovery_timer)) {
        slim_timer_set(datapath->loop, &datapath->recovery_timer, recovery->expires_ms);
    }
}

/* Put one kept subscription back, for the peer's new connection. */
static void restore_one(struct slim_datapath_conn *conn, struct kept *kept)
{
    struct slim_routes *routes = conn->datapath->routes;
    struct slim_name_text text;
    const uint8_t *from = text_of(kept);
    for (size_t i = 0; i < 3; i++) {
        text.part[i] = slim_view_of(from, kept->part_len[i]);
        from += kept->part_len[i];
    }
    enum slim_status status = SLIM_OK;
    for (uint32_t i = 0; i < kept->reference_count && status == SLIM_OK; i++) {
        status = slim_routes_add(routes, &kept->name, &text, &conn->peer, 0, NULL);
    }
    for (size_t i = 0; i < kept->id_count && status == SLIM_OK; i++) {
        status = slim_routes_add(routes, &kept->name, &text, &conn->peer, kept->ids[i], NULL);
    }
    if (status != SLIM_OK) {
        conn->datapath->stats.unrestored_count++;
        slim_log_limited(&conn->datapath->log_refused, WARN,
                         "subscription of a returning link not restored",
                         SLIM_LOG_U64("conn_index", conn->peer.id),
                         SLIM_LOG_STR("error", slim_status_text(status)));
    }
}

static void recover(struct slim_datapath_conn *conn)
{
    struct slim_datapath *datapath = conn->datapath;
    SLIM_LIST_EACH(node, &datapath->recoveries)
    {
        struct recovery *recovery = SLIM_LIST_ENTRY(node, struct recovery, node);
        if (strcmp(recovery->link_id, conn->link_id) != 0) {
            continue;
        }
        for (struct kept *kept = recovery->subscriptions; kept != NULL; kept = kept->next) {
            restore_one(conn, kept);
        }
        recovery_free(recovery);
    }
}

void slim_datapath_recovery_on_timer(struct slim_timer *timer)
{
    struct slim_datapath *datapath = SLIM_CONTAINER_OF(timer, struct slim_datapath, recovery_timer);
    uint64_t now_ms = slim_loop_now_ms(datapath->loop);
    SLIM_LIST_EACH(node, &datapath->recoveries)
    {
        struct recovery *recovery = SLIM_LIST_ENTRY(node, struct recovery, node);
        if (recovery->expires_ms > now_ms) {
            slim_timer_set(datapath->loop, timer, recovery->expires_ms);
            return;
        }
        recovery_free(recovery);
    }
}

void slim_datapath_recovery_free_all(struct slim_datapath *datapath)
{
    SLIM_LIST_EACH(node, &datapath->recoveries)
    {
        recovery_free(SLIM_LIST_ENTRY(node, struct recovery, node));
    }
}

/* ------------------------------------------------------------------------------------------------ negotiation */

static void note_version(struct slim_datapath_conn *conn, struct slim_view text)
{
    memcpy(conn->peer_version, text.data, text.len);
    conn->peer_version[text.len] = 0;
}

void slim_datapath_negotiate(struct slim_datapath_conn *conn, const struct slim_wire_head *head)
{
    struct slim_datapath *datapath = conn->datapath;
    uint64_t version[3];
    bool is_from_link = conn->kind == SLIM_DATAPATH_CONN_LINK;
    if (head->is_reply != is_from_link || conn->peer_version[0] != 0 ||
        !is_uuid_v4(head->link_id) || head->slim_version.len >= sizeof(conn->peer_version) ||
        !parse_version(head->slim_version, version)) {
        datapath->stats.link_ignored_count++;
        slim_log_limited(&datapath->log_invalid, DEBUG, "link negotiation ignored",
                         SLIM_LOG_U64("conn_index", conn->peer.id));
        return;
    }
    if (is_from_link) {
        if (slim_view_is_equal(head->link_id, slim_view_str(conn->link_id))) {
            note_version(conn, head->slim_version);
        } else {
            datapath->stats.link_ignored_count++;
        }
        return;
    }
    note_version(conn, head->slim_version);
    memcpy(conn->link_id, head->link_id.data, SLIM_DATAPATH_LINK_ID_BYTES);
    recover(conn);
    slim_buf_clear(&datapath->scratch);
    if (slim_wire_put_link(&datapath->scratch, head->link_id, slim_view_str(datapath->slim_version),
                           true) == SLIM_OK) {
        slim_datapath_put_own(conn);
    }
}
