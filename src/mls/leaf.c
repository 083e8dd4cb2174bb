/* RFC 9420 sections 5.3 (credentials), 7.2 and 7.3 (leaf nodes), 10 (key packages). */
#include "mls/leaf.h"

enum {
    EXTENSION_DEFAULT_MAX = 5
}; /* types 1 to 5 need not be named by capabilities (section 7.2) */

static enum slim_status take_list16(struct slim_view *in, struct slim_view *list)
{
    struct slim_view rest = *in;
    struct slim_view data;
    SLIM_TRY(slim_mls_take_opaque(&rest, &data));
    if (data.len % 2 != 0) {
        return SLIM_ERR_MALFORMED;
    }
    *list = data;
    *in = rest;
    return SLIM_OK;
}

bool slim_mls_list_has(struct slim_view list, uint16_t value)
{
    for (size_t i = 0; i + 1 < list.len; i += 2) {
        if ((uint16_t)(list.data[i] << 8 | list.data[i + 1]) == value) {
            return true;
        }
    }
    return false;
}

/* ---- credentials */

enum slim_status slim_mls_take_credential(struct slim_view *in,
                                          struct slim_mls_credential *credential)
{
    struct slim_view rest = *in;
    struct slim_mls_credential got = {0};
    SLIM_TRY(slim_mls_take_u16(&rest, &got.type));
    if (got.type == MLS_CREDENTIAL_BASIC) {
        SLIM_TRY(slim_mls_take_opaque(&rest, &got.identity));
    } else if (got.type == MLS_CREDENTIAL_X509) {
        SLIM_TRY(slim_mls_take_opaque(&rest, &got.certificates));
        struct slim_view list = got.certificates;
        while (list.len > 0) {
            struct slim_view certificate;
            SLIM_TRY(slim_mls_take_opaque(&list, &certificate));
        }
    } else {
        return SLIM_ERR_UNSUPPORTED;
    }
    got.bytes = slim_mls_taken(*in, rest);
    *credential = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_credential(struct slim_mls_out *out, const struct slim_mls_credential *credential)
{
    slim_mls_put_u16(out, credential->type);
    slim_mls_put_opaque(out, credential->type == MLS_CREDENTIAL_BASIC ? credential->identity
                                                                      : credential->certificates);
}

/* ---- extensions */

enum slim_status slim_mls_take_extension(struct slim_view *in, struct slim_mls_extension *extension)
{
    struct slim_view rest = *in;
    struct slim_mls_extension got;
    SLIM_TRY(slim_mls_take_u16(&rest, &got.type));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.data));
    *extension = got;
    *in = rest;
    return SLIM_OK;
}

enum slim_status slim_mls_take_extensions(struct slim_view *in, struct slim_view *extensions)
{
    struct slim_view rest = *in;
    struct slim_view list;
    SLIM_TRY(slim_mls_take_opaque(&rest, &list));
    for (struct slim_view walk = list; walk.len > 0;) {
        struct slim_mls_extension extension;
        SLIM_TRY(slim_mls_take_extension(&walk, &extension));
    }
    *extensions = list;
    *in = rest;
    return SLIM_OK;
}

bool slim_mls_extension_find(struct slim_view extensions, uint16_t type, struct slim_view *data)
{
    struct slim_mls_extension extension;
    while (extensions.len > 0 && slim_mls_take_extension(&extensions, &extension) == SLIM_OK) {
        if (extension.type == type) {
            *data = extension.data;
            return true;
        }
    }
    return false;
}

bool slim_mls_extensions_have_duplicate(struct slim_view extensions)
{
    uint8_t seen[1 << 13] = {
        0}; /* one bit for each of the 2^16 types: linear whatever a peer sends */
    struct slim_mls_extension extension;
    while (extensions.len > 0 && slim_mls_take_extension(&extensions, &extension) == SLIM_OK) {
        uint8_t bit = (uint8_t)(1 << (extension.type & 7));
        if (seen[extension.type >> 3] & bit) {
            return true;
        }
        seen[extension.type >> 3] |= bit;
    }
    return false;
}

/* ---- leaf nodes */

static enum slim_status take_capabilities(struct slim_view *in,
                                          struct slim_mls_capabilities *capabilities)
{
    SLIM_TRY(take_list16(in, &capabilities->versions));
    SLIM_TRY(take_list16(in, &capabilities->suites));
    SLIM_TRY(take_list16(in, &capabilities->extensions));
    SLIM_TRY(take_list16(in, &capabilities->proposals));
    return take_list16(in, &capabilities->credentials);
}

static enum slim_status take_leaf_source(struct slim_view *in, struct slim_mls_leaf *leaf)
{
    uint8_t source;
    SLIM_TRY(slim_mls_take_u8(in, &source));
    switch (source) {
    case MLS_LEAF_KEY_PACKAGE:
        SLIM_TRY(slim_mls_take_u64(in, &leaf->not_before));
        SLIM_TRY(slim_mls_take_u64(in, &leaf->not_after));
        break;
    case MLS_LEAF_UPDATE:
        break;
    case MLS_LEAF_COMMIT:
        SLIM_TRY(slim_mls_take_opaque(in, &leaf->parent_hash));
        break;
    default: /* a byte from outside, not an enum */
        return SLIM_ERR_MALFORMED;
    }
    leaf->source = (enum slim_mls_leaf_source)source;
    return SLIM_OK;
}

enum slim_status slim_mls_take_leaf(struct slim_view *in, struct slim_mls_leaf *leaf)
{
    struct slim_view rest = *in;
    struct slim_mls_leaf got = {0};
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.encryption_key));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.signature_key));
    SLIM_TRY(slim_mls_take_credential(&rest, &got.credential));
    SLIM_TRY(take_capabilities(&rest, &got.capabilities));
    SLIM_TRY(take_leaf_source(&rest, &got));
    SLIM_TRY(slim_mls_take_extensions(&rest, &got.extensions));
    got.tbs = slim_mls_taken(*in, rest);
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.signature));
    got.bytes = slim_mls_taken(*in, rest);
    *leaf = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_leaf_tbs(struct slim_mls_out *out, const struct slim_mls_leaf *leaf)
{
    slim_mls_put_opaque(out, leaf->encryption_key);
    slim_mls_put_opaque(out, leaf->signature_key);
    slim_mls_put_credential(out, &leaf->credential);
    slim_mls_put_opaque(out, leaf->capabilities.versions);
    slim_mls_put_opaque(out, leaf->capabilities.suites);
    slim_mls_put_opaque(out, leaf->capabilities.extensions);
    slim_mls_put_opaque(out, leaf->capabilities.proposals);
    slim_mls_put_opaque(out, leaf->capabilities.credentials);
    slim_mls_put_u8(out, (uint8_t)leaf->source);
    switch (leaf->source) {
    case MLS_LEAF_KEY_PACKAGE:
        slim_mls_put_u64(out, leaf->not_before);
        slim_mls_put_u64(out, leaf->not_after);
        break;
    case MLS_LEAF_UPDATE:
        break;
    case MLS_LEAF_COMMIT:
        slim_mls_put_opaque(out, leaf->parent_hash);
        break;
    }
    slim_mls_put_opaque(out, leaf->extensions);
}

void slim_mls_put_leaf(struct slim_mls_out *out, const struct slim_mls_leaf *leaf)
{
    slim_mls_put_leaf_tbs(out, leaf);
    slim_mls_put_opaque(out, leaf->signature);
}

static void put_leaf_context(struct slim_mls_out *out, const struct slim_mls_leaf *leaf,
                             struct slim_view group_id, uint32_t leaf_index)
{
    if (leaf->source != MLS_LEAF_KEY_PACKAGE) {
        slim_mls_put_opaque(out, group_id);
        slim_mls_put_u32(out, leaf_index);
    }
}

enum slim_status slim_mls_leaf_verify(const struct slim_mls_suite *suite,
                                      const struct slim_mls_leaf *leaf, struct slim_view group_id,
                                      uint32_t leaf_index)
{
    struct slim_mls_out tbs = {0};
    slim_mls_put_bytes(&tbs, leaf->tbs);
    put_leaf_context(&tbs, leaf, group_id, leaf_index);
    enum slim_status status = tbs.status;
    if (status == SLIM_OK) {
        status = slim_mls_verify(suite, leaf->signature_key, "LeafNodeTBS", slim_mls_out_view(&tbs),
                                 leaf->signature);
    }
    slim_mls_out_fini(&tbs);
    return status;
}

enum slim_status slim_mls_leaf_sign(const struct slim_mls_suite *suite, const uint8_t *private_key,
                                    const struct slim_mls_leaf *leaf, struct slim_view group_id,
                                    uint32_t leaf_index, struct slim_mls_out *out)
{
    struct slim_mls_out tbs = {0};
    slim_mls_put_leaf_tbs(&tbs, leaf);
    size_t own_len = tbs.buf.len;
    put_leaf_context(&tbs, leaf, group_id, leaf_index);
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    enum slim_status status = tbs.status;
    if (status == SLIM_OK) {
        status = slim_mls_sign(suite, private_key, "LeafNodeTBS", slim_mls_out_view(&tbs),
                               signature, &len);
    }
    if (status == SLIM_OK) {
        slim_mls_put_bytes(out, slim_view_of(tbs.buf.data, own_len));
        slim_mls_put_opaque(out, slim_view_of(signature, len));
        status = out->status;
    }
    slim_mls_out_fini(&tbs);
    return status;
}

enum slim_status slim_mls_leaf_check(const struct slim_mls_suite *suite,
                                     const struct slim_mls_leaf *leaf)
{
    if (leaf->encryption_key.len != slim_crypto_dh_public_len(suite->curve) ||
        leaf->signature_key.len != slim_crypto_sign_public_len(suite->signer)) {
        return SLIM_ERR_INVALID;
    }
    if (!slim_mls_list_has(leaf->capabilities.versions, MLS_VERSION_10) ||
        !slim_mls_list_has(leaf->capabilities.suites, suite->id) ||
        !slim_mls_list_has(leaf->capabilities.credentials, leaf->credential.type) ||
        slim_mls_extensions_have_duplicate(leaf->extensions)) {
        return SLIM_ERR_INVALID;
    }
    for (struct slim_view walk = leaf->extensions; walk.len > 0;) {
        struct slim_mls_extension extension;
        SLIM_TRY(slim_mls_take_extension(&walk, &extension));
        if (extension.type > EXTENSION_DEFAULT_MAX &&
            !slim_mls_list_has(leaf->capabilities.extensions, extension.type)) {
            return SLIM_ERR_INVALID;
        }
    }
    return SLIM_OK;
}

enum slim_status slim_mls_leaf_check_lifetime(const struct slim_mls_leaf *leaf, uint64_t now_s,
                                              uint64_t skew_s)
{
    if (leaf->source != MLS_LEAF_KEY_PACKAGE) {
        return SLIM_OK;
    }
    bool has_begun = leaf->not_before <= now_s || leaf->not_before - now_s <= skew_s;
    return has_begun && now_s <= leaf->not_after ? SLIM_OK : SLIM_ERR_EXPIRED;
}

/* ---- key packages */

enum slim_status slim_mls_take_key_package(struct slim_view *in,
                                           struct slim_mls_key_package *package)
{
    struct slim_view rest = *in;
    struct slim_mls_key_package got = {0};
    SLIM_TRY(slim_mls_take_u16(&rest, &got.version));
    SLIM_TRY(slim_mls_take_u16(&rest, &got.suite));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.init_key));
    SLIM_TRY(slim_mls_take_leaf(&rest, &got.leaf));
    SLIM_TRY(slim_mls_take_extensions(&rest, &got.extensions));
    got.tbs = slim_mls_taken(*in, rest);
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.signature));
    got.bytes = slim_mls_taken(*in, rest);
    *package = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_key_package_tbs(struct slim_mls_out *out,
                                  const struct slim_mls_key_package *package)
{
    slim_mls_put_u16(out, package->version);
    slim_mls_put_u16(out, package->suite);
    slim_mls_put_opaque(out, package->init_key);
    slim_mls_put_leaf(out, &package->leaf);
    slim_mls_put_opaque(out, package->extensions);
}

void slim_mls_put_key_package(struct slim_mls_out *out, const struct slim_mls_key_package *package)
{
    slim_mls_put_key_package_tbs(out, package);
    slim_mls_put_opaque(out, package->signature);
}

enum slim_status slim_mls_key_package_check(const struct slim_mls_suite *suite,
                                            const struct slim_mls_key_package *package)
{
    if (package->version != MLS_VERSION_10 || package->suite != suite->id ||
        package->leaf.source != MLS_LEAF_KEY_PACKAGE ||
        package->init_key.len != slim_crypto_dh_public_len(suite->curve) ||
        slim_view_is_equal(package->init_key, package->leaf.encryption_key) ||
        slim_mls_extensions_have_duplicate(package->extensions)) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_leaf_check(suite, &package->leaf));
    SLIM_TRY(slim_mls_verify(suite, package->leaf.signature_key, "KeyPackageTBS", package->tbs,
                             package->signature));
    return slim_mls_leaf_verify(suite, &package->leaf, (struct slim_view){0}, 0);
}

void slim_mls_key_package_ref(const struct slim_mls_suite *suite,
                              const struct slim_mls_key_package *package, uint8_t *ref)
{
    slim_mls_ref_hash(suite, "MLS 1.0 KeyPackage Reference", package->bytes, ref);
}
