/* Which identity the settings ask for, and how libslim is told of it. */
#ifndef CHAT_IDENTITY_H
#define CHAT_IDENTITY_H

#include "base/buf.h"
#include "chat/settings.h"

enum chat_identity_kind {
    CHAT_IDENTITY_SECRET,
    CHAT_IDENTITY_JWT,
    CHAT_IDENTITY_SPIRE,
};

/* Any SPIRE setting: SPIRE. Else --jwt, --spire-trust-bundle and --audience together: JWT. Else the shared secret. */
enum chat_identity_kind chat_identity_kind_of(const struct chat_settings *settings);

/* "Using shared-secret authentication." and its likes. */
const char *chat_identity_text(enum chat_identity_kind kind);

/* Are the files there, and is nothing forgotten? A sentence otherwise. */
SLIM_MUST_CHECK enum slim_status chat_identity_check(const struct chat_settings *settings,
                                                     struct slim_error *error);

/* The token_provider and token_verifier of slim.yaml(5) as zero-terminated JSON. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status chat_identity_describe(const struct chat_settings *settings,
                                                        struct slim_buf *provider,
                                                        struct slim_buf *verifier);

#endif
