/* Tunnels through a proxy (HTTP CONNECT): connect to the proxy, ask it, and hand out a socket as the connector does.
 *
 *   http proxy    socket -- CONNECT --> answer --> the socket itself is handed out: nothing stands between any more
 *   https proxy   socket <== TLS ==> relay <-> socket pair --> its other end is handed out; the relay lives until either end closes
 *
 * Everything is called from the loop's thread. */
#ifndef SLIM_IO_TUNNEL_H
#define SLIM_IO_TUNNEL_H

#include "base/list.h"
#include "io/connector.h"
#include "io/proxy.h"
#include "io/tls.h"

struct slim_tunnel;

enum { SLIM_TUNNEL_ANSWER_MS = 30000 }; /* for handshake and answer, when options.timeout_ms is 0 */

/* Tunnels of one owner: those that are being opened, and relays. A zeroed one is not ready. */
struct slim_tunnels {
    struct slim_loop *loop;
    struct slim_list list;
    void (*on_empty)(void *ctx); /* the last one has ended; may be NULL */
    void *ctx;
};

void slim_tunnels_init(struct slim_tunnels *tunnels, struct slim_loop *loop);

/* Close all of them, without a word to anybody. */
void slim_tunnels_fini(struct slim_tunnels *tunnels);

/* proxy        to connect to
 * request      from slim_proxy_put_request; copied
 * tls          for an https proxy, made without ALPN (slim_tls_options.is_http1); taken, on failure too. NULL: plain
 * timeout_ms   for everything until the answer; 0: none for connecting */
struct slim_tunnel_options {
    const struct slim_endpoint *proxy;
    struct slim_view request;
    struct slim_tls_session *tls;
    uint64_t timeout_ms;
};

/* on_done as for a connector; SLIM_ERR_DENIED: the proxy, or TLS to it, refused for good. Never from inside. *tunnel is for cancelling, and gone when
 * on_done is called. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_tunnel_open(struct slim_tunnels *tunnels,
                                                  const struct slim_tunnel_options *options,
                                                  slim_connector_on_done *on_done, void *ctx,
                                                  struct slim_tunnel **tunnel);

/* Give the attempt up; on_done is not called. NULL is allowed. Not from inside on_done. */
void slim_tunnel_cancel(struct slim_tunnel *tunnel);

#endif
