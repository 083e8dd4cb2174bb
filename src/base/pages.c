#include "base/pages.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Code is left alone: a debugger may have written into its pages. Pages that can be written to are no copies of a file any more. */
static int drop_tables(struct dl_phdr_info *image, size_t size, void *ctx)
{
    (void)size;
    uintptr_t mask = ~(uintptr_t)(*(const long *)ctx - 1);
    for (size_t i = 0; i < image->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & (PF_W | PF_X)) != 0) {
            continue;
        }
        uintptr_t begin = (image->dlpi_addr + segment->p_vaddr) & mask;
        uintptr_t end = image->dlpi_addr + segment->p_vaddr + segment->p_filesz;
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* where it cannot, they stay */
    }
    return 0;
}

void slim_pages_drop_tables(void)
{
    long page_bytes = sysconf(_SC_PAGESIZE);
    if (page_bytes > 0) {
        (void)dl_iterate_phdr(drop_tables, &page_bytes); /* what drop_tables returned */
    }
}
