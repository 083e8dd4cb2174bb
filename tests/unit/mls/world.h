/* Clients for tests: named by their basic credential, with a clock that is set by hand and randomness from a seed. */
#ifndef SLIM_TESTS_MLS_WORLD_H
#define SLIM_TESTS_MLS_WORLD_H

#include "slim/mls.h"

/* seed          state of the random numbers of all clients
 * now_s         the clock
 * refused       a credential that the check refuses; NULL: none
 * psk           answer to every request for a pre-shared key when psk_len > 0
 * check_count   credentials asked about */
struct world {
    uint64_t seed;
    uint64_t now_s;
    const char *refused;
    uint8_t psk[SLIM_MLS_PSK_BYTES_MAX];
    size_t psk_len;
    unsigned check_count;
};

enum { WORLD_START_S = 1795342423 };

uint64_t world_random(struct world *world);

/* A config whose signature key is in *key (give it back with slim_mls_buf_free) and whose credential is `name`. */
enum slim_mls_status world_config(struct world *world, uint16_t suite, const char *name,
                                  struct slim_mls_client_config *config, struct slim_mls_buf *key);
enum slim_mls_status world_client(struct world *world, uint16_t suite, const char *name,
                                  struct slim_mls_client **client);

/* Add one client to a group and let it join; the other members get the commit from *commit (may be NULL). */
enum slim_mls_status world_add(struct slim_mls_group *group, struct slim_mls_client *joiner,
                               struct slim_mls_group **joined, struct slim_mls_buf *commit);

static inline struct slim_mls_view world_view(const struct slim_mls_buf *buf)
{
    return (struct slim_mls_view){buf->data, buf->len};
}

struct slim_mls_view world_text(const char *text);

/* Process a message and expect this kind of event. */
enum slim_mls_status world_process(struct slim_mls_group *group, const struct slim_mls_buf *message,
                                   enum slim_mls_event_kind kind);

/* Encrypt `text` with one group and open it with another: SLIM_MLS_OK when it comes out equal. */
enum slim_mls_status world_talk(struct slim_mls_group *from, struct slim_mls_group *to,
                                const char *text);

/* Same epoch, authenticator and tree hash? */
bool world_agrees(const struct slim_mls_group *a, const struct slim_mls_group *b);

#endif
