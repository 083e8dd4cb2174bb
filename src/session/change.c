#include "session/change.h"

#include "session/compose.h"

enum slim_status slim_session_begin_group(struct slim_session *session,
                                          const struct slim_wire_name *peer, uint64_t conn_id)
{
    struct slim_session_member *self;
    bool is_group = session->kind == SLIM_SESSION_GROUP;
    if (session->is_mls) {
        SLIM_TRY(slim_session_secure(session));
    }
    if (session->is_mls && !slim_session_crypt_is_ready(session->crypt)) {
        SLIM_TRY(slim_session_crypt_create(session->crypt));
    }
    if (session->self_slot == SLIM_SESSION_NO_SLOT) {
        SLIM_TRY(slim_session_members_add(&session->members, &session->source.wire,
                                          SLIM_SESSION_PRESENT, &self));
        self->is_self = true;
        session->self_slot = self->slot;
    }
    if (!is_group && session->channel.text == NULL) {
        SLIM_TRY(
            slim_session_name_init(session->app->heap, peer, peer->name.id, &session->channel));
    }
    if (is_group) {
        slim_session_open_channel(session, conn_id);
    }
    return SLIM_OK;
}

/* ---- participants[] of messages */

struct names {
    struct slim_wire_name *list;
    size_t count;
};

/* Everybody listed, and `also`. */
static enum slim_status take_names(const struct slim_session *session,
                                   const struct slim_wire_name *also, struct names *names)
{
    const struct slim_session_members *members = &session->members;
    struct slim_wire_name *list =
        slim_heap_take(session->app->heap, (members->listed_count + 1) * sizeof(*list));
    if (list == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    *names = (struct names){.list = list};
    for (uint32_t i = 0; i < members->listed_count; i++) {
        list[names->count++] = members->slots[members->listed[i]]->name.wire;
    }
    if (also != NULL) {
        list[names->count++] = *also;
    }
    return SLIM_OK;
}

static struct slim_wire_names as_participants(const struct names *names)
{
    return (struct slim_wire_names){.names = names->list, .count = names->count};
}

static struct slim_wire_mls as_mls(const struct slim_session *session,
                                   const struct slim_session_commit *commit,
                                   const struct slim_buf *content)
{
    return (struct slim_wire_mls){.is_present = session->is_mls,
                                  .commit_id = commit->commit_id,
                                  .content = slim_buf_view(content)};
}

/* ---- changes */

/* New messages wait a moment while members that cannot keep a message for the next epoch learn of it. */
static void hold_back(struct slim_session *session, const struct slim_session_request *request)
{
    if (session->is_mls && request != NULL && request->foreign_count > 0) {
        slim_session_sender_hold(session->sender);
        /* one change after the other does not starve the publisher */
        session->held_back_until_ms = session->is_held_back
                                          ? session->held_back_until_ms
                                          : session->app->now_ms + session->interval_ms;
        session->is_held_back = true;
    }
}

/* Members that are being welcomed may not hear the channel yet: they are told alone, too. */
static void tell_newcomers(struct slim_session *session, const struct slim_session_request *request,
                           const struct slim_session_member *except)
{
    for (uint32_t i = 0; i < session->members.listed_count; i++) {
        const struct slim_session_member *member =
            session->members.slots[session->members.listed[i]];
        if (member->standing == SLIM_SESSION_WELCOMED && member != except &&
            session->kind == SLIM_SESSION_GROUP) {
            slim_session_request_copy(session, request, member);
        }
    }
}

static enum slim_status tell_add(struct slim_session *session, struct slim_session_task *task,
                                 const struct slim_session_member *member,
                                 const struct slim_session_commit *commit)
{
    struct slim_wire_session_message message;
    struct names names;
    struct slim_session_expected expected = {.except = member};
    struct slim_wire_pair mark_of_all = slim_session_mark;
    struct slim_buf ours = {0};
    enum slim_status status = SLIM_OK;
    SLIM_TRY(take_names(session, NULL, &names));
    if (session->members.listed_count > 2) {
        slim_session_compose(session, SLIM_WIRE_TYPE_GROUP_ADD, &session->channel.wire, 0,
                             &message);
        message.payload.group_change = (struct slim_wire_group_change){
            .participant = member->name.wire,
            .participants = as_participants(&names),
            .mls = as_mls(session, commit, &commit->commit),
        };
        message.metadata = (struct slim_wire_metadata){.pairs = &slim_session_mark, .count = 1};
        status = slim_session_request_new(session, &message, &expected, task, &task->change);
        if (status == SLIM_OK) {
            tell_newcomers(session, task->change, member);
        }
    }
    if (status == SLIM_OK) {
        expected = (struct slim_session_expected){.only = member};
        slim_session_compose(session, SLIM_WIRE_TYPE_GROUP_WELCOME, &member->name.wire, 0,
                             &message);
        message.payload.group_welcome = (struct slim_wire_group_welcome){
            .participants = as_participants(&names),
            .mls = as_mls(session, commit, &commit->welcome),
        };
        status = slim_session_put_ours(session, &ours);
        mark_of_all.value = slim_buf_view(&ours);
        message.metadata = (struct slim_wire_metadata){.pairs = &mark_of_all, .count = 1};
    }
    if (status == SLIM_OK) {
        status = slim_session_request_new(session, &message, &expected, task, &task->asked);
    }
    slim_buf_fini(&ours);
    slim_heap_return(session->app->heap, names.list);
    return status;
}

/* A commit renewed our keys, unless the group is so large that adds never do (add_path_target_max). */
static void note_path(struct slim_session *session)
{
    session->path_ms = session->app->now_ms + SLIM_SESSION_PATH_MS;
    session->path_owed_ms = UINT64_MAX;
}

/* A path costs the moderator a key agreement with each member, and each member two signatures: not with every invitation of a group
 * that grows. What it gives, keys that are new, comes by a refresh when no invitation brings it first. */
static enum slim_status commit_add(struct slim_session *session, const struct slim_view *package,
                                   const struct slim_session_member *member,
                                   struct slim_session_commit *commit, struct slim_error *error)
{
    uint64_t now_ms = session->app->now_ms;
    bool is_spared = session->app->options.has_plain_adds || now_ms < session->path_ms;
    SLIM_TRY(slim_session_app_secure(session->app));
    slim_session_crypt_spare_path(session->crypt, is_spared);
    SLIM_TRY(slim_session_crypt_change(session->crypt, package, &member->name.wire.name, 1, NULL, 0,
                                       commit, error));
    if (!is_spared) {
        note_path(session);
    } else if (session->path_owed_ms == UINT64_MAX && session->kind == SLIM_SESSION_GROUP) {
        uint64_t from_ms = now_ms > session->path_ms ? now_ms : session->path_ms;
        session->path_owed_ms = from_ms + SLIM_SESSION_PATH_MS;
    }
    return SLIM_OK;
}

enum slim_status slim_session_change_add(struct slim_session *session,
                                         struct slim_session_task *task, struct slim_error *error)
{
    struct slim_session_member *member = slim_session_members_at(&session->members, task->slot);
    struct slim_session_commit commit = {.commit_id = 0};
    struct slim_view key_package = slim_buf_view(&task->key_package);
    if (session->is_mls) {
        SLIM_TRY(commit_add(session, &key_package, member, &commit, error));
    }
    slim_session_members_set(&session->members, member, SLIM_SESSION_WELCOMED);
    member->told_ms = session->app->now_ms;
    enum slim_status status = slim_session_admit_source(session, member, true);
    if (status == SLIM_OK) {
        status = tell_add(session, task, member, &commit);
    }
    if (status == SLIM_OK) {
        hold_back(session, task->change);
    } else {
        task->slot = SLIM_SESSION_NO_SLOT;
        slim_session_member_gone(session, member); /* it is in the MLS group already */
    }
    slim_session_commit_fini(&commit);
    return status;
}

/* GROUP_REMOVE of `removed` to those who stay, and to `also`. */
static enum slim_status tell_remove(struct slim_session *session, struct slim_session_task *task,
                                    const struct slim_wire_name *removed,
                                    const struct slim_session_member *also,
                                    const struct slim_session_commit *commit)
{
    struct slim_wire_session_message message;
    struct names names;
    struct slim_session_expected expected = {.also = also};
    SLIM_TRY(take_names(session, removed, &names));
    slim_session_compose(session, SLIM_WIRE_TYPE_GROUP_REMOVE, &session->channel.wire, 0, &message);
    message.payload.group_change = (struct slim_wire_group_change){
        .participant = *removed,
        .participants = as_participants(&names),
        .mls = as_mls(session, commit, &commit->commit),
    };
    enum slim_status status =
        slim_session_request_new(session, &message, &expected, task, &task->change);
    slim_heap_return(session->app->heap, names.list);
    return status;
}

static enum slim_status commit_remove(struct slim_session *session,
                                      const struct slim_name_key *name,
                                      struct slim_session_commit *commit, struct slim_error *error)
{
    SLIM_TRY(slim_session_app_secure(session->app));
    enum slim_status status =
        slim_session_crypt_change(session->crypt, NULL, NULL, 0, name, 1, commit, error);
    if (status == SLIM_OK) {
        note_path(session);
    }
    return status == SLIM_ERR_NOT_FOUND ? SLIM_OK : status; /* its add had failed */
}

enum slim_status slim_session_change_remove(struct slim_session *session,
                                            struct slim_session_task *task,
                                            struct slim_error *error)
{
    struct slim_session_member *member = slim_session_members_at(&session->members, task->slot);
    const struct slim_wire_name *name = member != NULL ? &member->name.wire : &task->name.wire;
    struct slim_session_commit commit = {.commit_id = 0};
    enum slim_status status = SLIM_OK;
    if (session->is_mls) {
        status = commit_remove(session, &name->name, &commit, error);
    }
    if (status == SLIM_OK && member != NULL) {
        slim_session_dismiss(session, member);
        slim_session_members_set(&session->members, member, SLIM_SESSION_GOING);
    }
    if (status == SLIM_OK && session->members.listed_count > 1) {
        status = tell_remove(session, task, name, member, &commit);
        if (status == SLIM_OK) {
            tell_newcomers(session, task->change, NULL);
            hold_back(session, task->change);
        }
    } else if (status == SLIM_OK && member != NULL) {
        status = slim_session_ask_to_leave(session, task);
    }
    slim_session_commit_fini(&commit);
    return status;
}

enum slim_status slim_session_change_refresh(struct slim_session *session,
                                             struct slim_session_task *task,
                                             struct slim_error *error)
{
    struct slim_wire_session_message message;
    struct names names;
    struct slim_session_expected expected = {.only = NULL};
    struct slim_session_commit commit = {.commit_id = 0};
    if (session->members.listed_count < 2) {
        session->path_owed_ms = UINT64_MAX; /* to nobody */
        return SLIM_OK;
    }
    SLIM_TRY(slim_session_app_secure(session->app));
    SLIM_TRY(slim_session_crypt_change(session->crypt, NULL, NULL, 0, NULL, 0, &commit, error));
    note_path(session);
    enum slim_status status = take_names(session, NULL, &names);
    if (status == SLIM_OK) {
        slim_session_compose(session, SLIM_WIRE_TYPE_GROUP_ADD, &session->channel.wire, 0,
                             &message);
        message.payload.group_change = (struct slim_wire_group_change){
            .participants = as_participants(&names),
            .mls = as_mls(session, &commit, &commit.commit),
        };
        message.metadata = (struct slim_wire_metadata){.pairs = &slim_session_mark, .count = 1};
        status = slim_session_request_new(session, &message, &expected, task, &task->change);
        slim_heap_return(session->app->heap, names.list);
    }
    if (status == SLIM_OK) {
        tell_newcomers(session, task->change, NULL);
        hold_back(session, task->change);
    }
    slim_session_commit_fini(&commit);
    return status;
}

enum slim_status slim_session_ask_to_leave(struct slim_session *session,
                                           struct slim_session_task *task)
{
    struct slim_wire_session_message message;
    struct slim_session_expected expected = {
        .only = slim_session_members_at(&session->members, task->slot)};
    slim_session_compose(session, SLIM_WIRE_TYPE_LEAVE_REQUEST, &expected.only->name.wire, 0,
                         &message);
    return slim_session_request_new(session, &message, &expected, task, &task->asked);
}

enum slim_status slim_session_tell_close(struct slim_session *session)
{
    struct slim_wire_session_message message;
    struct slim_session_request *request;
    struct names names;
    struct slim_session_expected expected = {.only = NULL};
    if (session->members.listed_count < 2) {
        return SLIM_ERR_NOT_FOUND;
    }
    SLIM_TRY(take_names(session, NULL, &names));
    slim_session_compose(session, SLIM_WIRE_TYPE_GROUP_CLOSE, &session->channel.wire, 0, &message);
    message.payload.group_close.participants = as_participants(&names);
    enum slim_status status =
        slim_session_request_new(session, &message, &expected, NULL, &request);
    slim_heap_return(session->app->heap, names.list);
    if (status == SLIM_OK) {
        tell_newcomers(session, request, NULL);
    }
    return status;
}

/* ---- members that went by themselves */

/* The task that is about this member, NULL: there is none. */
static struct slim_session_task *task_of(const struct slim_session *session, uint32_t slot)
{
    SLIM_LIST_EACH(node, &session->tasks)
    {
        struct slim_session_task *task = SLIM_LIST_ENTRY(node, struct slim_session_task, node);
        if (task->slot == slot) {
            return task;
        }
    }
    return NULL;
}

/* The others are to be told, unless a removal does so already. */
static enum slim_status plan_removal(struct slim_session *session,
                                     const struct slim_session_member *member,
                                     struct slim_session_task *task)
{
    struct slim_session_task *gone;
    bool is_removal = task != NULL && task->kind == SLIM_SESSION_TASK_REMOVE;
    if (is_removal && task->phase == SLIM_SESSION_TASK_READY) {
        struct slim_session_name name;
        SLIM_TRY(slim_session_name_init(session->app->heap, &member->name.wire,
                                        member->name.wire.name.id, &name));
        slim_session_name_fini(session->app->heap, &task->name);
        task->name = name; /* with its id: for the commit */
        task->slot = SLIM_SESSION_NO_SLOT;
        return SLIM_OK;
    }
    if (is_removal || !slim_session_member_is_listed(member)) {
        return SLIM_OK;
    }
    SLIM_TRY(slim_session_task_new(session, SLIM_SESSION_TASK_GONE, &member->name.wire, &gone));
    gone->phase = SLIM_SESSION_TASK_READY;
    return SLIM_OK;
}

void slim_session_member_gone(struct slim_session *session, struct slim_session_member *member)
{
    struct slim_session_task *task = task_of(session, member->slot);
    if (plan_removal(session, member, task) != SLIM_OK) {
        return; /* it stays until the pings find it gone again */
    }
    if (task != NULL && task->slot == member->slot) {
        slim_session_task_lost_member(session, task);
    }
    if (session->state == SLIM_SESSION_ENDED) {
        return;
    }
    slim_session_dismiss(session, member);
    slim_session_unroute(session, member);
    slim_session_members_remove(&session->members, member);
}
