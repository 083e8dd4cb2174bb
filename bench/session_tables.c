/* session_tables: CPU time and memory of the sender's and the receiver's table and of MLS in a session, without any I/O.
 *
 *   send       publish one message to N members and take N acknowledgements, 64 messages on the way; per message, and per
 *              acknowledgement
 *   receive    look at and take one message, from N members in turn, all in order; with every 100th overtaken by 8 others (it is asked
 *              for); the look alone at a duplicate
 *   tick       one call when nothing is due
 *   seal, open one message in an MLS session
 *   memory     of an idle table, of one more member, of a message on the way and of one that waits, in bytes of malloc
 *
 * Nanoseconds of CPU of this thread; the smallest of 7 runs of each. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "session/crypt.h"
#include "session/receiver.h"

enum { RUNS = 7, MESSAGES = 100000, PAYLOAD = 1024, AHEAD = 64, SEALED = 4000 };

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != SLIM_OK) {                                                                   \
            fprintf(stderr, "%s\n", #call);                                                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint8_t payload[PAYLOAD];
static const struct slim_session_sender_options options = {
    .is_reliable = true, .interval_ms = 1000, .max_retries = 10};
static uint64_t done;
static uint32_t asked[MESSAGES];
static size_t asked_count;

static enum slim_status transmit(void *ctx, struct slim_session_outgoing *message, uint32_t slot)
{
    (void)ctx;
    (void)slot;
    done += message->message_id;
    return SLIM_OK;
}

static void answer_rtx(void *ctx, uint32_t slot, uint32_t message_id,
                       struct slim_session_outgoing *message)
{
    (void)ctx;
    (void)slot;
    (void)message_id;
    (void)message;
}

static void complete(void *ctx, uint64_t op, uint32_t message_id, enum slim_status status)
{
    (void)ctx;
    (void)message_id;
    done += op + (uint64_t)status;
}

static void writable(void *ctx)
{
    (void)ctx;
}

static void deliver(void *ctx, uint32_t slot, const struct slim_session_origin *origin,
                    const struct slim_session_content *content)
{
    (void)ctx;
    (void)slot;
    done += origin->message_id + content->blob.len;
}

static void lost(void *ctx, uint32_t slot, uint32_t message_id, bool is_answered)
{
    (void)ctx;
    (void)slot;
    (void)message_id;
    (void)is_answered;
    abort(); /* nothing is lost here */
}

static void request(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    (void)ctx;
    (void)slot;
    (void)conn_id;
    asked[asked_count++ % MESSAGES] = message_id;
}

static void ask_base(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    (void)ctx;
    (void)slot;
    (void)message_id;
    (void)conn_id;
    abort(); /* everybody is heard from the start */
}

static const struct slim_session_sender_owner sender_owner = {NULL, transmit, answer_rtx, complete,
                                                              writable};
static const struct slim_session_receiver_owner receiver_owner = {NULL, deliver, lost, request,
                                                                  ask_base};

static struct slim_session_sender *sender_with(uint32_t members)
{
    struct slim_session_sender *sender;
    MUST(slim_session_sender_new(&options, &sender_owner, &sender));
    for (uint32_t slot = 0; slot < members; slot++) {
        MUST(slim_session_sender_add(sender, slot, 0));
    }
    return sender;
}

static struct slim_session_receiver *receiver_with(uint32_t members)
{
    struct slim_session_receiver *receiver;
    MUST(slim_session_receiver_new(&options, &receiver_owner, &receiver));
    for (uint32_t slot = 0; slot < members; slot++) {
        MUST(slim_session_receiver_add(receiver, slot, SLIM_SESSION_FROM_START));
    }
    return receiver;
}

static struct slim_session_content content(void)
{
    return (struct slim_session_content){.payload_type = SLIM_VIEW("msg"),
                                         .blob = slim_view_of(payload, sizeof(payload))};
}

/* ---- time; each returns nanoseconds of one run */

static uint64_t send_run(uint32_t members, uint32_t messages)
{
    struct slim_session_sender *sender = sender_with(members);
    struct slim_session_content said = content();
    uint64_t start = slim_clock_thread_cpu_ns();
    for (uint32_t i = 1; i <= messages + AHEAD; i++) {
        if (i <= messages) {
            MUST(slim_session_sender_publish(sender, i / 1000, &said, i, NULL));
        }
        for (uint32_t slot = 0; i > AHEAD && slot < members; slot++) {
            slim_session_sender_take_ack(sender, i / 1000, slot, i - AHEAD);
        }
    }
    uint64_t took = slim_clock_thread_cpu_ns() - start;
    if (slim_session_sender_pending(sender) != 0) {
        abort();
    }
    slim_session_sender_free(sender);
    return took;
}

static void receive_one(struct slim_session_receiver *receiver, uint32_t slot, uint32_t number)
{
    struct slim_session_origin origin = {.message_id = number, .conn_id = 1};
    struct slim_session_content said = content();
    if (slim_session_receiver_look(receiver, slot, number, false, PAYLOAD) != SLIM_SESSION_NEW) {
        abort();
    }
    MUST(slim_session_receiver_take(receiver, 1, slot, &origin, &said));
}

static uint64_t receive_run(uint32_t members, uint32_t messages)
{
    struct slim_session_receiver *receiver = receiver_with(members);
    uint64_t start = slim_clock_thread_cpu_ns();
    for (uint32_t i = 0; i < messages; i++) {
        receive_one(receiver, i % members, i / members + 1);
    }
    uint64_t took = slim_clock_thread_cpu_ns() - start;
    slim_session_receiver_free(receiver);
    return took;
}

static uint64_t gap_run(uint32_t members, uint32_t messages)
{
    (void)members;
    struct slim_session_receiver *receiver = receiver_with(1);
    asked_count = 0;
    uint64_t start = slim_clock_thread_cpu_ns();
    for (uint32_t i = 1; i <= messages; i++) {
        if (i % 100 != 1) {
            receive_one(receiver, 0, i);
        }
        if (i % 100 == 9) {
            receive_one(receiver, 0, i - 8);
        }
    }
    uint64_t took = slim_clock_thread_cpu_ns() - start;
    if (asked_count != messages / 100) {
        abort();
    }
    slim_session_receiver_free(receiver);
    return took;
}

static uint64_t duplicate_run(uint32_t members, uint32_t messages)
{
    struct slim_session_receiver *receiver = receiver_with(members);
    receive_one(receiver, 0, 1);
    uint64_t start = slim_clock_thread_cpu_ns();
    for (uint32_t i = 0; i < messages; i++) {
        done += slim_session_receiver_look(receiver, 0, 1, false, PAYLOAD);
    }
    uint64_t took = slim_clock_thread_cpu_ns() - start;
    slim_session_receiver_free(receiver);
    return took;
}

static uint64_t tick_run(uint32_t members, uint32_t messages)
{
    struct slim_session_sender *sender = sender_with(members);
    struct slim_session_receiver *receiver = receiver_with(members);
    struct slim_session_content said = content();
    for (uint32_t i = 0; i < SLIM_SESSION_SEND_WINDOW; i++) {
        MUST(slim_session_sender_publish(sender, 0, &said, i, NULL));
    }
    receive_one(receiver, 0, 40);
    uint64_t start = slim_clock_thread_cpu_ns();
    for (uint32_t i = 0; i < messages; i++) {
        done += slim_session_sender_tick(sender, 1);
        done += slim_session_receiver_tick(receiver, 1);
    }
    uint64_t took = slim_clock_thread_cpu_ns() - start;
    slim_session_sender_free(sender);
    slim_session_receiver_free(receiver);
    return took;
}

static double best(uint64_t (*run)(uint32_t, uint32_t), uint32_t members, uint32_t messages)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < RUNS; i++) {
        uint64_t took = run(members, messages);
        least = took < least ? took : least;
    }
    return (double)least / messages;
}

/* ---- memory */

static size_t in_use(void)
{
    return mallinfo2().uordblks;
}

static void memory(void)
{
    enum { TABLES = 100, MEMBERS = 100 };
    static struct slim_session_sender *senders[TABLES];
    static struct slim_session_receiver *receivers[TABLES];
    struct slim_session_content said = content();
    size_t before = in_use();
    for (size_t i = 0; i < TABLES; i++) {
        senders[i] = sender_with(1);
        receivers[i] = receiver_with(1);
    }
    size_t idle = (in_use() - before) / TABLES;
    before = in_use();
    for (uint32_t slot = 1; slot < MEMBERS; slot++) {
        MUST(slim_session_sender_add(senders[0], slot, 0));
        MUST(slim_session_receiver_add(receivers[0], slot, SLIM_SESSION_FROM_START));
    }
    size_t member = (in_use() - before) / (MEMBERS - 1);
    before = in_use();
    for (uint32_t i = 0; i < SLIM_SESSION_SEND_WINDOW; i++) {
        MUST(slim_session_sender_publish(senders[0], 0, &said, i, NULL));
    }
    size_t sent = (in_use() - before) / SLIM_SESSION_SEND_WINDOW;
    before = in_use();
    for (uint32_t i = 2; i < 2 + SLIM_SESSION_SEND_WINDOW; i++) {
        receive_one(receivers[0], 0, i);
    }
    size_t waiting = (in_use() - before) / SLIM_SESSION_SEND_WINDOW;
    printf("memory: sender and receiver of one member, idle %zu; one more member %zu; message of "
           "%d bytes on the way %zu (100 "
           "members), waiting for its turn %zu\n",
           idle, member, PAYLOAD, sent, waiting);
    for (size_t i = 0; i < TABLES; i++) {
        slim_session_sender_free(senders[i]);
        slim_session_receiver_free(receivers[i]);
    }
}

/* ---- MLS */

static bool is_source(void *ctx, struct slim_view subject, const struct slim_name_key *name)
{
    (void)ctx;
    return subject.len > 0 && subject.data[0] == (uint8_t)name->id;
}

static enum slim_status read_credential(void *ctx, struct slim_view token, bool any_age,
                                        struct slim_mls_claims *claims, struct slim_error *error)
{
    (void)ctx;
    (void)any_age;
    (void)error;
    claims->subject = token;
    return SLIM_OK;
}

static enum slim_mls_status check(void *ctx, const struct slim_mls_check *asking,
                                  struct slim_mls_view *name)
{
    (void)ctx;
    *name = asking->credential.data;
    return SLIM_MLS_OK;
}

static uint64_t now_s(void *ctx)
{
    (void)ctx;
    return slim_clock_wall_us() / 1000000;
}

static void fill(void *ctx, void *out, size_t len)
{
    (void)ctx;
    slim_random_fill(out, len);
}

static struct slim_mls_client *client_new(const char *subject)
{
    struct slim_mls_client_config config = {
        .cipher_suite = 1,
        .credential = {SLIM_MLS_CREDENTIAL_BASIC, {(const uint8_t *)subject, strlen(subject)}},
        .callbacks = {.check_credential = check, .now_s = now_s, .random = fill},
    };
    struct slim_mls_buf private_key;
    struct slim_mls_buf public_key;
    struct slim_mls_client *client;
    slim_mls_profile_policy(&config.policy);
    MUST((enum slim_status)slim_mls_signature_key_new(1, &config.callbacks, &private_key,
                                                      &public_key));
    config.signature_key = (struct slim_mls_view){private_key.data, private_key.len};
    MUST((enum slim_status)slim_mls_client_new(&config, &client));
    slim_mls_buf_free(&private_key);
    slim_mls_buf_free(&public_key);
    return client;
}

static void mls(void)
{
    struct slim_mls_client *clients[2] = {client_new("a"), client_new("b")};
    const struct slim_name_key names[2] = {{{1, 2, 3}, 'a'}, {{1, 2, 3}, 'b'}};
    struct slim_session_crypt *crypts[2];
    for (size_t i = 0; i < 2; i++) {
        struct slim_session_crypt_options given = {clients[i], NULL, is_source, read_credential,
                                                   false};
        MUST(slim_session_crypt_new(&given, &crypts[i]));
    }
    struct slim_buf package = {0};
    struct slim_session_commit commit = {0};
    MUST(slim_session_crypt_create(crypts[0]));
    MUST(slim_session_crypt_key_package(crypts[1], &package));
    struct slim_view view = slim_buf_view(&package);
    MUST(slim_session_crypt_change(crypts[0], &view, &names[1], 1, NULL, 0, &commit, NULL));
    MUST(slim_session_crypt_join(crypts[1], 1, slim_buf_view(&commit.welcome), &names[0], NULL));

    struct slim_buf sealed = {0};
    struct slim_buf plain = {0};
    uint64_t epoch;
    uint64_t seal_ns = 0;
    uint64_t open_ns = 0;
    for (int i = 0; i < SEALED; i++) {
        uint64_t start = slim_clock_thread_cpu_ns();
        MUST(slim_session_crypt_seal(crypts[0], slim_view_of(payload, sizeof(payload)), &sealed,
                                     &epoch));
        uint64_t middle = slim_clock_thread_cpu_ns();
        slim_buf_clear(&plain);
        MUST(slim_session_crypt_open(crypts[1], &names[0], slim_buf_view(&sealed), &plain));
        open_ns += slim_clock_thread_cpu_ns() - middle;
        seal_ns += middle - start;
    }
    printf("mls: seal %.1f us, open %.1f us (%d bytes, mean of %d)\n",
           (double)seal_ns / SEALED / 1000, (double)open_ns / SEALED / 1000, PAYLOAD, SEALED);
    slim_buf_fini(&sealed);
    slim_buf_fini(&plain);
    slim_buf_fini(&package);
    slim_session_commit_fini(&commit);
    for (size_t i = 0; i < 2; i++) {
        slim_session_crypt_free(crypts[i]);
        slim_mls_client_free(clients[i]);
    }
}

int main(void)
{
    static const uint32_t sizes[] = {1, 8, 100};
    for (size_t i = 0; i < SLIM_COUNT(sizes); i++) {
        uint32_t members = sizes[i];
        double send_ns = best(send_run, members, members > 8 ? MESSAGES / 10 : MESSAGES);
        double receive_ns = best(receive_run, members, MESSAGES);
        printf("%3u members: send %7.1f ns (%5.1f per acknowledgement), receive %5.1f ns\n",
               members, send_ns, send_ns / members, receive_ns);
    }
    printf("receive with 1%% out of order %.1f ns, look at a duplicate %.1f ns, tick of both "
           "tables %.1f ns\n",
           best(gap_run, 1, MESSAGES), best(duplicate_run, 1, MESSAGES),
           best(tick_run, 1, MESSAGES));
    memory();
    mls();
    return done == 0; /* never: it keeps the loops alive */
}
