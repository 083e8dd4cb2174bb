#include "datapath/backoff.h"

uint64_t slim_datapath_backoff_delay_ms(const struct slim_config_backoff *backoff, uint64_t retry,
                                        uint64_t random)
{
    switch (backoff->kind) {
    case SLIM_CONFIG_BACKOFF_FIXED:
        return backoff->interval_ms;
    case SLIM_CONFIG_BACKOFF_EXPONENTIAL:
        break;
    }
    uint64_t delay_ms = backoff->factor;
    for (uint64_t i = 0; i < retry && delay_ms < backoff->max_delay_ms && backoff->base_ms > 1;
         i++) {
        if (__builtin_mul_overflow(delay_ms, backoff->base_ms, &delay_ms)) {
            delay_ms = backoff->max_delay_ms;
        }
    }
    if (backoff->base_ms == 0) {
        delay_ms = 0;
    }
    if (delay_ms > backoff->max_delay_ms) {
        delay_ms = backoff->max_delay_ms;
    }
    if (backoff->has_jitter) {
        delay_ms = (uint64_t)(((unsigned __int128)delay_ms * random) >> 64);
    }
    return delay_ms;
}
