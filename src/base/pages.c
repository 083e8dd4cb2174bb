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
    if (pages == MAP_FAILED) {
        return NULL;
    }
#ifdef MADV_NOHUGEPAGE
    /* Linux would make one huge page of many that are mostly untouched; where it cannot, nothing is to be feared */
    (void)madvise(pages, size, MADV_NOHUGEPAGE);
#endif
    return pages;
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
