/* What the calls of a link carry besides their path, and how often they may begin (spec node.md 3.6). Private to src/datapath. */
#ifndef SLIM_DATAPATH_REQUEST_H
#define SLIM_DATAPATH_REQUEST_H

#include "config/config.h"
#include "grpc/grpc.h"

/* items[count] is room for the authorization header. Names are lower case; names and values are owned. */
struct slim_datapath_headers {
    struct slim_grpc_header *items;
    size_t count;
};

/* Copy the configured headers; with `has_auth` an authorization header among them is left out, because ours takes its place.
 * SLIM_ERR_CONFIG: a name or value that HTTP does not allow, or one that is ours to set, with a sentence. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_datapath_headers_init(struct slim_datapath_headers *headers,
                                                            const struct slim_config_pairs *pairs,
                                                            bool has_auth,
                                                            struct slim_error *error);
void slim_datapath_headers_fini(struct slim_datapath_headers *headers);

/* At most `count` calls in each `period_ms`, which begins with a call; count 0: no limit. Zero the rest. */
struct slim_datapath_rate {
    uint32_t count;
    uint64_t period_ms;
    uint64_t period_start_ms;
    uint32_t used_count;
};

/* 0: a call may begin now, and is counted. Else the milliseconds after which to ask again. */
uint64_t slim_datapath_rate_wait_ms(struct slim_datapath_rate *rate, uint64_t now_ms);

#endif
