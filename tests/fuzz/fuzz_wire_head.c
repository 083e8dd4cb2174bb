/* Any bytes as a message: both readers of the head agree, and stripping keeps everything but the three connection fields. */
#include <stdlib.h>

#include "wire/head.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_same_name(const struct slim_wire_name *a, const struct slim_wire_name *b)
{
    REQUIRE(slim_name_is_equal(&a->name, &b->name));
    for (size_t i = 0; i < SLIM_COUNT(a->text.part); i++) {
        REQUIRE(slim_view_is_equal(a->text.part[i], b->text.part[i]));
    }
    REQUIRE(a->is_present == b->is_present && a->is_complete == b->is_complete);
}

static void require_same_head(const struct slim_wire_head *a, const struct slim_wire_head *b)
{
    REQUIRE(a->kind == b->kind && a->fault == b->fault);
    require_same_name(&a->source, &b->source);
    require_same_name(&a->destination, &b->destination);
    REQUIRE(a->fanout == b->fanout && a->has_error == b->has_error && a->error == b->error);
    REQUIRE(slim_view_is_equal(a->identity, b->identity));
    REQUIRE(a->subscription_id == b->subscription_id && a->has_session == b->has_session);
    REQUIRE(a->session_type == b->session_type &&
            a->session_message_type == b->session_message_type);
    REQUIRE(a->session_id == b->session_id && a->message_id == b->message_id);
    REQUIRE(slim_view_is_equal(a->link_id, b->link_id) &&
            slim_view_is_equal(a->slim_version, b->slim_version));
    REQUIRE(a->is_reply == b->is_reply && a->success == b->success);
    REQUIRE(slim_view_is_equal(a->error_text, b->error_text));
}

static void require_same_connections(const struct slim_wire_head *a, const struct slim_wire_head *b)
{
    REQUIRE(a->has_recv_from == b->has_recv_from && a->recv_from == b->recv_from);
    REQUIRE(a->has_forward_to == b->has_forward_to && a->forward_to == b->forward_to);
    REQUIRE(a->has_incoming_conn == b->has_incoming_conn && a->incoming_conn == b->incoming_conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slim_view msg = slim_view_of(data, size);
    struct slim_wire_head head;
    struct slim_wire_head fast;
    enum slim_status status = slim_wire_read_head_any(msg, &head);
    REQUIRE(status == SLIM_OK || status == SLIM_ERR_MALFORMED);
    if (slim_wire_read_head_fast(msg, &fast, NULL)) {
        REQUIRE(status == SLIM_OK);
        require_same_head(&head, &fast);
        require_same_connections(&head, &fast);
    }
    static struct slim_wire_memo memo;
    for (int i = 0; i < 3; i++) {
        REQUIRE(slim_wire_read_head_memo(msg, &fast, &memo) == status);
        if (status == SLIM_OK) {
            require_same_head(&head, &fast);
            require_same_connections(&head, &fast);
        }
    }
    if (status != SLIM_OK) {
        return 0;
    }
    struct slim_buf out = {.len = 0};
    struct slim_wire_head stripped;
    REQUIRE(slim_wire_put_stripped(&out, msg) == SLIM_OK);
    REQUIRE(out.len <= msg.len);
    REQUIRE(slim_wire_read_head(slim_buf_view(&out), &stripped) == SLIM_OK);
    require_same_head(&head, &stripped);
    REQUIRE(!stripped.has_recv_from && !stripped.has_forward_to && !stripped.has_incoming_conn);
    slim_buf_fini(&out);
    return 0;
}
