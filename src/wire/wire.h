/* Messages of dataplane.proto.v1 (spec wire.md 2-4, 9, 11): reading without decoding, and writing. No I/O.
 *
 * Nothing outside src/wire sees a protobuf field number. The node reads the head of a message and passes the received
 * bytes on; sessions read and write whole messages (wire/session_message.h). */
#ifndef SLIM_WIRE_WIRE_H
#define SLIM_WIRE_WIRE_H

#include "base/buf.h"
#include "base/name.h"
#include "wire/field.h"

enum {
    SLIM_WIRE_MESSAGE_BYTES_MAX =
        4194304, /* receive limit of every implementation of generation 1 (wire.md 1.4) */
};

enum slim_wire_kind {
    SLIM_WIRE_NONE, /* no message_type that we know: legal to decode, never valid to act on */
    SLIM_WIRE_SUBSCRIBE,
    SLIM_WIRE_UNSUBSCRIBE,
    SLIM_WIRE_PUBLISH,
    SLIM_WIRE_LINK,
    SLIM_WIRE_SUBSCRIPTION_ACK,
};

/* Why a decodable message is dropped (wire.md 9.1, 9.3), in the order of the checks. */
enum slim_wire_fault {
    SLIM_WIRE_FAULT_NONE,
    SLIM_WIRE_FAULT_NO_MESSAGE_TYPE,
    SLIM_WIRE_FAULT_NO_HEADER,
    SLIM_WIRE_FAULT_NO_SOURCE,
    SLIM_WIRE_FAULT_NO_DESTINATION,
    SLIM_WIRE_FAULT_NO_ENCODED_NAME, /* a Name without EncodedName or without StringName kills a reference stream */
    SLIM_WIRE_FAULT_NO_SESSION_HEADER,
    SLIM_WIRE_FAULT_NO_LINK_TYPE,
};

/* The reference's text for a fault ("source not found", ...). */
const char *slim_wire_fault_text(enum slim_wire_fault fault);

/* A name on the wire. is_present: the field was there; is_complete: both EncodedName and StringName were. */
struct slim_wire_name {
    struct slim_name_key name;
    struct slim_name_text text;
    bool is_present;
    bool is_complete;
};

/* What the node needs to know of a message. Views point into the message. Fields of other kinds are zero.
 *
 * kind                       fault            what the rest means
 * SUBSCRIBE, UNSUBSCRIBE     header rules     source, destination, header fields, subscription_id
 * PUBLISH                    header rules     source, destination, header fields, session fields
 * LINK                       NO_LINK_TYPE     link_id, slim_version, is_reply
 * SUBSCRIPTION_ACK           never            subscription_id, success, error_text
 * NONE                       NO_MESSAGE_TYPE  nothing */
struct slim_wire_head {
    enum slim_wire_kind kind;
    enum slim_wire_fault fault;
    struct slim_wire_name source;
    struct slim_wire_name destination;
    uint32_t fanout; /* absent is 0: "all" */
    struct slim_view identity;
    bool has_recv_from;
    bool has_forward_to;
    bool has_incoming_conn;
    bool has_error;
    uint64_t recv_from;
    uint64_t forward_to;
    uint64_t incoming_conn;
    bool error;
    uint64_t subscription_id; /* 0: none */

    bool has_session;
    int32_t session_type;
    int32_t session_message_type;
    uint32_t session_id;
    uint32_t message_id;

    struct slim_view link_id;
    struct slim_view slim_version;
    bool is_reply;
    bool success;
    struct slim_view error_text;
};

/* Read the head of `msg` (one whole protobuf Message) and check all of it: a message for which this returns SLIM_OK is
 * decoded without error by every implementation of generation 1, so passing it on never kills a receiver's stream.
 *
 * SLIM_OK              *head is filled; look at head->fault before acting on it
 * SLIM_ERR_MALFORMED   not decodable: bad varint, bad length, wrong wire type of a known field, invalid UTF-8 in any string
 *                      field at any depth, group tags, field number 0; or a header, source, destination that occurs twice
 *                      (allowed by protobuf, sent by nobody; wire.md 2)
 * No nesting is too deep: known messages nest seven levels, unknown fields are not entered, groups are refused.
 * When several message types occur, the last one counts, as in every protobuf library.
 * *head is unspecified unless SLIM_OK. Cost: one pass over the head, no allocation; a blob is skipped, not read. */
SLIM_MUST_CHECK enum slim_status slim_wire_read_head(struct slim_view msg,
                                                     struct slim_wire_head *head);

/* The names of a Publish that came twice in a row: the next one of the same sender mostly has the same, byte for byte. Zeroed is
 * empty. len 0: nothing is remembered; last_trace: of the names read last. Private to src/wire. */
enum { SLIM_WIRE_MEMO_BYTES_MAX = 256 };
struct slim_wire_memo {
    size_t len;
    uint64_t last_trace;
    uint8_t bytes[SLIM_WIRE_MEMO_BYTES_MAX];
    struct slim_wire_name source;
    struct slim_wire_name destination;
};

/* As slim_wire_read_head, and quicker when source and destination are those of the two messages before. The texts of the two names
 * may point into *memo instead of `msg`: they are valid until the next call with it. `memo` may be NULL. */
SLIM_MUST_CHECK enum slim_status slim_wire_read_head_memo(struct slim_view msg,
                                                          struct slim_wire_head *head,
                                                          struct slim_wire_memo *memo);

/* Append `msg` without recv_from, forward_to and incoming_conn, all else byte for byte as it was (unknown fields too).
 * `msg` must have passed slim_wire_read_head. Needed only when the head says that such a field is there.
 * The result is never longer than `msg`. SLIM_ERR_NO_MEMORY: *out holds what it held before. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_stripped(struct slim_buf *out, struct slim_view msg);

/* Everything a Subscribe or Unsubscribe of ours says. Unset optional fields are not written. */
struct slim_wire_subscription {
    bool is_unsubscribe;
    struct slim_name_key source;
    struct slim_name_text source_text;
    struct slim_name_key destination;
    struct slim_name_text destination_text;
    uint32_t fanout; /* 1 in everything the reference writes */
    struct slim_view identity;
    uint64_t subscription_id; /* 0: not written */
    bool has_recv_from;
    bool has_forward_to;
    uint64_t recv_from;
    uint64_t forward_to;
};

/* Append one Message. Fields ascend and defaults are omitted, byte for byte as the reference encodes.
 * SLIM_ERR_NO_MEMORY: *out holds what it held before. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_subscription(struct slim_buf *out,
                                                            const struct slim_wire_subscription *s);
SLIM_MUST_CHECK enum slim_status slim_wire_put_link(struct slim_buf *out, struct slim_view link_id,
                                                    struct slim_view slim_version, bool is_reply);
SLIM_MUST_CHECK enum slim_status slim_wire_put_subscription_ack(struct slim_buf *out,
                                                                uint64_t subscription_id,
                                                                bool success,
                                                                struct slim_view error_text);

#endif
