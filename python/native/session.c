/* Session. */
#include "native.h"

PyObject *native_session_object(struct native_state *state, struct slim_session *session)
{
    struct native_session *self = PyObject_New(struct native_session, state->session_type);
    if (self == NULL) {
        slim_session_unref(session);
        return NULL;
    }
    self->session = session;
    return (PyObject *)self;
}

static void session_dealloc(PyObject *self)
{
    Py_BEGIN_ALLOW_THREADS; /* perhaps the last one of its service */
    slim_session_unref(((struct native_session *)self)->session);
    Py_END_ALLOW_THREADS;
    native_free(self);
}

/* (data, type, metadata), data of class bytes: to all, or to `member`. */
static PyObject *publish(PyObject *self, PyObject *const *args, const struct slim_name *member)
{
    struct slim_session *session = ((struct native_session *)self)->session;
    struct slim_payload payload = {.data = NULL};
    struct slim_pair *pairs = NULL;
    char *data;
    Py_ssize_t len;
    if (PyBytes_AsStringAndSize(args[0], &data, &len) != 0 ||
        !native_text_from(args[1], &payload.type) ||
        !native_pairs_from(args[2], &pairs, &payload.metadata_count)) {
        return NULL;
    }
    payload.data = data;
    payload.len = (size_t)len;
    payload.metadata = pairs;
    struct slim_op *op = member == NULL ? slim_session_publish(session, &payload, NULL)
                                        : slim_session_publish_to(session, member, &payload, NULL);
    PyMem_Free(pairs);
    return native_op_object(native_state_of(self), op);
}

static PyObject *session_publish(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "publish(data, type, metadata)");
        return NULL;
    }
    return publish(self, args, NULL);
}

static PyObject *session_publish_to(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct slim_name member;
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "publish_to(member, data, type, metadata)");
        return NULL;
    }
    return native_name_from(args[0], &member) ? publish(self, args + 1, &member) : NULL;
}

/* (source, destination, type, metadata, connection, identity, payload, is_encrypted) */
static PyObject *message_to(const struct slim_message_info *info)
{
    return Py_BuildValue(
        "(NNNNKNNN)", native_name_to(&info->source), native_name_to(&info->destination),
        native_text_to(info->type), native_pairs_to(info->metadata, info->metadata_count),
        (unsigned long long)info->connection, native_text_to(info->identity),
        PyBytes_FromStringAndSize((const char *)info->payload.data, (Py_ssize_t)info->payload.len),
        PyBool_FromLong(info->is_encrypted));
}

/* The next message, or None: not by the deadline. */
static PyObject *session_receive(PyObject *self, PyObject *deadline)
{
    struct slim_session *session = ((struct native_session *)self)->session;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_message *message;
    uint64_t deadline_ns;
    enum slim_status status;
    if (!native_deadline_from(deadline, &deadline_ns)) {
        return NULL;
    }
    status = slim_session_receive(session, 0, &message, &error);
    while (status == SLIM_ERR_TIMEOUT && deadline_ns > 0 && native_goes_on(deadline_ns)) {
        Py_BEGIN_ALLOW_THREADS;
        status = slim_session_receive(session, native_slice_end(deadline_ns), &message, &error);
        Py_END_ALLOW_THREADS;
    }
    if (status == SLIM_OK) {
        PyObject *result = message_to(slim_message_look(message));
        slim_message_unref(message);
        return result;
    }
    if (PyErr_Occurred() != NULL) {
        return NULL;
    }
    if (status == SLIM_ERR_TIMEOUT) {
        Py_RETURN_NONE;
    }
    return native_raise(native_state_of(self), status, error.text);
}

static PyObject *session_await_message(PyObject *self, PyObject *unused)
{
    (void)unused;
    return native_op_object(
        native_state_of(self),
        slim_session_await_message(((struct native_session *)self)->session, NULL));
}

static PyObject *session_await_writable(PyObject *self, PyObject *unused)
{
    (void)unused;
    return native_op_object(
        native_state_of(self),
        slim_session_await_writable(((struct native_session *)self)->session, NULL));
}

static PyObject *session_invite(PyObject *self, PyObject *tuple)
{
    struct slim_name name;
    if (!native_name_from(tuple, &name)) {
        return NULL;
    }
    return native_op_object(
        native_state_of(self),
        slim_session_invite(((struct native_session *)self)->session, &name, NULL));
}

static PyObject *session_remove(PyObject *self, PyObject *tuple)
{
    struct slim_name name;
    if (!native_name_from(tuple, &name)) {
        return NULL;
    }
    return native_op_object(
        native_state_of(self),
        slim_session_remove(((struct native_session *)self)->session, &name, NULL));
}

static PyObject *session_delete(PyObject *self, PyObject *unused)
{
    (void)unused;
    return native_op_object(native_state_of(self),
                            slim_session_delete(((struct native_session *)self)->session, NULL));
}

static PyObject *session_is_over(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(slim_session_is_over(((struct native_session *)self)->session));
}

/* (id, type, is_initiator, enable_mls, max_retries, interval_ms, source, destination, metadata) */
static PyObject *session_info(PyObject *self, PyObject *unused)
{
    (void)unused;
    const struct slim_session_look *look =
        slim_session_info(((struct native_session *)self)->session);
    return Py_BuildValue("(IiNNIKNNN)", look->id, (int)look->type,
                         PyBool_FromLong(look->is_initiator), PyBool_FromLong(look->enable_mls),
                         look->max_retries, (unsigned long long)look->interval_ms,
                         native_name_to(&look->source), native_name_to(&look->destination),
                         native_pairs_to(look->metadata, look->metadata_count));
}

static PyObject *session_participants(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct slim_session *session = ((struct native_session *)self)->session;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_name_list *list = NULL;
    enum slim_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = slim_session_participants(session, &list, &error);
    Py_END_ALLOW_THREADS;
    if (status != SLIM_OK) {
        return native_raise(native_state_of(self), status, error.text);
    }
    PyObject *names = PyList_New(0);
    for (size_t i = 0; i < list->count && names != NULL; i++) {
        PyObject *name = native_name_to(&list->names[i]);
        if (name == NULL || PyList_Append(names, name) != 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    slim_name_list_free(list);
    return names;
}

static PyMethodDef session_methods[] = {
    {"publish", (PyCFunction)(void (*)(void))session_publish, METH_FASTCALL,
     "publish(data, type, metadata)"},
    {"publish_to", (PyCFunction)(void (*)(void))session_publish_to, METH_FASTCALL,
     "publish_to(member, data, type, metadata)"},
    {"receive", session_receive, METH_O, "The next message by the deadline, or None."},
    {"await_message", session_await_message, METH_NOARGS,
     "Ends when receive would return something."},
    {"await_writable", session_await_writable, METH_NOARGS, "Ends when not too much is under way."},
    {"invite", session_invite, METH_O, "Begin to invite."},
    {"remove", session_remove, METH_O, "Begin to remove."},
    {"delete", session_delete, METH_NOARGS, "Begin to end it."},
    {"is_over", session_is_over, METH_NOARGS, "It has ended."},
    {"info", session_info, METH_NOARGS,
     "(id, type, is_initiator, enable_mls, max_retries, interval_ms, source, destination, "
     "metadata)"},
    {"participants", session_participants, METH_NOARGS, "Names of the members now."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_methods, session_methods},
    {0, NULL},
};

PyType_Spec native_session_spec = {
    .name = "slim_bindings._slim.Session",
    .basicsize = sizeof(struct native_session),
    .flags = NATIVE_TYPE_FLAGS | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = session_slots,
};
