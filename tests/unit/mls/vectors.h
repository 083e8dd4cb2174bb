/* The parts of the program mls-vectors (spec programs.md): each runs one case of one kind of vector file. */
#ifndef SLIM_TESTS_MLS_VECTORS_H
#define SLIM_TESTS_MLS_VECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "mls/suite.h"

/* False, after a line that names the broken claim. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "  %s:%d: %s\n", __FILE__, __LINE__, #condition);                      \
            return false;                                                                          \
        }                                                                                          \
    } while (0)
#define EXPECT_OK(call)                                                                            \
    do {                                                                                           \
        int got_status_ = (int)(call);                                                             \
        if (got_status_ != 0) {                                                                    \
            fprintf(stderr, "  %s:%d: %s: status %d\n", __FILE__, __LINE__, #call, got_status_);   \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

typedef bool vector_case(const json_t *item);

/* Members of a JSON object. The bytes live until vector_forget. A missing or null member is an empty view. */
struct slim_view vector_hex(const json_t *item, const char *key);
struct slim_view vector_hex_text(const char *text);
struct slim_view vector_text(const json_t *item, const char *key);
uint64_t vector_number(const json_t *item, const char *key);
const json_t *vector_get(const json_t *item, const char *key);
bool vector_is_equal(const json_t *item, const char *key, const void *bytes, size_t len);

/* Room of `len` bytes until vector_forget, and the end of everything handed out. */
uint8_t *vector_room(size_t len);
void vector_forget(void);

/* Suite of the case; NULL when it cannot be done (the case is then counted as skipped). */
const struct slim_mls_suite *vector_suite(const json_t *item);

/* Random bytes that repeat from run to run. */
extern const struct slim_mls_random vector_random;

vector_case vector_crypto_basics, vector_deserialization, vector_tree_math, vector_key_schedule,
    vector_psk_secret, vector_transcript_hashes, vector_secret_tree, vector_message_protection,
    vector_welcome, vector_tree_operations, vector_tree_validation, vector_treekem, vector_messages,
    vector_passive_client;

/* Recorded histories: run steps in order until one fails; the number that passed.
 * group_walk         all joiners of the history at once, in step (mls-rs-group-walk.json)
 * own_member         one member whose private keys are known, in a group of a real moderator
 * recorded_messages  what real clients sent, without private keys: decoding, encoding, signatures */
size_t vector_group_walk(const json_t *root);
size_t vector_own_member(const json_t *root);
size_t vector_recorded_messages(const json_t *root);

#endif
