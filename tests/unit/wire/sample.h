/* Messages for tests: valid ones of every kind with random content, and random damage. Seeded, so that a failure repeats. */
#ifndef SLIM_TESTS_UNIT_WIRE_SAMPLE_H
#define SLIM_TESTS_UNIT_WIRE_SAMPLE_H

#include "base/buf.h"
#include "wire/session_message.h"

enum { SAMPLE_NAMES_MAX = 8 };

/* xorshift64*; state must not be 0. */
uint64_t sample_random(uint64_t *state);

/* Append one random valid message: mostly a Publish with any payload, sometimes another kind. */
void sample_put(uint64_t *state, struct slim_buf *out);

/* A typical Publish of the data path: 150 bytes of identity, `payload_len` (at most 1024) of payload. `which` chooses the
 * two names. */
void sample_put_typical(unsigned which, size_t payload_len, struct slim_buf *out);

/* Change `msg` in one to three random places: a bit, a byte, a byte less, a byte more, a piece twice, a piece less. */
void sample_damage(uint64_t *state, struct slim_buf *msg);

#endif
