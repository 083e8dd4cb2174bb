/* One attempt to connect to an endpoint: name resolution in a thread of its own, then each address in turn. */
#ifndef SLIM_IO_CONNECTOR_H
#define SLIM_IO_CONNECTOR_H

#include "io/endpoint.h"
#include "io/loop.h"

struct slim_connector;

/* The attempt is over, called once. SLIM_OK: `fd` is a connected, non-blocking socket, the callee's from now on. Else
 * SLIM_ERR_RESOLVE, SLIM_ERR_CONNECT or SLIM_ERR_TIMEOUT, fd is -1 and `text` is the reason for people
 * ("Connection refused (os error 111)"). The connector is freed when it returns. */
typedef void slim_connector_on_done(void *ctx, enum slim_status status, int fd, const char *text);

/* Start an attempt that takes at most `timeout_ms` (0: no bound besides the kernel's). `on_done` is never called from inside.
 * SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_connector_new(struct slim_loop *loop,
                                                    const struct slim_endpoint *endpoint,
                                                    uint64_t timeout_ms,
                                                    slim_connector_on_done *on_done, void *ctx,
                                                    struct slim_connector **connector);

/* Give the attempt up; on_done is not called. NULL is allowed. Not from inside on_done. */
void slim_connector_cancel(struct slim_connector *connector);

#endif
