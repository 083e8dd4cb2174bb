/* MLS of a session (spec mls.md 2.1, 4, 8).
 *
 * What is known of each leaf: the subject of its credential, read when it is first needed, and the one name it speaks for. MLS sees to
 * it that a leaf keeps its subject until it is removed, so both last as long as the leaf. */
#include "session/crypt.h"

#include "base/secret.h"

enum {
    HEAD_LEN = 4, /* version and wire format of an MLSMessage */
    GROUP_ID_MAX = 63,
    EPOCH_LEN = 8,
    MODERATOR_LEAF = 0,
    EPOCHS_AHEAD_MAX = SLIM_SESSION_COMMITS_AHEAD_MAX + 1, /* a later one is no epoch of ours */
};

static const uint8_t public_head[HEAD_LEN] = {0, 1, 0, 1};
static const uint8_t private_head[HEAD_LEN] = {0, 1, 0, 2};

/* since      the epoch it came with; messages of earlier ones are another's
 * is_there   of a moderator: the place is taken
 * subject    empty: not read yet */
struct member {
    uint64_t since;
    bool is_there;
    bool has_name;
    struct slim_name_key name;
    struct slim_buf subject;
};

struct kept_commit {
    uint32_t commit_id;
    struct slim_buf bytes;
};

/* commit_id    of the last change made or applied
 * far_id       the highest one that was refused as too far ahead
 * is_broken    a commit that was kept turned out bad
 * is_path_spared  commits that only add have none
 * head         first bytes of every PrivateMessage of the group, up to the epoch
 * members      by leaf
 * newest       the leaf that was added last: the first to look at
 * kept         commits whose predecessors are missing */
struct slim_session_crypt {
    struct slim_session_crypt_options options;
    struct slim_mls_group *group;
    uint64_t first_epoch;
    uint32_t commit_id;
    uint32_t far_id;
    bool is_removed;
    bool is_broken;
    bool is_path_spared;
    uint8_t head[HEAD_LEN + 1 + GROUP_ID_MAX];
    size_t head_len;
    struct member *members;
    uint32_t member_capacity;
    uint32_t newest;
    struct kept_commit *kept;
    size_t kept_count;
    size_t kept_bytes;
};

static struct slim_mls_view out(struct slim_view view)
{
    return (struct slim_mls_view){view.data, view.len};
}

static struct slim_view in(struct slim_mls_view view)
{
    return slim_view_of(view.data, view.len);
}

/* Take over the bytes: both kinds of buffer own theirs in the same way. */
static struct slim_buf take(struct slim_mls_buf *buf)
{
    struct slim_buf taken = {buf->data, buf->len, buf->capacity};
    *buf = (struct slim_mls_buf){0};
    return taken;
}

static enum slim_status refuse(struct slim_error *error, enum slim_mls_status status)
{
    return slim_error_set(error, (enum slim_status)status, "MLS: %s", slim_mls_status_text(status));
}

enum slim_status slim_session_crypt_new(const struct slim_session_crypt_options *options,
                                        struct slim_session_crypt **crypt)
{
    struct slim_session_crypt *made = slim_secret_take(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->options = *options;
    *crypt = made;
    return SLIM_OK;
}

bool slim_session_crypt_is_ready(const struct slim_session_crypt *crypt)
{
    return crypt->group != NULL && !crypt->is_removed;
}

uint64_t slim_session_crypt_epoch(const struct slim_session_crypt *crypt)
{
    return crypt->group == NULL ? 0 : slim_mls_group_epoch(crypt->group);
}

/* ---- members */

static enum slim_status members_reserve(struct slim_session_crypt *crypt, uint32_t count)
{
    if (count <= crypt->member_capacity) {
        return SLIM_OK;
    }
    struct member *members = slim_secret_resize(crypt->members, count * sizeof(*members));
    if (members == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (uint32_t leaf = crypt->member_capacity; leaf < count; leaf++) {
        members[leaf].since = slim_session_crypt_epoch(crypt);
    }
    crypt->members = members;
    crypt->member_capacity = count;
    return SLIM_OK;
}

/* The place is empty, or somebody else's from now on. */
static void forget_member(struct slim_session_crypt *crypt, uint32_t leaf)
{
    if (leaf < crypt->member_capacity) {
        slim_buf_fini(&crypt->members[leaf].subject);
        crypt->members[leaf] = (struct member){.since = slim_session_crypt_epoch(crypt)};
    }
}

static void forget_all_members(struct slim_session_crypt *crypt)
{
    for (uint32_t leaf = 0; leaf < crypt->member_capacity; leaf++) {
        slim_buf_fini(&crypt->members[leaf].subject);
    }
    slim_secret_return(crypt->members);
    crypt->members = NULL;
    crypt->member_capacity = 0;
}

/* The subject of a credential, appended. */
static enum slim_status read_subject(const struct slim_session_crypt *crypt,
                                     const struct slim_mls_credential_data *credential,
                                     bool any_age, struct slim_buf *subject,
                                     struct slim_error *error)
{
    struct slim_error unread;
    struct slim_mls_claims claims = {0};
    error = error == NULL ? &unread : error;
    if (credential->type != SLIM_MLS_CREDENTIAL_BASIC) {
        return slim_error_set(error, SLIM_ERR_AUTH, "not a basic credential");
    }
    SLIM_TRY(crypt->options.read_credential(crypt->options.ctx, in(credential->data), any_age,
                                            &claims, error));
    if (claims.subject.len == 0) {
        return slim_error_set(error, SLIM_ERR_AUTH, "subject not found");
    }
    return slim_buf_put(subject, claims.subject);
}

/* Make sure that the subject of a leaf is known. SLIM_ERR_NOT_FOUND: the place is empty. */
static enum slim_status read_member(struct slim_session_crypt *crypt, uint32_t leaf,
                                    struct slim_error *error)
{
    struct slim_mls_member member;
    if (slim_mls_group_member(crypt->group, leaf, &member) != SLIM_MLS_OK) {
        return SLIM_ERR_NOT_FOUND;
    }
    SLIM_TRY(members_reserve(crypt, leaf + 1));
    if (crypt->members[leaf].subject.len > 0) {
        return SLIM_OK;
    }
    /* it was checked, time included, when it came into the tree or vouched for it */
    return read_subject(crypt, &member.credential, true, &crypt->members[leaf].subject, error);
}

/* Does this leaf speak for `name`? The first name that fits is the one. SLIM_ERR_DENIED: no. */
static enum slim_status speaks_for(struct slim_session_crypt *crypt, uint32_t leaf,
                                   const struct slim_name_key *name, struct slim_error *error)
{
    if (leaf < crypt->member_capacity && crypt->members[leaf].has_name) {
        return slim_name_is_equal(&crypt->members[leaf].name, name) ? SLIM_OK : SLIM_ERR_DENIED;
    }
    SLIM_TRY(read_member(crypt, leaf, error));
    struct member *member = &crypt->members[leaf];
    if (!crypt->options.is_source(crypt->options.ctx, slim_buf_view(&member->subject), name)) {
        return SLIM_ERR_DENIED;
    }
    member->name = *name;
    member->has_name = true;
    return SLIM_OK;
}

bool slim_session_crypt_has(struct slim_session_crypt *crypt, const struct slim_name_key *name)
{
    if (!slim_session_crypt_is_ready(crypt)) {
        return false;
    }
    uint32_t count = slim_mls_group_leaf_count(crypt->group);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t leaf = (crypt->newest + i) % count;
        if (speaks_for(crypt, leaf, name, NULL) == SLIM_OK) {
            return true;
        }
    }
    return false;
}

static void drop_kept(struct slim_session_crypt *crypt, size_t index)
{
    crypt->kept_bytes -= crypt->kept[index].bytes.len;
    slim_buf_fini(&crypt->kept[index].bytes);
    crypt->kept[index] = crypt->kept[--crypt->kept_count];
}

void slim_session_crypt_free(struct slim_session_crypt *crypt)
{
    if (crypt == NULL) {
        return;
    }
    while (crypt->kept_count > 0) {
        drop_kept(crypt, 0);
    }
    forget_all_members(crypt);
    slim_secret_return(crypt->kept);
    slim_mls_group_free(crypt->group);
    slim_secret_return(crypt);
}

/* ---- beginning */

/* The group is there: learn how its messages begin. */
static enum slim_status adopt(struct slim_session_crypt *crypt, struct slim_mls_group *group)
{
    struct slim_mls_view id = slim_mls_group_id(group);
    if (id.len > GROUP_ID_MAX) {
        return SLIM_ERR_INVALID;
    }
    memcpy(crypt->head, private_head, HEAD_LEN);
    crypt->head[HEAD_LEN] = (uint8_t)id.len; /* below 64 a length is one byte */
    if (id.len > 0) {
        memcpy(crypt->head + HEAD_LEN + 1, id.data, id.len);
    }
    crypt->head_len = HEAD_LEN + 1 + id.len;
    crypt->group = group;
    crypt->first_epoch = slim_mls_group_epoch(group);
    return SLIM_OK;
}

enum slim_status slim_session_crypt_create(struct slim_session_crypt *crypt)
{
    struct slim_mls_group *group;
    if (crypt->group != NULL) {
        return SLIM_ERR_STATE;
    }
    SLIM_TRY(members_reserve(crypt, 1));
    SLIM_TRY((enum slim_status)slim_mls_group_create(crypt->options.client, NULL, &group));
    crypt->members[MODERATOR_LEAF].is_there = true;
    enum slim_status status = adopt(crypt, group);
    if (status != SLIM_OK) {
        slim_mls_group_free(group);
    }
    return status;
}

enum slim_status slim_session_crypt_key_package(struct slim_session_crypt *crypt,
                                                struct slim_buf *key_package)
{
    struct slim_mls_buf made;
    SLIM_TRY((enum slim_status)slim_mls_key_package_new(crypt->options.client, &made));
    slim_buf_fini(key_package);
    *key_package = take(&made);
    return SLIM_OK;
}

/* The moderator of a group is its first leaf, and we are not. */
static enum slim_status check_moderator(struct slim_session_crypt *crypt,
                                        const struct slim_name_key *moderator,
                                        struct slim_error *error)
{
    if (slim_mls_group_own_leaf(crypt->group) == MODERATOR_LEAF) {
        return slim_error_set(error, SLIM_ERR_INVALID, "the welcome makes us the moderator");
    }
    enum slim_status status = speaks_for(crypt, MODERATOR_LEAF, moderator, error);
    if (status == SLIM_ERR_DENIED || status == SLIM_ERR_NOT_FOUND) {
        return slim_error_set(error, SLIM_ERR_DENIED, "the group is not that of its moderator");
    }
    return status;
}

enum slim_status slim_session_crypt_join(struct slim_session_crypt *crypt, uint32_t commit_id,
                                         struct slim_view welcome,
                                         const struct slim_name_key *moderator,
                                         struct slim_error *error)
{
    struct slim_mls_group *group;
    if (crypt->group != NULL) {
        return SLIM_ERR_EXISTS;
    }
    enum slim_mls_status joined =
        slim_mls_group_join(crypt->options.client, out(welcome), (struct slim_mls_view){0}, &group);
    if (joined != SLIM_MLS_OK) {
        return refuse(error, joined);
    }
    enum slim_status status = adopt(crypt, group);
    if (status == SLIM_OK) {
        status = check_moderator(crypt, moderator, error);
    }
    if (status != SLIM_OK) {
        forget_all_members(crypt);
        slim_mls_group_free(group);
        crypt->group = NULL;
        return status;
    }
    crypt->commit_id = commit_id;
    /* without memory it is tried again when a member is asked for */
    enum slim_status reserved = members_reserve(crypt, slim_mls_group_leaf_count(group));
    (void)reserved;
    return SLIM_OK;
}

/* ---- a moderator's changes */

void slim_session_commit_fini(struct slim_session_commit *commit)
{
    if (commit != NULL) {
        slim_buf_fini(&commit->commit);
        slim_buf_fini(&commit->welcome);
    }
}

/* The leaf that was added under this name; UINT32_MAX: none. */
static uint32_t leaf_of(const struct slim_session_crypt *crypt, const struct slim_name_key *name)
{
    for (uint32_t leaf = MODERATOR_LEAF + 1; leaf < crypt->member_capacity; leaf++) {
        const struct member *member = &crypt->members[leaf];
        if (member->is_there && member->has_name && slim_name_is_equal(&member->name, name)) {
            return leaf;
        }
    }
    return UINT32_MAX;
}

/* Does the key package belong to who is to be added under `name`? */
static enum slim_status check_owner(const struct slim_session_crypt *crypt,
                                    struct slim_view key_package, const struct slim_name_key *name,
                                    struct slim_error *error)
{
    struct slim_mls_member member;
    struct slim_buf subject = {0};
    enum slim_mls_status looked = slim_mls_key_package_look(out(key_package), &member);
    if (looked != SLIM_MLS_OK) {
        return refuse(error, looked);
    }
    SLIM_TRY(read_subject(crypt, &member.credential, false, &subject, error));
    bool is_its = crypt->options.is_source(crypt->options.ctx, slim_buf_view(&subject), name);
    slim_buf_fini(&subject);
    return is_its ? SLIM_OK
                  : slim_error_set(error, SLIM_ERR_AUTH,
                                   "the key package belongs to another identity");
}

static enum slim_mls_path path_of(const struct slim_session_crypt *crypt, size_t added_count,
                                  size_t removed_count)
{
    if (added_count == 0 && removed_count == 0) {
        return SLIM_MLS_PATH_ALWAYS;
    }
    return crypt->options.has_plain_adds || crypt->is_path_spared ? SLIM_MLS_PATH_NEEDED
                                                                  : SLIM_MLS_PATH_POLICY;
}

void slim_session_crypt_spare_path(struct slim_session_crypt *crypt, bool is_spared)
{
    crypt->is_path_spared = is_spared;
}

/* What a change is made of, in the words of MLS. */
struct change {
    const struct slim_name_key *added;
    struct slim_mls_view *packages;
    size_t added_count;
    uint32_t *removed;
    size_t removed_count;
};

static bool is_removed_by(const struct change *change, uint32_t leaf)
{
    for (size_t i = 0; i < change->removed_count; i++) {
        if (change->removed[i] == leaf) {
            return true;
        }
    }
    return false;
}

static enum slim_status fill_change(struct slim_session_crypt *crypt,
                                    const struct slim_view *key_packages,
                                    const struct slim_name_key *removed, struct change *change,
                                    struct slim_error *error)
{
    for (size_t i = 0; i < change->removed_count; i++) {
        change->removed[i] = leaf_of(crypt, &removed[i]);
        if (change->removed[i] == UINT32_MAX) {
            return slim_error_set(error, SLIM_ERR_NOT_FOUND, "no member of the MLS group");
        }
    }
    for (size_t i = 0; i < change->added_count; i++) {
        uint32_t leaf = leaf_of(crypt, &change->added[i]);
        if (leaf != UINT32_MAX && !is_removed_by(change, leaf)) {
            return slim_error_set(error, SLIM_ERR_EXISTS, "a member already");
        }
        SLIM_TRY(check_owner(crypt, key_packages[i], &change->added[i], error));
        change->packages[i] = out(key_packages[i]);
    }
    return SLIM_OK;
}

/* Which of the added ones the member of a new leaf is. */
static size_t find_added(const struct change *change, const struct slim_mls_member *member)
{
    for (size_t i = 0; i < change->added_count; i++) {
        struct slim_mls_member owner;
        if (slim_mls_key_package_look(change->packages[i], &owner) == SLIM_MLS_OK &&
            slim_view_is_equal(in(owner.signature_key), in(member->signature_key))) {
            return i;
        }
    }
    return change->added_count;
}

/* The commit took effect: note who sits where. */
static void note_change(struct slim_session_crypt *crypt, const struct change *change)
{
    for (size_t i = 0; i < change->removed_count; i++) {
        forget_member(crypt, change->removed[i]);
    }
    for (uint32_t leaf = 0; leaf < crypt->member_capacity && change->added_count > 0; leaf++) {
        struct slim_mls_member member;
        if (crypt->members[leaf].is_there ||
            slim_mls_group_member(crypt->group, leaf, &member) != SLIM_MLS_OK) {
            continue;
        }
        size_t index = find_added(change, &member);
        forget_member(crypt, leaf);
        crypt->members[leaf].is_there = true;
        if (index < change->added_count) {
            crypt->members[leaf].name = change->added[index];
            crypt->members[leaf].has_name = true;
        }
        crypt->newest = leaf;
    }
}

static enum slim_status run_change(struct slim_session_crypt *crypt, const struct change *change,
                                   struct slim_session_commit *commit, struct slim_error *error)
{
    struct slim_mls_commit_options options = {
        .key_packages = change->packages,
        .key_package_count = change->added_count,
        .removed = change->removed,
        .removed_count = change->removed_count,
        .path = path_of(crypt, change->added_count, change->removed_count),
    };
    struct slim_mls_commit_output output = {0};
    SLIM_TRY(members_reserve(crypt, slim_mls_group_leaf_count(crypt->group) +
                                        (uint32_t)change->added_count));
    enum slim_mls_status status = slim_mls_group_commit(crypt->group, &options, &output);
    if (status == SLIM_MLS_OK) {
        status = slim_mls_group_commit_apply(crypt->group);
    }
    if (status != SLIM_MLS_OK) {
        slim_mls_commit_output_free(&output);
        return refuse(error, status);
    }
    note_change(crypt, change);
    crypt->commit_id++;
    commit->commit_id = crypt->commit_id;
    commit->commit = take(&output.commit);
    commit->welcome = take(&output.welcome);
    return SLIM_OK;
}

enum slim_status slim_session_crypt_change(struct slim_session_crypt *crypt,
                                           const struct slim_view *key_packages,
                                           const struct slim_name_key *added, size_t added_count,
                                           const struct slim_name_key *removed,
                                           size_t removed_count, struct slim_session_commit *commit,
                                           struct slim_error *error)
{
    if (!slim_session_crypt_is_ready(crypt) ||
        slim_mls_group_own_leaf(crypt->group) != MODERATOR_LEAF) {
        return slim_error_set(error, SLIM_ERR_STATE, "no group of ours");
    }
    if (added_count > SLIM_SESSION_MEMBERS_MAX || removed_count > SLIM_SESSION_MEMBERS_MAX) {
        return slim_error_set(error, SLIM_ERR_LIMIT, "too many at a time");
    }
    struct change change = {
        .added = added,
        .packages = slim_secret_take(added_count + 1, sizeof(*change.packages)),
        .added_count = added_count,
        .removed = slim_secret_take(removed_count + 1, sizeof(*change.removed)),
        .removed_count = removed_count,
    };
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    if (change.packages != NULL && change.removed != NULL) {
        status = fill_change(crypt, key_packages, removed, &change, error);
    }
    if (status == SLIM_OK) {
        status = run_change(crypt, &change, commit, error);
    }
    slim_secret_return(change.packages);
    slim_secret_return(change.removed);
    return status;
}

/* ---- a participant's commits */

static enum slim_status apply(struct slim_session_crypt *crypt, struct slim_view commit,
                              struct slim_error *error)
{
    struct slim_mls_event event;
    if (!slim_view_has_prefix(commit, slim_view_of(public_head, HEAD_LEN))) {
        return slim_error_set(error, SLIM_ERR_INVALID, "not a commit");
    }
    enum slim_mls_status status = slim_mls_group_process(crypt->group, out(commit), &event);
    if (status != SLIM_MLS_OK) {
        return refuse(error, status);
    }
    enum slim_status result = SLIM_OK;
    if (event.kind == SLIM_MLS_EVENT_REMOVED) {
        crypt->is_removed = true;
        result = slim_error_set(error, SLIM_ERR_REMOVED, "removed from the MLS group");
    } else if (event.kind != SLIM_MLS_EVENT_COMMIT) {
        result = slim_error_set(error, SLIM_ERR_INVALID, "not a commit");
    }
    for (size_t i = 0; i < event.removed_count; i++) {
        forget_member(crypt, event.removed[i]);
    }
    for (size_t i = 0; i < event.added_count; i++) {
        forget_member(crypt, event.added[i]);
        crypt->newest = event.added[i];
    }
    slim_mls_event_free(&event);
    if (result == SLIM_OK) {
        /* without memory it is tried again when a member is asked for */
        enum slim_status reserved = members_reserve(crypt, slim_mls_group_leaf_count(crypt->group));
        (void)reserved;
    }
    return result;
}

/* Where a commit is kept; kept_count: it is not. */
static size_t find_kept(const struct slim_session_crypt *crypt, uint32_t commit_id)
{
    size_t index = 0;
    while (index < crypt->kept_count && crypt->kept[index].commit_id != commit_id) {
        index++;
    }
    return index;
}

static enum slim_status keep_commit(struct slim_session_crypt *crypt, uint32_t commit_id,
                                    struct slim_view commit)
{
    if (crypt->kept_count >= SLIM_SESSION_COMMITS_AHEAD_MAX ||
        commit.len > SLIM_SESSION_COMMITS_AHEAD_BYTES_MAX - crypt->kept_bytes) {
        return SLIM_ERR_LIMIT;
    }
    struct kept_commit made = {.commit_id = commit_id};
    SLIM_TRY(slim_buf_put(&made.bytes, commit));
    struct kept_commit *kept =
        slim_secret_resize(crypt->kept, (crypt->kept_count + 1) * sizeof(*kept));
    if (kept == NULL) {
        slim_buf_fini(&made.bytes);
        return SLIM_ERR_NO_MEMORY;
    }
    crypt->kept = kept;
    crypt->kept[crypt->kept_count++] = made;
    crypt->kept_bytes += made.bytes.len;
    return SLIM_AGAIN;
}

/* Apply what was kept, as far as nothing is missing. */
static enum slim_status apply_kept(struct slim_session_crypt *crypt, struct slim_error *error)
{
    for (;;) {
        size_t index = find_kept(crypt, crypt->commit_id + 1);
        if (index == crypt->kept_count) {
            return SLIM_OK;
        }
        enum slim_status status = apply(crypt, slim_buf_view(&crypt->kept[index].bytes), error);
        if (status == SLIM_ERR_NO_MEMORY) {
            return SLIM_OK; /* it stays, and is tried with the next one */
        }
        drop_kept(crypt, index);
        if (status == SLIM_ERR_REMOVED) {
            return status;
        }
        if (status != SLIM_OK) {
            crypt->is_broken = true; /* the true one may still come */
            return SLIM_OK;
        }
        crypt->commit_id++;
    }
}

enum slim_status slim_session_crypt_take_commit(struct slim_session_crypt *crypt,
                                                uint32_t commit_id, struct slim_view commit,
                                                struct slim_error *error)
{
    if (crypt->group == NULL) {
        return slim_error_set(error, SLIM_ERR_STATE, "no welcome yet");
    }
    if (crypt->is_removed) {
        return slim_error_set(error, SLIM_ERR_REMOVED, "removed from the MLS group");
    }
    SLIM_TRY(apply_kept(crypt, error)); /* what memory was short for */
    if (commit_id <= crypt->commit_id || find_kept(crypt, commit_id) < crypt->kept_count) {
        return SLIM_ERR_EXISTS;
    }
    if (commit_id - crypt->commit_id > SLIM_SESSION_COMMITS_AHEAD_MAX) {
        crypt->far_id = commit_id > crypt->far_id ? commit_id : crypt->far_id;
        return slim_error_set(error, SLIM_ERR_LIMIT, "too far ahead");
    }
    if (commit_id > crypt->commit_id + 1) {
        return keep_commit(crypt, commit_id, commit);
    }
    SLIM_TRY(apply(crypt, commit, error));
    crypt->commit_id = commit_id;
    crypt->is_broken = false;
    return apply_kept(crypt, error);
}

bool slim_session_crypt_is_behind(const struct slim_session_crypt *crypt)
{
    return crypt->is_broken || crypt->kept_count > 0 || crypt->far_id > crypt->commit_id;
}

/* ---- messages */

enum slim_status slim_session_crypt_seal(struct slim_session_crypt *crypt,
                                         struct slim_view plaintext, struct slim_buf *sealed,
                                         uint64_t *epoch)
{
    struct slim_mls_buf message;
    if (crypt->group == NULL) {
        return SLIM_ERR_STATE;
    }
    SLIM_TRY((enum slim_status)slim_mls_group_encrypt(crypt->group, (struct slim_mls_view){0},
                                                      out(plaintext), &message));
    slim_buf_fini(sealed);
    *sealed = take(&message);
    *epoch = slim_mls_group_epoch(crypt->group);
    return SLIM_OK;
}

/* The epoch behind the head. False: not a PrivateMessage of our group. */
static bool read_epoch(const struct slim_session_crypt *crypt, struct slim_view blob,
                       uint64_t *epoch)
{
    if (!slim_view_has_prefix(blob, slim_view_of(crypt->head, crypt->head_len)) ||
        blob.len - crypt->head_len < EPOCH_LEN) {
        return false;
    }
    *epoch = 0;
    for (size_t i = 0; i < EPOCH_LEN; i++) {
        *epoch = *epoch << 8 | blob.data[crypt->head_len + i];
    }
    return true;
}

enum slim_session_blob slim_session_crypt_classify(const struct slim_session_crypt *crypt,
                                                   struct slim_view blob)
{
    if (crypt->group == NULL) {
        return slim_view_has_prefix(blob, slim_view_of(private_head, HEAD_LEN))
                   ? SLIM_SESSION_BLOB_FUTURE
                   : SLIM_SESSION_BLOB_PLAIN;
    }
    uint64_t epoch;
    if (!read_epoch(crypt, blob, &epoch)) {
        return SLIM_SESSION_BLOB_PLAIN;
    }
    uint64_t now = slim_mls_group_epoch(crypt->group);
    if (epoch > now) {
        return epoch - now <= EPOCHS_AHEAD_MAX ? SLIM_SESSION_BLOB_FUTURE : SLIM_SESSION_BLOB_STALE;
    }
    return epoch < crypt->first_epoch ? SLIM_SESSION_BLOB_STALE : SLIM_SESSION_BLOB_SEALED;
}

/* Who says that it sent the message that is being opened. */
struct claim {
    struct slim_session_crypt *crypt;
    const struct slim_name_key *source;
};

/* May this leaf have sent a message of that epoch under the name claimed? */
static enum slim_mls_status accept(void *context, uint32_t leaf, uint64_t epoch)
{
    const struct claim *claim = context;
    struct slim_session_crypt *crypt = claim->crypt;
    enum slim_status status = speaks_for(crypt, leaf, claim->source, NULL);
    if (status != SLIM_OK) {
        return status == SLIM_ERR_NO_MEMORY ? SLIM_MLS_ERR_NO_MEMORY : SLIM_MLS_ERR_DENIED;
    }
    return epoch < crypt->members[leaf].since ? SLIM_MLS_ERR_DENIED : SLIM_MLS_OK;
}

enum slim_status slim_session_crypt_open(struct slim_session_crypt *crypt,
                                         const struct slim_name_key *source, struct slim_view blob,
                                         struct slim_buf *plaintext)
{
    struct claim claim = {crypt, source};
    struct slim_mls_event event;
    if (crypt->group == NULL) {
        return SLIM_ERR_FUTURE;
    }
    if (!slim_view_has_prefix(blob, slim_view_of(crypt->head, crypt->head_len))) {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(slim_buf_reserve(plaintext, blob.len)); /* a plaintext is shorter */
    SLIM_TRY(
        (enum slim_status)slim_mls_group_open(crypt->group, out(blob), accept, &claim, &event));
    enum slim_status status =
        slim_buf_put(plaintext, slim_view_of(event.data.data, event.data.len));
    slim_mls_event_free(&event);
    return status;
}
