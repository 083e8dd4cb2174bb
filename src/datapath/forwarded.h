/* The subscriptions that were sent out on a link, for its next stream (spec wire.md 5.4, 7.4). Private to src/datapath. */
#ifndef SLIM_DATAPATH_FORWARDED_H
#define SLIM_DATAPATH_FORWARDED_H

#include "wire/wire.h"

struct slim_datapath_forwarded;

SLIM_MUST_CHECK enum slim_status
slim_datapath_forwarded_new(struct slim_datapath_forwarded **table);
void slim_datapath_forwarded_free(struct slim_datapath_forwarded *table);

/* A Subscribe or Unsubscribe went out. Keyed by source and destination, counted: as many Unsubscribes as Subscribes take it out,
 * whatever identity they carry. The latest identity is kept.
 * SLIM_ERR_LIMIT, SLIM_ERR_NO_MEMORY: it will not be restored. */
SLIM_MUST_CHECK enum slim_status slim_datapath_forwarded_note(struct slim_datapath_forwarded *table,
                                                              const struct slim_wire_head *head);

/* Show the Subscribe message of each entry, once for each count. Borrowed for the length of the callback. */
void slim_datapath_forwarded_each(const struct slim_datapath_forwarded *table,
                                  void (*visit)(void *ctx, struct slim_view msg), void *ctx);

size_t slim_datapath_forwarded_count(const struct slim_datapath_forwarded *table);

#endif
