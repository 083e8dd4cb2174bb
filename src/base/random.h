/* Random bytes from the kernel. Only src/io, src/datapath, cmd and tests call it; modules without I/O are handed bytes. */
#ifndef SLIM_BASE_RANDOM_H
#define SLIM_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fill `len` bytes with cryptographically secure random bytes. Ends the process when the kernel has none to give, which
 * happens only on kernels we do not run on: nothing secure could go on after it. */
void slim_random_fill(void *out, size_t len);

uint64_t slim_random_u64(void);

#endif
