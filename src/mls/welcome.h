/* GroupInfo, GroupSecrets and Welcome (RFC 9420 section 12.4.3): their forms. */
#ifndef SLIM_MLS_WELCOME_H
#define SLIM_MLS_WELCOME_H

#include "mls/schedule.h"

struct slim_mls_group_info {
    struct slim_mls_context context;
    struct slim_view context_bytes;
    struct slim_view extensions;
    struct slim_view confirmation_tag;
    uint32_t signer; /* leaf index */
    struct slim_view signature;
    struct slim_view tbs;
    struct slim_view bytes;
};
SLIM_MUST_CHECK enum slim_status slim_mls_take_group_info(struct slim_view *in,
                                                          struct slim_mls_group_info *info);
void slim_mls_put_group_info_tbs(struct slim_mls_out *out, const struct slim_mls_group_info *info);
void slim_mls_put_group_info(struct slim_mls_out *out, const struct slim_mls_group_info *info);

/* psks   encoded list of PreSharedKeyID, checked */
struct slim_mls_group_secrets {
    struct slim_view joiner_secret;
    bool has_path_secret;
    struct slim_view path_secret;
    struct slim_view psks;
};
SLIM_MUST_CHECK enum slim_status
slim_mls_take_group_secrets(struct slim_view *in, struct slim_mls_group_secrets *secrets);
void slim_mls_put_group_secrets(struct slim_mls_out *out,
                                const struct slim_mls_group_secrets *secrets);

/* secrets   encoded list of EncryptedGroupSecrets, checked */
struct slim_mls_welcome {
    uint16_t suite;
    struct slim_view secrets;
    struct slim_view encrypted_group_info;
};
SLIM_MUST_CHECK enum slim_status slim_mls_take_welcome(struct slim_view *in,
                                                       struct slim_mls_welcome *welcome);
void slim_mls_put_welcome(struct slim_mls_out *out, const struct slim_mls_welcome *welcome);

struct slim_mls_encrypted_secrets {
    struct slim_view new_member; /* KeyPackageRef */
    struct slim_mls_ciphertext sealed;
};
SLIM_MUST_CHECK enum slim_status
slim_mls_take_encrypted_secrets(struct slim_view *in, struct slim_mls_encrypted_secrets *entry);

/* Key and nonce of the encrypted GroupInfo, from the welcome secret. */
void slim_mls_welcome_key(const struct slim_mls_suite *suite, const uint8_t *welcome_secret,
                          uint8_t *key, uint8_t *nonce);

#endif
