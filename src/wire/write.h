/* Writers of the parts that several messages share. Private to src/wire. */
#ifndef SLIM_WIRE_WRITE_H
#define SLIM_WIRE_WRITE_H

#include "wire/wire.h"

/* A SLIMHeader. Pointers to numbers are NULL when the field is absent. */
struct slim_wire_header {
    const struct slim_name_key *source;
    const struct slim_name_text *source_text;
    const struct slim_name_key *destination;
    const struct slim_name_text *destination_text;
    uint32_t fanout;
    struct slim_view identity;
    const uint64_t *recv_from;
    const uint64_t *forward_to;
    const uint64_t *incoming_conn;
    const bool *error;
};

/* Append a Name, with both parts, as field `number`. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_name(struct slim_buf *out, uint32_t number,
                                                    const struct slim_name_key *name,
                                                    const struct slim_name_text *text);

/* Append a SLIMHeader as field `number`. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_wire_put_header(struct slim_buf *out, uint32_t number,
                                                      const struct slim_wire_header *header);

#endif
