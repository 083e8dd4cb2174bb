#include "base/secret.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void slim_secret_wipe(void *data, size_t len)
{
    if (len > 0) {
        explicit_bzero(data, len);
    }
}

bool slim_secret_is_equal(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < len; i++) {
        difference |= (uint8_t)(left[i] ^ right[i]);
    }
    return difference == 0;
}

/* Stands before each object; its size keeps the alignment of malloc. */
struct secret_head {
    alignas(max_align_t) size_t size;
};

static struct secret_head *head_of(void *object)
{
    return (struct secret_head *)object - 1;
}

void *slim_secret_take(size_t count, size_t size)
{
    size_t bytes;
    size_t all;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct secret_head), &all)) {
        return NULL;
    }
    struct secret_head *head = calloc(1, all);
    if (head == NULL) {
        return NULL;
    }
    head->size = bytes;
    return head + 1;
}

void *slim_secret_resize(void *object, size_t size)
{
    void *made = slim_secret_take(1, size);
    if (made != NULL && object != NULL) {
        size_t old_size = head_of(object)->size;
        memcpy(made, object, old_size < size ? old_size : size);
        slim_secret_return(object);
    }
    return made;
}

void slim_secret_return(void *object)
{
    if (object != NULL) {
        slim_secret_wipe(object, head_of(object)->size);
        free(head_of(object));
    }
}
