/* Group context, key schedule, pre-shared keys, transcript (RFC 9420 section 8). */
#ifndef SLIM_MLS_SCHEDULE_H
#define SLIM_MLS_SCHEDULE_H

#include "mls/proposal.h"

/* GroupContext (section 8.1). */
struct slim_mls_context {
    uint16_t version;
    uint16_t suite;
    struct slim_view group_id;
    uint64_t epoch;
    struct slim_view tree_hash;
    struct slim_view confirmed_transcript_hash;
    struct slim_view extensions;
};
SLIM_MUST_CHECK enum slim_status slim_mls_take_context(struct slim_view *in,
                                                       struct slim_mls_context *context);
void slim_mls_put_context(struct slim_mls_out *out, const struct slim_mls_context *context);

/* The secrets of one epoch, hash_len bytes each. Secret. */
struct slim_mls_epoch_secrets {
    uint8_t joiner[MLS_SECRET_MAX];
    uint8_t welcome[MLS_SECRET_MAX];
    uint8_t sender_data[MLS_SECRET_MAX];
    uint8_t encryption[MLS_SECRET_MAX];
    uint8_t exporter[MLS_SECRET_MAX];
    uint8_t external[MLS_SECRET_MAX];
    uint8_t confirmation[MLS_SECRET_MAX];
    uint8_t membership[MLS_SECRET_MAX];
    uint8_t resumption[MLS_SECRET_MAX];
    uint8_t authenticator[MLS_SECRET_MAX];
    uint8_t init[MLS_SECRET_MAX]; /* for the next epoch */
};

/* init_secret[n-1] and commit_secret -> joiner_secret (needs the encoded GroupContext of the new epoch). */
void slim_mls_joiner_secret(const struct slim_mls_suite *suite, const uint8_t *init_secret,
                            const uint8_t *commit_secret, struct slim_view context,
                            uint8_t *joiner);

/* joiner_secret and psk_secret -> welcome_secret. */
void slim_mls_welcome_secret(const struct slim_mls_suite *suite, const uint8_t *joiner,
                             const uint8_t *psk_secret, uint8_t *welcome);

/* joiner_secret, psk_secret and context -> all secrets of the epoch. */
void slim_mls_epoch_derive(const struct slim_mls_suite *suite, const uint8_t *joiner,
                           const uint8_t *psk_secret, struct slim_view context,
                           struct slim_mls_epoch_secrets *secrets);

/* epoch_secret -> all but joiner and welcome (also the way of a new group, section 11). */
void slim_mls_epoch_expand(const struct slim_mls_suite *suite, const uint8_t *epoch_secret,
                           struct slim_mls_epoch_secrets *secrets);

/* MLS-Exporter(label, context, len), section 8.5; len <= 255 * hash_len. */
void slim_mls_exporter(const struct slim_mls_suite *suite, const uint8_t *exporter_secret,
                       struct slim_view label, struct slim_view context, uint8_t *out, size_t len);

/* One step of the chain of psk_secret (section 8.4): `chain` is psk_secret[index], hash_len bytes, all zeros at first, and
 * becomes psk_secret[index + 1].  SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_mls_psk_chain(const struct slim_mls_suite *suite,
                                                    const struct slim_mls_psk_id *id,
                                                    struct slim_view psk, uint16_t index,
                                                    uint16_t count, uint8_t *chain);

/* Section 8.2. `input` is ConfirmedTranscriptHashInput: wire format, FramedContent and signature. */
void slim_mls_confirmed_hash(const struct slim_mls_suite *suite, struct slim_view interim_before,
                             struct slim_view input, uint8_t *out);
void slim_mls_interim_hash(const struct slim_mls_suite *suite, struct slim_view confirmed,
                           struct slim_view tag, uint8_t *out);

#endif
