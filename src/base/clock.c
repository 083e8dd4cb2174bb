#include "base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    int result = clock_gettime(id, &now);
    assert(result == 0); /* fails only for clocks that do not exist */
    (void)result;
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t slim_clock_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000U;
}

uint64_t slim_clock_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t slim_clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t slim_clock_wall_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000U;
}
