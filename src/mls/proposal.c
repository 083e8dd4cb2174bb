/* RFC 9420 sections 8.4 (PreSharedKeyID), 12.1 (proposals), 12.4 (commits), 7.6 (update paths). */
#include "mls/proposal.h"

enum slim_status slim_mls_take_psk_id(struct slim_view *in, struct slim_mls_psk_id *psk)
{
    struct slim_view rest = *in;
    struct slim_mls_psk_id got = {0};
    SLIM_TRY(slim_mls_take_u8(&rest, &got.type));
    if (got.type == MLS_PSK_EXTERNAL) {
        SLIM_TRY(slim_mls_take_opaque(&rest, &got.external_id));
    } else if (got.type == MLS_PSK_RESUMPTION) {
        SLIM_TRY(slim_mls_take_u8(&rest, &got.usage));
        if (got.usage < MLS_PSK_USAGE_APPLICATION || got.usage > MLS_PSK_USAGE_BRANCH) {
            return SLIM_ERR_MALFORMED;
        }
        SLIM_TRY(slim_mls_take_opaque(&rest, &got.group_id));
        SLIM_TRY(slim_mls_take_u64(&rest, &got.epoch));
    } else {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.nonce));
    got.bytes = slim_mls_taken(*in, rest);
    *psk = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_psk_id(struct slim_mls_out *out, const struct slim_mls_psk_id *psk)
{
    slim_mls_put_u8(out, psk->type);
    if (psk->type == MLS_PSK_EXTERNAL) {
        slim_mls_put_opaque(out, psk->external_id);
    } else {
        slim_mls_put_u8(out, psk->usage);
        slim_mls_put_opaque(out, psk->group_id);
        slim_mls_put_u64(out, psk->epoch);
    }
    slim_mls_put_opaque(out, psk->nonce);
}

static enum slim_status take_reinit(struct slim_view *in, struct slim_mls_reinit *reinit)
{
    SLIM_TRY(slim_mls_take_opaque(in, &reinit->group_id));
    SLIM_TRY(slim_mls_take_u16(in, &reinit->version));
    SLIM_TRY(slim_mls_take_u16(in, &reinit->suite));
    return slim_mls_take_extensions(in, &reinit->extensions);
}

enum slim_status slim_mls_take_proposal_body(struct slim_view *in, uint16_t type,
                                             struct slim_mls_proposal *proposal)
{
    switch (type) {
    case MLS_PROPOSAL_ADD:
        SLIM_TRY(slim_mls_take_key_package(in, &proposal->u.add));
        break;
    case MLS_PROPOSAL_UPDATE:
        SLIM_TRY(slim_mls_take_leaf(in, &proposal->u.update));
        break;
    case MLS_PROPOSAL_REMOVE:
        SLIM_TRY(slim_mls_take_u32(in, &proposal->u.removed));
        break;
    case MLS_PROPOSAL_PSK:
        SLIM_TRY(slim_mls_take_psk_id(in, &proposal->u.psk));
        break;
    case MLS_PROPOSAL_REINIT:
        SLIM_TRY(take_reinit(in, &proposal->u.reinit));
        break;
    case MLS_PROPOSAL_EXTERNAL_INIT:
        SLIM_TRY(slim_mls_take_opaque(in, &proposal->u.kem_output));
        break;
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        SLIM_TRY(slim_mls_take_extensions(in, &proposal->u.extensions));
        break;
    default: /* a number from outside, not an enum */
        return SLIM_ERR_UNSUPPORTED;
    }
    proposal->type = (enum slim_mls_proposal_type)type;
    return SLIM_OK;
}

enum slim_status slim_mls_take_proposal(struct slim_view *in, struct slim_mls_proposal *proposal)
{
    struct slim_view rest = *in;
    uint16_t type;
    SLIM_TRY(slim_mls_take_u16(&rest, &type));
    SLIM_TRY(slim_mls_take_proposal_body(&rest, type, proposal));
    proposal->bytes = slim_mls_taken(*in, rest);
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_proposal_body(struct slim_mls_out *out, const struct slim_mls_proposal *proposal)
{
    switch (proposal->type) {
    case MLS_PROPOSAL_ADD:
        slim_mls_put_key_package(out, &proposal->u.add);
        return;
    case MLS_PROPOSAL_UPDATE:
        slim_mls_put_leaf(out, &proposal->u.update);
        return;
    case MLS_PROPOSAL_REMOVE:
        slim_mls_put_u32(out, proposal->u.removed);
        return;
    case MLS_PROPOSAL_PSK:
        slim_mls_put_psk_id(out, &proposal->u.psk);
        return;
    case MLS_PROPOSAL_REINIT:
        slim_mls_put_opaque(out, proposal->u.reinit.group_id);
        slim_mls_put_u16(out, proposal->u.reinit.version);
        slim_mls_put_u16(out, proposal->u.reinit.suite);
        slim_mls_put_opaque(out, proposal->u.reinit.extensions);
        return;
    case MLS_PROPOSAL_EXTERNAL_INIT:
        slim_mls_put_opaque(out, proposal->u.kem_output);
        return;
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        slim_mls_put_opaque(out, proposal->u.extensions);
        return;
    }
}

void slim_mls_put_proposal(struct slim_mls_out *out, const struct slim_mls_proposal *proposal)
{
    slim_mls_put_u16(out, (uint16_t)proposal->type);
    slim_mls_put_proposal_body(out, proposal);
}

enum { ITEM_PROPOSAL = 1, ITEM_REFERENCE = 2 };

enum slim_status slim_mls_take_proposal_or_ref(struct slim_view *in,
                                               struct slim_mls_proposal_or_ref *item)
{
    struct slim_view rest = *in;
    uint8_t kind;
    SLIM_TRY(slim_mls_take_u8(&rest, &kind));
    if (kind == ITEM_PROPOSAL) {
        SLIM_TRY(slim_mls_take_proposal(&rest, &item->proposal));
        item->reference = (struct slim_view){0};
    } else if (kind == ITEM_REFERENCE) {
        SLIM_TRY(slim_mls_take_opaque(&rest, &item->reference));
    } else {
        return SLIM_ERR_MALFORMED;
    }
    item->is_inline = kind == ITEM_PROPOSAL;
    *in = rest;
    return SLIM_OK;
}

/* ---- update paths */

enum slim_status slim_mls_take_ciphertext(struct slim_view *in,
                                          struct slim_mls_ciphertext *ciphertext)
{
    struct slim_view rest = *in;
    struct slim_mls_ciphertext got;
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.kem_output));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.ciphertext));
    *ciphertext = got;
    *in = rest;
    return SLIM_OK;
}

enum slim_status slim_mls_take_path_node(struct slim_view *in, struct slim_mls_path_node *node)
{
    struct slim_view rest = *in;
    struct slim_mls_path_node got;
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.encryption_key));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.ciphertexts));
    for (struct slim_view walk = got.ciphertexts; walk.len > 0;) {
        struct slim_mls_ciphertext ciphertext;
        SLIM_TRY(slim_mls_take_ciphertext(&walk, &ciphertext));
    }
    *node = got;
    *in = rest;
    return SLIM_OK;
}

enum slim_status slim_mls_take_update_path(struct slim_view *in, struct slim_mls_update_path *path)
{
    struct slim_view rest = *in;
    struct slim_mls_update_path got;
    SLIM_TRY(slim_mls_take_leaf(&rest, &got.leaf));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.nodes));
    for (struct slim_view walk = got.nodes; walk.len > 0;) {
        struct slim_mls_path_node node;
        SLIM_TRY(slim_mls_take_path_node(&walk, &node));
    }
    got.bytes = slim_mls_taken(*in, rest);
    *path = got;
    *in = rest;
    return SLIM_OK;
}

/* ---- commits */

enum slim_status slim_mls_take_commit(struct slim_view *in, struct slim_mls_commit *commit)
{
    struct slim_view rest = *in;
    struct slim_mls_commit got = {0};
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.proposals));
    for (struct slim_view walk = got.proposals; walk.len > 0;) {
        struct slim_mls_proposal_or_ref item;
        SLIM_TRY(slim_mls_take_proposal_or_ref(&walk, &item));
    }
    SLIM_TRY(slim_mls_take_optional(&rest, &got.has_path));
    if (got.has_path) {
        SLIM_TRY(slim_mls_take_update_path(&rest, &got.path));
    }
    *commit = got;
    *in = rest;
    return SLIM_OK;
}

static void put_path(struct slim_mls_out *out, const struct slim_mls_update_path *path)
{
    slim_mls_put_leaf(out, &path->leaf);
    size_t nodes = slim_mls_put_begin(out);
    struct slim_mls_path_node node;
    for (struct slim_view walk = path->nodes;
         walk.len > 0 && slim_mls_take_path_node(&walk, &node) == SLIM_OK;) {
        slim_mls_put_opaque(out, node.encryption_key);
        size_t ciphertexts = slim_mls_put_begin(out);
        struct slim_mls_ciphertext item;
        for (struct slim_view list = node.ciphertexts;
             list.len > 0 && slim_mls_take_ciphertext(&list, &item) == SLIM_OK;) {
            slim_mls_put_opaque(out, item.kem_output);
            slim_mls_put_opaque(out, item.ciphertext);
        }
        slim_mls_put_end(out, ciphertexts);
    }
    slim_mls_put_end(out, nodes);
}

void slim_mls_put_commit(struct slim_mls_out *out, const struct slim_mls_commit *commit)
{
    size_t mark = slim_mls_put_begin(out);
    struct slim_mls_proposal_or_ref item;
    for (struct slim_view walk = commit->proposals;
         walk.len > 0 && slim_mls_take_proposal_or_ref(&walk, &item) == SLIM_OK;) {
        slim_mls_put_u8(out, item.is_inline ? ITEM_PROPOSAL : ITEM_REFERENCE);
        if (item.is_inline) {
            slim_mls_put_proposal(out, &item.proposal);
        } else {
            slim_mls_put_opaque(out, item.reference);
        }
    }
    slim_mls_put_end(out, mark);
    slim_mls_put_u8(out, commit->has_path ? 1 : 0);
    if (commit->has_path) {
        put_path(out, &commit->path);
    }
}
