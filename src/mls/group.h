/* Inside of clients and groups. The public face is include/slim/mls.h.
 *
 *   group ---> epoch      the current one: tree, secrets, message keys, our private keys
 *         ---> pending    the next one, made by slim_mls_group_commit, until it is applied or dropped
 *         ---> past[]     what late messages need: message keys, sender data secret, tree without hashes; newest first
 *         ---> proposals  received and own ones of this epoch, by reference
 *
 * A commit, ours or received, builds a new epoch from a copy of the current one (struct slim_mls_change); when everything
 * holds, pointers are swapped. Nothing that can fail comes after the swap. */
#ifndef SLIM_MLS_GROUP_H
#define SLIM_MLS_GROUP_H

#include "mls/framing.h"
#include "mls/hpke.h"
#include "mls/treekem.h"
#include "mls/welcome.h"
#include "slim/mls.h"

/* ---- between the public types and ours */

static inline struct slim_view slim_mls_view_in(struct slim_mls_view view)
{
    return slim_view_of(view.data, view.len);
}

static inline struct slim_mls_view slim_mls_view_out(struct slim_view view)
{
    return (struct slim_mls_view){view.data, view.len};
}

static inline enum slim_mls_status slim_mls_status_out(enum slim_status status)
{
    return (enum slim_mls_status)status; /* the same numbers: asserted in client.c */
}

/* Takes the bytes of *buf. */
static inline struct slim_mls_buf slim_mls_buf_out(struct slim_buf *buf)
{
    struct slim_mls_buf out = {buf->data, buf->len, buf->capacity};
    *buf = (struct slim_buf){0};
    return out;
}

/* ---- clients */

/* A key package whose private keys wait for a Welcome. */
struct slim_mls_own_package {
    struct slim_buf bytes; /* KeyPackage, without message head */
    uint8_t ref[MLS_SECRET_MAX];
    uint8_t init_key[MLS_KEM_PRIVATE_MAX];
    uint8_t encryption_key[MLS_KEM_PRIVATE_MAX];
};

/* signature_key   form of slim_crypto_sign_import
 * credential      encoded Credential
 * packages        oldest first
 * groups          all that were not freed */
struct slim_mls_client {
    const struct slim_mls_suite *suite;
    struct slim_mls_callbacks callbacks;
    struct slim_mls_policy policy;
    struct slim_mls_random random;
    uint8_t signature_key[SLIM_CRYPTO_SIGN_PRIVATE_MAX];
    uint8_t signature_public[SLIM_CRYPTO_SIGN_PUBLIC_MAX];
    struct slim_buf credential;
    struct slim_buf extension_types; /* encoded list */
    struct slim_mls_own_package *packages;
    size_t package_count;
    struct slim_mls_group *groups;
};

struct slim_view slim_mls_client_public(const struct slim_mls_client *client);
uint64_t slim_mls_client_now(const struct slim_mls_client *client);

/* Fill in what all our leaves have in common: signature key, credential, capabilities. The views live as long as the client
 * does not change. `credential_list` is room for the list of credential types. */
SLIM_MUST_CHECK enum slim_status slim_mls_client_leaf(const struct slim_mls_client *client,
                                                      struct slim_mls_leaf *leaf);

/* Make a key package; the private keys are for the caller to keep. */
SLIM_MUST_CHECK enum slim_status slim_mls_client_make_package(const struct slim_mls_client *client,
                                                              struct slim_mls_own_package *package);
void slim_mls_own_package_fini(struct slim_mls_own_package *package);
SLIM_MUST_CHECK enum slim_status slim_mls_client_keep_package(struct slim_mls_client *client,
                                                              struct slim_mls_own_package *package);
void slim_mls_client_drop_package(struct slim_mls_client *client, size_t index);

/* Ask the caller about a leaf; `node` gets the hash of the name it gave. previous may be NULL. */
SLIM_MUST_CHECK enum slim_status
slim_mls_client_check(const struct slim_mls_client *client, enum slim_mls_check_reason reason,
                      struct slim_view group_id, uint32_t leaf_index,
                      const struct slim_mls_leaf *leaf, const struct slim_mls_leaf *previous,
                      uint8_t identity[MLS_IDENTITY_LEN]);

/* ---- epochs */

struct slim_mls_epoch {
    uint64_t number;
    uint64_t ended_s; /* past ones only */
    struct slim_buf extensions;
    uint8_t
        confirmed[MLS_SECRET_MAX]; /* transcript hashes; empty in epoch 0 of a group we created */
    size_t confirmed_len;
    uint8_t interim[MLS_SECRET_MAX];
    size_t interim_len;
    uint8_t confirmation_tag[MLS_SECRET_MAX];
    struct slim_buf context; /* encoded GroupContext */
    struct slim_mls_tree tree;
    struct slim_mls_private own;
    struct slim_mls_epoch_secrets secrets;
    struct slim_mls_secret_tree messages;
    struct slim_buf reinit; /* the Proposal, when the commit that began it carried a ReInit */
};

SLIM_MUST_CHECK enum slim_status slim_mls_epoch_new(struct slim_mls_epoch **epoch);
void slim_mls_epoch_free(struct slim_mls_epoch *epoch);

/* A ReInit began it: it is the last one (section 11.2). */
bool slim_mls_epoch_is_closed(const struct slim_mls_epoch *epoch);

/* A copy of the group state proper (tree, extensions, our keys, transcript) with the next number; no secrets. */
SLIM_MUST_CHECK enum slim_status slim_mls_epoch_next(const struct slim_mls_epoch *from,
                                                     struct slim_mls_epoch **next);

/* Encode the GroupContext from what the epoch holds now. */
SLIM_MUST_CHECK enum slim_status slim_mls_epoch_set_context(struct slim_mls_epoch *epoch,
                                                            struct slim_view group_id);

/* Once the secrets are there: confirmation tag, interim transcript hash, message keys; the encryption secret is wiped. */
SLIM_MUST_CHECK enum slim_status slim_mls_epoch_begin(struct slim_mls_epoch *epoch,
                                                      uint32_t skipped_max);

/* ---- groups */

struct slim_mls_cached_proposal {
    uint8_t ref[MLS_SECRET_MAX];
    struct slim_buf bytes; /* AuthenticatedContent */
};

/* Private key for an Update proposal of ours. */
struct slim_mls_own_update {
    uint8_t public_key[MLS_KEM_PUBLIC_MAX];
    uint8_t private_key[MLS_KEM_PRIVATE_MAX];
};

struct slim_mls_resumption {
    uint64_t epoch;
    uint8_t secret[MLS_SECRET_MAX];
};

struct slim_mls_group {
    struct slim_mls_client *client;
    struct slim_mls_group *next_of_client;
    const struct slim_mls_suite *suite;
    struct slim_buf id;
    struct slim_mls_epoch *epoch;
    struct slim_mls_epoch *pending;
    struct slim_mls_epoch *past[MLS_PAST_EPOCH_COUNT_MAX];
    size_t past_count;
    struct slim_mls_cached_proposal *proposals;
    size_t proposal_count;
    struct slim_mls_own_update *updates;
    size_t update_count;
    struct slim_mls_resumption
        resumptions[MLS_PAST_EPOCH_COUNT_MAX + 1]; /* newest first, the current epoch in front */
    size_t resumption_count;
    bool is_removed;
};

enum { SLIM_MLS_MODERATOR_LEAF = 0 };

/* May we change the group or vouch for it? With the policy `moderated` only leaf 0 may. */
bool slim_mls_group_is_ours_to_change(const struct slim_mls_group *group);

SLIM_MUST_CHECK enum slim_status slim_mls_group_new(struct slim_mls_client *client,
                                                    struct slim_view id,
                                                    struct slim_mls_group **group);

/* The group of that id in which the client takes part: not removed from it, not closed. NULL: none. */
struct slim_mls_group *slim_mls_client_group_find(const struct slim_mls_client *client,
                                                  struct slim_view id);

/* Make `next` the current epoch (takes it). The old one becomes a past one. Cannot fail. */
void slim_mls_group_swap(struct slim_mls_group *group, struct slim_mls_epoch *next);

/* Forget past epochs that are too many or too old. */
void slim_mls_group_prune(struct slim_mls_group *group);

/* Remember the resumption secret of the current epoch. */
void slim_mls_group_note_resumption(struct slim_mls_group *group);

/* A pre-shared key: of this group from its memory (group may be NULL), else by the callback.  SLIM_ERR_NOT_FOUND. */
SLIM_MUST_CHECK enum slim_status slim_mls_psk_find(const struct slim_mls_client *client,
                                                   const struct slim_mls_group *group,
                                                   const struct slim_mls_psk_id *id,
                                                   uint8_t psk[SLIM_MLS_PSK_BYTES_MAX],
                                                   size_t *len);

/* Keep a proposal (AuthenticatedContent) for commits by reference. SLIM_ERR_EXISTS: it is there. */
SLIM_MUST_CHECK enum slim_status
slim_mls_group_cache_proposal(struct slim_mls_group *group, const struct slim_mls_content *content);
/* Take the newest back, when what had to follow has failed. */
void slim_mls_group_uncache_proposal(struct slim_mls_group *group);
const struct slim_mls_cached_proposal *
slim_mls_group_cached_find(const struct slim_mls_group *group, struct slim_view ref);

/* Handshake messages of ours: public or private as the policy says. */
enum slim_mls_wire_format slim_mls_group_handshake_format(const struct slim_mls_group *group);

/* Append a signed content (for a commit with its confirmation tag) as MLSMessage, protected with the keys of this epoch. */
SLIM_MUST_CHECK enum slim_status slim_mls_group_put_message(struct slim_mls_group *group,
                                                            const struct slim_mls_content *content,
                                                            struct slim_mls_out *out);

/* GroupInfo of an epoch, signed by us: extensions are the encoded list. Appended without message head. */
SLIM_MUST_CHECK enum slim_status slim_mls_group_put_info(const struct slim_mls_group *group,
                                                         struct slim_mls_epoch *epoch,
                                                         struct slim_view extensions,
                                                         struct slim_mls_out *out);

/* ---- changes: the list of proposals of one commit, applied to a copy of the epoch (group_change.c) */

struct slim_mls_change_item {
    struct slim_mls_proposal proposal;
    uint8_t sender_type;
    uint32_t sender;
};

/* committer        leaf index; of the new leaf for an external commit, once it is known
 * added            node indices of leaves that came with Add, in the order of the list
 * removed          leaf indices
 * touched          nodes whose content is new: for the uniqueness checks
 * kem_output       of ExternalInit */
struct slim_mls_change {
    struct slim_mls_group *group;
    struct slim_mls_epoch *next;
    struct slim_mls_change_item *items;
    size_t item_count;
    bool is_external;
    uint32_t committer;
    struct slim_mls_indices added;
    struct slim_mls_indices removed;
    struct slim_mls_indices touched;
    struct slim_view kem_output;
    bool needs_path;
    bool has_reinit;
    bool has_new_extensions;
    bool removes_us;
    uint8_t commit_secret[MLS_SECRET_MAX];
    uint8_t psk_secret[MLS_SECRET_MAX];
};

void slim_mls_change_init(struct slim_mls_change *change, struct slim_mls_group *group);
void slim_mls_change_fini(struct slim_mls_change *change);

/* Decode the list of a commit, resolve references, check the rules of section 12.2 that concern the list itself.
 *   SLIM_ERR_NOT_FOUND   a reference to a proposal that was not seen */
SLIM_MUST_CHECK enum slim_status slim_mls_change_collect(struct slim_mls_change *change,
                                                         struct slim_view proposals);

/* Section 12.3: apply the list to change->next, checking every leaf that enters. With removes_us set the tree is not complete. */
SLIM_MUST_CHECK enum slim_status slim_mls_change_apply(struct slim_mls_change *change);

/* After the path, if any: what concerns all leaves together - uniqueness, capabilities, requirements of the group. */
SLIM_MUST_CHECK enum slim_status slim_mls_change_check_tree(struct slim_mls_change *change);

/* Check one leaf that enters the tree at `leaf_index` (UINT32_MAX: not known yet); previous may be NULL. */
SLIM_MUST_CHECK enum slim_status slim_mls_change_check_leaf(struct slim_mls_change *change,
                                                            uint32_t leaf_index,
                                                            const struct slim_mls_leaf *leaf,
                                                            const struct slim_mls_node *previous,
                                                            uint8_t identity[MLS_IDENTITY_LEN]);

/* May a leaf of that name take the place of `previous`? Yes too when there is none, or the caller gave it no name. */
bool slim_mls_is_same_member(const struct slim_mls_node *previous,
                             const uint8_t identity[MLS_IDENTITY_LEN]);

/* The key schedule from the old epoch to change->next: `input` is ConfirmedTranscriptHashInput. */
SLIM_MUST_CHECK enum slim_status slim_mls_change_finish(struct slim_mls_change *change,
                                                        const uint8_t *init_secret,
                                                        struct slim_view input);

/* Make a path for our leaf in change->next: new keys, the signed leaf, the provisional context (12.4.1), and the encoded UpdatePath.
 * *secrets is secret and for the Welcome. */
SLIM_MUST_CHECK enum slim_status slim_mls_change_make_path(struct slim_mls_change *change,
                                                           struct slim_mls_path_secrets *secrets,
                                                           struct slim_mls_out *out);

/* From the encoded list of proposals and the optional encoded path to the signed commit as MLSMessage; the key schedule runs
 * on the way. */
SLIM_MUST_CHECK enum slim_status
slim_mls_change_put_commit(struct slim_mls_change *change, struct slim_view proposals,
                           struct slim_view path, struct slim_view authenticated_data,
                           const uint8_t *init_secret, struct slim_mls_out *out);

/* Append a ProposalOrRef. */
void slim_mls_put_inline(struct slim_mls_out *out, const struct slim_mls_proposal *proposal);
void slim_mls_put_reference(struct slim_mls_out *out, struct slim_view reference);

/* A Remove, or a PreSharedKey with a fresh nonce (`nonce` is room for it). */
struct slim_mls_proposal slim_mls_remove_of(uint32_t leaf_index);
struct slim_mls_proposal slim_mls_psk_of(const struct slim_mls_group *group,
                                         const struct slim_mls_psk_choice *choice,
                                         uint8_t nonce[MLS_SECRET_MAX]);
struct slim_mls_proposal slim_mls_reinit_of(const struct slim_mls_reinit_choice *choice);

/* The key package in an MLSMessage, to its last byte. */
SLIM_MUST_CHECK enum slim_status slim_mls_read_key_package(struct slim_view message,
                                                           struct slim_mls_key_package *package);

/* Group-wide requirements on leaves (required_capabilities, credential types, extension types), for all leaves of a tree. */
SLIM_MUST_CHECK enum slim_status slim_mls_tree_check_members(const struct slim_mls_tree *tree,
                                                             struct slim_view group_extensions);

/* Ask the caller about each of the external_senders (section 12.1.8.1): when they come with a commit, and when we join. */
SLIM_MUST_CHECK enum slim_status
slim_mls_group_check_external_senders(const struct slim_mls_group *group,
                                      struct slim_view group_extensions);

/* Sections 11.2 and 11.3: is the group that `info` and `tree` describe, joined with these `psks`, the one that takes over from `old`
 * after its ReInit, or a branch of it?  SLIM_ERR_INVALID: no. */
SLIM_MUST_CHECK enum slim_status slim_mls_successor_check(const struct slim_mls_group *old,
                                                          struct slim_view psks,
                                                          const struct slim_mls_context *info,
                                                          const struct slim_mls_tree *tree);

/* ConfirmedTranscriptHashInput of a signed commit. */
void slim_mls_put_confirmed_input(struct slim_mls_out *out, const struct slim_mls_content *content);

#endif
