/* The two readers behind slim_wire_read_head, apart so that a test can compare them. Private to src/wire. */
#ifndef SLIM_WIRE_HEAD_H
#define SLIM_WIRE_HEAD_H

#include "wire/wire.h"

/* Reads every message; the definition of what slim_wire_read_head returns. */
SLIM_MUST_CHECK enum slim_status slim_wire_read_head_any(struct slim_view msg,
                                                         struct slim_wire_head *head);

/* Reads a Publish whose fields come in the order in which every known sender writes them, each at most once. True: *head
 * is what slim_wire_read_head_any gives with SLIM_OK. False: nothing is known about `msg`, ask the other one. */
bool slim_wire_read_head_fast(struct slim_view msg, struct slim_wire_head *head,
                              struct slim_wire_memo *memo);

/* Why a message with this head is dropped. */
enum slim_wire_fault slim_wire_head_fault(const struct slim_wire_head *head, bool has_header,
                                          bool has_link_type);

/* Fill *name from the body of a Name that has passed slim_wire_check. */
SLIM_MUST_CHECK enum slim_status slim_wire_read_name(struct slim_view body,
                                                     struct slim_wire_name *name);

#endif
