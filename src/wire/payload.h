/* The content of a Publish: reader and writer. Private to src/wire. */
#ifndef SLIM_WIRE_PAYLOAD_H
#define SLIM_WIRE_PAYLOAD_H

#include "wire/session_message.h"

/* Read the body of a Content that has passed slim_wire_check into *payload, which starts zeroed or holds what an earlier
 * Content of the same message gave (the two are merged). */
SLIM_MUST_CHECK enum slim_status slim_wire_read_payload(struct slim_view content,
                                                        struct slim_wire_payload *payload);

/* Append Publish.msg, or nothing for SLIM_WIRE_PAYLOAD_NONE. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_payload(struct slim_buf *out,
                                                       const struct slim_wire_payload *payload);

#endif
