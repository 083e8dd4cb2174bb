/* slim-tool pub, sub, ping, bench. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "chat/text.h"
#include "slim-tool/tool.h"

enum { NAME_BYTES_MAX = 1024 };

/* ------------------------------------------------------------------------------------------------ ends and sessions */

bool tool_open(struct tool_end *end, const struct tool_options *options, const char *text)
{
    struct slim_error error = {.text = "names look like organization/namespace/app"};
    struct slim_name name;
    bool is_good = slim_name_parse(text, &name) == SLIM_OK &&
                   slim_service_new("tool", NULL, &end->service, &error) == SLIM_OK &&
                   slim_connect(end->service, options->slim, slim_in_ms(TOOL_TIMEOUT_MS),
                                &end->link, &error) == SLIM_OK &&
                   slim_app_new_with_secret(end->service, &name, options->secret, &end->app,
                                            &error) == SLIM_OK &&
                   slim_finish(slim_app_subscribe(end->app, &name, end->link, NULL),
                               slim_in_ms(TOOL_TIMEOUT_MS), &error) == SLIM_OK;
    if (!is_good) {
        (void)tool_fail(error.text); /* false says it */
        tool_close(end);
    }
    return is_good;
}

void tool_close(struct tool_end *end)
{
    if (end->app != NULL) {
        struct slim_error error;
        enum slim_status status = slim_finish(slim_service_shutdown(end->service, NULL),
                                              slim_in_ms(TOOL_TIMEOUT_MS), &error);
        (void)status; /* we end in any case */
    }
    slim_app_unref(end->app);
    slim_service_unref(end->service);
    *end = (struct tool_end){0};
}

bool tool_session(struct tool_end *end, const struct tool_options *options, const char *peer,
                  struct slim_session **session)
{
    struct slim_error error = {.text = "names look like organization/namespace/app"};
    struct slim_name name;
    const struct slim_session_config config = {
        .type = SLIM_POINT_TO_POINT,
        .enable_mls = options->enable_mls,
        .max_retries = 5,
        .interval_ms = options->is_unreliable ? 0 : 1000,
    };
    if (slim_name_parse(peer, &name) == SLIM_OK &&
        slim_finish(slim_app_set_route(end->app, &name, end->link, NULL),
                    slim_in_ms(TOOL_TIMEOUT_MS), &error) == SLIM_OK &&
        slim_session_open(end->app, &config, &name, slim_in_ms(TOOL_TIMEOUT_MS), session, &error) ==
            SLIM_OK) {
        return true;
    }
    (void)tool_fail(error.text); /* false says it */
    return false;
}

/* Our own name when nobody gave one. */
static const char *local_name(const struct tool_options *options, char *text, size_t size)
{
    (void)snprintf(text, size, "slim/tool/%d", (int)getpid()); /* fits */
    return options->local != NULL ? options->local : text;
}

static int leave(struct slim_session *session, int status)
{
    struct slim_error error;
    if (slim_finish(slim_session_delete(session, NULL), slim_in_ms(TOOL_TIMEOUT_MS), &error) !=
        SLIM_OK) {
        status = status != 0 ? status : tool_fail(error.text);
    }
    slim_session_unref(session);
    return status;
}

/* ------------------------------------------------------------------------------------------------ pub, sub */

int tool_pub(const struct tool_options *options, const char *peer, const char *text)
{
    struct tool_end end = {0};
    struct slim_session *session;
    struct slim_error error;
    char own[64];
    int status = 1;
    if (!tool_open(&end, options, local_name(options, own, sizeof(own)))) {
        return 1;
    }
    if (tool_session(&end, options, peer, &session)) {
        const struct slim_payload payload = {.data = text, .len = strlen(text)};
        status = slim_finish(slim_session_publish(session, &payload, NULL),
                             slim_in_ms(TOOL_TIMEOUT_MS), &error) == SLIM_OK
                     ? 0
                     : tool_fail(error.text);
        status = leave(session, status);
    }
    tool_close(&end);
    return status;
}

static void print_message(const struct slim_message_info *info)
{
    char source[NAME_BYTES_MAX];
    struct slim_buf line = {0};
    (void)slim_name_print(&info->source, source, sizeof(source)); /* may be cut */
    if (chat_text_put_printable(&line, info->payload) == SLIM_OK) {
        (void)printf("%s > %.*s\n", source, (int)line.len,
                     line.data == NULL ? "" : (const char *)line.data);
    }
    slim_buf_fini(&line);
}

/* Sessions that others began and that are not over. */
struct sessions {
    struct slim_session **items; /* NULL: it is over */
    size_t count;
};

static bool keep(struct sessions *sessions, struct slim_session *session)
{
    struct slim_session **items = realloc(sessions->items, (sessions->count + 1) * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    sessions->items = items;
    sessions->items[sessions->count++] = session;
    return true;
}

static void drop(struct sessions *sessions, const struct slim_session *session)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (sessions->items[i] == session) {
            slim_session_unref(sessions->items[i]);
            sessions->items[i] = sessions->items[--sessions->count];
            return;
        }
    }
}

static struct slim_op *await(struct slim_session *session, struct slim_queue *queue)
{
    const struct slim_notify notify = {.queue = queue, .user = session};
    return slim_session_await_message(session, &notify);
}

/* Until there is none now, it is over, or *left is 0. */
static void take_messages(struct sessions *sessions, struct slim_session *session,
                          struct slim_queue *queue, uint64_t *left)
{
    struct slim_message *message;
    struct slim_error error;
    enum slim_status status = SLIM_OK;
    while (status != SLIM_ERR_TIMEOUT && *left > 0) {
        status = slim_session_receive(session, 0, &message, &error);
        if (status == SLIM_OK) {
            print_message(slim_message_look(message));
            slim_message_unref(message);
            *left -= 1;
        } else if (status == SLIM_ERR_CLOSED) {
            drop(sessions, session);
            return;
        } else if (status != SLIM_ERR_TIMEOUT) {
            (void)printf("-> %s\n", error.text);
        }
    }
    slim_op_unref(await(session, queue));
}

int tool_sub(const struct tool_options *options)
{
    struct tool_end end = {0};
    struct sessions sessions = {0};
    struct slim_queue *queue = NULL;
    struct slim_error error;
    uint64_t left = options->count > 0 ? options->count : UINT64_MAX;
    if (!tool_open(&end, options, options->local)) {
        return 1;
    }
    if (slim_queue_new(&queue) != SLIM_OK) {
        tool_close(&end);
        return tool_fail("out of memory");
    }
    const struct slim_notify notify = {.queue = queue};
    slim_op_unref(slim_app_await_session(end.app, &notify));
    while (left > 0) {
        struct slim_op *op = slim_queue_next(queue, SLIM_FOREVER);
        struct slim_session *session = slim_op_user(op);
        slim_op_unref(op);
        if (session != NULL) {
            take_messages(&sessions, session, queue, &left);
            continue;
        }
        while (slim_app_listen(end.app, 0, &session, &error) == SLIM_OK) {
            if (keep(&sessions, session)) {
                slim_op_unref(await(session, queue));
            } else {
                slim_session_unref(session); /* no memory: its messages are not shown */
            }
        }
        slim_op_unref(slim_app_await_session(end.app, &notify));
    }
    while (sessions.count > 0) {
        drop(&sessions, sessions.items[0]);
    }
    free(sessions.items);
    tool_close(&end);
    slim_queue_unref(queue);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ ping */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* One message acknowledged for each entry of `times_ns`. */
static int measure(struct slim_session *session, uint64_t size, uint64_t *times_ns, uint64_t count)
{
    struct slim_error error;
    char *data = malloc(size);
    if (data == NULL) {
        return tool_fail("out of memory");
    }
    memset(data, '.', size);
    const struct slim_payload payload = {.data = data, .len = size};
    int status = 0;
    for (uint64_t i = 0; i < count && status == 0; i++) {
        uint64_t start_ns = slim_now_ns();
        if (slim_finish(slim_session_publish(session, &payload, NULL), slim_in_ms(TOOL_TIMEOUT_MS),
                        &error) != SLIM_OK) {
            status = tool_fail(error.text);
        }
        times_ns[i] = slim_now_ns() - start_ns;
    }
    free(data);
    return status;
}

int tool_ping(const struct tool_options *options, const char *peer)
{
    struct tool_options reliable = *options;
    reliable.is_unreliable = false; /* what is measured is the acknowledgement */
    uint64_t count = options->count > 0 ? options->count : 10;
    struct tool_end end = {0};
    struct slim_session *session;
    char own[64];
    int status = 1;
    uint64_t *times_ns = calloc(count, sizeof(*times_ns));
    if (times_ns == NULL) {
        return tool_fail("out of memory");
    }
    if (tool_open(&end, &reliable, local_name(options, own, sizeof(own)))) {
        if (tool_session(&end, &reliable, peer, &session)) {
            status = leave(session, measure(session, options->size, times_ns, count));
        }
        tool_close(&end);
    }
    if (status == 0) {
        qsort(times_ns, count, sizeof(*times_ns), by_size);
        (void)printf("%llu messages of %llu bytes acknowledged: min %.3f ms, p50 %.3f ms, p99 %.3f "
                     "ms, max %.3f ms\n",
                     (unsigned long long)count, (unsigned long long)options->size, ms(times_ns[0]),
                     ms(times_ns[count / 2]), ms(times_ns[count * 99 / 100]),
                     ms(times_ns[count - 1]));
    }
    free(times_ns);
    return status;
}

/* ------------------------------------------------------------------------------------------------ bench */

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail with these arguments */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Begin as many as the window allows, take what has come. Returns how many came; a short count after a failure or, unreliable, a loss. */
static uint64_t carry(const struct tool_options *options, struct slim_session *out,
                      struct slim_session *in, struct slim_queue *queue, uint64_t count,
                      const struct slim_payload *payload)
{
    const struct slim_notify notify = {.queue = queue};
    uint64_t begun = 0;
    uint64_t under_way = 0;
    uint64_t come = 0;
    struct slim_error error;
    struct slim_message *message;
    for (;;) {
        while (begun < count && under_way < options->window) {
            slim_op_unref(slim_session_publish(out, payload, &notify));
            begun++;
            under_way++;
        }
        struct slim_op *op;
        while ((op = slim_queue_next(queue, 0)) != NULL) {
            under_way--;
            if (slim_op_status(op, &error) != SLIM_OK) {
                (void)tool_fail(error.text); /* and it goes on: the count shows it */
            }
            slim_op_unref(op);
        }
        enum slim_status status;
        while ((status = slim_session_receive(in, slim_in_ms(begun == count ? 1000 : 1), &message,
                                              &error)) == SLIM_OK) {
            slim_message_unref(message);
            come++;
            if (come == begun || come % 64 == 0) {
                break;
            }
        }
        if (come == count || (status == SLIM_ERR_TIMEOUT && begun == count && under_way == 0) ||
            status == SLIM_ERR_CLOSED) {
            return come;
        }
    }
}

static int measure_load(const struct tool_options *options, struct slim_session *out,
                        struct slim_session *in)
{
    uint64_t count = options->count > 0 ? options->count : 100000;
    struct slim_queue *queue;
    char *data = malloc(options->size);
    if (data == NULL || slim_queue_new(&queue) != SLIM_OK) {
        free(data);
        return tool_fail("out of memory");
    }
    memset(data, '.', options->size);
    const struct slim_payload payload = {.data = data, .len = options->size};
    uint64_t start_ns = slim_now_ns();
    double start_cpu_s = cpu_s();
    uint64_t come = carry(options, out, in, queue, count, &payload);
    double s = (double)(slim_now_ns() - start_ns) / 1e9;
    double us = (cpu_s() - start_cpu_s) * 1e6;
    slim_queue_unref(queue);
    free(data);
    (void)printf(
        "%llu of %llu messages of %llu bytes%s%s in %.3f s: %.0f messages/s, %.2f us CPU a "
        "message (both ends together)\n",
        (unsigned long long)come, (unsigned long long)count, (unsigned long long)options->size,
        options->enable_mls ? ", MLS" : "", options->is_unreliable ? ", unreliable" : "", s,
        (double)come / s, come == 0 ? 0.0 : us / (double)come);
    return come == count || options->is_unreliable ? 0 : 1;
}

int tool_bench(const struct tool_options *given)
{
    struct tool_options options = *given;
    struct tool_end sender = {0};
    struct tool_end receiver = {0};
    struct slim_session *out;
    struct slim_session *in;
    struct slim_error error;
    char names[2][64];
    int status = 1;
    if (options.secret == NULL) {
        options.secret = "slim-tool bench talks to nobody but itself";
    }
    for (int i = 0; i < 2; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "slim/bench/%d-%d", (int)getpid(), i); /* fits */
    }
    if (tool_open(&receiver, &options, names[1]) && tool_open(&sender, &options, names[0]) &&
        tool_session(&sender, &options, names[1], &out)) {
        if (slim_app_listen(receiver.app, slim_in_ms(TOOL_TIMEOUT_MS), &in, &error) == SLIM_OK) {
            status = measure_load(&options, out, in);
            slim_session_unref(in);
        } else {
            (void)tool_fail(error.text); /* 1, as `status` */
        }
        status = leave(out, status);
    }
    tool_close(&sender);
    tool_close(&receiver);
    return status;
}
