/* Messaging Layer Security (RFC 9420): group key agreement and message encryption, usable without the rest of SLIM.
 *
 * A client is one identity with its signature key and its unused key packages. A group is what one member knows about a group.
 * The library does no input or output, reads no clock and draws no randomness: bytes go in and come out of these functions, and
 * the client is given callbacks for the rest; only ECDSA signatures (suites 2, 5 and 7) take OpenSSL's random numbers. Nothing
 * is global. A client and its groups belong to one thread at a time.
 *
 *   member A                                       member B
 *                                    <------------ slim_mls_key_package_new
 *   slim_mls_group_create
 *   slim_mls_group_commit (add) ----- welcome ---> slim_mls_group_join
 *   slim_mls_group_commit_apply
 *   slim_mls_group_encrypt ---------- message ---> slim_mls_group_process
 *
 * Every function that can fail returns a status and changes nothing unless it returns SLIM_MLS_OK: the group is the same before
 * and after a refused message. Outputs are written on success only. Secrets are overwritten before memory is freed.
 *
 * Ciphersuites 1 to 7. Sections given as 12.4 are sections of RFC 9420. */
#ifndef SLIM_MLS_H
#define SLIM_MLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLIM_MLS_API __attribute__((visibility("default")))
#define SLIM_MLS_CALL __attribute__((visibility("default"), warn_unused_result))

/* The numbers are those of the other SLIM libraries. */
enum slim_mls_status {
    SLIM_MLS_OK = 0,
    SLIM_MLS_ERR_ARGUMENT = 100, /* the call makes no sense */
    SLIM_MLS_ERR_STATE =
        101, /* not now: a commit is pending, or none is, or the group is closed by a ReInit */
    SLIM_MLS_ERR_EXISTS = 102,      /* a key or member would be in the group twice */
    SLIM_MLS_ERR_NOT_FOUND = 103,   /* no such member, key package, pre-shared key or proposal */
    SLIM_MLS_ERR_MALFORMED = 201,   /* cannot be decoded */
    SLIM_MLS_ERR_INVALID = 202,     /* decodes, but breaks a rule of RFC 9420 */
    SLIM_MLS_ERR_UNSUPPORTED = 203, /* legal, but not something we do */
    SLIM_MLS_ERR_REPLAYED = 205,    /* this message was opened before */
    SLIM_MLS_ERR_STALE = 206,       /* of an epoch that is over; its keys are deleted */
    SLIM_MLS_ERR_FUTURE = 207,      /* of an epoch that has not begun here: a commit is missing */
    SLIM_MLS_ERR_TREE = 208,  /* the ratchet tree is not the one that was announced, or not valid */
    SLIM_MLS_ERR_LIMIT = 300, /* a bound was reached */
    SLIM_MLS_ERR_NO_MEMORY = 301,
    SLIM_MLS_ERR_AUTH = 400, /* a credential was refused */
    SLIM_MLS_ERR_SIGNATURE = 401,
    SLIM_MLS_ERR_EXPIRED = 402, /* outside the lifetime of a key package or credential */
    SLIM_MLS_ERR_DENIED = 403,
    SLIM_MLS_ERR_DECRYPT = 404,
    SLIM_MLS_ERR_MAC = 405,     /* membership or confirmation tag */
    SLIM_MLS_ERR_REMOVED = 406, /* we are not a member any more */
    SLIM_MLS_ERR_CRYPTO = 701   /* the cryptographic library failed */
};

/* A short English phrase. Never NULL. */
SLIM_MLS_API const char *slim_mls_status_text(enum slim_mls_status status);

/* Bytes of somebody else. data may be NULL when len is 0. */
struct slim_mls_view {
    const uint8_t *data;
    size_t len;
};

/* Bytes of your own: filled in by the library, given back with slim_mls_buf_free. */
struct slim_mls_buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

/* Overwrite and free. NULL and a zeroed struct are allowed. */
SLIM_MLS_API void slim_mls_buf_free(struct slim_mls_buf *buf);

/* ---- what the caller provides */

enum { SLIM_MLS_CREDENTIAL_BASIC = 1, SLIM_MLS_CREDENTIAL_X509 = 2 };
enum { SLIM_MLS_PSK_BYTES_MAX = 256, SLIM_MLS_SECRET_BYTES_MAX = 64 };

/* data: the identity of a basic credential; the certificates of an x509 one, each with its length header (5.3). */
struct slim_mls_credential_data {
    uint16_t type;
    struct slim_mls_view data;
};

enum slim_mls_check_reason {
    SLIM_MLS_CHECK_ADD, /* somebody is about to become a member: when proposed and when committed */
    SLIM_MLS_CHECK_REPLACE, /* a member replaces its leaf: `previous` is its credential until now */
    SLIM_MLS_CHECK_SIGNER, /* we join: the member that vouches for the group; comes before the others */
    SLIM_MLS_CHECK_MEMBER,         /* we join: a member that is there already */
    SLIM_MLS_CHECK_EXTERNAL_SENDER /* may propose: when a commit brings it in, and when we join */
};

/* What is asked about a credential. leaf_index is UINT32_MAX when the place in the tree is not known yet. */
struct slim_mls_check {
    enum slim_mls_check_reason reason;
    uint32_t leaf_index;
    struct slim_mls_credential_data credential;
    struct slim_mls_view signature_key;
    struct slim_mls_credential_data previous; /* type 0 unless reason is REPLACE */
    struct slim_mls_view previous_signature_key;
    struct slim_mls_view group_id;
};

enum slim_mls_psk_type { SLIM_MLS_PSK_EXTERNAL = 1, SLIM_MLS_PSK_RESUMPTION = 2 };

/* Which pre-shared key is wanted: `id` for an external one; group and epoch for one of another group (usage: 8.4). */
struct slim_mls_psk_request {
    enum slim_mls_psk_type type;
    struct slim_mls_view id;
    struct slim_mls_view group_id;
    uint64_t epoch;
    uint8_t usage;
};

/* check_credential  decides whether the credential is genuine and belongs to signature_key: SLIM_MLS_OK, or the status that the
 *                   operation shall end with (SLIM_MLS_ERR_AUTH, SLIM_MLS_ERR_EXPIRED ...). May point *name at a name of the
 *                   member, valid until the next callback: two members of one name cannot be in a group, and a replaced leaf
 *                   must keep its name. Required: RFC 9420 protects nobody without it.
 * now_s             seconds since 1970. Required.
 * random            fills `out` with unpredictable bytes; cannot fail. Required.
 * find_psk          writes a pre-shared key, at most SLIM_MLS_PSK_BYTES_MAX bytes; may be NULL: there is none then. */
struct slim_mls_callbacks {
    void *context;
    enum slim_mls_status (*check_credential)(void *context, const struct slim_mls_check *check,
                                             struct slim_mls_view *name);
    uint64_t (*now_s)(void *context);
    void (*random)(void *context, void *out, size_t len);
    enum slim_mls_status (*find_psk)(void *context, const struct slim_mls_psk_request *request,
                                     uint8_t *psk, size_t *len);
};

/* What the RFC leaves open. slim_mls_policy_init fills in the values in parentheses; change single members after it.
 *
 * past_epoch_count         epochs whose late messages can still be opened (8; at most 64)
 * past_epoch_age_s         and for how long after their end (120)
 * skipped_key_count        keys kept for messages of one sender that were overtaken (1024)
 * key_package_lifetime_s   not_after (365 days); key_package_backdate_s: not_before lies that much in the past (3600)
 * lifetime_skew_s          not_before of others may lie that much in the future (60)
 * pad                      pad messages to about an eighth of their size (yes)
 * encrypt_handshake        proposals and commits as PrivateMessage (no)
 * add_path_target_max      a path also in commits that only add, which renews the committer's keys, as long as it is encrypted
 *                          to at most so many nodes (256: about 20 ms of CPU); 0: never. Larger groups are refreshed by
 *                          commits with SLIM_MLS_PATH_ALWAYS at times of the caller's choice
 * check_lifetime           refuse expired leaves in received Adds (no; own Adds are always checked)
 * moderated                only leaf 0 commits and vouches for the group, and nobody proposes: everything else is refused
 *                          with SLIM_MLS_ERR_DENIED, made here or received (no; slim sessions: yes) */
struct slim_mls_policy {
    uint32_t past_epoch_count;
    uint64_t past_epoch_age_s;
    uint32_t skipped_key_count;
    uint32_t add_path_target_max;
    uint64_t key_package_lifetime_s;
    uint64_t key_package_backdate_s;
    uint64_t lifetime_skew_s;
    bool pad;
    bool encrypt_handshake;
    bool check_lifetime;
    bool moderated;
};
SLIM_MLS_API void slim_mls_policy_init(struct slim_mls_policy *policy);

/* ---- clients */

struct slim_mls_client;
struct slim_mls_group;

/* signature_key    private key: the seed of RFC 8032 (or seed and public key, 64 bytes), or a big-endian scalar
 * extension_types  extensions beyond those of the RFC that our leaves shall claim to understand */
struct slim_mls_client_config {
    uint16_t cipher_suite;
    struct slim_mls_view signature_key;
    struct slim_mls_credential_data credential;
    struct slim_mls_callbacks callbacks;
    struct slim_mls_policy policy;
    const uint16_t *extension_types;
    size_t extension_type_count;
};

/* Make a signature key for a suite from the caller's random source.
 *   SLIM_MLS_ERR_UNSUPPORTED   no such suite */
SLIM_MLS_CALL enum slim_mls_status
slim_mls_signature_key_new(uint16_t cipher_suite, const struct slim_mls_callbacks *callbacks,
                           struct slim_mls_buf *private_key, struct slim_mls_buf *public_key);

/* Everything in *config is copied. The client must outlive its groups.
 *   SLIM_MLS_ERR_ARGUMENT      a callback is missing, or a bound of the policy is too large
 *   SLIM_MLS_ERR_INVALID       not a signature key of this suite
 *   SLIM_MLS_ERR_UNSUPPORTED   suite or credential type */
SLIM_MLS_CALL enum slim_mls_status slim_mls_client_new(const struct slim_mls_client_config *config,
                                                       struct slim_mls_client **client);

/* NULL is allowed. */
SLIM_MLS_API void slim_mls_client_free(struct slim_mls_client *client);

/* Public signature key, borrowed. */
SLIM_MLS_API struct slim_mls_view
slim_mls_client_signature_key(const struct slim_mls_client *client);

/* Use another credential with the same key from now on: in key packages, and in groups with the next path or update. */
SLIM_MLS_CALL enum slim_mls_status
slim_mls_client_set_credential(struct slim_mls_client *client,
                               const struct slim_mls_credential_data *credential);

/* A new key package as MLSMessage. Its private keys stay in the client until somebody adds us with it, 256 at most: the oldest
 * goes first. */
SLIM_MLS_CALL enum slim_mls_status slim_mls_key_package_new(struct slim_mls_client *client,
                                                            struct slim_mls_buf *message);

/* Take over a key package (MLSMessage) made elsewhere, with its private keys.
 *   SLIM_MLS_ERR_INVALID   the keys do not fit, or it is not a key package of this client's key */
SLIM_MLS_CALL enum slim_mls_status
slim_mls_client_put_key_package(struct slim_mls_client *client, struct slim_mls_view message,
                                struct slim_mls_view init_private_key,
                                struct slim_mls_view encryption_private_key);

/* ---- groups */

/* group_id     empty: random. extensions: encoded list of Extension for the group context, usually empty. */
struct slim_mls_group_config {
    struct slim_mls_view group_id;
    struct slim_mls_view extensions;
};

/* A group of one, in epoch 0 (section 11). config may be NULL. */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_create(struct slim_mls_client *client,
                                                         const struct slim_mls_group_config *config,
                                                         struct slim_mls_group **group);

/* Join with a Welcome (MLSMessage). `tree` is the encoded ratchet_tree<V> when the Welcome does not carry one, else empty.
 * Everything is checked: all leaf signatures, parent hashes, tree hash, the signer's signature, the confirmation tag. A Welcome may
 * link the new group to an old one (a pre-shared key of usage 2 or 3, which find_psk is asked for): it is then the caller's duty
 * to compare the two, or to call slim_mls_group_join_successor, which does.
 *   SLIM_MLS_ERR_NOT_FOUND     none of our key packages is meant, a pre-shared key is unknown, or there is no tree
 *   SLIM_MLS_ERR_EXISTS        the client has a group of this id, neither removed from nor closed: free that one first, if it
 *                              is over. Only groups in memory count: ids of saved ones are for the caller to compare
 *   SLIM_MLS_ERR_TREE          tree hash, parent hashes, unmerged leaves, or our leaf is not in it
 *   SLIM_MLS_ERR_SIGNATURE, SLIM_MLS_ERR_MAC, SLIM_MLS_ERR_DECRYPT, SLIM_MLS_ERR_INVALID, SLIM_MLS_ERR_MALFORMED
 *   the status of check_credential */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_join(struct slim_mls_client *client,
                                                       struct slim_mls_view welcome,
                                                       struct slim_mls_view tree,
                                                       struct slim_mls_group **group);

/* Join the group that takes over from `old`, ours: the re-initialised one when a ReInit has closed it (11.2), or a branch of it
 * (11.3). As slim_mls_group_join; the pre-shared key that links them comes from `old`. `client` may be another one than that of
 * `old`, as the cipher suite may change with a ReInit. Members are compared by the names that check_credential gave.
 *   SLIM_MLS_ERR_INVALID   not linked to `old`; after a ReInit: version, cipher suite, group id or extensions are not what it
 *                          said, or the members are not the same; a branch: another cipher suite, or members not of `old`
 *   SLIM_MLS_ERR_NOT_FOUND the linking secret is of an epoch that `old` has forgotten; else as slim_mls_group_join */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_join_successor(struct slim_mls_client *client,
                                                                 struct slim_mls_view welcome,
                                                                 struct slim_mls_view tree,
                                                                 const struct slim_mls_group *old,
                                                                 struct slim_mls_group **group);

/* Join by an external commit (12.4.3.2): `group_info` is an MLSMessage with external_pub, `tree` as above. *commit is for the
 * members; the group is usable when they have accepted it. With `replace_leaf` not UINT32_MAX the commit removes that leaf, which
 * must carry our name.
 *   SLIM_MLS_ERR_AUTH     it carries another name
 *   SLIM_MLS_ERR_DENIED   the policy is `moderated`
 *   else as slim_mls_group_join */
SLIM_MLS_CALL enum slim_mls_status
slim_mls_group_join_external(struct slim_mls_client *client, struct slim_mls_view group_info,
                             struct slim_mls_view tree, uint32_t replace_leaf,
                             struct slim_mls_group **group, struct slim_mls_buf *commit);

/* NULL is allowed. */
SLIM_MLS_API void slim_mls_group_free(struct slim_mls_group *group);

/* All of a group but a pending commit, secrets included: keep it as you keep a private key. Load the newest state only: one
 * from before a message was sent or opened brings back the keys of that message, and encrypting with them again leaves only the
 * 32 random bits of the reuse guard (6.3.1) between two messages and the same nonce. */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_save(const struct slim_mls_group *group,
                                                       struct slim_mls_buf *state);
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_load(struct slim_mls_client *client,
                                                       struct slim_mls_view state,
                                                       struct slim_mls_group **group);

/* ---- looking at a group; views are borrowed until the group changes */

SLIM_MLS_API struct slim_mls_view slim_mls_group_id(const struct slim_mls_group *group);
SLIM_MLS_API uint64_t slim_mls_group_epoch(const struct slim_mls_group *group);
SLIM_MLS_API uint32_t slim_mls_group_own_leaf(const struct slim_mls_group *group);
SLIM_MLS_API struct slim_mls_view
slim_mls_group_epoch_authenticator(const struct slim_mls_group *group);
SLIM_MLS_API struct slim_mls_view slim_mls_group_tree_hash(const struct slim_mls_group *group);
SLIM_MLS_API struct slim_mls_view
slim_mls_group_confirmed_transcript_hash(const struct slim_mls_group *group);
SLIM_MLS_API struct slim_mls_view slim_mls_group_extensions(const struct slim_mls_group *group);
SLIM_MLS_API uint32_t slim_mls_group_member_count(const struct slim_mls_group *group);

/* Places in the tree: member indices are below this number. */
SLIM_MLS_API uint32_t slim_mls_group_leaf_count(const struct slim_mls_group *group);

struct slim_mls_member {
    uint32_t leaf_index;
    struct slim_mls_credential_data credential;
    struct slim_mls_view signature_key;
};

/*   SLIM_MLS_ERR_NOT_FOUND   the place is empty */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_member(const struct slim_mls_group *group,
                                                         uint32_t leaf_index,
                                                         struct slim_mls_member *member);

/* Whom a key package (MLSMessage) would make a member; leaf_index is UINT32_MAX, views are into the message. Nothing but the encoding
 * is checked: slim_mls_group_commit does the rest.
 *   SLIM_MLS_ERR_MALFORMED, SLIM_MLS_ERR_INVALID, SLIM_MLS_ERR_UNSUPPORTED, SLIM_MLS_ERR_LIMIT   not a key package */
SLIM_MLS_CALL enum slim_mls_status slim_mls_key_package_look(struct slim_mls_view message,
                                                             struct slim_mls_member *member);

/* Encoded ratchet_tree<V>. */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_tree(const struct slim_mls_group *group,
                                                       struct slim_mls_buf *tree);

/* Signed GroupInfo (MLSMessage) with external_pub, and with the ratchet tree when asked for: lets others join by themselves.
 *   SLIM_MLS_ERR_DENIED   the policy is `moderated` and we are not leaf 0: only the moderator vouches for the group */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_info(const struct slim_mls_group *group,
                                                       bool with_tree,
                                                       struct slim_mls_buf *message);

/* MLS-Exporter (8.5); len <= 255 * hash length. */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_export(const struct slim_mls_group *group,
                                                         struct slim_mls_view label,
                                                         struct slim_mls_view context, uint8_t *out,
                                                         size_t len);

/* resumption_psk of this or a recent epoch: what find_psk answers for another group. SLIM_MLS_ERR_STALE: forgotten. */
SLIM_MLS_CALL enum slim_mls_status
slim_mls_group_resumption_psk(const struct slim_mls_group *group, uint64_t epoch,
                              uint8_t psk[SLIM_MLS_SECRET_BYTES_MAX], size_t *len);

/* ---- messages */

/* Encrypt application data as PrivateMessage (15). authenticated_data travels in the clear and is protected.
 *   SLIM_MLS_ERR_LIMIT   both together are larger than 3 665 920 bytes: the message could be larger than 4 MiB
 *   SLIM_MLS_ERR_STATE   proposals wait for a commit (section 12.4: commit first); the group was closed */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_encrypt(struct slim_mls_group *group,
                                                          struct slim_mls_view authenticated_data,
                                                          struct slim_mls_view plaintext,
                                                          struct slim_mls_buf *message);

enum slim_mls_event_kind {
    SLIM_MLS_EVENT_APPLICATION, /* data is the plaintext */
    SLIM_MLS_EVENT_PROPOSAL,    /* kept until a commit names it */
    SLIM_MLS_EVENT_COMMIT,      /* the group is in the next epoch */
    SLIM_MLS_EVENT_REMOVED /* a commit removed us: the group stays in its last epoch and is of no more use */
};

enum slim_mls_sender {
    SLIM_MLS_SENDER_MEMBER = 1,
    SLIM_MLS_SENDER_EXTERNAL = 2,
    SLIM_MLS_SENDER_NEW_MEMBER = 3
};

/* What a message was. proposal_type (17.4: 1 add, 2 update, 3 remove, 4 psk, 5 reinit, 7 extensions) is 0 but for proposals.
 * sender_leaf is the leaf of a member (or of the one that joined by an external commit), the index of an
 * external sender, else UINT32_MAX. added and removed are leaf indices of a commit. */
struct slim_mls_event {
    enum slim_mls_event_kind kind;
    enum slim_mls_sender sender;
    uint32_t sender_leaf;
    uint16_t proposal_type;
    uint64_t epoch;
    struct slim_mls_buf data;
    struct slim_mls_buf authenticated_data;
    uint32_t *added;
    size_t added_count;
    uint32_t *removed;
    size_t removed_count;
};
SLIM_MLS_API void slim_mls_event_free(struct slim_mls_event *event);

/* Take one message (PublicMessage or PrivateMessage). A pending commit of ours is dropped when another one is accepted.
 *   SLIM_MLS_ERR_MALFORMED, SLIM_MLS_ERR_INVALID, SLIM_MLS_ERR_UNSUPPORTED
 *   SLIM_MLS_ERR_NOT_FOUND   of another group, or a commit names a proposal that we have not seen, or a pre-shared key
 *   SLIM_MLS_ERR_STALE, SLIM_MLS_ERR_FUTURE, SLIM_MLS_ERR_REPLAYED, SLIM_MLS_ERR_LIMIT (too far ahead of its sender)
 *   SLIM_MLS_ERR_SIGNATURE, SLIM_MLS_ERR_MAC, SLIM_MLS_ERR_DECRYPT, SLIM_MLS_ERR_TREE, SLIM_MLS_ERR_EXISTS
 *   SLIM_MLS_ERR_STATE       our own handshake message came back; the group was closed
 *   SLIM_MLS_ERR_DENIED      the policy is `moderated` and this is not the moderator's; not one of the external senders
 *   SLIM_MLS_ERR_REMOVED
 *   the status of check_credential */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_process(struct slim_mls_group *group,
                                                          struct slim_mls_view message,
                                                          struct slim_mls_event *event);

/* May the member at this leaf, in that epoch, have sent what is being opened? SLIM_MLS_OK, or the status of the refusal. */
typedef enum slim_mls_status slim_mls_accept(void *context, uint32_t sender_leaf, uint64_t epoch);

/* Take one application message, and nothing else, from a sender that `accept` agrees to. It is asked when the message has proven
 * genuine and before its key is used up: a copy under a false name does not spoil the original.
 *   SLIM_MLS_ERR_INVALID     no application message
 *   the status of `accept`; else as slim_mls_group_process */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_open(struct slim_mls_group *group,
                                                       struct slim_mls_view message,
                                                       slim_mls_accept *accept, void *context,
                                                       struct slim_mls_event *event);

/* ---- commits */

enum slim_mls_path {
    SLIM_MLS_PATH_POLICY, /* as policy.add_path_target_max says */
    SLIM_MLS_PATH_NEEDED, /* only when the RFC demands one */
    SLIM_MLS_PATH_ALWAYS
};

/* A pre-shared key to mix in: an external one by id, or the resumption secret of one of our epochs. */
struct slim_mls_psk_choice {
    enum slim_mls_psk_type type;
    struct slim_mls_view id;
    struct slim_mls_view group_id; /* empty: this group */
    uint64_t epoch;
    uint8_t usage; /* 1 application, 2 reinit, 3 branch */
};

struct slim_mls_reinit_choice {
    struct slim_mls_view group_id;
    uint16_t cipher_suite;
    struct slim_mls_view extensions;
};

/* What the ReInit said that has closed the group. Who goes on: a client of that cipher suite creates a group with that id and
 * these extensions, and its first commit adds all other members, with the resumption secret of this group's last epoch as pre-shared
 * key of usage 2 (find_psk answers with slim_mls_group_resumption_psk). They enter with slim_mls_group_join_successor.
 *   SLIM_MLS_ERR_NOT_FOUND   the group is not closed */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_reinit(const struct slim_mls_group *group,
                                                         struct slim_mls_reinit_choice *reinit);

/* What a commit shall do. A zeroed struct with_proposals is a refresh: new keys for our path. Received and own proposals that
 * wait are included by reference unless without_proposals is set; those that contradict others are left out. A waiting ReInit is
 * left out unless accept_reinit is set and nothing else is to be done: it closes the group (11.2). slim_mls_group_reinit tells.
 *
 * key_packages    MLSMessages of those to add, any number; removed: leaf indices
 * extensions      replaces the extensions of the group context when not NULL
 * welcome_tree    put the ratchet tree into the Welcome; without it joiners need slim_mls_group_tree */
struct slim_mls_commit_options {
    const struct slim_mls_view *key_packages;
    size_t key_package_count;
    const uint32_t *removed;
    size_t removed_count;
    const struct slim_mls_psk_choice *psks;
    size_t psk_count;
    const struct slim_mls_view *extensions;
    const struct slim_mls_reinit_choice *reinit;
    struct slim_mls_view authenticated_data;
    enum slim_mls_path path;
    bool without_proposals;
    bool without_welcome_tree;
    bool accept_reinit;
};

/* commit for the members; welcome (empty when nobody was added) for all added ones. */
struct slim_mls_commit_output {
    struct slim_mls_buf commit;
    struct slim_mls_buf welcome;
};
SLIM_MLS_API void slim_mls_commit_output_free(struct slim_mls_commit_output *output);

/* Make a commit. The group stays in its epoch until slim_mls_group_commit_apply, which is for when the commit was accepted (by
 * whoever orders them), or slim_mls_group_commit_cancel.
 *   SLIM_MLS_ERR_STATE      a commit is pending, or the group was closed
 *   SLIM_MLS_ERR_DENIED     the policy is `moderated` and we are not leaf 0
 *   SLIM_MLS_ERR_EXPIRED    a key package outside its lifetime
 *   SLIM_MLS_ERR_EXISTS     somebody is in the group already
 *   SLIM_MLS_ERR_INVALID, SLIM_MLS_ERR_SIGNATURE, SLIM_MLS_ERR_MALFORMED, SLIM_MLS_ERR_NOT_FOUND, SLIM_MLS_ERR_LIMIT
 *   the status of check_credential */
SLIM_MLS_CALL enum slim_mls_status
slim_mls_group_commit(struct slim_mls_group *group, const struct slim_mls_commit_options *options,
                      struct slim_mls_commit_output *output);

/* SLIM_MLS_ERR_STATE: none is pending. */
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_commit_apply(struct slim_mls_group *group);
SLIM_MLS_API void slim_mls_group_commit_cancel(struct slim_mls_group *group);

/* ---- proposals (12.1): made, kept for our own next commit, and to be sent to the others
 *   SLIM_MLS_ERR_DENIED   the policy is `moderated`: members would refuse it, the moderator's as well, which commits instead
 *   SLIM_MLS_ERR_EXISTS, SLIM_MLS_ERR_STATE, SLIM_MLS_ERR_REMOVED, SLIM_MLS_ERR_LIMIT, SLIM_MLS_ERR_MALFORMED */

SLIM_MLS_CALL enum slim_mls_status slim_mls_group_propose_add(struct slim_mls_group *group,
                                                              struct slim_mls_view key_package,
                                                              struct slim_mls_buf *message);
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_propose_update(struct slim_mls_group *group,
                                                                 struct slim_mls_buf *message);
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_propose_remove(struct slim_mls_group *group,
                                                                 uint32_t leaf_index,
                                                                 struct slim_mls_buf *message);
SLIM_MLS_CALL enum slim_mls_status slim_mls_group_propose_psk(struct slim_mls_group *group,
                                                              const struct slim_mls_psk_choice *psk,
                                                              struct slim_mls_buf *message);
SLIM_MLS_CALL enum slim_mls_status
slim_mls_group_propose_reinit(struct slim_mls_group *group,
                              const struct slim_mls_reinit_choice *reinit,
                              struct slim_mls_buf *message);
SLIM_MLS_CALL enum slim_mls_status
slim_mls_group_propose_extensions(struct slim_mls_group *group, struct slim_mls_view extensions,
                                  struct slim_mls_buf *message);

/* Forget all proposals that wait. */
SLIM_MLS_API void slim_mls_group_proposals_clear(struct slim_mls_group *group);
SLIM_MLS_API size_t slim_mls_group_proposal_count(const struct slim_mls_group *group);

/* From outside the group: ask to be added with a new key package of ours (sender new_member_proposal) ... */
SLIM_MLS_CALL enum slim_mls_status slim_mls_propose_join(struct slim_mls_client *client,
                                                         struct slim_mls_view group_id,
                                                         uint64_t epoch,
                                                         struct slim_mls_buf *message);

/* ... or, as the external sender with that index in the group's external_senders extension, add or remove somebody. */
SLIM_MLS_CALL enum slim_mls_status
slim_mls_propose_external_add(struct slim_mls_client *client, struct slim_mls_view group_id,
                              uint64_t epoch, uint32_t sender_index,
                              struct slim_mls_view key_package, struct slim_mls_buf *message);
SLIM_MLS_CALL enum slim_mls_status
slim_mls_propose_external_remove(struct slim_mls_client *client, struct slim_mls_view group_id,
                                 uint64_t epoch, uint32_t sender_index, uint32_t leaf_index,
                                 struct slim_mls_buf *message);

#ifdef __cplusplus
}
#endif

#endif
