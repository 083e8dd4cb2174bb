/* Message framing (RFC 9420 section 6): content with its sender, signed; then public with a membership tag, or encrypted. */
#ifndef SLIM_MLS_FRAMING_H
#define SLIM_MLS_FRAMING_H

#include "mls/proposal.h"
#include "mls/secret_tree.h"

enum slim_mls_wire_format {
    MLS_WIRE_PUBLIC = 1,
    MLS_WIRE_PRIVATE = 2,
    MLS_WIRE_WELCOME = 3,
    MLS_WIRE_GROUP_INFO = 4,
    MLS_WIRE_KEY_PACKAGE = 5
};

enum {
    MLS_SENDER_MEMBER = 1,
    MLS_SENDER_EXTERNAL = 2,
    MLS_SENDER_NEW_PROPOSAL = 3,
    MLS_SENDER_NEW_COMMIT = 4
};
enum { MLS_CONTENT_APPLICATION = 1, MLS_CONTENT_PROPOSAL = 2, MLS_CONTENT_COMMIT = 3 };

/* The header of an MLSMessage: version and wire format. SLIM_ERR_UNSUPPORTED: another version or format. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_message_head(struct slim_view *in,
                                                            enum slim_mls_wire_format *format);
void slim_mls_put_message_head(struct slim_mls_out *out, enum slim_mls_wire_format format);

/* AuthenticatedContent: FramedContent and FramedContentAuthData.
 *
 * sender_index       leaf index of a member, index of an external sender; else 0
 * body               application data, encoded Proposal or encoded Commit
 * confirmation_tag   commits only
 * framed             the FramedContent as it was received in a PublicMessage; empty for one that is being made or decrypted */
struct slim_mls_content {
    enum slim_mls_wire_format format;
    struct slim_view group_id;
    uint64_t epoch;
    uint8_t sender_type;
    uint32_t sender_index;
    struct slim_view authenticated_data;
    uint8_t content_type;
    struct slim_view body;
    struct slim_view signature;
    struct slim_view confirmation_tag;
    struct slim_view framed;
};

/* Append FramedContent, FramedContentAuthData, and the whole AuthenticatedContent (wire format in front). */
void slim_mls_put_framed(struct slim_mls_out *out, const struct slim_mls_content *content);
void slim_mls_put_auth(struct slim_mls_out *out, const struct slim_mls_content *content);
void slim_mls_put_authenticated(struct slim_mls_out *out, const struct slim_mls_content *content);

/* Read an AuthenticatedContent. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_authenticated(struct slim_view *in,
                                                             struct slim_mls_content *content);

/* Signature over FramedContentTBS; `context` is the encoded GroupContext (ignored for senders outside the group).
 *   SLIM_ERR_SIGNATURE */
SLIM_MUST_CHECK enum slim_status slim_mls_content_sign(const struct slim_mls_suite *suite,
                                                       const uint8_t *private_key,
                                                       struct slim_view context,
                                                       const struct slim_mls_content *content,
                                                       uint8_t *signature, size_t *len);
SLIM_MUST_CHECK enum slim_status slim_mls_content_verify(const struct slim_mls_suite *suite,
                                                         struct slim_view public_key,
                                                         struct slim_view context,
                                                         const struct slim_mls_content *content);

/* Membership tag (section 6.2). SLIM_ERR_MAC. */
SLIM_MUST_CHECK enum slim_status slim_mls_membership_check(const struct slim_mls_suite *suite,
                                                           const uint8_t *key,
                                                           struct slim_view context,
                                                           const struct slim_mls_content *content,
                                                           struct slim_view tag);

/* PublicMessage: the reader gives the tag (empty unless the sender is a member); the writer makes it. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_public(struct slim_view *in,
                                                      struct slim_mls_content *content,
                                                      struct slim_view *membership_tag);
SLIM_MUST_CHECK enum slim_status slim_mls_put_public(struct slim_mls_out *out,
                                                     const struct slim_mls_suite *suite,
                                                     const uint8_t *membership_key,
                                                     struct slim_view context,
                                                     const struct slim_mls_content *content);

struct slim_mls_private_message {
    struct slim_view group_id;
    uint64_t epoch;
    uint8_t content_type;
    struct slim_view authenticated_data;
    struct slim_view encrypted_sender_data;
    struct slim_view ciphertext;
};
SLIM_MUST_CHECK enum slim_status slim_mls_take_private(struct slim_view *in,
                                                       struct slim_mls_private_message *message);
void slim_mls_put_private(struct slim_mls_out *out, const struct slim_mls_private_message *message);

enum slim_mls_padding {
    MLS_PADDING_NONE,
    MLS_PADDING_STEP /* to about an eighth of the size, as the reference does (spec mls.md 5) */
};

/* Section 6.3: encrypt a signed content as PrivateMessage (appended without message head). Uses up a key of the sender. */
SLIM_MUST_CHECK enum slim_status
slim_mls_private_seal(const struct slim_mls_suite *suite, const struct slim_mls_random *random,
                      struct slim_mls_secret_tree *tree, const uint8_t *sender_data_secret,
                      enum slim_mls_padding padding, const struct slim_mls_content *content,
                      struct slim_mls_out *out);

/* The reverse. *content is views into *plain and the message; its signature is not checked yet, and the key is not used up:
 * slim_mls_secret_tree_use(leaf, kind, generation) is for when it holds.
 *   SLIM_ERR_DECRYPT    sender data or content do not open
 *   SLIM_ERR_MALFORMED  content not decodable, or padding other than zeros
 *   statuses of slim_mls_secret_tree_find */
SLIM_MUST_CHECK enum slim_status
slim_mls_private_open(const struct slim_mls_suite *suite, struct slim_mls_secret_tree *tree,
                      const uint8_t *sender_data_secret,
                      const struct slim_mls_private_message *message, struct slim_buf *plain,
                      struct slim_mls_content *content, uint32_t *generation);

/* Key and nonce of the sender data (section 6.3.2), from a sample of the ciphertext. */
void slim_mls_sender_data_key(const struct slim_mls_suite *suite, const uint8_t *sender_data_secret,
                              struct slim_view ciphertext, struct slim_mls_message_key *key);

static inline enum slim_mls_ratchet_kind slim_mls_ratchet_of(uint8_t content_type)
{
    return content_type == MLS_CONTENT_APPLICATION ? MLS_RATCHET_APPLICATION
                                                   : MLS_RATCHET_HANDSHAKE;
}

#endif
