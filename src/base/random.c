#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void slim_random_fill(void *out, size_t len)
{
    uint8_t *to = out;
    while (len > 0) {
        ssize_t got = getrandom(to, len, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            abort();
        }
        to += got;
        len -= (size_t)got;
    }
}

uint64_t slim_random_u64(void)
{
    uint64_t value;
    slim_random_fill(&value, sizeof(value));
    return value;
}
