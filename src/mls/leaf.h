/* Credentials, capabilities, extensions, leaf nodes and key packages (RFC 9420 sections 5.3, 7.2, 7.3, 10).
 *
 * A decoded struct is views into the bytes it was taken from, which must outlive it. Lists stay encoded and are walked with the
 * take function of their element; the reader of the whole has checked that the walk succeeds. */
#ifndef SLIM_MLS_LEAF_H
#define SLIM_MLS_LEAF_H

#include "mls/suite.h"

enum { MLS_VERSION_10 = 1 };
enum { MLS_CREDENTIAL_BASIC = 1, MLS_CREDENTIAL_X509 = 2 };

enum {
    MLS_EXTENSION_APPLICATION_ID = 1,
    MLS_EXTENSION_RATCHET_TREE = 2,
    MLS_EXTENSION_REQUIRED_CAPABILITIES = 3,
    MLS_EXTENSION_EXTERNAL_PUB = 4,
    MLS_EXTENSION_EXTERNAL_SENDERS = 5
};

/* identity       the bytes of a basic credential
 * certificates   the encoded certificate list of an x509 credential, without its length header
 * bytes          the whole struct as received */
struct slim_mls_credential {
    uint16_t type;
    struct slim_view identity;
    struct slim_view certificates;
    struct slim_view bytes;
};

struct slim_mls_extension {
    uint16_t type;
    struct slim_view data;
};

/* Encoded lists of 16-bit numbers, without length headers. */
struct slim_mls_capabilities {
    struct slim_view versions;
    struct slim_view suites;
    struct slim_view extensions;
    struct slim_view proposals;
    struct slim_view credentials;
};

enum slim_mls_leaf_source { MLS_LEAF_KEY_PACKAGE = 1, MLS_LEAF_UPDATE = 2, MLS_LEAF_COMMIT = 3 };

/* not_before, not_after   seconds since 1970; only with source key_package
 * parent_hash             only with source commit
 * tbs                     the received bytes from the start through the extensions: what is signed, before the context
 * bytes                   the whole struct as received */
struct slim_mls_leaf {
    struct slim_view encryption_key;
    struct slim_view signature_key;
    struct slim_mls_credential credential;
    struct slim_mls_capabilities capabilities;
    enum slim_mls_leaf_source source;
    uint64_t not_before;
    uint64_t not_after;
    struct slim_view parent_hash;
    struct slim_view extensions;
    struct slim_view signature;
    struct slim_view tbs;
    struct slim_view bytes;
};

struct slim_mls_key_package {
    uint16_t version;
    uint16_t suite;
    struct slim_view init_key;
    struct slim_mls_leaf leaf;
    struct slim_view extensions;
    struct slim_view signature;
    struct slim_view tbs;
    struct slim_view bytes;
};

/* Readers. SLIM_ERR_MALFORMED: cannot be decoded. SLIM_ERR_UNSUPPORTED: a credential type whose form we do not know. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_credential(struct slim_view *in,
                                                          struct slim_mls_credential *credential);
SLIM_MUST_CHECK enum slim_status slim_mls_take_extension(struct slim_view *in,
                                                         struct slim_mls_extension *extension);
SLIM_MUST_CHECK enum slim_status slim_mls_take_leaf(struct slim_view *in,
                                                    struct slim_mls_leaf *leaf);
SLIM_MUST_CHECK enum slim_status slim_mls_take_key_package(struct slim_view *in,
                                                           struct slim_mls_key_package *package);

/* Take extensions<V>: the content of the vector, checked element by element. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_extensions(struct slim_view *in,
                                                          struct slim_view *extensions);

/* Writers of the same forms. */
void slim_mls_put_credential(struct slim_mls_out *out,
                             const struct slim_mls_credential *credential);
void slim_mls_put_leaf_tbs(struct slim_mls_out *out, const struct slim_mls_leaf *leaf);
void slim_mls_put_leaf(struct slim_mls_out *out, const struct slim_mls_leaf *leaf);
void slim_mls_put_key_package_tbs(struct slim_mls_out *out,
                                  const struct slim_mls_key_package *package);
void slim_mls_put_key_package(struct slim_mls_out *out, const struct slim_mls_key_package *package);

/* The data of the first extension of that type in a checked list; false when there is none. */
bool slim_mls_extension_find(struct slim_view extensions, uint16_t type, struct slim_view *data);

/* True when a list names an extension type twice. */
bool slim_mls_extensions_have_duplicate(struct slim_view extensions);

/* True when the encoded list of 16-bit numbers has `value`. */
bool slim_mls_list_has(struct slim_view list, uint16_t value);

/* LeafNodeTBS: the signature over `leaf` as the leaf with that index of that group (both are unused with source key_package).
 *   SLIM_ERR_SIGNATURE */
SLIM_MUST_CHECK enum slim_status slim_mls_leaf_verify(const struct slim_mls_suite *suite,
                                                      const struct slim_mls_leaf *leaf,
                                                      struct slim_view group_id,
                                                      uint32_t leaf_index);

/* Append LeafNode{*leaf} signed with `private_key`; the signature member of *leaf is not read. */
SLIM_MUST_CHECK enum slim_status slim_mls_leaf_sign(const struct slim_mls_suite *suite,
                                                    const uint8_t *private_key,
                                                    const struct slim_mls_leaf *leaf,
                                                    struct slim_view group_id, uint32_t leaf_index,
                                                    struct slim_mls_out *out);

/* What a leaf must satisfy by itself (section 7.3): keys of the right length, credential and extensions named by its own
 * capabilities, the suite and version supported, no extension twice.  SLIM_ERR_INVALID otherwise. */
SLIM_MUST_CHECK enum slim_status slim_mls_leaf_check(const struct slim_mls_suite *suite,
                                                     const struct slim_mls_leaf *leaf);

/* Both signatures, version, suite, init key unlike the encryption key, and slim_mls_leaf_check (section 10.1).
 *   SLIM_ERR_SIGNATURE, SLIM_ERR_INVALID */
SLIM_MUST_CHECK enum slim_status
slim_mls_key_package_check(const struct slim_mls_suite *suite,
                           const struct slim_mls_key_package *package);

/* SLIM_ERR_EXPIRED unless not_before - skew_s <= now_s <= not_after. Leaves of other sources have no lifetime and pass. */
SLIM_MUST_CHECK enum slim_status slim_mls_leaf_check_lifetime(const struct slim_mls_leaf *leaf,
                                                              uint64_t now_s, uint64_t skew_s);

/* KeyPackageRef: hash_len bytes. */
void slim_mls_key_package_ref(const struct slim_mls_suite *suite,
                              const struct slim_mls_key_package *package, uint8_t *ref);

#endif
