/* The clocks of the machine. Only src/io, cmd and tests read them; modules without I/O are handed the time. */
#ifndef SLIM_BASE_CLOCK_H
#define SLIM_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic time, for timers and durations. */
uint64_t slim_clock_ms(void);
uint64_t slim_clock_ns(void);

/* CPU time of the calling thread. */
uint64_t slim_clock_thread_cpu_ns(void);

/* Time since 1970-01-01 UTC, for log lines and tokens. */
uint64_t slim_clock_wall_us(void);

#endif
