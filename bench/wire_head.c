/* CPU time of slim_wire_read_head per message.
 *
 *   wire_head [rounds]
 *
 * Rows: one message again and again (the branch predictor knows it), 64 messages of different senders in turn (closer to a
 * node), each with the fast reader in front and with the general one alone. Best of five runs each. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "wire/head.h"
#include "wire/session_message.h"

enum { SENDERS = 64, RUNS = 5, PAYLOAD_BYTES = 128, ROUNDS_DEFAULT = 1000000 };

static struct slim_buf messages[SENDERS];

static void put_message(unsigned which, struct slim_buf *out)
{
    static const uint8_t payload[PAYLOAD_BYTES] = {1, 2, 3};
    char app[16];
    (void)snprintf(app, sizeof(app), "app-%u", which % 1000); /* fits */
    struct slim_name_text source = {{SLIM_VIEW("agntcy"), SLIM_VIEW("demo"), slim_view_str(app)}};
    struct slim_name_text destination = {
        {SLIM_VIEW("agntcy"), SLIM_VIEW("demo"), SLIM_VIEW("channel")}};
    struct slim_wire_session_message message = {
        .head =
            {
                .source = {.name = slim_name_of(&source, 0x9e3779b97f4a7c15U * (which + 1)),
                           .text = source,
                           .is_present = true},
                .destination = {.name = slim_name_of(&destination, SLIM_NAME_ANY),
                                .text = destination,
                                .is_present = true},
                .fanout = 256,
                .identity = SLIM_VIEW(
                    "agntcy/demo/alice/ffffffffffffffff_ZnDLvB7z:1795342582:diPYuTvOdsw2FBEu:"
                    "eyJwdWJrZXkiOiJBQkNERUZHSElKS0xNTk9Q:FYJwA2LpdrV_K8SL5IgGGtywlLrUJ5tlrROKl8I"),
                .has_incoming_conn = true,
                .session_type = SLIM_WIRE_SESSION_MULTICAST,
                .session_message_type = SLIM_WIRE_TYPE_MSG,
                .session_id = 191755237,
                .message_id = which + 1,
            },
        .payload = {.kind = SLIM_WIRE_PAYLOAD_APP,
                    .app = {.payload_type = SLIM_VIEW("msg"),
                            .blob = slim_view_of(payload, PAYLOAD_BYTES)}},
    };
    if (slim_wire_put_session_message(out, &message) != SLIM_OK) {
        abort();
    }
}

typedef enum slim_status reader(struct slim_view msg, struct slim_wire_head *head);

static double run_once(reader *read, unsigned sender_count, uint64_t rounds)
{
    uint64_t sum = 0;
    uint64_t start = slim_clock_thread_cpu_ns();
    for (uint64_t i = 0; i < rounds; i++) {
        struct slim_wire_head head;
        if (read(slim_buf_view(&messages[i % sender_count]), &head) != SLIM_OK) {
            abort();
        }
        sum += head.fanout + (uint64_t)head.destination.name.id;
    }
    uint64_t end = slim_clock_thread_cpu_ns();
    if (sum == 1) { /* the results are used */
        puts("");
    }
    return (double)(end - start) / (double)rounds;
}

static void run(const char *name, reader *read, unsigned sender_count, uint64_t rounds)
{
    double best = run_once(read, sender_count, rounds);
    for (int i = 1; i < RUNS; i++) {
        double ns = run_once(read, sender_count, rounds);
        best = ns < best ? ns : best;
    }
    printf("%-40s %7.1f ns per message\n", name, best);
}

static enum slim_status read_with_memo(struct slim_view msg, struct slim_wire_head *head)
{
    static struct slim_wire_memo memo;
    return slim_wire_read_head_memo(msg, head, &memo);
}

int main(int argc, char **argv)
{
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : ROUNDS_DEFAULT;
    if (rounds == 0) {
        fprintf(stderr, "usage: wire_head [rounds]\n");
        return 2;
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        put_message(i, &messages[i]);
    }
    printf("message: %zu bytes, payload %d\n", messages[0].len, PAYLOAD_BYTES);
    run("read_head, one message", slim_wire_read_head, 1, rounds);
    run("read_head, 64 senders", slim_wire_read_head, SENDERS, rounds);
    run("with memo, one message", read_with_memo, 1, rounds);
    run("with memo, 64 senders", read_with_memo, SENDERS, rounds);
    run("general reader, one message", slim_wire_read_head_any, 1, rounds);
    run("general reader, 64 senders", slim_wire_read_head_any, SENDERS, rounds);
    for (unsigned i = 0; i < SENDERS; i++) {
        slim_buf_fini(&messages[i]);
    }
    return 0;
}
