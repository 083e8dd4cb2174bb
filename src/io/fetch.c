#include "io/fetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/library.h"

/* ------------------------------------------------------------------------------------------------ libcurl
 *
 * Its interface is stable since 2006 (soname 4), new things get new numbers; so we say here what we use of it, and need neither its header
 * to build nor the library to start. */

enum {
    OPT_WRITEDATA = 10001,
    OPT_URL = 10002,
    OPT_ERRORBUFFER = 10010,
    OPT_POSTFIELDS = 10015,
    OPT_USERAGENT = 10018,
    OPT_HTTPHEADER = 10023,
    OPT_SSLVERSION = 32,
    OPT_FOLLOWLOCATION = 52,
    OPT_POSTFIELDSIZE = 60,
    OPT_SSL_VERIFYPEER = 64,
    OPT_CAINFO = 10065,
    OPT_SSL_VERIFYHOST = 81,
    OPT_CAPATH = 10097,
    OPT_NOSIGNAL = 99,
    OPT_TIMEOUT_MS = 155,
    OPT_PROTOCOLS = 181,
    OPT_WRITEFUNCTION = 20011,
    OPT_QUICK_EXIT =
        322, /* since 7.87: an unanswered name look-up does not hold us when we give up */

    PROTOCOL_HTTPS = 2,
    SSLVERSION_TLS_1_2 = 6, /* or later */
    VERIFY_NAME = 2,
    GLOBAL_DEFAULT = 3,
    INFO_RESPONSE_CODE = 0x200000 + 2,
    MESSAGE_DONE = 1,
    ERROR_BYTES = 256,
};

struct curl_message {
    int kind;
    void *easy;
    union {
        void *whatever;
        int result;
    } data;
};

struct curl {
    int (*global_init)(long flags);
    void *(*easy_init)(void);
    int (*easy_setopt)(void *easy, int option, ...);
    int (*easy_getinfo)(void *easy, int info, ...);
    const char *(*easy_strerror)(int code);
    void (*easy_cleanup)(void *easy);
    void *(*multi_init)(void);
    int (*multi_add_handle)(void *multi, void *easy);
    int (*multi_remove_handle)(void *multi, void *easy);
    int (*multi_perform)(void *multi, int *running);
    int (*multi_poll)(void *multi, void *fds, unsigned fd_count, int timeout_ms, int *count);
    int (*multi_wakeup)(void *multi);
    struct curl_message *(*multi_info_read)(void *multi, int *left);
    int (*multi_cleanup)(void *multi);
    void *(*slist_append)(void *list, const char *text);
    void (*slist_free_all)(void *list);
};

/* Written under the lock, before the first fetch; read-only from then on. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_open;
static struct curl curl;

static enum slim_status open_library(const char *library, struct slim_error *error)
{
    const struct slim_library_symbol symbols[] = {
        {"curl_global_init", &curl.global_init},
        {"curl_easy_init", &curl.easy_init},
        {"curl_easy_setopt", &curl.easy_setopt},
        {"curl_easy_getinfo", &curl.easy_getinfo},
        {"curl_easy_strerror", &curl.easy_strerror},
        {"curl_easy_cleanup", &curl.easy_cleanup},
        {"curl_multi_init", &curl.multi_init},
        {"curl_multi_add_handle", &curl.multi_add_handle},
        {"curl_multi_remove_handle", &curl.multi_remove_handle},
        {"curl_multi_perform", &curl.multi_perform},
        {"curl_multi_poll", &curl.multi_poll},
        {"curl_multi_wakeup", &curl.multi_wakeup},
        {"curl_multi_info_read", &curl.multi_info_read},
        {"curl_multi_cleanup", &curl.multi_cleanup},
        {"curl_slist_append", &curl.slist_append},
        {"curl_slist_free_all", &curl.slist_free_all},
    };
    const char *missing;
    if (!slim_library_open(library, symbols, SLIM_COUNT(symbols), &missing)) {
        return missing != NULL
                   ? slim_error_set(error, SLIM_ERR_CONFIG,
                                    "%s has no %s: install the package libcurl4 (7.68 or newer)",
                                    library, missing)
                   : slim_error_set(error, SLIM_ERR_CONFIG,
                                    "fetching the keys of an issuer needs %s, which cannot be "
                                    "opened: install the package libcurl4",
                                    library);
    }
    if (curl.global_init(GLOBAL_DEFAULT) != 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "%s cannot be initialised", library);
    }
    return SLIM_OK;
}

enum slim_status slim_fetch_open(const char *library, struct slim_error *error)
{
    pthread_mutex_lock(&open_lock);
    enum slim_status status = SLIM_OK;
    if (!is_open) {
        status = open_library(library == NULL ? "libcurl.so.4" : library, error);
        is_open = status == SLIM_OK;
    }
    pthread_mutex_unlock(&open_lock);
    return status;
}

/* ------------------------------------------------------------------------------------------------ one fetch */

/* Filled in by slim_fetch_new, then the thread's until it posts the job, then the loop's, which frees it.
 * is_cancelled   loop thread only
 * stop           loop writes, thread reads; no data hangs on it
 * body           is_too_long, http_status, problem: the answer */
struct slim_fetch {
    struct slim_job job;
    struct slim_loop *loop;
    pthread_t thread;
    void *multi;
    void *easy;
    void *headers;
    struct slim_buf request_body;
    size_t bytes_max;
    slim_fetch_on_done *on_done;
    void *ctx;
    bool is_cancelled;
    _Atomic bool stop;
    struct slim_buf body;
    bool is_too_long;
    int http_status;
    char problem[ERROR_BYTES];
};

static void fetch_free(struct slim_fetch *fetch)
{
    if (fetch->easy != NULL) {
        curl.easy_cleanup(fetch->easy);
    }
    if (fetch->multi != NULL) {
        (void)curl.multi_cleanup(fetch->multi); /* has no transfer any more */
    }
    curl.slist_free_all(fetch->headers);
    slim_buf_wipe(&fetch->request_body);
    slim_buf_wipe(&fetch->body);
    free(fetch);
}

/* ---- in the thread */

static size_t on_bytes(const char *bytes, size_t size, size_t count, void *ctx)
{
    struct slim_fetch *fetch = ctx;
    size_t len = size * count; /* at most 16 KiB, says libcurl */
    if (len > fetch->bytes_max - fetch->body.len) {
        fetch->is_too_long = true;
        return 0;
    }
    return slim_buf_put(&fetch->body, slim_view_of(bytes, len)) == SLIM_OK ? len : 0;
}

static void take_result(struct slim_fetch *fetch, int result)
{
    long code = 0;
    if (result == 0) {
        if (curl.easy_getinfo(fetch->easy, INFO_RESPONSE_CODE, &code) == 0) {
            fetch->http_status = (int)code;
        }
    } else if (fetch->is_too_long || fetch->problem[0] == 0) {
        (void)snprintf(fetch->problem, sizeof(fetch->problem), "%s",
                       fetch->is_too_long ? "the answer is too long"
                                          : curl.easy_strerror(result)); /* may be cut */
    }
}

static void *run(void *arg)
{
    enum { POLL_MS = 1000 };
    struct slim_fetch *fetch = arg;
    int running = 0;
    do {
        int count;
        if (curl.multi_perform(fetch->multi, &running) != 0) {
            break;
        }
        if (running > 0 && curl.multi_poll(fetch->multi, NULL, 0, POLL_MS, &count) != 0) {
            break;
        }
    } while (running > 0 && !atomic_load_explicit(&fetch->stop, memory_order_relaxed));
    int left;
    for (const struct curl_message *message;
         (message = curl.multi_info_read(fetch->multi, &left)) != NULL;) {
        if (message->kind == MESSAGE_DONE) {
            take_result(fetch, message->data.result);
        }
    }
    (void)curl.multi_remove_handle(fetch->multi, fetch->easy); /* fails for foreign ones only */
    slim_loop_post(fetch->loop, &fetch->job);
    return NULL;
}

/* ---- on the loop */

static void on_loop(struct slim_job *job)
{
    struct slim_fetch *fetch = SLIM_CONTAINER_OF(job, struct slim_fetch, job);
    if (!fetch->is_cancelled) {
        (void)pthread_join(fetch->thread, NULL); /* it is at its end; fails for foreign ones only */
        fetch->on_done(fetch->ctx, fetch->http_status,
                       fetch->http_status == 0 ? (struct slim_view){0}
                                               : slim_buf_view(&fetch->body),
                       fetch->problem);
    }
    fetch_free(fetch);
}

void slim_fetch_cancel(struct slim_fetch *fetch)
{
    if (fetch == NULL) {
        return;
    }
    fetch->is_cancelled = true;
    atomic_store_explicit(&fetch->stop, true, memory_order_relaxed);
    (void)curl.multi_wakeup(fetch->multi); /* else it wakes up within a second */
    (void)pthread_join(fetch->thread, NULL);
    /* the job is posted by now, and frees it */
}

/* One header, "name: value"; false: no memory. */
static bool add_header(struct slim_fetch *fetch, const char *name, struct slim_view value)
{
    struct slim_buf line = {0};
    void *list = NULL;
    if (slim_buf_put_text(&line, "%s: %.*s", name, SLIM_VIEW_ARG(value)) == SLIM_OK &&
        slim_buf_put_byte(&line, 0) == SLIM_OK) {
        list = curl.slist_append(fetch->headers, (const char *)line.data);
    }
    slim_buf_wipe(&line);
    if (list == NULL) {
        return false;
    }
    fetch->headers = list;
    return true;
}

/* libcurl copies texts, but not the body of a POST. False: it refused one. */
static bool set_text(struct slim_fetch *fetch, int option, struct slim_view text)
{
    struct slim_buf copy = {0};
    bool is_set = slim_buf_put(&copy, text) == SLIM_OK && slim_buf_put_byte(&copy, 0) == SLIM_OK &&
                  curl.easy_setopt(fetch->easy, option, (const char *)copy.data) == 0;
    slim_buf_wipe(&copy);
    return is_set;
}

static bool set_trust(struct slim_fetch *fetch)
{
    const char *file = getenv("SSL_CERT_FILE");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    const char *folder = getenv("SSL_CERT_DIR"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    return (file == NULL || file[0] == 0 || set_text(fetch, OPT_CAINFO, slim_view_str(file))) &&
           (folder == NULL || folder[0] == 0 || set_text(fetch, OPT_CAPATH, slim_view_str(folder)));
}

static bool set_body(struct slim_fetch *fetch, const struct slim_fetch_request *request)
{
    if (request->body.len == 0) {
        return true;
    }
    return slim_buf_put(&fetch->request_body, request->body) == SLIM_OK &&
           curl.easy_setopt(fetch->easy, OPT_POSTFIELDSIZE, (long)request->body.len) == 0 &&
           curl.easy_setopt(fetch->easy, OPT_POSTFIELDS, (const char *)fetch->request_body.data) ==
               0;
}

static bool prepare(struct slim_fetch *fetch, const struct slim_fetch_request *request)
{
    static const struct {
        int option;
        long value;
    } numbers[] = {
        {OPT_NOSIGNAL, 1},
        {OPT_FOLLOWLOCATION, 0},
        {OPT_PROTOCOLS, PROTOCOL_HTTPS},
        {OPT_SSLVERSION, SSLVERSION_TLS_1_2},
        {OPT_SSL_VERIFYPEER, 1},
        {OPT_SSL_VERIFYHOST, VERIFY_NAME},
    };
    fetch->multi = curl.multi_init();
    fetch->easy = curl.easy_init();
    if (fetch->multi == NULL || fetch->easy == NULL) {
        return false;
    }
    for (size_t i = 0; i < SLIM_COUNT(numbers); i++) {
        if (curl.easy_setopt(fetch->easy, numbers[i].option, numbers[i].value) != 0) {
            return false;
        }
    }
    (void)curl.easy_setopt(fetch->easy, OPT_QUICK_EXIT, 1L); /* unknown to older ones */
    if (request->authorization.len > 0 &&
        !add_header(fetch, "Authorization", request->authorization)) {
        return false;
    }
    return set_text(fetch, OPT_URL, request->url) &&
           set_text(fetch, OPT_USERAGENT, request->user_agent) && set_trust(fetch) &&
           set_body(fetch, request) &&
           curl.easy_setopt(fetch->easy, OPT_HTTPHEADER, fetch->headers) == 0 &&
           curl.easy_setopt(fetch->easy, OPT_TIMEOUT_MS, (long)request->timeout_ms) == 0 &&
           curl.easy_setopt(fetch->easy, OPT_ERRORBUFFER, fetch->problem) == 0 &&
           curl.easy_setopt(fetch->easy, OPT_WRITEFUNCTION, on_bytes) == 0 &&
           curl.easy_setopt(fetch->easy, OPT_WRITEDATA, fetch) == 0 &&
           curl.multi_add_handle(fetch->multi, fetch->easy) == 0;
}

enum slim_status slim_fetch_new(struct slim_loop *loop, const struct slim_fetch_request *request,
                                slim_fetch_on_done *on_done, void *ctx, struct slim_fetch **fetch)
{
    assert(is_open);
    struct slim_fetch *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->job.on_loop = on_loop;
    made->loop = loop;
    made->bytes_max = request->bytes_max;
    made->on_done = on_done;
    made->ctx = ctx;
    if (!prepare(made, request) || pthread_create(&made->thread, NULL, run, made) != 0) {
        fetch_free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    *fetch = made;
    return SLIM_OK;
}
