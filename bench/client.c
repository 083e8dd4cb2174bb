/* What an application costs, one role per process; bench/client.py starts them beside a node.
 *
 *   client recv ENDPOINT NAME COUNT            take a session, read COUNT messages
 *   client send ENDPOINT NAME PEER COUNT MLS   publish COUNT messages of 100 bytes, a window of them at a time
 *   client echo ENDPOINT NAME COUNT            send COUNT messages back
 *   client ping ENDPOINT NAME PEER COUNT MLS   one message at a time, there and back
 *   client member ENDPOINT NAME COUNT [FIRST]  applications NAME<FIRST> .. NAME<FIRST+COUNT-1>, a service each, that are invited
 *   client grow ENDPOINT NAME MEMBER COUNT MLS invite MEMBER0 .. MEMBER<COUNT-1>
 *   client idle ENDPOINT NAME SECONDS          be there
 *   client quiet ENDPOINT NAME PEER SECONDS MLS   a session with PEER, a few messages, then be there
 *   client wait ENDPOINT NAME SECONDS          the same at its other end
 *
 * Prints one object of JSON: figures of the role, CPU seconds and memory of its process. */
#include <slim/slim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    PAYLOAD_BYTES = 100,
    PATIENCE_MS = 60000,
    APPS_MAX = 64,
    NS_PER_US = 1000,
    QUIET_MESSAGES = 100
};

static const char secret[] = "a shared secret of at least 32 bytes";
static struct slim_error error;

static void need(enum slim_status status, const char *what)
{
    if (status != SLIM_OK) {
        fprintf(stderr, "Error: %s: %s\n", what, error.text);
        exit(1);
    }
}

static uint64_t soon(void)
{
    return slim_in_ms(PATIENCE_MS);
}

static void finish(struct slim_op *op, const char *what)
{
    need(slim_finish(op, soon(), &error), what);
}

struct side {
    struct slim_service *service;
    struct slim_app *app;
    uint64_t link;
};

static struct slim_name name_of(const char *text)
{
    struct slim_name name;
    need(slim_name_parse(text, &name), text);
    return name;
}

static void join(struct side *side, const char *endpoint, const char *text)
{
    struct slim_name name = name_of(text);
    need(slim_service_new("bench", NULL, &side->service, &error), "service");
    need(slim_connect(side->service, endpoint, soon(), &side->link, &error), "connect");
    need(slim_app_new_with_secret(side->service, &name, secret, &side->app, &error), "application");
    finish(slim_app_subscribe(side->app, &name, side->link, NULL), "subscribe");
}

static void part(struct side *side)
{
    slim_app_unref(side->app);
    slim_service_unref(side->service);
}

static double cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* cannot fail */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A line of a file of /proc about this process, in kilobytes. statm and status are rough where there are threads, smaps_rollup is not. */
static long memory_kb(const char *path, const char *key)
{
    long found = 0;
    char line[256];
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            found = strtol(line + strlen(key), NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file); /* only read */
    }
    return found;
}

/* The last members of an object: what is in memory now, its part that is no file's, and the most there was. */
static void print_memory(void)
{
    printf("\"rss_kb\": %ld, \"own_kb\": %ld, \"peak_kb\": %ld}\n",
           memory_kb("/proc/self/smaps_rollup", "Rss:"),
           memory_kb("/proc/self/smaps_rollup", "Anonymous:"),
           memory_kb("/proc/self/status", "VmHWM:"));
    fflush(stdout);
}

static struct slim_session *open_session(struct side *side, enum slim_session_type type,
                                         const char *peer, bool is_mls)
{
    struct slim_session_config config = {
        .type = type, .enable_mls = is_mls, .max_retries = 10, .interval_ms = 1000};
    struct slim_name name = name_of(peer);
    struct slim_session *session;
    finish(slim_app_set_route(side->app, &name, side->link, NULL), "route");
    need(slim_session_open(side->app, &config, &name, soon(), &session, &error), "session");
    return session;
}

static struct slim_session *listen_one(struct side *side)
{
    struct slim_session *session;
    need(slim_app_listen(side->app, soon(), &session, &error), "listen");
    return session;
}

static void receive(struct slim_session *session, uint8_t *copy)
{
    struct slim_message *message;
    need(slim_session_receive(session, soon(), &message, &error), "receive");
    struct slim_view payload = slim_message_look(message)->payload;
    if (payload.len != PAYLOAD_BYTES) {
        fprintf(stderr, "Error: a message of %zu bytes\n", payload.len);
        exit(1);
    }
    memcpy(copy, payload.data, PAYLOAD_BYTES);
    slim_message_unref(message);
}

/* ---- one way */

static void run_recv(struct side *side, size_t count)
{
    uint8_t copy[PAYLOAD_BYTES];
    struct slim_session *session = listen_one(side);
    receive(session, copy);
    double cpu = cpu_s();
    uint64_t began_ns = slim_now_ns();
    for (size_t i = 1; i < count; i++) {
        uint64_t number;
        receive(session, copy);
        memcpy(&number, copy, sizeof(number));
        if (number != i) {
            fprintf(stderr, "Error: message %zu is number %lu\n", i, (unsigned long)number);
            exit(1);
        }
    }
    double seconds = (double)(slim_now_ns() - began_ns) / 1e9;
    printf("{\"per_s\": %.0f, \"cpu_us\": %.3f, ", (double)(count - 1) / seconds,
           (cpu_s() - cpu) * 1e6 / (double)(count - 1));
    print_memory();
    finish(slim_session_delete(session, NULL), "delete");
    slim_session_unref(session);
}

static void run_send(struct side *side, const char *peer, size_t count, bool is_mls)
{
    uint8_t bytes[PAYLOAD_BYTES] = {0};
    struct slim_payload payload = {.data = bytes, .len = sizeof(bytes)};
    struct slim_session *session = open_session(side, SLIM_POINT_TO_POINT, peer, is_mls);
    double cpu = cpu_s();
    uint64_t began_ns = slim_now_ns();
    for (uint64_t i = 0; i < count; i++) {
        memcpy(bytes, &i, sizeof(i));
        enum slim_status status;
        while ((status = slim_session_try_publish(session, &payload, &error)) == SLIM_AGAIN) {
            finish(slim_session_await_writable(session, NULL), "writable");
        }
        need(status, "publish");
    }
    finish(slim_session_publish(session, &payload, NULL), "the last publish");
    double seconds = (double)(slim_now_ns() - began_ns) / 1e9;
    printf("{\"per_s\": %.0f, \"cpu_us\": %.3f, ", (double)count / seconds,
           (cpu_s() - cpu) * 1e6 / (double)count);
    print_memory();
    finish(slim_session_delete(session, NULL), "delete");
    slim_session_unref(session);
}

/* ---- there and back */

static void run_echo(struct side *side, size_t count)
{
    uint8_t copy[PAYLOAD_BYTES];
    struct slim_payload payload = {.data = copy, .len = sizeof(copy)};
    struct slim_session *session = listen_one(side);
    for (size_t i = 0; i < count; i++) {
        receive(session, copy);
        slim_op_unref(slim_session_publish(session, &payload, NULL));
    }
    struct slim_message *message;
    if (slim_session_receive(session, soon(), &message, &error) == SLIM_OK) {
        slim_message_unref(message);
    }
    slim_session_unref(session);
    printf("{}\n");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run_ping(struct side *side, const char *peer, size_t count, bool is_mls)
{
    uint8_t copy[PAYLOAD_BYTES] = {0};
    struct slim_payload payload = {.data = copy, .len = sizeof(copy)};
    struct slim_session *session = open_session(side, SLIM_POINT_TO_POINT, peer, is_mls);
    double *us = calloc(count, sizeof(double));
    if (us == NULL) {
        exit(1);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t began_ns = slim_now_ns();
        slim_op_unref(slim_session_publish(session, &payload, NULL));
        receive(session, copy);
        us[i] = (double)(slim_now_ns() - began_ns) / NS_PER_US;
    }
    qsort(us, count, sizeof(double), compare);
    printf("{\"p50_us\": %.1f, \"p99_us\": %.1f}\n", us[count / 2], us[count * 99 / 100]);
    fflush(stdout);
    free(us);
    finish(slim_session_delete(session, NULL), "delete");
    slim_session_unref(session);
}

/* ---- a group that grows */

static void run_member(const char *endpoint, const char *name, size_t count, size_t first)
{
    static struct side sides[APPS_MAX];
    static struct slim_session *sessions[APPS_MAX];
    char text[256];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text, sizeof(text), "%s%zu", name, first + i); /* short names */
        join(&sides[i], endpoint, text);
    }
    printf("{\"ready\": true}\n");
    fflush(stdout);
    double cpu = cpu_s();
    for (size_t i = 0; i < count; i++) {
        sessions[i] = listen_one(&sides[i]);
    }
    for (size_t i = 0; i < count; i++) {
        struct slim_message *message;
        enum slim_status status = slim_session_receive(sessions[i], soon(), &message, &error);
        if (status == SLIM_OK) {
            slim_message_unref(message);
        } else if (status != SLIM_ERR_CLOSED) {
            need(status, "the end of the group");
        }
        slim_session_unref(sessions[i]);
    }
    printf("{\"cpu_ms\": %.1f, ", (cpu_s() - cpu) * 1e3);
    print_memory();
    for (size_t i = 0; i < count; i++) {
        part(&sides[i]);
    }
}

static void run_grow(struct side *side, const char *member, size_t count, bool is_mls)
{
    static double ms[APPS_MAX];
    char text[256];
    struct slim_session *group = open_session(side, SLIM_GROUP, "org/bench/room", is_mls);
    double cpu = cpu_s();
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text, sizeof(text), "%s%zu", member, i); /* short names */
        struct slim_name name = name_of(text);
        finish(slim_app_set_route(side->app, &name, side->link, NULL), "route");
        uint64_t began_ns = slim_now_ns();
        finish(slim_session_invite(group, &name, NULL), "invite");
        ms[i] = (double)(slim_now_ns() - began_ns) / 1e6;
    }
    printf("{\"invite_ms\": [");
    for (size_t i = 0; i < count; i++) {
        printf("%s%.3f", i == 0 ? "" : ", ", ms[i]);
    }
    printf("], \"cpu_ms\": %.1f, ", (cpu_s() - cpu) * 1e3);
    print_memory();
    finish(slim_session_delete(group, NULL), "delete");
    slim_session_unref(group);
}

/* ---- nothing to do */

/* Of all threads. */
static long voluntary_switches(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return usage.ru_nvcsw;
}

static void run_idle(unsigned seconds)
{
    (void)sleep(1);
    long before = voluntary_switches();
    (void)sleep(seconds);
    long wakes = voluntary_switches() - before - 1; /* that of this sleep */
    printf("{\"wakes_per_s\": %.2f, ", (double)wakes / (double)seconds);
    print_memory();
}

static void run_quiet(struct slim_session *session, unsigned seconds, bool is_first)
{
    uint8_t copy[PAYLOAD_BYTES] = {0};
    struct slim_payload payload = {.data = copy, .len = sizeof(copy)};
    for (size_t i = 0; i < QUIET_MESSAGES; i++) {
        if (!is_first) {
            receive(session, copy);
        }
        slim_op_unref(slim_session_publish(session, &payload, NULL));
        if (is_first) {
            receive(session, copy);
        }
    }
    run_idle(seconds);
    fflush(stdout);
    (void)sleep(1); /* so that neither ends while the other counts */
    slim_session_unref(session);
}

int main(int argc, char **argv)
{
    struct side side;
    if (argc < 5) {
        fprintf(stderr, "usage: see the head of bench/client.c\n");
        return 2;
    }
    const char *role = argv[1];
    if (strcmp(role, "member") == 0) {
        size_t count = strtoul(argv[4], NULL, 10);
        if (count > APPS_MAX) {
            return 2;
        }
        run_member(argv[2], argv[3], count, argc > 5 ? strtoul(argv[5], NULL, 10) : 0);
        return 0;
    }
    join(&side, argv[2], argv[3]);
    if (argc == 5) {
        size_t count = strtoul(argv[4], NULL, 10);
        if (strcmp(role, "idle") == 0) {
            run_idle((unsigned)count);
        } else {
            printf("{\"ready\": true}\n");
            fflush(stdout);
            if (strcmp(role, "wait") == 0) {
                run_quiet(listen_one(&side), (unsigned)count, false);
            } else {
                strcmp(role, "recv") == 0 ? run_recv(&side, count) : run_echo(&side, count);
            }
        }
    } else if (argc == 7) {
        size_t count = strtoul(argv[5], NULL, 10);
        bool is_mls = strcmp(argv[6], "1") == 0;
        if (strcmp(role, "send") == 0) {
            run_send(&side, argv[4], count, is_mls);
        } else if (strcmp(role, "ping") == 0) {
            run_ping(&side, argv[4], count, is_mls);
        } else if (strcmp(role, "quiet") == 0) {
            run_quiet(open_session(&side, SLIM_POINT_TO_POINT, argv[4], is_mls), (unsigned)count,
                      true);
        } else if (count <= APPS_MAX) {
            run_grow(&side, argv[4], count, is_mls);
        }
    }
    part(&side);
    return 0;
}
