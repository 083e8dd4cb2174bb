#include "io/connector.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/limits.h"

/* Shared with the resolver thread. The thread fills in the answer, then posts the job, whose run on the loop frees it; when the
 * connector was cancelled before, the thread frees it without touching the loop, which may be gone by then.
 * loop        under lock; NULL once the connector was cancelled
 * connector   loop thread only; NULL once the connector was cancelled */
struct lookup {
    struct slim_job job;
    pthread_mutex_t lock;
    struct slim_loop *loop;
    struct slim_connector *connector;
    char host[SLIM_ENDPOINT_HOST_MAX];
    char port[8];
    int result;
    size_t count;
    struct slim_address addresses[SLIM_IO_ADDRESSES_MAX];
};

struct slim_connector {
    struct slim_loop *loop;
    struct slim_watch watch;
    /* also starts the first attempt, so that on_done is never called from inside new */
    struct slim_timer timeout;
    bool is_started;
    uint64_t deadline_ms;
    struct lookup *lookup; /* while the thread runs */
    bool is_ready;         /* addresses are filled in */
    size_t address_count;
    size_t address_next;
    struct slim_address addresses[SLIM_IO_ADDRESSES_MAX];
    char text[160];
    slim_connector_on_done *on_done;
    void *ctx;
};

static void close_socket(struct slim_connector *connector)
{
    if (connector->watch.fd >= 0) {
        slim_loop_unwatch(connector->loop, &connector->watch);
        close(connector->watch.fd);
        connector->watch.fd = -1;
    }
}

static void lookup_free(struct lookup *lookup)
{
    (void)pthread_mutex_destroy(&lookup->lock); /* fails only while locked */
    free(lookup);
}

static void connector_free(struct slim_connector *connector)
{
    close_socket(connector);
    slim_timer_cancel(connector->loop, &connector->timeout);
    slim_loop_release_timer(connector->loop);
    if (connector->lookup != NULL) {
        struct lookup *lookup = connector->lookup;
        lookup->connector = NULL;
        pthread_mutex_lock(&lookup->lock);
        lookup->loop = NULL; /* the thread, or the job if it is posted, frees it */
        pthread_mutex_unlock(&lookup->lock);
    }
    free(connector);
}

void slim_connector_cancel(struct slim_connector *connector)
{
    if (connector != NULL) {
        connector_free(connector);
    }
}

static void finish(struct slim_connector *connector, enum slim_status status, int fd)
{
    connector->on_done(connector->ctx, status, fd, connector->text);
    connector_free(connector);
}

static void note_errno(struct slim_connector *connector, int reason)
{
    /* may be cut */
    (void)snprintf(connector->text, sizeof(connector->text), "%s (os error %d)", strerror(reason),
                   reason);
}

/* Try the addresses that are left, until one connects or is under way. */
static void try_next(struct slim_connector *connector)
{
    while (connector->address_next < connector->address_count) {
        const struct slim_address *address = &connector->addresses[connector->address_next++];
        int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            note_errno(connector, errno);
            continue;
        }
        if (connect(fd, (const struct sockaddr *)&address->storage, address->len) == 0) {
            finish(connector, SLIM_OK, fd);
            return;
        }
        if (errno != EINPROGRESS) {
            note_errno(connector, errno);
            close(fd);
            continue;
        }
        connector->watch.fd = fd;
        connector->watch.wanted = SLIM_IO_WRITE;
        if (slim_loop_watch(connector->loop, &connector->watch) == SLIM_OK) {
            return;
        }
        note_errno(connector, errno);
        close(fd);
        connector->watch.fd = -1;
    }
    finish(connector, SLIM_ERR_CONNECT, -1);
}

static void on_ready(struct slim_watch *watch, uint32_t events)
{
    (void)events;
    struct slim_connector *connector = SLIM_CONTAINER_OF(watch, struct slim_connector, watch);
    int reason = 0;
    socklen_t len = sizeof(reason);
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &reason, &len) != 0) {
        reason = errno;
    }
    if (reason != 0) {
        note_errno(connector, reason);
        close_socket(connector);
        try_next(connector);
        return;
    }
    slim_loop_unwatch(connector->loop, watch);
    int fd = watch->fd;
    watch->fd = -1;
    finish(connector, SLIM_OK, fd);
}

/* ------------------------------------------------------------------------------------------------ resolving */

static void fill_addresses(struct slim_address *out, size_t *count, const struct addrinfo *list)
{
    *count = 0;
    for (const struct addrinfo *info = list; info != NULL && *count < SLIM_IO_ADDRESSES_MAX;
         info = info->ai_next) {
        if (info->ai_addrlen <= sizeof(out[*count].storage)) {
            out[*count] = (struct slim_address){.len = info->ai_addrlen};
            memcpy(&out[*count].storage, info->ai_addr, info->ai_addrlen);
            (*count)++;
        }
    }
}

static void on_looked_up(struct slim_job *job)
{
    struct lookup *lookup = SLIM_CONTAINER_OF(job, struct lookup, job);
    pthread_mutex_lock(&lookup->lock); /* wait until the thread is out of it */
    pthread_mutex_unlock(&lookup->lock);
    struct slim_connector *connector = lookup->connector;
    if (connector != NULL) {
        connector->lookup = NULL;
        connector->address_count = lookup->count;
        memcpy(connector->addresses, lookup->addresses, sizeof(connector->addresses));
        if (lookup->result != 0 || lookup->count == 0) {
            /* may be cut */
            (void)snprintf(connector->text, sizeof(connector->text),
                           "failed to look up address information: %s",
                           gai_strerror(lookup->result));
            finish(connector, SLIM_ERR_RESOLVE, -1);
        } else {
            try_next(connector);
        }
    }
    lookup_free(lookup);
}

static void *lookup_thread(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    lookup->result = getaddrinfo(lookup->host, lookup->port, &hints, &list);
    if (lookup->result == 0) {
        fill_addresses(lookup->addresses, &lookup->count, list);
        freeaddrinfo(list);
    }
    pthread_mutex_lock(&lookup->lock);
    bool is_wanted = lookup->loop != NULL;
    if (is_wanted) {
        slim_loop_post(lookup->loop, &lookup->job);
    }
    pthread_mutex_unlock(&lookup->lock);
    if (!is_wanted) {
        lookup_free(lookup);
    }
    return NULL;
}

static enum slim_status start_lookup(struct slim_connector *connector,
                                     const struct slim_endpoint *endpoint)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL || pthread_mutex_init(&lookup->lock, NULL) != 0) {
        free(lookup);
        return SLIM_ERR_NO_MEMORY;
    }
    lookup->job.on_loop = on_looked_up;
    lookup->loop = connector->loop;
    lookup->connector = connector;
    memcpy(lookup->host, endpoint->host, sizeof(lookup->host));
    memcpy(lookup->port, endpoint->port, sizeof(lookup->port));
    connector->lookup = lookup;
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0) {
        goto fail;
    }
    /* fails only for other values */
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int result = pthread_create(&thread, &attributes, lookup_thread, lookup);
    (void)pthread_attr_destroy(&attributes);
    if (result == 0) {
        return SLIM_OK;
    }
fail:
    connector->lookup = NULL;
    lookup_free(lookup);
    return SLIM_ERR_NO_MEMORY;
}

/* Fill in the addresses of an endpoint that needs no look-up. */
static bool resolve_numeric(struct slim_connector *connector, const struct slim_endpoint *endpoint)
{
    if (endpoint->is_unix) {
        connector->addresses[0] = endpoint->address;
        connector->address_count = 1;
        return true;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    if (getaddrinfo(endpoint->host, endpoint->port, &hints, &list) != 0) {
        return false;
    }
    fill_addresses(connector->addresses, &connector->address_count, list);
    freeaddrinfo(list);
    return connector->address_count > 0;
}

static void on_timer(struct slim_timer *timer)
{
    struct slim_connector *connector = SLIM_CONTAINER_OF(timer, struct slim_connector, timeout);
    if (connector->is_started) {
        /* fits */
        (void)snprintf(connector->text, sizeof(connector->text), "connection attempt timed out");
        close_socket(connector);
        finish(connector, SLIM_ERR_TIMEOUT, -1);
        return;
    }
    connector->is_started = true;
    if (connector->deadline_ms != 0) {
        slim_timer_set(connector->loop, timer, connector->deadline_ms);
    }
    if (connector->is_ready) {
        try_next(connector);
    }
}

enum slim_status slim_connector_new(struct slim_loop *loop, const struct slim_endpoint *endpoint,
                                    uint64_t timeout_ms, slim_connector_on_done *on_done, void *ctx,
                                    struct slim_connector **connector)
{
    struct slim_connector *made = calloc(1, sizeof(*made));
    if (made == NULL || slim_loop_reserve_timer(loop) != SLIM_OK) {
        free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    made->loop = loop;
    made->on_done = on_done;
    made->ctx = ctx;
    made->watch = (struct slim_watch){.fd = -1, .on_ready = on_ready};
    slim_timer_init(&made->timeout, on_timer);
    uint64_t now_ms = slim_loop_now_ms(loop);
    made->deadline_ms = timeout_ms == 0 ? 0 : now_ms + timeout_ms;
    made->is_ready = resolve_numeric(made, endpoint);
    if (!made->is_ready && start_lookup(made, endpoint) != SLIM_OK) {
        connector_free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    slim_timer_set(loop, &made->timeout, now_ms);
    *connector = made;
    return SLIM_OK;
}
