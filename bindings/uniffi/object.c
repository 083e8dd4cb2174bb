#include "object.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A handle, from its lowest bit: 4 bits 0 (as aligned as a pointer), the slot, the slot's generation, one bit set that keeps it away from all
 * addresses that programs use (some garbage collectors look at what may be a pointer of theirs). 47 bits: every language takes it. */
enum {
    SLOT_SHIFT = 4,
    SLOT_BITS = 24,
    GENERATION_SHIFT = SLOT_SHIFT + SLOT_BITS,
    GENERATION_BITS = 18,
    MARK_SHIFT = GENERATION_SHIFT + GENERATION_BITS,
    SLOT_COUNT_MAX = 1 << SLOT_BITS,
    SLOT_COUNT_START = 256,
    NO_SLOT = SLOT_COUNT_MAX
};

/* object: NULL while free; next_free: then */
struct slot {
    struct uf_object *object;
    uint32_t generation;
    uint32_t next_free;
};

static pthread_mutex_t mutex =
    PTHREAD_MUTEX_INITIALIZER; /* guards all below, and the handles in objects */
static struct slot *slots;
static uint32_t slot_count;
static uint32_t first_free = NO_SLOT;
static uint32_t used_count;

static const struct {
    const char *text;
    void (*free)(struct uf_object *object);
} kinds[] = {
    [UF_NAME] = {"Name", uf_name_free},
    [UF_SERVICE] = {"Service", uf_service_free},
    [UF_APP] = {"App", uf_app_free},
    [UF_SESSION] = {"Session", uf_session_free},
    [UF_FUTURE] = {"a future", uf_future_free},
    [UF_COMPLETION] = {"CompletionHandle", uf_completion_free},
};

void uf_handle_lock(void)
{
    (void)pthread_mutex_lock(&mutex); /* our own mutex */
}

void uf_handle_unlock(void)
{
    (void)pthread_mutex_unlock(&mutex); /* likewise */
}

void uf_handle_child(void)
{
    (void)pthread_mutex_init(&mutex, NULL); /* the child has one thread, and it held the lock */
}

const char *uf_kind_text(enum uf_kind kind)
{
    return kinds[kind].text;
}

void uf_object_init(struct uf_object *object, enum uf_kind kind)
{
    atomic_init(&object->ref_count, 1);
    object->kind = kind;
    object->handle = 0;
    object->handle_count = 0;
}

void *uf_object_ref(void *object)
{
    struct uf_object *self = object;
    atomic_fetch_add_explicit(&self->ref_count, 1, memory_order_relaxed);
    return object;
}

void uf_object_unref(void *object)
{
    struct uf_object *self = object;
    if (self != NULL && atomic_fetch_sub_explicit(&self->ref_count, 1, memory_order_acq_rel) == 1) {
        kinds[self->kind].free(self);
    }
}

/* ------------------------------------------------------------------------------------------------ the table, under its lock */

static bool grow(void)
{
    uint32_t wanted = slot_count == 0 ? SLOT_COUNT_START : 2 * slot_count;
    struct slot *grown =
        wanted > SLOT_COUNT_MAX ? NULL : realloc(slots, (size_t)wanted * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    memset(grown + slot_count, 0, (size_t)(wanted - slot_count) * sizeof(*grown));
    for (uint32_t i = wanted; i > slot_count; i--) {
        grown[i - 1].next_free = first_free;
        first_free = i - 1;
    }
    slots = grown;
    slot_count = wanted;
    return true;
}

static uint64_t handle_of(uint32_t slot)
{
    return (uint64_t)1 << MARK_SHIFT | (uint64_t)slots[slot].generation << GENERATION_SHIFT |
           (uint64_t)slot << SLOT_SHIFT;
}

static struct uf_object *find(uint64_t handle, enum uf_kind kind)
{
    uint32_t slot = (uint32_t)(handle >> SLOT_SHIFT) & (SLOT_COUNT_MAX - 1);
    if (slot >= slot_count || slots[slot].object == NULL || handle_of(slot) != handle ||
        slots[slot].object->kind != kind) {
        return NULL;
    }
    return slots[slot].object;
}

/* The table's reference of it becomes the caller's. */
static void remove_slot(struct uf_object *object)
{
    uint32_t slot = (uint32_t)(object->handle >> SLOT_SHIFT) & (SLOT_COUNT_MAX - 1);
    slots[slot].object = NULL;
    slots[slot].generation = (slots[slot].generation + 1) & ((1U << GENERATION_BITS) - 1);
    slots[slot].next_free = first_free;
    first_free = slot;
    object->handle = 0;
    used_count--;
}

static bool put_slot(struct uf_object *object)
{
    if (first_free == NO_SLOT && !grow()) {
        return false;
    }
    uint32_t slot = first_free;
    first_free = slots[slot].next_free;
    slots[slot].object = uf_object_ref(object);
    object->handle = handle_of(slot);
    used_count++;
    return true;
}

/* ------------------------------------------------------------------------------------------------ for all threads */

uint64_t uf_handle_give(struct uf_object *object)
{
    uint64_t handle = 0;
    uf_handle_lock();
    if (object->handle_count < UINT32_MAX && (object->handle != 0 || put_slot(object))) {
        object->handle_count++;
        handle = object->handle;
    }
    uf_handle_unlock();
    return handle;
}

void *uf_handle_take(uint64_t handle, enum uf_kind kind)
{
    uf_handle_lock();
    struct uf_object *object = find(handle, kind);
    if (object != NULL) {
        assert(object->handle_count > 0);
        if (--object->handle_count == 0) {
            remove_slot(object);
        } else {
            uf_object_ref(object);
        }
    }
    uf_handle_unlock();
    return object;
}

void *uf_handle_look(uint64_t handle, enum uf_kind kind)
{
    uf_handle_lock();
    struct uf_object *object = find(handle, kind);
    if (object != NULL) {
        uf_object_ref(object);
    }
    uf_handle_unlock();
    return object;
}

uint32_t uf_handle_in_use(void)
{
    uf_handle_lock();
    uint32_t count = used_count;
    uf_handle_unlock();
    return count;
}
