/* Session: a conversation with a peer, or membership of a group. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "things.h"

static const char gone[] = "Session already closed or dropped";
static const char closed[] = "session closed";
static const char direct_key[] = "PUBLISH_TO";
enum { NS_PER_MS = 1000000, MS_PER_S = 1000 };

/* ------------------------------------------------------------------------------------------------ its life, and messages that arrive */

static enum slim_status take_message(struct uf_source *source, struct uf_arrival *arrival)
{
    struct slim_error why = {.status = SLIM_OK};
    struct slim_message *message;
    enum slim_status status =
        slim_session_receive(((struct uf_session *)source)->session, 0, &message, &why);
    if (status == SLIM_OK) {
        arrival->item = message;
    } else if (status != SLIM_ERR_TIMEOUT) {
        (void)uf_fail(&arrival->error, UF_SESSION_ERROR, "%s", why.text); /* arrives as such */
    }
    return status;
}

static struct slim_op *await_message(struct uf_source *source, const struct slim_notify *notify)
{
    return slim_session_await_message(((struct uf_session *)source)->session, notify);
}

static void drop_message(void *item)
{
    slim_message_unref(item);
}

static bool fail_late(struct uf_error *error)
{
    return uf_fail(error, UF_SESSION_ERROR, "receive timeout waiting for message");
}

static const struct uf_source_class messages = {
    .take = take_message, .await = await_message, .drop = drop_message, .fail_late = fail_late};

struct uf_session *uf_session_new(struct slim_session *session)
{
    struct uf_session *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        slim_session_unref(session);
        return NULL;
    }
    uf_source_init(&made->source, UF_SESSION, &messages);
    made->session = session;
    return made;
}

void uf_session_free(struct uf_object *object)
{
    struct uf_session *session = (struct uf_session *)object;
    uf_source_fini(&session->source);
    slim_session_unref(session->session);
    free(session);
}

UF_CLONE_AND_FREE(session, UF_SESSION)

/* ------------------------------------------------------------------------------------------------ looking */

/* What it is; NULL: it is over, or none. */
static const struct slim_session_look *look_at(struct uf_call *call, void *self)
{
    struct uf_session *session = uf_call_object(call, self, UF_SESSION);
    if (session == NULL || !uf_call_is_fine(call)) {
        return NULL;
    }
    if (slim_session_is_over(session->session)) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR, "%s", gone); /* the call has it */
        return NULL;
    }
    return slim_session_info(session->session);
}

uint32_t uniffi_slim_bindings_fn_method_session_session_id(void *self, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    const struct slim_session_look *look = look_at(&call, self);
    uint32_t id = look == NULL ? 0 : look->id;
    uf_call_end(&call, status);
    return id;
}

int8_t uniffi_slim_bindings_fn_method_session_is_initiator(void *self, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    const struct slim_session_look *look = look_at(&call, self);
    int8_t is = look != NULL && look->is_initiator ? 1 : 0;
    uf_call_end(&call, status);
    return is;
}

static uint32_t type_of(const struct slim_session_look *look)
{
    return look->type == SLIM_GROUP ? UF_GROUP : UF_POINT_TO_POINT;
}

struct uf_buffer uniffi_slim_bindings_fn_method_session_session_type(void *self,
                                                                     struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uf_call_begin(&call);
    const struct slim_session_look *look = look_at(&call, self);
    if (look != NULL) {
        uint32_t type = type_of(look);
        written = uf_call_write(&call, &uf_type_session_type, &type);
    }
    uf_call_end(&call, status);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_method_session_metadata(void *self,
                                                                 struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uf_call_begin(&call);
    const struct slim_session_look *look = look_at(&call, self);
    if (look != NULL) {
        struct uf_list list = {.count = look->metadata_count, .items = look->metadata};
        written = uf_call_write(&call, &uf_type_pairs, &list);
    }
    uf_call_end(&call, status);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_method_session_config(void *self, struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uf_call_begin(&call);
    const struct slim_session_look *look = look_at(&call, self);
    if (look != NULL) {
        bool is_reliable = look->interval_ms > 0;
        struct uf_duration interval = {.seconds = look->interval_ms / MS_PER_S,
                                       .nanoseconds =
                                           (uint32_t)(look->interval_ms % MS_PER_S) * NS_PER_MS};
        struct uf_session_config config = {
            .session_type = type_of(look),
            .enable_mls = look->enable_mls,
            .max_retries = is_reliable ? &look->max_retries : NULL,
            .interval = is_reliable ? &interval : NULL,
            .metadata = {.count = look->metadata_count, .items = look->metadata}};
        written = uf_call_write(&call, &uf_type_session_config, &config);
    }
    uf_call_end(&call, status);
    return written;
}

static void *give_name(struct uf_call *call, const struct slim_name *name)
{
    struct uf_name *made = name == NULL ? NULL : uf_name_new(name);
    if (name != NULL && made == NULL) {
        (void)uf_fail_no_memory(&call->error); /* the call has it */
    }
    return uf_call_give(call, made);
}

void *uniffi_slim_bindings_fn_method_session_source(void *self, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    const struct slim_session_look *look = look_at(&call, self);
    void *given = give_name(&call, look == NULL ? NULL : &look->source);
    uf_call_end(&call, status);
    return given;
}

void *uniffi_slim_bindings_fn_method_session_destination(void *self, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    const struct slim_session_look *look = look_at(&call, self);
    void *given = give_name(&call, look == NULL ? NULL : &look->destination);
    uf_call_end(&call, status);
    return given;
}

/* ------------------------------------------------------------------------------------------------ members */

static struct uf_buffer write_names(struct uf_call *call, const struct slim_name_list *list)
{
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    struct uf_object **names = calloc(list->count + 1, sizeof(struct uf_object *));
    size_t count = 0;
    while (names != NULL && count < list->count) {
        struct uf_name *made = uf_name_new(&list->names[count]);
        if (made == NULL) {
            break;
        }
        names[count++] = &made->head;
    }
    if (names == NULL || count < list->count) {
        (void)uf_fail_no_memory(&call->error); /* the call has it */
    }
    struct uf_list found = {.count = count, .items = names};
    written = uf_call_write(call, &uf_type_names, &found);
    while (count > 0) {
        uf_object_unref(names[--count]);
    }
    free(names);
    return written;
}

static struct uf_buffer participants(struct uf_call *call, void *self)
{
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    struct uf_session *session = uf_call_object(call, self, UF_SESSION);
    struct slim_error why = {.status = SLIM_OK};
    struct slim_name_list *list = NULL;
    if (session == NULL || !uf_call_is_fine(call)) {
        return written;
    }
    if (slim_session_participants(session->session, &list, &why) != SLIM_OK) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR, "%s", why.text); /* the call has it */
        return written;
    }
    written = write_names(call, list);
    slim_name_list_free(list);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_method_session_participants_list(void *self,
                                                                          struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_buffer written = participants(&call, self);
    uf_call_end(&call, status);
    return written;
}

uint64_t uniffi_slim_bindings_fn_method_session_participants_list_async(void *self)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_result result = {.form = UF_RESULT_BUFFER, .type = &uf_type_names};
    result.buffer = participants(&call, self);
    return uf_call_future(&call, &result);
}

static struct uf_completion *change_members(struct uf_call *call, void *self, void *participant,
                                            bool is_invite)
{
    struct uf_session *session = uf_call_object(call, self, UF_SESSION);
    struct uf_name *name = uf_call_object(call, participant, UF_NAME);
    if (!uf_call_is_fine(call)) {
        return NULL;
    }
    const struct slim_session_look *look = slim_session_info(session->session);
    if (slim_session_is_over(session->session)) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR, "%s", closed);
    } else if (look->type == SLIM_POINT_TO_POINT) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR,
                      is_invite ? "cannot invite participant to point-to-point session"
                                : "cannot remove participant from point-to-point session");
    } else if (!look->is_initiator) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR, "only initiator can modify participants");
    } else {
        return uf_call_begun(call,
                             is_invite ? slim_session_invite(session->session, &name->name, NULL)
                                       : slim_session_remove(session->session, &name->name, NULL),
                             UF_SESSION_ERROR);
    }
    return NULL;
}

static struct uf_completion *begin_invite(struct uf_call *call, void *self, void *participant)
{
    return change_members(call, self, participant, true);
}

static struct uf_completion *begin_remove(struct uf_call *call, void *self, void *participant)
{
    return change_members(call, self, participant, false);
}

UF_COMPLETION_FORMS(session, invite, (void *self, void *participant), (self, participant))
UF_COMPLETION_FORMS(session, remove, (void *self, void *participant), (self, participant))

/* ------------------------------------------------------------------------------------------------ publishing */

/* data is bytes with a length, type an optional text, metadata an optional map. */
static void read_content(struct uf_call *call, struct uf_buffer data, struct uf_buffer type,
                         struct uf_buffer metadata, struct slim_payload *payload)
{
    struct slim_view bytes;
    const struct slim_view *type_text;
    const struct uf_list *pairs;
    uf_call_record(call, data, &uf_type_bytes, &bytes);
    uf_call_record(call, type, &uf_type_optional_text, (void *)&type_text);
    uf_call_record(call, metadata, &uf_type_optional_pairs, (void *)&pairs);
    *payload = (struct slim_payload){.data = bytes.data, .len = bytes.len};
    if (type_text != NULL) {
        payload->type = uf_call_copy(call, *type_text, "a payload type");
    }
    if (pairs != NULL) {
        payload->metadata = pairs->items;
        payload->metadata_count = pairs->count;
    }
}

static struct uf_completion *begin_publish(struct uf_call *call, void *self, struct uf_buffer data,
                                           struct uf_buffer type, struct uf_buffer metadata)
{
    struct slim_payload payload;
    struct uf_session *session = uf_call_object(call, self, UF_SESSION);
    read_content(call, data, type, metadata, &payload);
    if (!uf_call_is_fine(call)) {
        return NULL;
    }
    if (slim_session_is_over(session->session)) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR, "%s", gone); /* the call has it */
        return NULL;
    }
    return uf_call_begun(call, slim_session_publish(session->session, &payload, NULL),
                         UF_SESSION_ERROR);
}

UF_COMPLETION_FORMS(session, publish,
                    (void *self, struct uf_buffer data, struct uf_buffer type,
                     struct uf_buffer metadata),
                    (self, data, type, metadata))

static struct uf_completion *begin_publish_to(struct uf_call *call, void *self,
                                              struct uf_buffer context, struct uf_buffer data,
                                              struct uf_buffer type, struct uf_buffer metadata)
{
    struct uf_message_context from;
    struct slim_payload payload;
    struct uf_session *session = uf_call_object(call, self, UF_SESSION);
    uf_call_record(call, context, &uf_type_message_context, &from);
    read_content(call, data, type, metadata, &payload);
    if (!uf_call_is_fine(call)) {
        return NULL;
    }
    if (slim_session_is_over(session->session)) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR, "%s", closed); /* the call has it */
        return NULL;
    }
    const struct slim_name *member = &((struct uf_name *)from.source_name)->name;
    return uf_call_begun(call, slim_session_publish_to(session->session, member, &payload, NULL),
                         UF_SESSION_ERROR);
}

UF_COMPLETION_FORMS(session, publish_to,
                    (void *self, struct uf_buffer context, struct uf_buffer data,
                     struct uf_buffer type, struct uf_buffer metadata),
                    (self, context, data, type, metadata))

static bool is_equal(struct slim_view a, struct slim_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* To the destination of the session as publish, to any other name as publish_to. How many copies and by which connection is what the session
 * itself knows: the two numbers are read and have no effect. Only what fails at once is told. */
static void publish_with_params(struct uf_call *call, void *self, void *destination,
                                const struct uf_buffer content[4])
{
    struct slim_payload payload;
    const uint64_t *connection;
    struct slim_error why = {.status = SLIM_OK};
    struct uf_session *session = uf_call_object(call, self, UF_SESSION);
    struct uf_name *name = uf_call_object(call, destination, UF_NAME);
    uf_call_record(call, content[1], &uf_type_optional_u64, (void *)&connection);
    read_content(call, content[0], content[2], content[3], &payload);
    if (!uf_call_is_fine(call)) {
        return;
    }
    if (slim_session_is_over(session->session)) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR, "%s", closed); /* the call has it */
        return;
    }
    const struct slim_name *own = &slim_session_info(session->session)->destination;
    bool is_to_all = is_equal(own->part[0], name->name.part[0]) &&
                     is_equal(own->part[1], name->name.part[1]) &&
                     is_equal(own->part[2], name->name.part[2]);
    struct slim_op *op =
        is_to_all ? slim_session_publish(session->session, &payload, NULL)
                  : slim_session_publish_to(session->session, &name->name, &payload, NULL);
    enum slim_status status = slim_op_status(op, &why);
    if (status != SLIM_OK && status != SLIM_AGAIN) {
        (void)uf_fail(&call->error, UF_SESSION_ERROR, "%s", why.text); /* likewise */
    }
    slim_op_unref(op);
}

void uniffi_slim_bindings_fn_method_session_publish_with_params(
    void *self, void *destination, uint32_t fanout, struct uf_buffer data,
    struct uf_buffer connection_out, struct uf_buffer type, struct uf_buffer metadata,
    struct uf_status *status)
{
    (void)fanout;
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_buffer content[] = {data, connection_out, type, metadata};
    publish_with_params(&call, self, destination, content);
    uf_call_end(&call, status);
}

uint64_t uniffi_slim_bindings_fn_method_session_publish_with_params_async(
    void *self, void *destination, uint32_t fanout, struct uf_buffer data,
    struct uf_buffer connection_out, struct uf_buffer type, struct uf_buffer metadata)
{
    (void)fanout;
    struct uf_call call;
    struct uf_result result = {.form = UF_RESULT_VOID};
    uf_call_begin(&call);
    struct uf_buffer content[] = {data, connection_out, type, metadata};
    publish_with_params(&call, self, destination, content);
    return uf_call_future(&call, &result);
}

/* ------------------------------------------------------------------------------------------------ receiving */

/* Between two an answer is an ordinary message: the mark of one is not shown. *copy is the caller's to free. */
static bool shown_metadata(const struct slim_session_look *look,
                           const struct slim_message_info *info, struct uf_list *list,
                           struct slim_pair **copy)
{
    struct slim_view mark = uf_view(direct_key);
    *list = (struct uf_list){.count = info->metadata_count, .items = info->metadata};
    *copy = NULL;
    if (look->type == SLIM_GROUP || info->metadata_count == 0) {
        return true;
    }
    struct slim_pair *kept = calloc(info->metadata_count, sizeof(*kept));
    if (kept == NULL) {
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < info->metadata_count; i++) {
        if (!is_equal(info->metadata[i].key, mark)) {
            kept[count++] = info->metadata[i];
        }
    }
    *list = (struct uf_list){.count = count, .items = kept};
    *copy = kept;
    return true;
}

static bool convert_message(struct uf_object *source, void *item, struct uf_result *result,
                            struct uf_error *error)
{
    const struct slim_message_info *info = slim_message_look(item);
    const struct slim_session_look *look =
        slim_session_info(((struct uf_session *)source)->session);
    struct uf_name *from = uf_name_new(&info->source);
    struct uf_name *to = uf_name_new(&info->destination);
    struct uf_object *to_object = (struct uf_object *)to;
    struct slim_pair *copy = NULL;
    struct uf_received_message message = {.context = {.source_name = (struct uf_object *)from,
                                                      .destination_name = &to_object,
                                                      .payload_type = info->type,
                                                      .input_connection = info->connection,
                                                      .identity = info->identity},
                                          .payload = info->payload};
    bool is_fine = (from != NULL && to != NULL &&
                    shown_metadata(look, info, &message.context.metadata, &copy)) ||
                   uf_fail_no_memory(error);
    is_fine =
        is_fine && uf_write_record(&uf_type_received_message, &message, &result->buffer, error);
    free(copy);
    uf_object_unref(from);
    uf_object_unref(to);
    if (is_fine) {
        slim_message_unref(item);
    }
    return is_fine;
}

struct uf_buffer uniffi_slim_bindings_fn_method_session_get_message(void *self,
                                                                    struct uf_buffer timeout,
                                                                    struct uf_status *status)
{
    struct uf_call call;
    struct uf_result result = {.form = UF_RESULT_MESSAGE};
    const struct uf_duration *duration;
    uf_call_begin(&call);
    struct uf_session *session = uf_call_object(&call, self, UF_SESSION);
    uf_call_record(&call, timeout, &uf_type_optional_duration, (void *)&duration);
    if (uf_call_is_fine(&call) &&
        !uf_source_wait(&session->source, uf_deadline(duration), UF_RESULT_MESSAGE, convert_message,
                        &result, &call.error)) {
        assert(!uf_call_is_fine(&call));
    }
    uf_call_end(&call, status);
    return result.buffer;
}

uint64_t uniffi_slim_bindings_fn_method_session_get_message_async(void *self,
                                                                  struct uf_buffer timeout)
{
    struct uf_call call;
    struct uf_result result = {.form = UF_RESULT_BUFFER};
    const struct uf_duration *duration;
    uf_call_begin(&call);
    struct uf_session *session = uf_call_object(&call, self, UF_SESSION);
    uf_call_record(&call, timeout, &uf_type_optional_duration, (void *)&duration);
    if (!uf_call_is_fine(&call)) {
        return uf_call_future(&call, &result);
    }
    uint64_t handle = uf_future_of_source(&session->source, uf_deadline(duration),
                                          UF_RESULT_MESSAGE, convert_message);
    uf_call_end(&call, NULL);
    return handle;
}
