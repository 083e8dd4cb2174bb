/* The parts of mls-driver: mls_driver.c reads commands and runs the engine, mls_driver_group.c is the session flow of moderator and
 * participant, mls_driver_send.c is what both stand on. A failure that no test can cause ends the process. */
#ifndef SLIM_TESTS_INTEROP_MLS_DRIVER_H
#define SLIM_TESTS_INTEROP_MLS_DRIVER_H

#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "datapath/datapath.h"
#include "mls/profile.h"
#include "wire/session_message.h"

enum {
    NAME_PART_MAX = 128,
    MEMBERS_MAX = 32,
    SESSIONS_MAX = 16,
    SEEN_MAX = 256,     /* message ids remembered of one sender, a ring */
    ANSWERED_MAX = 32,  /* requests whose answers are remembered, a ring */
    WAITS_MAX = 4096,   /* answers that are waited for */
    REQUESTS_MAX = 64,  /* requests that are repeated while an answer is missing */
    COMMANDS_MAX = 32,  /* commands that are under way */
    LINE_MAX = 1 << 20, /* longest command */
    READ_BYTES = 65536,
    PING_TICKS = 10,
    INTERVAL_MS = 1000,
    RETRY_COUNT = 10,
    FANOUT_ALL = 256,
};

struct name {
    struct slim_name_key name;
    char part[3][NAME_PART_MAX];
};

/* Another member. leaf is known at a moderator only. seen: numbers of its messages that were delivered. */
struct member {
    struct name name;
    uint32_t leaf;
    uint32_t seen[SEEN_MAX];
    size_t seen_count;
};

struct session {
    uint32_t id;
    bool is_moderator;
    bool
        is_over; /* closed or removed; kept to be looked at, until a session of the same id comes */
    struct name channel;
    struct name moderator;
    struct member members[MEMBERS_MAX];
    size_t member_count;
    struct slim_mls_group *group; /* NULL until the welcome */
    uint32_t commit_id;
    uint32_t message_id;
};

/* A request that was answered, in case that it comes again. */
struct answered {
    uint32_t session_id;
    int32_t type;
    uint32_t message_id;
};

enum phase {
    PHASE_PUBLISH,
    PHASE_DISCOVER,
    PHASE_JOIN,
    PHASE_WELCOME,
    PHASE_REMOVE,
    PHASE_LEAVE,
    PHASE_CLOSE
};

/* A command under way: answered when nothing is left to wait for in its last phase. */
struct command {
    bool is_used;
    int64_t id;
    enum phase phase;
    struct session *session;
    struct name peer;
};

struct wait {
    struct command *command;
    int32_t type;
    uint32_t message_id;
    struct slim_name_key from;
};

/* A moderator's request, repeated while an answer to it is missing: through a reference node, a 1.0.1 client that had just subscribed
 * did not always get the first DISCOVERY_REQUEST. */
struct request {
    struct command *command; /* NULL: free */
    uint32_t message_id;
    bool is_new; /* sent in this interval */
    struct slim_buf bytes;
};

/* A message that waits for the end of the turn. */
struct incoming {
    struct incoming *next;
    struct slim_buf bytes;
};

struct driver {
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    struct slim_watch input;
    struct slim_buf line;
    struct slim_task task;
    struct slim_timer tick;
    unsigned tick_count;
    struct incoming *inbox;
    struct incoming **inbox_end; /* where the next one is put */
    uint64_t app_conn;
    uint64_t node_conn;
    bool is_connected;
    bool is_subscribed;
    bool is_lingering;
    bool has_plain_adds; /* no path in commits that add, as the reference does */
    int64_t start_id;
    struct name self;
    struct slim_auth_provider *provider;
    struct slim_auth_verifier *verifier;
    struct slim_mls_profile profile;
    struct slim_mls_client *mls;
    struct session *sessions[SESSIONS_MAX];
    struct answered answered[ANSWERED_MAX];
    size_t answered_count;
    struct command commands[COMMANDS_MAX];
    struct wait waits[WAITS_MAX];
    size_t wait_count;
    struct request requests[REQUESTS_MAX];
};

/* A test program without memory, or with a broken environment, has nothing left to do. */
static inline void require(enum slim_status status, const char *what)
{
    if (status != SLIM_OK) {
        (void)fprintf(stderr, "mls-driver: %s: %s\n", what,
                      slim_status_text(status)); /* nobody to tell */
        exit(1);
    }
}

static inline void require_mls(enum slim_mls_status status, const char *what)
{
    require((enum slim_status)status, what);
}

static inline struct slim_mls_view mls_view(struct slim_view view)
{
    return (struct slim_mls_view){view.data, view.len};
}

static inline struct slim_view buf_view(const struct slim_mls_buf *buf)
{
    return slim_view_of(buf->data, buf->len);
}

static inline uint64_t wall_s(void)
{
    return slim_clock_wall_us() / 1000000;
}

static inline uint32_t random_id(void)
{
    return (uint32_t)slim_random_u64();
}

/* ---- mls_driver_send.c */

/* False: incomplete or too long. */
bool driver_name_read(const struct slim_wire_name *from, struct name *name);

/* Borrows the texts of `name`. */
struct slim_wire_name driver_name_out(const struct name *name);

/* "a/b/c" or "a/b/c/<id>"; the id is left out of the result. */
bool driver_name_parse(struct slim_view text, struct name *name);
void driver_put_name(struct slim_buf *out, const struct name *name);

/* Close the object in *line and write it; *line is empty then. */
void driver_write_line(struct slim_buf *line);
void driver_answer(int64_t id);
void driver_refuse(int64_t id, const char *why);
struct slim_buf driver_begin_event(const char *event, const struct session *session);
void driver_emit(const char *event, const struct session *session);
void driver_emit_error(const char *event, const struct session *session, const char *what,
                       const char *why);

/* `to` must live until the message is sent. */
struct slim_wire_session_message driver_new_message(const struct driver *driver,
                                                    uint32_t session_id, int32_t type,
                                                    uint32_t message_id, const struct name *to);

/* With a token, to the node. */
void driver_send_message(struct driver *driver, struct slim_wire_session_message *message);

/* As driver_send_message, and again each interval while an answer is waited for. */
void driver_send_request(struct driver *driver, struct command *command,
                         struct slim_wire_session_message *message);
void driver_repeat_requests(struct driver *driver);

/* Answer a request and remember that. */
void driver_send_answer(struct driver *driver, const struct slim_wire_head *request,
                        struct slim_wire_session_message *reply);
void driver_send_simple_answer(struct driver *driver, const struct slim_wire_head *request,
                               const struct name *to, int32_t type);

/* True when the request was answered before. It must not be answered again: a reference moderator dies of an answer that it does
 * not wait for any more (session.md 8), and over one link to one node no answer is lost. */
bool driver_is_repeated(const struct driver *driver, const struct slim_wire_head *head);
void driver_subscribe(struct driver *driver, const struct name *name, bool is_unsubscribe);
struct session *driver_session_find(struct driver *driver, uint32_t id);

/* End all commands in this session with "session closed". */
void driver_session_fail(struct driver *driver, const struct session *session);
void driver_session_free(struct driver *driver, struct session *session);

/* Replaces a session of the same id. NULL: too many. */
struct session *driver_session_new(struct driver *driver, uint32_t id, const struct name *channel,
                                   const struct name *moderator);

/* By full name, or by the strings alone when the id is SLIM_NAME_ANY. NULL: none. */
struct member *driver_member_find(struct session *session, const struct slim_name_key *name);
void driver_member_add(struct driver *driver, struct session *session, const struct name *name,
                       uint32_t leaf);
void driver_member_remove(struct driver *driver, struct session *session,
                          const struct slim_name_key *name);
struct command *driver_command_new(struct driver *driver, int64_t id, enum phase phase,
                                   struct session *session);
void driver_wait_for(struct driver *driver, struct command *command, int32_t type,
                     uint32_t message_id, const struct slim_name_key *from);
void driver_wait_for_all(struct driver *driver, struct command *command, int32_t type,
                         uint32_t message_id);
bool driver_is_waiting(const struct driver *driver, const struct command *command);

/* The command that has waited for this message and now waits for nothing more; else NULL. */
struct command *driver_take_wait(struct driver *driver, const struct slim_wire_head *head);

/* Answer the command; error is NULL when all went well. */
void driver_command_end(struct driver *driver, struct command *command, const char *error);

/* ---- mls_driver_group.c */

/* A moderator's tasks begin; answers of members carry them on. */
void driver_discover(struct driver *driver, struct command *command);
void driver_remove_member(struct driver *driver, struct command *command);
void driver_refresh(struct driver *driver, struct command *command);
void driver_close_group(struct driver *driver, struct command *command);

/* Each interval: repeats requests, and keeps the sessions of a moderator alive. */
void driver_on_tick(struct slim_timer *timer);

/* Messages in. */
void driver_on_discovery(struct driver *driver, const struct slim_wire_session_message *message);
void driver_on_join_request(struct driver *driver, const struct slim_wire_session_message *message);
void driver_on_session_message(struct driver *driver, struct session *session,
                               const struct slim_wire_session_message *message);
void driver_publish(struct driver *driver, struct command *command, struct slim_view text);

#endif
