/* Delays between attempts to connect (spec wire.md 7.2, node.md 3.10). Private to src/datapath. */
#ifndef SLIM_DATAPATH_BACKOFF_H
#define SLIM_DATAPATH_BACKOFF_H

#include "config/config.h"

/* Delay before retry number `retry` (1 = the first one after the first attempt), in milliseconds.
 * exponential: min(base^retry * factor, max_delay), a power and not a doubling; jitter multiplies by random / 2^64.
 * fixed: the interval. */
uint64_t slim_datapath_backoff_delay_ms(const struct slim_config_backoff *backoff, uint64_t retry,
                                        uint64_t random);

#endif
