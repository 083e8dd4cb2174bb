/* Clients: an identity, its signature key and its unused key packages (RFC 9420 section 10). */
#include "base/secret.h"
#include "mls/group.h"

_Static_assert((int)SLIM_MLS_OK == (int)SLIM_OK &&
                   (int)SLIM_MLS_ERR_ARGUMENT == (int)SLIM_ERR_ARGUMENT &&
                   (int)SLIM_MLS_ERR_STATE == (int)SLIM_ERR_STATE &&
                   (int)SLIM_MLS_ERR_EXISTS == (int)SLIM_ERR_EXISTS &&
                   (int)SLIM_MLS_ERR_NOT_FOUND == (int)SLIM_ERR_NOT_FOUND &&
                   (int)SLIM_MLS_ERR_MALFORMED == (int)SLIM_ERR_MALFORMED &&
                   (int)SLIM_MLS_ERR_INVALID == (int)SLIM_ERR_INVALID &&
                   (int)SLIM_MLS_ERR_UNSUPPORTED == (int)SLIM_ERR_UNSUPPORTED,
               "one numbering");
_Static_assert((int)SLIM_MLS_ERR_REPLAYED == (int)SLIM_ERR_REPLAYED &&
                   (int)SLIM_MLS_ERR_STALE == (int)SLIM_ERR_STALE &&
                   (int)SLIM_MLS_ERR_FUTURE == (int)SLIM_ERR_FUTURE &&
                   (int)SLIM_MLS_ERR_TREE == (int)SLIM_ERR_TREE &&
                   (int)SLIM_MLS_ERR_LIMIT == (int)SLIM_ERR_LIMIT &&
                   (int)SLIM_MLS_ERR_NO_MEMORY == (int)SLIM_ERR_NO_MEMORY &&
                   (int)SLIM_MLS_ERR_AUTH == (int)SLIM_ERR_AUTH &&
                   (int)SLIM_MLS_ERR_SIGNATURE == (int)SLIM_ERR_SIGNATURE,
               "one numbering");
_Static_assert((int)SLIM_MLS_ERR_EXPIRED == (int)SLIM_ERR_EXPIRED &&
                   (int)SLIM_MLS_ERR_DENIED == (int)SLIM_ERR_DENIED &&
                   (int)SLIM_MLS_ERR_DECRYPT == (int)SLIM_ERR_DECRYPT &&
                   (int)SLIM_MLS_ERR_MAC == (int)SLIM_ERR_MAC &&
                   (int)SLIM_MLS_ERR_REMOVED == (int)SLIM_ERR_REMOVED &&
                   (int)SLIM_MLS_ERR_CRYPTO == (int)SLIM_ERR_CRYPTO,
               "one numbering");
_Static_assert((int)SLIM_MLS_PSK_BYTES_MAX == (int)MLS_PSK_BYTES_MAX &&
                   (int)SLIM_MLS_SECRET_BYTES_MAX == (int)MLS_SECRET_MAX,
               "one limit");

enum {
    DAY_S = 86400,
    PAST_EPOCH_COUNT = 8,
    PAST_EPOCH_AGE_S = 120,
    SKIPPED_KEY_COUNT = 1024,
    ADD_PATH_TARGET_MAX = 256,
    LIFETIME_DAYS = 365,
    BACKDATE_S = 3600,
    SKEW_S = 60
};

const char *slim_mls_status_text(enum slim_mls_status status)
{
    return slim_status_text((enum slim_status)status);
}

void slim_mls_buf_free(struct slim_mls_buf *buf)
{
    if (buf != NULL) {
        struct slim_buf own = {buf->data, buf->len, buf->capacity};
        slim_buf_wipe(&own);
        *buf = (struct slim_mls_buf){0};
    }
}

void slim_mls_policy_init(struct slim_mls_policy *policy)
{
    *policy = (struct slim_mls_policy){
        .past_epoch_count = PAST_EPOCH_COUNT,
        .past_epoch_age_s = PAST_EPOCH_AGE_S,
        .skipped_key_count = SKIPPED_KEY_COUNT,
        .key_package_lifetime_s = (uint64_t)LIFETIME_DAYS * DAY_S,
        .key_package_backdate_s = BACKDATE_S,
        .lifetime_skew_s = SKEW_S,
        .pad = true,
        .add_path_target_max = ADD_PATH_TARGET_MAX,
    };
}

struct slim_view slim_mls_client_public(const struct slim_mls_client *client)
{
    return slim_view_of(client->signature_public,
                        slim_crypto_sign_public_len(client->suite->signer));
}

uint64_t slim_mls_client_now(const struct slim_mls_client *client)
{
    return client->callbacks.now_s(client->callbacks.context);
}

struct slim_mls_view slim_mls_client_signature_key(const struct slim_mls_client *client)
{
    return slim_mls_view_out(slim_mls_client_public(client));
}

/* ---- making clients */

enum { SIGN_ATTEMPTS_MAX = 64 };

static enum slim_status signature_key_new(const struct slim_mls_suite *suite,
                                          const struct slim_mls_callbacks *callbacks,
                                          struct slim_buf *private_key, struct slim_buf *public_key)
{
    size_t len = slim_crypto_sign_private_len(suite->signer);
    uint8_t given[SLIM_CRYPTO_SIGN_PRIVATE_MAX];
    uint8_t made[SLIM_CRYPTO_SIGN_PRIVATE_MAX];
    uint8_t public_bytes[SLIM_CRYPTO_SIGN_PUBLIC_MAX];
    enum slim_status status = SLIM_ERR_INVALID;
    /* a random number is no scalar of a P curve with a probability below 2^-32, 1/2 for P-521 after masking */
    for (int i = 0; i < SIGN_ATTEMPTS_MAX && status == SLIM_ERR_INVALID; i++) {
        callbacks->random(callbacks->context, given, len);
        if (suite->signer == SLIM_CRYPTO_ECDSA_P521) {
            given[0] &= 0x01;
        }
        status =
            slim_crypto_sign_import(suite->signer, slim_view_of(given, len), made, public_bytes);
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(private_key, slim_view_of(given, len));
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(
            public_key, slim_view_of(public_bytes, slim_crypto_sign_public_len(suite->signer)));
    }
    slim_secret_wipe(given, sizeof(given));
    slim_secret_wipe(made, sizeof(made));
    return status;
}

enum slim_mls_status slim_mls_signature_key_new(uint16_t cipher_suite,
                                                const struct slim_mls_callbacks *callbacks,
                                                struct slim_mls_buf *private_key,
                                                struct slim_mls_buf *public_key)
{
    const struct slim_mls_suite *suite = slim_mls_suite_find(cipher_suite);
    if (suite == NULL) {
        return SLIM_MLS_ERR_UNSUPPORTED;
    }
    struct slim_buf secret = {0};
    struct slim_buf open = {0};
    enum slim_status status = signature_key_new(suite, callbacks, &secret, &open);
    if (status == SLIM_OK) {
        *private_key = slim_mls_buf_out(&secret);
        *public_key = slim_mls_buf_out(&open);
    }
    slim_buf_wipe(&secret);
    slim_buf_wipe(&open);
    return slim_mls_status_out(status);
}

static enum slim_status put_credential(const struct slim_mls_credential_data *given,
                                       struct slim_buf *encoded)
{
    struct slim_mls_credential credential = {.type = given->type};
    struct slim_mls_out out = {0};
    if (given->type == SLIM_MLS_CREDENTIAL_BASIC) {
        credential.identity = slim_mls_view_in(given->data);
    } else {
        credential.certificates = slim_mls_view_in(given->data);
    }
    slim_mls_put_credential(&out, &credential);
    enum slim_status status = out.status;
    if (status == SLIM_OK) {
        struct slim_view in =
            slim_mls_out_view(&out); /* refuses other types and broken certificate lists */
        status = slim_mls_take_credential(&in, &credential);
    }
    if (status != SLIM_OK) {
        slim_mls_out_fini(&out);
        return status;
    }
    return slim_mls_out_give(&out, encoded);
}

enum slim_mls_status
slim_mls_client_set_credential(struct slim_mls_client *client,
                               const struct slim_mls_credential_data *credential)
{
    struct slim_buf encoded = {0};
    enum slim_status status = put_credential(credential, &encoded);
    if (status == SLIM_OK) {
        slim_buf_fini(&client->credential);
        client->credential = encoded;
    }
    return slim_mls_status_out(status);
}

static enum slim_status client_fill(struct slim_mls_client *client,
                                    const struct slim_mls_client_config *config)
{
    SLIM_TRY(slim_crypto_sign_import(client->suite->signer, slim_mls_view_in(config->signature_key),
                                     client->signature_key, client->signature_public));
    SLIM_TRY(put_credential(&config->credential, &client->credential));
    struct slim_mls_out types = {0};
    for (size_t i = 0; i < config->extension_type_count; i++) {
        slim_mls_put_u16(&types, config->extension_types[i]);
    }
    return slim_mls_out_give(&types, &client->extension_types);
}

enum slim_mls_status slim_mls_client_new(const struct slim_mls_client_config *config,
                                         struct slim_mls_client **made)
{
    const struct slim_mls_suite *suite = slim_mls_suite_find(config->cipher_suite);
    if (suite == NULL) {
        return SLIM_MLS_ERR_UNSUPPORTED;
    }
    if (config->callbacks.check_credential == NULL || config->callbacks.now_s == NULL ||
        config->callbacks.random == NULL ||
        config->policy.past_epoch_count > MLS_PAST_EPOCH_COUNT_MAX) {
        return SLIM_MLS_ERR_ARGUMENT;
    }
    struct slim_mls_client *client = slim_secret_take(1, sizeof(*client));
    if (client == NULL) {
        return SLIM_MLS_ERR_NO_MEMORY;
    }
    client->suite = suite;
    client->callbacks = config->callbacks;
    client->policy = config->policy;
    client->random = (struct slim_mls_random){config->callbacks.random, config->callbacks.context};
    enum slim_status status = client_fill(client, config);
    if (status != SLIM_OK) {
        slim_mls_client_free(client);
        return slim_mls_status_out(status);
    }
    *made = client;
    return SLIM_MLS_OK;
}

void slim_mls_client_free(struct slim_mls_client *client)
{
    if (client == NULL) {
        return;
    }
    while (client->package_count > 0) {
        slim_mls_client_drop_package(client, client->package_count - 1);
    }
    slim_secret_return(client->packages);
    slim_buf_fini(&client->credential);
    slim_buf_fini(&client->extension_types);
    slim_secret_wipe(client, sizeof(*client));
    slim_secret_return(client);
}

/* ---- leaves and key packages */

enum slim_status slim_mls_client_leaf(const struct slim_mls_client *client,
                                      struct slim_mls_leaf *leaf)
{
    static const uint8_t versions[] = {0, MLS_VERSION_10};
    static const uint8_t numbers[][2] = {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {0, 6}, {0, 7}};
    *leaf = (struct slim_mls_leaf){0};
    struct slim_view in = slim_buf_view(&client->credential);
    SLIM_TRY(slim_mls_take_credential(&in, &leaf->credential));
    leaf->signature_key = slim_mls_client_public(client);
    leaf->capabilities.versions = slim_view_of(versions, sizeof(versions));
    leaf->capabilities.suites = slim_view_of(numbers[client->suite->id - 1], 2);
    leaf->capabilities.extensions = slim_buf_view(&client->extension_types);
    /* an x509 member takes basic ones beside it, as the numbers 1 and 2 follow each other */
    leaf->capabilities.credentials =
        slim_view_of(numbers[0], leaf->credential.type == MLS_CREDENTIAL_X509 ? 4 : 2);
    return SLIM_OK;
}

void slim_mls_own_package_fini(struct slim_mls_own_package *package)
{
    slim_buf_fini(&package->bytes);
    slim_secret_wipe(package, sizeof(*package));
}

static enum slim_status make_package(const struct slim_mls_client *client,
                                     struct slim_mls_own_package *own)
{
    const struct slim_mls_suite *suite = client->suite;
    uint8_t init_public[MLS_KEM_PUBLIC_MAX];
    uint8_t encryption_public[MLS_KEM_PUBLIC_MAX];
    SLIM_TRY(slim_mls_hpke_generate(suite, &client->random, own->init_key, init_public));
    SLIM_TRY(
        slim_mls_hpke_generate(suite, &client->random, own->encryption_key, encryption_public));

    uint64_t now_s = slim_mls_client_now(client);
    uint64_t backdate_s = client->policy.key_package_backdate_s;
    struct slim_mls_leaf leaf;
    SLIM_TRY(slim_mls_client_leaf(client, &leaf));
    leaf.source = MLS_LEAF_KEY_PACKAGE;
    leaf.encryption_key = slim_view_of(encryption_public, slim_crypto_dh_public_len(suite->curve));
    leaf.not_before = now_s > backdate_s ? now_s - backdate_s : 0;
    if (__builtin_add_overflow(now_s, client->policy.key_package_lifetime_s, &leaf.not_after)) {
        leaf.not_after = UINT64_MAX;
    }

    struct slim_mls_out out = {0};
    slim_mls_put_u16(&out, MLS_VERSION_10);
    slim_mls_put_u16(&out, suite->id);
    slim_mls_put_opaque(&out, slim_view_of(init_public, slim_crypto_dh_public_len(suite->curve)));
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    enum slim_status status =
        slim_mls_leaf_sign(suite, client->signature_key, &leaf, (struct slim_view){0}, 0, &out);
    slim_mls_put_opaque(&out, (struct slim_view){0}); /* extensions */
    if (status == SLIM_OK) {
        status = out.status;
    }
    if (status == SLIM_OK) {
        status = slim_mls_sign(suite, client->signature_key, "KeyPackageTBS",
                               slim_mls_out_view(&out), signature, &len);
    }
    if (status != SLIM_OK) {
        slim_mls_out_fini(&out);
        return status;
    }
    slim_mls_put_opaque(&out, slim_view_of(signature, len));
    SLIM_TRY(slim_mls_out_give(&out, &own->bytes));
    slim_mls_ref_hash(suite, "MLS 1.0 KeyPackage Reference", slim_buf_view(&own->bytes), own->ref);
    return SLIM_OK;
}

enum slim_status slim_mls_client_make_package(const struct slim_mls_client *client,
                                              struct slim_mls_own_package *package)
{
    *package = (struct slim_mls_own_package){0};
    enum slim_status status = make_package(client, package);
    if (status != SLIM_OK) {
        slim_mls_own_package_fini(package);
    }
    return status;
}

void slim_mls_client_drop_package(struct slim_mls_client *client, size_t index)
{
    slim_mls_own_package_fini(&client->packages[index]);
    client->package_count--;
    memmove(&client->packages[index], &client->packages[index + 1],
            (client->package_count - index) * sizeof(*client->packages));
    slim_secret_wipe(&client->packages[client->package_count], sizeof(*client->packages));
}

/* Takes the package on success. */
enum slim_status slim_mls_client_keep_package(struct slim_mls_client *client,
                                              struct slim_mls_own_package *package)
{
    if (client->package_count == MLS_KEY_PACKAGE_COUNT_MAX) {
        slim_mls_client_drop_package(client, 0);
    }
    struct slim_mls_own_package *list =
        slim_secret_resize(client->packages, (client->package_count + 1) * sizeof(*list));
    if (list == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    client->packages = list;
    client->packages[client->package_count++] = *package;
    slim_secret_wipe(package, sizeof(*package));
    return SLIM_OK;
}

enum slim_mls_status slim_mls_key_package_new(struct slim_mls_client *client,
                                              struct slim_mls_buf *message)
{
    struct slim_mls_own_package package;
    enum slim_status status = slim_mls_client_make_package(client, &package);
    if (status != SLIM_OK) {
        return slim_mls_status_out(status);
    }
    struct slim_buf bytes = {0};
    struct slim_mls_out out = {0};
    slim_mls_put_message_head(&out, MLS_WIRE_KEY_PACKAGE);
    slim_mls_put_bytes(&out, slim_buf_view(&package.bytes));
    status = slim_mls_out_give(&out, &bytes);
    if (status == SLIM_OK) {
        status = slim_mls_client_keep_package(client, &package);
    }
    if (status == SLIM_OK) {
        *message = slim_mls_buf_out(&bytes);
    }
    slim_buf_fini(&bytes);
    slim_mls_own_package_fini(&package);
    return slim_mls_status_out(status);
}

/* A private key as given: P curves' numbers may come without leading zeros. It must fit the public key. */
static enum slim_status import_private(const struct slim_mls_suite *suite, struct slim_view given,
                                       struct slim_view public_key,
                                       uint8_t private_key[MLS_KEM_PRIVATE_MAX])
{
    size_t len = slim_crypto_dh_private_len(suite->curve);
    bool may_be_short = suite->curve != SLIM_CRYPTO_X25519 && suite->curve != SLIM_CRYPTO_X448;
    if (given.len == 0 || given.len > len || (given.len < len && !may_be_short)) {
        return SLIM_ERR_INVALID;
    }
    memset(private_key, 0, len - given.len);
    memcpy(private_key + len - given.len, given.data, given.len);
    uint8_t computed[MLS_KEM_PUBLIC_MAX];
    SLIM_TRY(slim_crypto_dh_public(suite->curve, slim_view_of(private_key, len), computed));
    bool fits = slim_view_is_equal(public_key,
                                   slim_view_of(computed, slim_crypto_dh_public_len(suite->curve)));
    return fits ? SLIM_OK : SLIM_ERR_INVALID;
}

static enum slim_status put_key_package(struct slim_mls_client *client, struct slim_view message,
                                        struct slim_view init_key, struct slim_view encryption_key)
{
    enum slim_mls_wire_format format;
    struct slim_mls_key_package package;
    SLIM_TRY(slim_mls_take_message_head(&message, &format));
    if (format != MLS_WIRE_KEY_PACKAGE) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_take_key_package(&message, &package));
    if (message.len > 0) {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(slim_mls_key_package_check(client->suite, &package));
    if (!slim_view_is_equal(package.leaf.signature_key, slim_mls_client_public(client))) {
        return SLIM_ERR_INVALID;
    }
    struct slim_mls_own_package own = {0};
    enum slim_status status =
        import_private(client->suite, init_key, package.init_key, own.init_key);
    if (status == SLIM_OK) {
        status = import_private(client->suite, encryption_key, package.leaf.encryption_key,
                                own.encryption_key);
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(&own.bytes, package.bytes);
    }
    slim_mls_key_package_ref(client->suite, &package, own.ref);
    if (status == SLIM_OK) {
        status = slim_mls_client_keep_package(client, &own);
    }
    slim_mls_own_package_fini(&own);
    return status;
}

enum slim_mls_status slim_mls_client_put_key_package(struct slim_mls_client *client,
                                                     struct slim_mls_view message,
                                                     struct slim_mls_view init_private_key,
                                                     struct slim_mls_view encryption_private_key)
{
    return slim_mls_status_out(put_key_package(client, slim_mls_view_in(message),
                                               slim_mls_view_in(init_private_key),
                                               slim_mls_view_in(encryption_private_key)));
}

/* ---- asking the caller */

static struct slim_mls_credential_data credential_out(const struct slim_mls_credential *credential)
{
    return (struct slim_mls_credential_data){
        credential->type,
        slim_mls_view_out(credential->type == MLS_CREDENTIAL_BASIC ? credential->identity
                                                                   : credential->certificates)};
}

enum slim_status slim_mls_client_check(const struct slim_mls_client *client,
                                       enum slim_mls_check_reason reason, struct slim_view group_id,
                                       uint32_t leaf_index, const struct slim_mls_leaf *leaf,
                                       const struct slim_mls_leaf *previous,
                                       uint8_t identity[MLS_IDENTITY_LEN])
{
    struct slim_mls_check check = {
        .reason = reason,
        .leaf_index = leaf_index,
        .credential = credential_out(&leaf->credential),
        .signature_key = slim_mls_view_out(leaf->signature_key),
        .group_id = slim_mls_view_out(group_id),
    };
    if (previous != NULL) {
        check.previous = credential_out(&previous->credential);
        check.previous_signature_key = slim_mls_view_out(previous->signature_key);
    }
    struct slim_mls_view name = {0};
    SLIM_TRY((enum slim_status)client->callbacks.check_credential(client->callbacks.context, &check,
                                                                  &name));
    memset(identity, 0, MLS_IDENTITY_LEN);
    if (name.len > 0) {
        struct slim_view view = slim_mls_view_in(name);
        slim_crypto_digest(SLIM_CRYPTO_SHA256, &view, 1, identity);
    }
    return SLIM_OK;
}
