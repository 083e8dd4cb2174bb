/* Publish messages as sessions read and write them: header, session header, payload, metadata (spec wire.md 2, session.md 2).
 *
 * One struct serves both directions: what was read can be written again. A reader allocates nothing; every view points into
 * the message it was given. A writer allocates only in its output buffer. */
#ifndef SLIM_WIRE_SESSION_MESSAGE_H
#define SLIM_WIRE_SESSION_MESSAGE_H

#include "wire/wire.h"

enum slim_wire_session_type {
    SLIM_WIRE_SESSION_UNSPECIFIED = 0,
    SLIM_WIRE_SESSION_POINT_TO_POINT = 1,
    SLIM_WIRE_SESSION_MULTICAST = 2,
};

/* 5 .. 18 are commands, 1 .. 4 data. */
enum slim_wire_session_message_type {
    SLIM_WIRE_TYPE_UNSPECIFIED = 0,
    SLIM_WIRE_TYPE_MSG = 1,
    SLIM_WIRE_TYPE_MSG_ACK = 2,
    SLIM_WIRE_TYPE_RTX_REQUEST = 3,
    SLIM_WIRE_TYPE_RTX_REPLY = 4,
    SLIM_WIRE_TYPE_DISCOVERY_REQUEST = 5,
    SLIM_WIRE_TYPE_DISCOVERY_REPLY = 6,
    SLIM_WIRE_TYPE_JOIN_REQUEST = 7,
    SLIM_WIRE_TYPE_JOIN_REPLY = 8,
    SLIM_WIRE_TYPE_LEAVE_REQUEST = 9,
    SLIM_WIRE_TYPE_LEAVE_REPLY = 10,
    SLIM_WIRE_TYPE_GROUP_ADD = 11,
    SLIM_WIRE_TYPE_GROUP_REMOVE = 12,
    SLIM_WIRE_TYPE_GROUP_WELCOME = 13,
    SLIM_WIRE_TYPE_GROUP_CLOSE = 14,
    SLIM_WIRE_TYPE_GROUP_PROPOSAL = 15,
    SLIM_WIRE_TYPE_GROUP_ACK = 16,
    SLIM_WIRE_TYPE_GROUP_NACK = 17,
    SLIM_WIRE_TYPE_PING = 18,
};

/* The content of a Publish. NONE: no Content, or none that we know. */
enum slim_wire_payload_kind {
    SLIM_WIRE_PAYLOAD_NONE,
    SLIM_WIRE_PAYLOAD_APP,
    SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST,
    SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY,
    SLIM_WIRE_PAYLOAD_JOIN_REQUEST,
    SLIM_WIRE_PAYLOAD_JOIN_REPLY,
    SLIM_WIRE_PAYLOAD_LEAVE_REQUEST,
    SLIM_WIRE_PAYLOAD_LEAVE_REPLY,
    SLIM_WIRE_PAYLOAD_GROUP_ADD,
    SLIM_WIRE_PAYLOAD_GROUP_REMOVE,
    SLIM_WIRE_PAYLOAD_GROUP_WELCOME,
    SLIM_WIRE_PAYLOAD_GROUP_CLOSE,
    SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL,
    SLIM_WIRE_PAYLOAD_GROUP_ACK,
    SLIM_WIRE_PAYLOAD_GROUP_NACK,
    SLIM_WIRE_PAYLOAD_PING,
};

/* The payload that belongs to a session message type; NONE for a type that we do not know. */
enum slim_wire_payload_kind slim_wire_payload_of_type(int32_t session_message_type);

/* A repeated Name.
 *
 *            names, count                    encoded, number
 * written    what to write                   used when names is NULL: what a reader gave
 * read       names is NULL, count is theirs  walk it with slim_wire_next_name
 *
 * number is the field number in `encoded`. */
struct slim_wire_names {
    const struct slim_wire_name *names;
    size_t count;
    struct slim_view encoded;
    uint32_t number;
};

/* Take the next name off `*names`, which a reader gave: *has is false at the end. The names as walked are those of the
 * message, in its order, complete or not (name->is_complete). SLIM_ERR_MALFORMED cannot happen with a struct from a reader. */
SLIM_MUST_CHECK enum slim_status slim_wire_next_name(struct slim_wire_names *names, bool *has,
                                                     struct slim_wire_name *name);

struct slim_wire_pair {
    struct slim_view key;
    struct slim_view value;
};

/* Message.metadata, in the same two forms as slim_wire_names. Written in the order given; the reference writes any order.
 * A key that occurs twice has its last value; count counts occurrences. */
struct slim_wire_metadata {
    const struct slim_wire_pair *pairs;
    size_t count;
    struct slim_view encoded;
};

/* As slim_wire_next_name. */
SLIM_MUST_CHECK enum slim_status slim_wire_next_pair(struct slim_wire_metadata *metadata, bool *has,
                                                     struct slim_wire_pair *pair);

/* True when `key` is in `metadata` (of either form); *value, unless NULL, is then its value. Cost: one walk. */
bool slim_wire_find_metadata(const struct slim_wire_metadata *metadata, struct slim_view key,
                             struct slim_view *value);

/* Append the metadata alone, of either form, as `encoded` of a reader's. SLIM_ERR_NO_MEMORY: *out holds what it held before. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_metadata(struct slim_buf *out,
                                                        const struct slim_wire_metadata *metadata);

struct slim_wire_app_payload {
    struct slim_view payload_type;
    struct slim_view blob;
};

/* Absent unless is_present. */
struct slim_wire_mls {
    bool is_present;
    uint32_t commit_id;
    struct slim_view content;
};

/* DiscoveryRequest and LeaveRequest; the reference leaves the destination out. */
struct slim_wire_name_request {
    struct slim_wire_name destination;
};

/* channel is absent in point-to-point sessions, the timer in unreliable ones. */
struct slim_wire_join_request {
    bool enable_mls;
    bool has_timer;
    uint32_t timeout_ms;
    uint32_t max_retries;
    struct slim_wire_name channel;
};

struct slim_wire_join_reply {
    bool has_key_package;
    struct slim_view key_package;
};

/* GroupAdd and GroupRemove. */
struct slim_wire_group_change {
    struct slim_wire_name participant;
    struct slim_wire_names participants;
    struct slim_wire_mls mls;
};

struct slim_wire_group_welcome {
    struct slim_wire_names participants;
    struct slim_wire_mls mls;
};

struct slim_wire_group_close {
    struct slim_wire_names participants;
};

struct slim_wire_group_proposal {
    struct slim_wire_name source;
    struct slim_view mls_proposal;
};

/* payload_kind says which member of `payload` is valid. Replies, acks and ping have no fields and no member. */
struct slim_wire_payload {
    enum slim_wire_payload_kind kind;
    union {
        struct slim_wire_app_payload app;
        struct slim_wire_name_request discovery_request;
        struct slim_wire_name_request leave_request;
        struct slim_wire_join_request join_request;
        struct slim_wire_join_reply join_reply;
        struct slim_wire_group_change group_change;
        struct slim_wire_group_welcome group_welcome;
        struct slim_wire_group_close group_close;
        struct slim_wire_group_proposal group_proposal;
    };
};

/* Read: as slim_wire_read_head gives it. Written: kind and fault are not looked at, a Publish comes out. A name is written
 * only when is_present, and then with both of its parts. */
struct slim_wire_session_message {
    struct slim_wire_head head;
    struct slim_wire_payload payload;
    struct slim_wire_metadata metadata;
};

/* Read one Publish, all of it. A single Name, ApplicationPayload or command that occurs twice where protobuf would merge
 * them: the last Name inside a command counts, and the participants of the last command that has any; the rest is merged.
 *   SLIM_ERR_MALFORMED   as slim_wire_read_head
 *   SLIM_ERR_INVALID     not a Publish, or one with a fault
 * *message is unspecified unless SLIM_OK. */
SLIM_MUST_CHECK enum slim_status
slim_wire_read_session_message(struct slim_view msg, struct slim_wire_session_message *message);

/* Append one Publish: fields ascend and defaults are omitted, byte for byte as the reference encodes. All strings must be
 * valid UTF-8 (an assertion checks it in test builds). SLIM_ERR_NO_MEMORY: *out holds what it held before. */
SLIM_MUST_CHECK enum slim_status
slim_wire_put_session_message(struct slim_buf *out,
                              const struct slim_wire_session_message *message);

#endif
