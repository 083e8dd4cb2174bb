/* Proposals, commits and update paths (RFC 9420 sections 8.4, 12.1, 12.4, 7.6): their forms. What they mean is in group_*.c.
 * The rules of leaf.h about views hold here as well. */
#ifndef SLIM_MLS_PROPOSAL_H
#define SLIM_MLS_PROPOSAL_H

#include "mls/leaf.h"

enum slim_mls_proposal_type {
    MLS_PROPOSAL_ADD = 1,
    MLS_PROPOSAL_UPDATE = 2,
    MLS_PROPOSAL_REMOVE = 3,
    MLS_PROPOSAL_PSK = 4,
    MLS_PROPOSAL_REINIT = 5,
    MLS_PROPOSAL_EXTERNAL_INIT = 6,
    MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS = 7
};

enum { MLS_PSK_EXTERNAL = 1, MLS_PSK_RESUMPTION = 2 };
enum { MLS_PSK_USAGE_APPLICATION = 1, MLS_PSK_USAGE_REINIT = 2, MLS_PSK_USAGE_BRANCH = 3 };

/* PreSharedKeyID. external_id with type external; usage, group_id and epoch with type resumption. */
struct slim_mls_psk_id {
    uint8_t type;
    struct slim_view external_id;
    uint8_t usage;
    struct slim_view group_id;
    uint64_t epoch;
    struct slim_view nonce;
    struct slim_view bytes;
};

struct slim_mls_reinit {
    struct slim_view group_id;
    uint16_t version;
    uint16_t suite;
    struct slim_view extensions;
};

struct slim_mls_proposal {
    enum slim_mls_proposal_type type;
    struct slim_view bytes; /* with the type in front */
    union {
        struct slim_mls_key_package add;
        struct slim_mls_leaf update;
        uint32_t removed; /* leaf index */
        struct slim_mls_psk_id psk;
        struct slim_mls_reinit reinit;
        struct slim_view kem_output;
        struct slim_view extensions;
    } u;
};

/* An element of the list of a commit: `proposal` when is_inline, else `reference`. */
struct slim_mls_proposal_or_ref {
    bool is_inline;
    struct slim_mls_proposal proposal;
    struct slim_view reference;
};

/* nodes   encoded list of UpdatePathNode, checked */
struct slim_mls_update_path {
    struct slim_mls_leaf leaf;
    struct slim_view nodes;
    struct slim_view bytes;
};

/* ciphertexts   encoded list of HPKECiphertext, checked */
struct slim_mls_path_node {
    struct slim_view encryption_key;
    struct slim_view ciphertexts;
};

struct slim_mls_ciphertext {
    struct slim_view kem_output;
    struct slim_view ciphertext;
};

struct slim_mls_commit {
    struct slim_view proposals; /* encoded list of ProposalOrRef, checked */
    bool has_path;
    struct slim_mls_update_path path;
};

/* Readers. SLIM_ERR_MALFORMED, or SLIM_ERR_UNSUPPORTED for a proposal or credential type whose form we do not know. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_psk_id(struct slim_view *in,
                                                      struct slim_mls_psk_id *psk);
SLIM_MUST_CHECK enum slim_status slim_mls_take_proposal(struct slim_view *in,
                                                        struct slim_mls_proposal *proposal);
SLIM_MUST_CHECK enum slim_status
slim_mls_take_proposal_or_ref(struct slim_view *in, struct slim_mls_proposal_or_ref *item);
SLIM_MUST_CHECK enum slim_status slim_mls_take_update_path(struct slim_view *in,
                                                           struct slim_mls_update_path *path);
SLIM_MUST_CHECK enum slim_status slim_mls_take_path_node(struct slim_view *in,
                                                         struct slim_mls_path_node *node);
SLIM_MUST_CHECK enum slim_status slim_mls_take_ciphertext(struct slim_view *in,
                                                          struct slim_mls_ciphertext *ciphertext);
SLIM_MUST_CHECK enum slim_status slim_mls_take_commit(struct slim_view *in,
                                                      struct slim_mls_commit *commit);

/* A body of one type without its type number, as in the vector file messages.json. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_proposal_body(struct slim_view *in, uint16_t type,
                                                             struct slim_mls_proposal *proposal);

/* Writers of the same forms, from the members and not from the kept bytes. */
void slim_mls_put_psk_id(struct slim_mls_out *out, const struct slim_mls_psk_id *psk);
void slim_mls_put_proposal(struct slim_mls_out *out, const struct slim_mls_proposal *proposal);
void slim_mls_put_proposal_body(struct slim_mls_out *out, const struct slim_mls_proposal *proposal);
void slim_mls_put_commit(struct slim_mls_out *out, const struct slim_mls_commit *commit);

#endif
