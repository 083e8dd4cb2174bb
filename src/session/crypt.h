/* MLS of one session (spec session.md 5, mls.md 8): the order of commits by commit_id, sealing and opening MSG, refresh.
 *
 * Knows groups and bytes, not SLIM messages. A moderator commits; a participant follows. All changes are done on success only.
 * Reference defects that it does not have: 3, 7, 11, 23 (spec 18). */
#ifndef SLIM_SESSION_CRYPT_H
#define SLIM_SESSION_CRYPT_H

#include "base/buf.h"
#include "base/name.h"
#include "base/status.h"
#include "mls/profile.h"
#include "session/limits.h"

struct slim_session_crypt;

/* Does the identity `subject` of a credential speak for the member `name`? As slim_auth_identity_is_source. */
typedef bool slim_session_is_source(void *ctx, struct slim_view subject,
                                    const struct slim_name_key *name);

/* What a member's credential (a token) says: as verify_token of struct slim_mls_profile. Asked once per credential. */
typedef enum slim_status slim_session_read_credential(void *ctx, struct slim_view token,
                                                      bool any_age, struct slim_mls_claims *claims,
                                                      struct slim_error *error);

/* client           of the application; it must outlive the crypt, and its policy must be that of slim_mls_profile_policy
 * has_plain_adds   commits that only add carry no path, as the reference's (mls.md 8.4) */
struct slim_session_crypt_options {
    struct slim_mls_client *client;
    void *ctx;
    slim_session_is_source *is_source;
    slim_session_read_credential *read_credential;
    bool has_plain_adds;
};

/* The options are copied. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_session_crypt_new(const struct slim_session_crypt_options *options,
                       struct slim_session_crypt **crypt);
void slim_session_crypt_free(struct slim_session_crypt *crypt);

/* True when there is a group: messages can be sealed. */
bool slim_session_crypt_is_ready(const struct slim_session_crypt *crypt);
uint64_t slim_session_crypt_epoch(const struct slim_session_crypt *crypt);

/* ---- moderator */

/* What goes out with a change. commit for those that were there (GROUP_ADD, GROUP_REMOVE), welcome for the new ones. */
struct slim_session_commit {
    uint32_t commit_id;
    struct slim_buf commit;
    struct slim_buf welcome;
};
void slim_session_commit_fini(struct slim_session_commit *commit);

/* A group of one; commit_id is 0. */
SLIM_MUST_CHECK enum slim_status slim_session_crypt_create(struct slim_session_crypt *crypt);

/* Commits that only add, from now on: with a path (as at first), or spared one, which costs everybody less. Removals and refreshes have one
 * in any case. */
void slim_session_crypt_spare_path(struct slim_session_crypt *crypt, bool is_spared);

/* Add and remove members in one commit, and apply it; none of both: a refresh of our own keys and credential. Removed ones are named by
 * the names they were added with. Nothing changes on failure: SLIM_ERR_STATE (there is no group), SLIM_ERR_NOT_FOUND, SLIM_ERR_EXISTS,
 * SLIM_ERR_AUTH (a key package of another identity), what read_credential says, or what MLS says. */
SLIM_MUST_CHECK enum slim_status
slim_session_crypt_change(struct slim_session_crypt *crypt, const struct slim_view *key_packages,
                          const struct slim_name_key *added, size_t added_count,
                          const struct slim_name_key *removed, size_t removed_count,
                          struct slim_session_commit *commit, struct slim_error *error);

/* ---- participant */

SLIM_MUST_CHECK enum slim_status slim_session_crypt_key_package(struct slim_session_crypt *crypt,
                                                                struct slim_buf *key_package);

/* The first GROUP_WELCOME: join. `moderator` must be leaf 0 and have vouched. SLIM_ERR_EXISTS: joined already (acknowledge again). */
SLIM_MUST_CHECK enum slim_status slim_session_crypt_join(struct slim_session_crypt *crypt,
                                                         uint32_t commit_id,
                                                         struct slim_view welcome,
                                                         const struct slim_name_key *moderator,
                                                         struct slim_error *error);

/* A commit of GROUP_ADD or GROUP_REMOVE.
 *   SLIM_OK            it was applied, and those kept behind it: epochs have passed
 *   SLIM_AGAIN         kept: one before it is missing; acknowledge it (the list of members changes all the same)
 *   SLIM_ERR_EXISTS    applied or kept before: acknowledge again
 *   SLIM_ERR_LIMIT     too far ahead
 *   SLIM_ERR_REMOVED   it removes us
 *   SLIM_ERR_STATE     no welcome yet: no acknowledgement
 *   else               refused; nothing changed */
SLIM_MUST_CHECK enum slim_status slim_session_crypt_take_commit(struct slim_session_crypt *crypt,
                                                                uint32_t commit_id,
                                                                struct slim_view commit,
                                                                struct slim_error *error);

/* A commit is missing: later ones wait, or were too far ahead to be kept. */
bool slim_session_crypt_is_behind(const struct slim_session_crypt *crypt);

/* Is `name` a member of the MLS group as of now? For "an add or remove must match its commit". */
bool slim_session_crypt_has(struct slim_session_crypt *crypt, const struct slim_name_key *name);

/* ---- both */

/* Seal one payload for the epoch of now. *sealed is replaced. */
SLIM_MUST_CHECK enum slim_status slim_session_crypt_seal(struct slim_session_crypt *crypt,
                                                         struct slim_view plaintext,
                                                         struct slim_buf *sealed, uint64_t *epoch);

/* What a blob is, by its first bytes and the group id: cheap. */
enum slim_session_blob {
    SLIM_SESSION_BLOB_PLAIN,  /* not a PrivateMessage of this group */
    SLIM_SESSION_BLOB_SEALED, /* of an epoch that can be tried now */
    SLIM_SESSION_BLOB_FUTURE, /* of an epoch that is to come, or there is no group yet: keep it */
    SLIM_SESSION_BLOB_STALE,  /* of an epoch before ours, or so far ahead that it will not come */
};
enum slim_session_blob slim_session_crypt_classify(const struct slim_session_crypt *crypt,
                                                   struct slim_view blob);

/* Open a payload that `source` sent; the leaf that signed it must be its. The plaintext is appended. SLIM_ERR_REPLAYED: opened before, or
 * our own; SLIM_ERR_FUTURE, SLIM_ERR_STALE; SLIM_ERR_DENIED: another member's; SLIM_ERR_DECRYPT, SLIM_ERR_SIGNATURE and others: forged.
 * Nothing changes unless it is SLIM_OK: the genuine message still opens. */
SLIM_MUST_CHECK enum slim_status slim_session_crypt_open(struct slim_session_crypt *crypt,
                                                         const struct slim_name_key *source,
                                                         struct slim_view blob,
                                                         struct slim_buf *plaintext);

#endif
