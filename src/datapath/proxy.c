#include "datapath/proxy.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "datapath/internal.h"

#define SLIM_LOG_TARGET "slim_config::grpc::proxy"

/* url         NULL: the environment's
 * user_pass   "user:password" of the configuration; empty: that of the URL, if any
 * tls         for an https proxy; that of the configuration is made at once, for the environment when it is needed first */
struct slim_datapath_proxy {
    struct slim_datapath *datapath;
    char *endpoint;
    char *url;
    struct slim_buf user_pass;
    struct slim_proxy_header *headers;
    struct slim_buf *texts; /* of headers, two each */
    size_t header_count;
    struct slim_datapath_tls *tls;
};

static enum slim_status copy_headers(struct slim_datapath_proxy *proxy,
                                     const struct slim_config_pairs *headers)
{
    if (headers->count == 0) {
        return SLIM_OK;
    }
    proxy->headers = calloc(headers->count, sizeof(*proxy->headers));
    proxy->texts = calloc(headers->count, 2 * sizeof(*proxy->texts));
    if (proxy->headers == NULL || proxy->texts == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    proxy->header_count = headers->count;
    for (size_t i = 0; i < headers->count; i++) {
        struct slim_buf *text = &proxy->texts[2 * i];
        SLIM_TRY(slim_buf_put(&text[0], slim_view_str(headers->items[i].key)));
        SLIM_TRY(slim_buf_put(&text[1], slim_view_str(headers->items[i].value)));
        proxy->headers[i] =
            (struct slim_proxy_header){slim_buf_view(&text[0]), slim_buf_view(&text[1])};
    }
    return SLIM_OK;
}

static enum slim_status copy(struct slim_datapath_proxy *proxy,
                             const struct slim_config_proxy *config, const char *endpoint)
{
    proxy->endpoint = strdup(endpoint);
    proxy->url = config->url == NULL ? NULL : strdup(config->url);
    if (proxy->endpoint == NULL || (config->url != NULL && proxy->url == NULL)) {
        return SLIM_ERR_NO_MEMORY;
    }
    if (config->username != NULL && config->password != NULL) {
        SLIM_TRY(slim_buf_put(&proxy->user_pass, slim_view_str(config->username)));
        SLIM_TRY(slim_buf_put_byte(&proxy->user_pass, ':'));
        SLIM_TRY(slim_buf_put(&proxy->user_pass, slim_view_str(config->password)));
    }
    return copy_headers(proxy, &config->headers);
}

/* An https proxy is spoken to with proxy.tls, and HTTP/1 inside. The environment may name one later: then its TLS is needed, too. */
static enum slim_status make_tls(struct slim_datapath_proxy *proxy,
                                 const struct slim_config_proxy *config, struct slim_error *error)
{
    static const char prefix[] = "https://";
    bool is_secure = false;
    const char *const urls[] = {proxy->url,
                                proxy->url == NULL ? getenv("HTTPS_PROXY") : NULL,
                                proxy->url == NULL ? getenv("https_proxy") : NULL,
                                proxy->url == NULL ? getenv("HTTP_PROXY") : NULL,
                                proxy->url == NULL ? getenv("http_proxy") : NULL,
                                proxy->url == NULL ? getenv("ALL_PROXY") : NULL,
                                proxy->url == NULL ? getenv("all_proxy") : NULL};
    for (size_t i = 0; i < SLIM_COUNT(urls); i++) {
        is_secure =
            is_secure || (urls[i] != NULL && strncmp(urls[i], prefix, sizeof(prefix) - 1) == 0);
    }
    return is_secure ? slim_datapath_tls_new_proxy(proxy->datapath, &config->tls, proxy->endpoint,
                                                   &proxy->tls, error)
                     : SLIM_OK;
}

enum slim_status slim_datapath_proxy_new(struct slim_datapath *datapath,
                                         const struct slim_config_proxy *config,
                                         const char *endpoint, struct slim_datapath_proxy **proxy,
                                         struct slim_error *error)
{
    struct slim_datapath_proxy *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    made->datapath = datapath;
    enum slim_status status = copy(made, config, endpoint);
    if (status != SLIM_OK) {
        (void)slim_error_set(error, status, "out of memory");
    } else {
        status = make_tls(made, config, error);
    }
    if (status != SLIM_OK) {
        slim_datapath_proxy_free(made);
        return status;
    }
    *proxy = made;
    return SLIM_OK;
}

void slim_datapath_proxy_free(struct slim_datapath_proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    slim_datapath_tls_free(proxy->tls);
    slim_buf_wipe(&proxy->user_pass);
    for (size_t i = 0; i < 2 * proxy->header_count; i++) {
        slim_buf_wipe(&proxy->texts[i]);
    }
    free(proxy->texts);
    free(proxy->headers);
    if (proxy->url != NULL) {
        slim_secret_wipe(proxy->url, strlen(proxy->url));
    }
    free(proxy->url);
    free(proxy->endpoint);
    free(proxy);
}

/* Ask the proxy at `endpoint`. */
static enum slim_status ask(struct slim_datapath_proxy *proxy, const struct slim_endpoint *endpoint,
                            const struct slim_endpoint *target, struct slim_view user_pass,
                            struct slim_tunnel_options *options, slim_connector_on_done *on_done,
                            void *ctx, struct slim_tunnel **tunnel, struct slim_error *error)
{
    struct slim_buf request = {0};
    enum slim_status status =
        slim_proxy_put_request(&request, target, user_pass, proxy->headers, proxy->header_count);
    if (status == SLIM_ERR_CONFIG) {
        (void)slim_error_set(error, status, "proxy: a header has a line break in it");
    }
    if (status == SLIM_OK && strcmp(endpoint->scheme, "https") == 0) {
        status = slim_datapath_tls_session(proxy->tls, endpoint->host, &options->tls, error);
    }
    if (status == SLIM_OK) {
        char uri[sizeof(endpoint->scheme) + sizeof(endpoint->authority) + 4];
        /* fits */
        (void)snprintf(uri, sizeof(uri), "%s://%s", endpoint->scheme, endpoint->authority);
        slim_log(INFO, "Creating proxy tunnel", SLIM_LOG_STR("proxy_uri", uri));
        options->proxy = endpoint;
        options->request = slim_buf_view(&request);
        status = slim_tunnel_open(&proxy->datapath->tunnels, options, on_done, ctx, tunnel);
    }
    if (status == SLIM_ERR_NO_MEMORY) {
        (void)slim_error_set(error, status, "out of memory");
    }
    slim_buf_wipe(&request);
    return status;
}

enum slim_status slim_datapath_proxy_open(struct slim_datapath_proxy *proxy,
                                          const struct slim_endpoint *target, uint64_t timeout_ms,
                                          slim_connector_on_done *on_done, void *ctx,
                                          struct slim_tunnel **tunnel, struct slim_error *error)
{
    const char *url = proxy->url != NULL ? proxy->url : slim_proxy_of_environment(target);
    if (url == NULL || target->is_unix) {
        return SLIM_ERR_NOT_FOUND;
    }
    struct slim_endpoint endpoint;
    struct slim_buf user_pass = {0};
    enum slim_status status = slim_proxy_parse(slim_view_str(url), &endpoint, &user_pass, error);
    if (status == SLIM_OK) {
        struct slim_tunnel_options options = {.timeout_ms = timeout_ms};
        status = ask(proxy, &endpoint, target,
                     slim_buf_view(proxy->user_pass.len > 0 ? &proxy->user_pass : &user_pass),
                     &options, on_done, ctx, tunnel, error);
    }
    slim_buf_wipe(&user_pass);
    return status;
}
