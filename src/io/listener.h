/* A listening socket. */
#ifndef SLIM_IO_LISTENER_H
#define SLIM_IO_LISTENER_H

#include "io/endpoint.h"
#include "io/loop.h"

struct slim_listener;

/* A connection arrived. `fd` is non-blocking and the callee's from now on; `peer` is the peer's address. */
typedef void slim_listener_on_accept(void *ctx, int fd, const struct slim_address *peer);

/* Bind and listen. An existing Unix socket that nobody listens on is removed first. When the process runs out of descriptors accepting rests
 * for a moment instead of spinning.
 * SLIM_ERR_BIND: *error says why, as "Address already in use (os error 98)". SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_listener_new(struct slim_loop *loop,
                                                   const struct slim_address *address,
                                                   slim_listener_on_accept *on_accept, void *ctx,
                                                   struct slim_listener **listener,
                                                   struct slim_error *error);

/* Have `on_full` called, with the context of on_accept, when the process is out of descriptors: what it closes by the end of the turn
 * makes room for the connections that wait. */
void slim_listener_on_full(struct slim_listener *listener, void (*on_full)(void *ctx));

/* Make the kernel's table of descriptors as large as listeners need it, before there are threads: later it costs the first listener about
 * ten milliseconds, as the kernel then waits for all processors. Not needed, only faster. */
void slim_listener_make_room(void);

/* Stop listening. NULL is allowed. A Unix socket's file is removed. */
void slim_listener_free(struct slim_listener *listener);

/* The address really bound (port 0 is replaced by the port the kernel chose). */
const struct slim_address *slim_listener_address(const struct slim_listener *listener);

#endif
