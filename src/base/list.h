/* Intrusive doubly linked list: a ring through a head node. Adding, removing and testing cost O(1). */
#ifndef SLIM_BASE_LIST_H
#define SLIM_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

/* A head is a node whose next is the first and whose prev is the last entry; an empty head points at itself.
 * A node that is in no list points at itself too, so that removing it twice is harmless. */
struct slim_list {
    struct slim_list *next;
    struct slim_list *prev;
};

static inline void slim_list_init(struct slim_list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool slim_list_is_empty(const struct slim_list *head)
{
    return head->next == head;
}

/* True when `node` is in a list (for a head: when its list has entries). */
static inline bool slim_list_is_linked(const struct slim_list *node)
{
    return node->next != node;
}

static inline void slim_list_put_last(struct slim_list *head, struct slim_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void slim_list_put_first(struct slim_list *head, struct slim_list *node)
{
    slim_list_put_last(head->next, node);
}

static inline void slim_list_remove(struct slim_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    slim_list_init(node);
}

/* Remove and return the first entry, or NULL when the list is empty. */
static inline struct slim_list *slim_list_take_first(struct slim_list *head)
{
    struct slim_list *node = head->next;
    if (node == head) {
        return NULL;
    }
    slim_list_remove(node);
    return node;
}

/* Move all entries of `from` to the end of `to`. */
static inline void slim_list_take_all(struct slim_list *to, struct slim_list *from)
{
    if (slim_list_is_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev->next = from->next;
    to->prev = from->prev;
    slim_list_init(from);
}

#define SLIM_LIST_ENTRY(node, type, member) SLIM_CONTAINER_OF(node, type, member)

/* Walk; the current entry may be removed while walking, others may not. */
#define SLIM_LIST_EACH(node, head)                                                                 \
    for (struct slim_list *node = (head)->next, *node##_next = node->next; node != (head);         \
         node = node##_next, node##_next = node->next)

#endif
