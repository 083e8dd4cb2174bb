#include "base/pages.h"

#ifdef SLIM_POOL_DEBUG

#include <stdlib.h>

void *slim_pages_take(size_t size)
{
    return calloc(1, size);
}

void slim_pages_return(void *pages, size_t size)
{
    (void)size;
    free(pages);
}

#else

#include <assert.h>
#include <sys/mman.h>

void *slim_pages_take(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void slim_pages_return(void *pages, size_t size)
{
    if (pages == NULL) {
        return;
    }
    int result = munmap(pages, size);
    assert(result == 0); /* they are ours, and whole */
    (void)result;        /* looked at by the assertion only */
}

#endif
