/* RFC 9420 section 6. */
#include "mls/framing.h"

#include "base/secret.h"

enum { SENDER_DATA_LEN = 12, REUSE_GUARD_LEN = 4, PADDING_UNIT_MIN = 256, PADDING_STEPS = 8 };

enum slim_status slim_mls_take_message_head(struct slim_view *in, enum slim_mls_wire_format *format)
{
    struct slim_view rest = *in;
    uint16_t version;
    uint16_t number;
    SLIM_TRY(slim_mls_take_u16(&rest, &version));
    SLIM_TRY(slim_mls_take_u16(&rest, &number));
    if (version != MLS_VERSION_10 || number < MLS_WIRE_PUBLIC || number > MLS_WIRE_KEY_PACKAGE) {
        return SLIM_ERR_UNSUPPORTED;
    }
    *format = (enum slim_mls_wire_format)number;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_message_head(struct slim_mls_out *out, enum slim_mls_wire_format format)
{
    slim_mls_put_u16(out, MLS_VERSION_10);
    slim_mls_put_u16(out, (uint16_t)format);
}

/* ---- FramedContent */

static enum slim_status take_sender(struct slim_view *in, struct slim_mls_content *content)
{
    SLIM_TRY(slim_mls_take_u8(in, &content->sender_type));
    switch (content->sender_type) {
    case MLS_SENDER_MEMBER:
    case MLS_SENDER_EXTERNAL:
        return slim_mls_take_u32(in, &content->sender_index);
    case MLS_SENDER_NEW_PROPOSAL:
    case MLS_SENDER_NEW_COMMIT:
        return SLIM_OK;
    default: /* a byte from outside, not an enum */
        return SLIM_ERR_MALFORMED;
    }
}

/* Application data, Proposal or Commit: `body` is what stands behind a length header, or the struct itself. */
static enum slim_status take_body(struct slim_view *in, uint8_t content_type,
                                  struct slim_view *body)
{
    struct slim_view before = *in;
    switch (content_type) {
    case MLS_CONTENT_APPLICATION:
        return slim_mls_take_opaque(in, body);
    case MLS_CONTENT_PROPOSAL: {
        struct slim_mls_proposal proposal;
        SLIM_TRY(slim_mls_take_proposal(in, &proposal));
        break;
    }
    case MLS_CONTENT_COMMIT: {
        struct slim_mls_commit commit;
        SLIM_TRY(slim_mls_take_commit(in, &commit));
        break;
    }
    default: /* a byte from outside, not an enum */
        return SLIM_ERR_MALFORMED;
    }
    *body = slim_mls_taken(before, *in);
    return SLIM_OK;
}

static void put_body(struct slim_mls_out *out, const struct slim_mls_content *content)
{
    if (content->content_type == MLS_CONTENT_APPLICATION) {
        slim_mls_put_opaque(out, content->body);
    } else {
        slim_mls_put_bytes(out, content->body);
    }
}

static enum slim_status take_framed(struct slim_view *in, struct slim_mls_content *content)
{
    struct slim_view before = *in;
    SLIM_TRY(slim_mls_take_opaque(in, &content->group_id));
    SLIM_TRY(slim_mls_take_u64(in, &content->epoch));
    SLIM_TRY(take_sender(in, content));
    SLIM_TRY(slim_mls_take_opaque(in, &content->authenticated_data));
    SLIM_TRY(slim_mls_take_u8(in, &content->content_type));
    SLIM_TRY(take_body(in, content->content_type, &content->body));
    content->framed = slim_mls_taken(before, *in);
    return SLIM_OK;
}

void slim_mls_put_framed(struct slim_mls_out *out, const struct slim_mls_content *content)
{
    if (content->framed.len > 0) {
        slim_mls_put_bytes(out, content->framed);
        return;
    }
    slim_mls_put_opaque(out, content->group_id);
    slim_mls_put_u64(out, content->epoch);
    slim_mls_put_u8(out, content->sender_type);
    if (content->sender_type == MLS_SENDER_MEMBER || content->sender_type == MLS_SENDER_EXTERNAL) {
        slim_mls_put_u32(out, content->sender_index);
    }
    slim_mls_put_opaque(out, content->authenticated_data);
    slim_mls_put_u8(out, content->content_type);
    put_body(out, content);
}

static enum slim_status take_auth(struct slim_view *in, struct slim_mls_content *content)
{
    SLIM_TRY(slim_mls_take_opaque(in, &content->signature));
    if (content->content_type == MLS_CONTENT_COMMIT) {
        SLIM_TRY(slim_mls_take_opaque(in, &content->confirmation_tag));
    }
    return SLIM_OK;
}

void slim_mls_put_auth(struct slim_mls_out *out, const struct slim_mls_content *content)
{
    slim_mls_put_opaque(out, content->signature);
    if (content->content_type == MLS_CONTENT_COMMIT) {
        slim_mls_put_opaque(out, content->confirmation_tag);
    }
}

void slim_mls_put_authenticated(struct slim_mls_out *out, const struct slim_mls_content *content)
{
    slim_mls_put_u16(out, (uint16_t)content->format);
    slim_mls_put_framed(out, content);
    slim_mls_put_auth(out, content);
}

enum slim_status slim_mls_take_authenticated(struct slim_view *in, struct slim_mls_content *content)
{
    struct slim_view rest = *in;
    struct slim_mls_content got = {0};
    uint16_t format;
    SLIM_TRY(slim_mls_take_u16(&rest, &format));
    if (format != MLS_WIRE_PUBLIC && format != MLS_WIRE_PRIVATE) {
        return SLIM_ERR_MALFORMED;
    }
    got.format = (enum slim_mls_wire_format)format;
    SLIM_TRY(take_framed(&rest, &got));
    SLIM_TRY(take_auth(&rest, &got));
    *content = got;
    *in = rest;
    return SLIM_OK;
}

/* ---- signatures and tags */

/* FramedContentTBS (section 6.1). */
static void put_tbs(struct slim_mls_out *out, struct slim_view context,
                    const struct slim_mls_content *content)
{
    slim_mls_put_u16(out, MLS_VERSION_10);
    slim_mls_put_u16(out, (uint16_t)content->format);
    slim_mls_put_framed(out, content);
    if (content->sender_type == MLS_SENDER_MEMBER ||
        content->sender_type == MLS_SENDER_NEW_COMMIT) {
        slim_mls_put_bytes(out, context);
    }
}

enum slim_status slim_mls_content_sign(const struct slim_mls_suite *suite,
                                       const uint8_t *private_key, struct slim_view context,
                                       const struct slim_mls_content *content, uint8_t *signature,
                                       size_t *len)
{
    struct slim_mls_out tbs = {0};
    put_tbs(&tbs, context, content);
    enum slim_status status = tbs.status;
    if (status == SLIM_OK) {
        status = slim_mls_sign(suite, private_key, "FramedContentTBS", slim_mls_out_view(&tbs),
                               signature, len);
    }
    slim_mls_out_fini(&tbs);
    return status;
}

enum slim_status slim_mls_content_verify(const struct slim_mls_suite *suite,
                                         struct slim_view public_key, struct slim_view context,
                                         const struct slim_mls_content *content)
{
    struct slim_mls_out tbs = {0};
    put_tbs(&tbs, context, content);
    enum slim_status status = tbs.status;
    if (status == SLIM_OK) {
        status = slim_mls_verify(suite, public_key, "FramedContentTBS", slim_mls_out_view(&tbs),
                                 content->signature);
    }
    slim_mls_out_fini(&tbs);
    return status;
}

/* AuthenticatedContentTBM (section 6.2). */
static void put_tbm(struct slim_mls_out *out, struct slim_view context,
                    const struct slim_mls_content *content)
{
    put_tbs(out, context, content);
    slim_mls_put_auth(out, content);
}

enum slim_status slim_mls_membership_check(const struct slim_mls_suite *suite, const uint8_t *key,
                                           struct slim_view context,
                                           const struct slim_mls_content *content,
                                           struct slim_view tag)
{
    struct slim_mls_out tbm = {0};
    put_tbm(&tbm, context, content);
    enum slim_status status = tbm.status;
    if (status == SLIM_OK) {
        status = slim_mls_mac_check(suite, key, slim_mls_out_view(&tbm), tag);
    }
    slim_mls_out_fini(&tbm);
    return status;
}

/* ---- PublicMessage */

enum slim_status slim_mls_take_public(struct slim_view *in, struct slim_mls_content *content,
                                      struct slim_view *membership_tag)
{
    struct slim_view rest = *in;
    struct slim_mls_content got = {.format = MLS_WIRE_PUBLIC};
    struct slim_view tag = {0};
    SLIM_TRY(take_framed(&rest, &got));
    SLIM_TRY(take_auth(&rest, &got));
    if (got.sender_type == MLS_SENDER_MEMBER) {
        SLIM_TRY(slim_mls_take_opaque(&rest, &tag));
    }
    *content = got;
    *membership_tag = tag;
    *in = rest;
    return SLIM_OK;
}

enum slim_status slim_mls_put_public(struct slim_mls_out *out, const struct slim_mls_suite *suite,
                                     const uint8_t *membership_key, struct slim_view context,
                                     const struct slim_mls_content *content)
{
    if (content->content_type == MLS_CONTENT_APPLICATION) {
        return SLIM_ERR_ARGUMENT; /* section 6.2: application data is never sent in the clear */
    }
    slim_mls_put_framed(out, content);
    slim_mls_put_auth(out, content);
    if (content->sender_type == MLS_SENDER_MEMBER) {
        struct slim_mls_out tbm = {0};
        put_tbm(&tbm, context, content);
        if (tbm.status == SLIM_OK) {
            uint8_t tag[MLS_SECRET_MAX];
            slim_mls_mac(suite, membership_key, slim_mls_out_view(&tbm), tag);
            slim_mls_put_opaque(out, slim_view_of(tag, suite->hash_len));
        } else {
            out->status = tbm.status;
        }
        slim_mls_out_fini(&tbm);
    }
    return out->status;
}

/* ---- PrivateMessage */

enum slim_status slim_mls_take_private(struct slim_view *in,
                                       struct slim_mls_private_message *message)
{
    struct slim_view rest = *in;
    struct slim_mls_private_message got;
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.group_id));
    SLIM_TRY(slim_mls_take_u64(&rest, &got.epoch));
    SLIM_TRY(slim_mls_take_u8(&rest, &got.content_type));
    if (got.content_type < MLS_CONTENT_APPLICATION || got.content_type > MLS_CONTENT_COMMIT) {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.authenticated_data));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.encrypted_sender_data));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.ciphertext));
    *message = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_private(struct slim_mls_out *out, const struct slim_mls_private_message *message)
{
    slim_mls_put_opaque(out, message->group_id);
    slim_mls_put_u64(out, message->epoch);
    slim_mls_put_u8(out, message->content_type);
    slim_mls_put_opaque(out, message->authenticated_data);
    slim_mls_put_opaque(out, message->encrypted_sender_data);
    slim_mls_put_opaque(out, message->ciphertext);
}

void slim_mls_sender_data_key(const struct slim_mls_suite *suite, const uint8_t *sender_data_secret,
                              struct slim_view ciphertext, struct slim_mls_message_key *key)
{
    struct slim_view sample = slim_view_of(
        ciphertext.data, ciphertext.len < suite->hash_len ? ciphertext.len : suite->hash_len);
    slim_mls_expand_with_label(suite, sender_data_secret, "key", sample, key->key, suite->key_len);
    slim_mls_expand_with_label(suite, sender_data_secret, "nonce", sample, key->nonce,
                               sizeof(key->nonce));
}

/* PrivateContentAAD, and SenderDataAAD, which is the same without authenticated_data. */
static void put_aad(struct slim_mls_out *out, const struct slim_mls_private_message *message,
                    bool is_sender_data)
{
    slim_mls_put_opaque(out, message->group_id);
    slim_mls_put_u64(out, message->epoch);
    slim_mls_put_u8(out, message->content_type);
    if (!is_sender_data) {
        slim_mls_put_opaque(out, message->authenticated_data);
    }
}

/* Length of the padded content: P/8 steps, P the smallest power of two above n, at least 256. */
static size_t padded_len(size_t len, enum slim_mls_padding padding)
{
    if (padding == MLS_PADDING_NONE) {
        return len;
    }
    size_t unit = PADDING_UNIT_MIN;
    while (unit < len + 1) {
        unit *= 2;
    }
    return (len | (unit / PADDING_STEPS - 1)) + 1;
}

/* PrivateMessageContent, padded; at the end room for the tag. */
static enum slim_status put_plain(const struct slim_mls_content *content,
                                  enum slim_mls_padding padding, struct slim_mls_out *plain)
{
    put_body(plain, content);
    slim_mls_put_auth(plain, content);
    size_t len = plain->buf.len;
    size_t padded = padded_len(len, padding);
    if (plain->status == SLIM_OK) {
        plain->status = slim_buf_reserve(&plain->buf, padded - len + SLIM_CRYPTO_TAG_LEN);
    }
    SLIM_TRY(plain->status);
    memset(plain->buf.data + len, 0, padded - len);
    plain->buf.len = padded;
    return SLIM_OK;
}

static enum slim_status seal_sender_data(const struct slim_mls_suite *suite,
                                         const uint8_t *sender_data_secret,
                                         const struct slim_mls_private_message *message,
                                         uint32_t leaf, uint32_t generation, const uint8_t *guard,
                                         uint8_t *sealed)
{
    struct slim_mls_out aad = {0};
    struct slim_mls_message_key key;
    uint8_t plain[SENDER_DATA_LEN];
    for (size_t i = 0; i < 4; i++) {
        plain[i] = (uint8_t)(leaf >> (24 - 8 * i));
        plain[4 + i] = (uint8_t)(generation >> (24 - 8 * i));
        plain[8 + i] = guard[i];
    }
    put_aad(&aad, message, true);
    slim_mls_sender_data_key(suite, sender_data_secret, message->ciphertext, &key);
    enum slim_status status = aad.status;
    if (status == SLIM_OK) {
        status = slim_crypto_seal(suite->aead, key.key, key.nonce, slim_mls_out_view(&aad),
                                  slim_view_of(plain, sizeof(plain)), sealed);
    }
    slim_mls_out_fini(&aad);
    slim_secret_wipe(&key, sizeof(key));
    return status;
}

static void apply_guard(struct slim_mls_message_key *key, const uint8_t *guard)
{
    for (size_t i = 0; i < REUSE_GUARD_LEN; i++) {
        key->nonce[i] ^= guard[i];
    }
}

enum slim_status
slim_mls_private_seal(const struct slim_mls_suite *suite, const struct slim_mls_random *random,
                      struct slim_mls_secret_tree *tree, const uint8_t *sender_data_secret,
                      enum slim_mls_padding padding, const struct slim_mls_content *content,
                      struct slim_mls_out *out)
{
    struct slim_mls_private_message message = {
        .group_id = content->group_id,
        .epoch = content->epoch,
        .content_type = content->content_type,
        .authenticated_data = content->authenticated_data,
    };
    struct slim_mls_out plain = {0};
    struct slim_mls_out aad = {0};
    struct slim_mls_message_key key = {0};
    uint8_t guard[REUSE_GUARD_LEN];
    uint8_t sealed[SENDER_DATA_LEN + SLIM_CRYPTO_TAG_LEN];
    uint32_t generation = 0;
    put_aad(&aad, &message, false);
    enum slim_status status = put_plain(content, padding, &plain);
    if (status == SLIM_OK) {
        status = aad.status;
    }
    if (status == SLIM_OK) {
        status = slim_mls_secret_tree_next(tree, content->sender_index,
                                           slim_mls_ratchet_of(content->content_type), &generation,
                                           &key);
    }
    if (status == SLIM_OK) {
        random->fill(random->context, guard, sizeof(guard));
        apply_guard(&key, guard);
        status = slim_crypto_seal(suite->aead, key.key, key.nonce, slim_mls_out_view(&aad),
                                  slim_mls_out_view(&plain), plain.buf.data);
    }
    if (status == SLIM_OK) {
        message.ciphertext = slim_view_of(plain.buf.data, plain.buf.len + SLIM_CRYPTO_TAG_LEN);
        status = seal_sender_data(suite, sender_data_secret, &message, content->sender_index,
                                  generation, guard, sealed);
    }
    if (status == SLIM_OK) {
        message.encrypted_sender_data = slim_view_of(sealed, sizeof(sealed));
        slim_mls_put_private(out, &message);
        status = out->status;
    }
    slim_mls_out_fini(&plain);
    slim_mls_out_fini(&aad);
    slim_secret_wipe(&key, sizeof(key));
    return status;
}

static enum slim_status open_sender_data(const struct slim_mls_suite *suite,
                                         const uint8_t *sender_data_secret,
                                         const struct slim_mls_private_message *message,
                                         uint32_t *leaf, uint32_t *generation, uint8_t *guard)
{
    if (message->encrypted_sender_data.len != SENDER_DATA_LEN + SLIM_CRYPTO_TAG_LEN) {
        return SLIM_ERR_MALFORMED;
    }
    struct slim_mls_out aad = {0};
    struct slim_mls_message_key key;
    uint8_t plain[SENDER_DATA_LEN];
    put_aad(&aad, message, true);
    slim_mls_sender_data_key(suite, sender_data_secret, message->ciphertext, &key);
    enum slim_status status = aad.status;
    if (status == SLIM_OK) {
        status = slim_crypto_open(suite->aead, key.key, key.nonce, slim_mls_out_view(&aad),
                                  message->encrypted_sender_data, plain);
    }
    if (status == SLIM_OK) {
        struct slim_view in = slim_view_of(plain, sizeof(plain));
        SLIM_TRY(slim_mls_take_u32(&in, leaf)); /* 12 bytes: these cannot fail */
        SLIM_TRY(slim_mls_take_u32(&in, generation));
        memcpy(guard, in.data, REUSE_GUARD_LEN);
    }
    slim_mls_out_fini(&aad);
    slim_secret_wipe(&key, sizeof(key));
    return status;
}

static enum slim_status take_plain(struct slim_view in, struct slim_mls_content *content)
{
    SLIM_TRY(take_body(&in, content->content_type, &content->body));
    SLIM_TRY(take_auth(&in, content));
    uint8_t any = 0;
    for (size_t i = 0; i < in.len; i++) {
        any |= in.data[i];
    }
    return any == 0 ? SLIM_OK : SLIM_ERR_MALFORMED;
}

enum slim_status slim_mls_private_open(const struct slim_mls_suite *suite,
                                       struct slim_mls_secret_tree *tree,
                                       const uint8_t *sender_data_secret,
                                       const struct slim_mls_private_message *message,
                                       struct slim_buf *plain, struct slim_mls_content *content,
                                       uint32_t *generation)
{
    if (message->ciphertext.len < SLIM_CRYPTO_TAG_LEN) {
        return SLIM_ERR_DECRYPT;
    }
    struct slim_mls_content got = {
        .format = MLS_WIRE_PRIVATE,
        .group_id = message->group_id,
        .epoch = message->epoch,
        .sender_type = MLS_SENDER_MEMBER,
        .authenticated_data = message->authenticated_data,
        .content_type = message->content_type,
    };
    uint8_t guard[REUSE_GUARD_LEN];
    uint32_t at;
    SLIM_TRY(open_sender_data(suite, sender_data_secret, message, &got.sender_index, &at, guard));

    struct slim_mls_out aad = {0};
    struct slim_mls_message_key key = {0};
    put_aad(&aad, message, false);
    enum slim_status status = aad.status;
    if (status == SLIM_OK) {
        status = slim_mls_secret_tree_find(tree, got.sender_index,
                                           slim_mls_ratchet_of(got.content_type), at, &key);
    }
    if (status == SLIM_OK) {
        apply_guard(&key, guard);
        status = slim_buf_reserve(plain, message->ciphertext.len);
    }
    if (status == SLIM_OK) {
        status = slim_crypto_open(suite->aead, key.key, key.nonce, slim_mls_out_view(&aad),
                                  message->ciphertext, plain->data);
    }
    if (status == SLIM_OK) {
        plain->len = message->ciphertext.len - SLIM_CRYPTO_TAG_LEN;
        status = take_plain(slim_buf_view(plain), &got);
    }
    if (status == SLIM_OK) {
        *content = got;
        *generation = at;
    }
    slim_mls_out_fini(&aad);
    slim_secret_wipe(&key, sizeof(key));
    return status;
}
