/* Engines, applications and messages for the tests of src/datapath: all in one loop of one thread. */
#ifndef SLIM_TESTS_DATAPATH_ENGINE_H
#define SLIM_TESTS_DATAPATH_ENGINE_H

#include "datapath/datapath.h"
#include "support/check.h"

/* An application that counts and remembers what it gets. */
struct test_app {
    struct slim_datapath *datapath;
    uint64_t id;
    size_t message_count;
    size_t error_count;
    size_t down_count; /* links that went down, and that came up again */
    size_t up_count;
    uint64_t link_conn; /* the last one of these */
    uint64_t incoming_conn;
    bool is_copied;       /* last and last_error are whole: false when a test makes memory fail */
    struct slim_buf last; /* the last message's bytes */
    struct slim_buf last_error; /* the last error report */
};

void test_app_init(struct test_app *app, struct slim_datapath *datapath);
void test_app_fini(struct test_app *app);

/* "org/ns/<app>" with this id. */
struct slim_wire_name test_name(const char *app, unsigned __int128 id);

/* Fields of a subscription; 0 or false are absent. */
struct test_flags {
    bool has_recv_from;
    uint64_t recv_from;
    bool has_forward_to;
    uint64_t forward_to;
    uint64_t subscription_id;
};

/* Subscribe or unsubscribe; the status of slim_datapath_submit. */
enum slim_status test_subscribe(struct test_app *app, const char *name, unsigned __int128 id,
                                struct test_flags flags);
enum slim_status test_unsubscribe(struct test_app *app, const char *name, unsigned __int128 id,
                                  struct test_flags flags);

/* Publish `blob_len` bytes; the status of slim_datapath_submit. */
enum slim_status test_publish(struct test_app *app, const char *name, unsigned __int128 id,
                              uint32_t fanout, struct test_flags flags, size_t blob_len);

/* Append the protobuf message that test_publish submits, from "org/ns/tester/<source>". */
void test_put_publish(struct slim_buf *out, uint64_t source_id, const char *name,
                      unsigned __int128 id, uint32_t fanout, struct test_flags flags,
                      size_t blob_len);

struct slim_datapath *test_engine_new(struct slim_loop *loop);
struct slim_datapath *test_engine_new_with(struct slim_loop *loop, size_t memory_max);

/* Listen on a free port of 127.0.0.1; *endpoint becomes "http://127.0.0.1:<port>". The port is chosen by us, so that a later
 * engine can take it again. */
void test_engine_listen(struct slim_datapath *datapath, uint16_t port);
uint16_t test_free_port(void);

/* Connect to it with a quick back-off. *conn_id is UINT64_MAX until connected. */
void test_engine_connect(struct slim_datapath *datapath, uint16_t port, const char *link_id,
                         uint64_t *conn_id);

/* Run turns until `condition` (evaluated after each), at most 20 seconds. */
#define TEST_TURN_UNTIL(loop, condition)                                                           \
    do {                                                                                           \
        uint64_t test_end_ms_ = slim_loop_now_ms(loop) + 20000;                                    \
        while (!(condition)) {                                                                     \
            slim_loop_turn(loop, 50);                                                              \
            CHECK_ROW(#condition, slim_loop_now_ms(loop) < test_end_ms_);                          \
        }                                                                                          \
    } while (0)

#endif
