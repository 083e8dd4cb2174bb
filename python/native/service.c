/* Service and App. */
#include "native.h"

/* ------------------------------------------------------------------------------------------------ Service */

static PyObject *service_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"name", NULL};
    const char *name;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_service *service;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "s", names, &name)) {
        return NULL;
    }
    enum slim_status status = slim_service_new(name, NULL, &service, &error);
    if (status != SLIM_OK) {
        return native_raise(PyType_GetModuleState(type), status, error.text);
    }
    struct native_service *self = PyObject_New(struct native_service, type);
    if (self == NULL) {
        slim_service_unref(service);
        return NULL;
    }
    self->service = service;
    return (PyObject *)self;
}

static void service_dealloc(PyObject *self)
{
    Py_BEGIN_ALLOW_THREADS; /* it waits for the end of its thread */
    slim_service_unref(((struct native_service *)self)->service);
    Py_END_ALLOW_THREADS;
    native_free(self);
}

static PyObject *service_connect(PyObject *self, PyObject *config)
{
    const char *text;
    if (!native_text_from(config, &text)) {
        return NULL;
    }
    return native_op_object(
        native_state_of(self),
        slim_service_connect(((struct native_service *)self)->service, text, NULL));
}

static PyObject *service_disconnect(PyObject *self, PyObject *number)
{
    uint64_t connection;
    if (!native_u64_from(number, &connection)) {
        return NULL;
    }
    return native_op_object(
        native_state_of(self),
        slim_service_disconnect(((struct native_service *)self)->service, connection, NULL));
}

static PyObject *service_stop_connect(PyObject *self, PyObject *connect)
{
    struct native_state *state = native_state_of(self);
    if (Py_TYPE(connect) != state->op_type) {
        PyErr_SetString(PyExc_TypeError, "stop_connect(operation of connect)");
        return NULL;
    }
    return native_op_object(state,
                            slim_service_stop_connect(((struct native_service *)self)->service,
                                                      ((struct native_op *)connect)->op, NULL));
}

static PyObject *service_connection(PyObject *self, PyObject *endpoint)
{
    const char *text;
    uint64_t connection;
    if (!native_text_from(endpoint, &text)) {
        return NULL;
    }
    if (slim_service_connection(((struct native_service *)self)->service, text == NULL ? "" : text,
                                &connection) != SLIM_OK) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLongLong(connection);
}

static PyObject *service_run_server(PyObject *self, PyObject *config)
{
    const char *text;
    if (!native_text_from(config, &text)) {
        return NULL;
    }
    return native_op_object(
        native_state_of(self),
        slim_service_run_server(((struct native_service *)self)->service, text, NULL));
}

static PyObject *service_stop_server(PyObject *self, PyObject *endpoint)
{
    const char *text;
    if (!native_text_from(endpoint, &text)) {
        return NULL;
    }
    return native_op_object(native_state_of(self),
                            slim_service_stop_server(((struct native_service *)self)->service,
                                                     text == NULL ? "" : text, NULL));
}

static PyObject *service_shutdown(PyObject *self, PyObject *unused)
{
    (void)unused;
    return native_op_object(native_state_of(self),
                            slim_service_shutdown(((struct native_service *)self)->service, NULL));
}

/* app(name, provider, verifier, direction, allow_plaintext, wait_ms): provider and verifier are texts of slim.yaml(5). None: there was no
 * first token within wait_ms. */
static PyObject *service_app(PyObject *self, PyObject *args)
{
    PyObject *tuple;
    struct slim_app_config config = {.provider = NULL};
    PyObject *wait;
    int direction;
    int allows_plaintext;
    uint32_t wait_ms;
    struct slim_name name;
    struct slim_app *app;
    struct slim_error error = {.status = SLIM_OK};
    enum slim_status status;
    if (!PyArg_ParseTuple(args, "OssipO", &tuple, &config.provider, &config.verifier, &direction,
                          &allows_plaintext, &wait) ||
        !native_name_from(tuple, &name) || !native_u32_from(wait, &wait_ms)) {
        return NULL;
    }
    config.direction = (enum slim_direction)direction;
    config.allow_plaintext = allows_plaintext != 0;
    Py_BEGIN_ALLOW_THREADS;
    status = slim_app_new(((struct native_service *)self)->service, &name, &config,
                          slim_in_ms(wait_ms), &app, &error);
    Py_END_ALLOW_THREADS;
    if (status == SLIM_OK) {
        return native_app_object(native_state_of(self), app);
    }
    if (status == SLIM_ERR_TIMEOUT) {
        Py_RETURN_NONE;
    }
    return native_raise(native_state_of(self), status, error.text);
}

static PyMethodDef service_methods[] = {
    {"connect", service_connect, METH_O, "Begin a link: endpoint or mapping as text."},
    {"disconnect", service_disconnect, METH_O, "End a link."},
    {"stop_connect", service_stop_connect, METH_O, "Take the operation of a connect back."},
    {"connection", service_connection, METH_O, "The connection to an endpoint, or None."},
    {"run_server", service_run_server, METH_O, "Begin to listen: endpoint or mapping as text."},
    {"stop_server", service_stop_server, METH_O, "Stop listening."},
    {"shutdown", service_shutdown, METH_NOARGS, "End everything in order."},
    {"app", service_app, METH_VARARGS,
     "app(name, provider, verifier, direction, allow_plaintext, wait_ms), or None."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot service_slots[] = {
    {Py_tp_new, service_new},
    {Py_tp_dealloc, service_dealloc},
    {Py_tp_methods, service_methods},
    {0, NULL},
};

PyType_Spec native_service_spec = {
    .name = "slim_bindings._slim.Service",
    .basicsize = sizeof(struct native_service),
    .flags = NATIVE_TYPE_FLAGS,
    .slots = service_slots,
};

/* ------------------------------------------------------------------------------------------------ App */

PyObject *native_app_object(struct native_state *state, struct slim_app *app)
{
    struct native_app *self = PyObject_New(struct native_app, state->app_type);
    if (self == NULL) {
        slim_app_unref(app);
        return NULL;
    }
    self->app = app;
    return (PyObject *)self;
}

static void app_dealloc(PyObject *self)
{
    Py_BEGIN_ALLOW_THREADS; /* perhaps the last one of its service */
    slim_app_unref(((struct native_app *)self)->app);
    Py_END_ALLOW_THREADS;
    native_free(self);
}

static PyObject *app_name(PyObject *self, PyObject *unused)
{
    (void)unused;
    return native_name_to(slim_app_name(((struct native_app *)self)->app));
}

typedef struct slim_op *(*change)(struct slim_app *, const struct slim_name *, uint64_t,
                                  const struct slim_notify *);

/* (name, connection); connection None: inside the service only. */
static PyObject *change_name(PyObject *self, PyObject *args, change begin)
{
    PyObject *tuple;
    PyObject *number;
    struct slim_name name;
    uint64_t connection;
    if (!PyArg_ParseTuple(args, "OO", &tuple, &number) || !native_name_from(tuple, &name) ||
        !native_deadline_from(number, &connection)) { /* None is the largest number here too */
        return NULL;
    }
    return native_op_object(native_state_of(self),
                            begin(((struct native_app *)self)->app, &name, connection, NULL));
}

static PyObject *app_subscribe(PyObject *self, PyObject *args)
{
    return change_name(self, args, slim_app_subscribe);
}

static PyObject *app_unsubscribe(PyObject *self, PyObject *args)
{
    return change_name(self, args, slim_app_unsubscribe);
}

static PyObject *app_set_route(PyObject *self, PyObject *args)
{
    return change_name(self, args, slim_app_set_route);
}

static PyObject *app_remove_route(PyObject *self, PyObject *args)
{
    return change_name(self, args, slim_app_remove_route);
}

/* create_session(type, enable_mls, max_retries, interval_ms, metadata, destination) -> (Session, Op) */
static PyObject *app_create_session(PyObject *self, PyObject *args)
{
    int type;
    int is_mls;
    PyObject *max_retries;
    PyObject *interval_ms;
    PyObject *metadata;
    PyObject *destination;
    struct slim_session_config config = {.type = SLIM_POINT_TO_POINT};
    struct slim_pair *pairs = NULL;
    struct slim_name name;
    struct slim_session *session = NULL;
    struct native_state *state = native_state_of(self);
    if (!PyArg_ParseTuple(args, "ipOOOO", &type, &is_mls, &max_retries, &interval_ms, &metadata,
                          &destination) ||
        !native_u32_from(max_retries, &config.max_retries) ||
        !native_u64_from(interval_ms, &config.interval_ms) ||
        !native_name_from(destination, &name) ||
        !native_pairs_from(metadata, &pairs, &config.metadata_count)) {
        return NULL;
    }
    config.type = (enum slim_session_type)type;
    config.enable_mls = is_mls != 0;
    config.metadata = pairs;
    PyObject *op = native_op_object(state, slim_app_create_session(((struct native_app *)self)->app,
                                                                   &config, &name, NULL, &session));
    PyMem_Free(pairs);
    if (session == NULL || op == NULL) {
        slim_session_unref(session);
        PyObject *refused = op == NULL ? NULL : native_op_refusal(op);
        Py_XDECREF(op);
        return refused;
    }
    return Py_BuildValue("(NN)", native_session_object(state, session), op);
}

/* The next session, or None: not by the deadline. */
static PyObject *app_listen(PyObject *self, PyObject *deadline)
{
    struct slim_app *app = ((struct native_app *)self)->app;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_session *session;
    uint64_t deadline_ns;
    enum slim_status status;
    if (!native_deadline_from(deadline, &deadline_ns)) {
        return NULL;
    }
    status = slim_app_listen(app, 0, &session, &error);
    while (status == SLIM_ERR_TIMEOUT && deadline_ns > 0 && native_goes_on(deadline_ns)) {
        Py_BEGIN_ALLOW_THREADS;
        status = slim_app_listen(app, native_slice_end(deadline_ns), &session, &error);
        Py_END_ALLOW_THREADS;
    }
    if (status == SLIM_OK) {
        return native_session_object(native_state_of(self), session);
    }
    if (PyErr_Occurred() != NULL) {
        return NULL;
    }
    if (status == SLIM_ERR_TIMEOUT) {
        Py_RETURN_NONE;
    }
    return native_raise(native_state_of(self), status, error.text);
}

static PyObject *app_await_session(PyObject *self, PyObject *unused)
{
    (void)unused;
    return native_op_object(native_state_of(self),
                            slim_app_await_session(((struct native_app *)self)->app, NULL));
}

static PyMethodDef app_methods[] = {
    {"name", app_name, METH_NOARGS, "Its own name with its id."},
    {"subscribe", app_subscribe, METH_VARARGS, "subscribe(name, connection)"},
    {"unsubscribe", app_unsubscribe, METH_VARARGS, "unsubscribe(name, connection)"},
    {"set_route", app_set_route, METH_VARARGS, "set_route(name, connection)"},
    {"remove_route", app_remove_route, METH_VARARGS, "remove_route(name, connection)"},
    {"create_session", app_create_session, METH_VARARGS,
     "create_session(type, enable_mls, max_retries, interval_ms, metadata, destination)"},
    {"listen", app_listen, METH_O, "The next session by the deadline, or None."},
    {"await_session", app_await_session, METH_NOARGS, "Ends when listen would return something."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot app_slots[] = {
    {Py_tp_dealloc, app_dealloc},
    {Py_tp_methods, app_methods},
    {0, NULL},
};

PyType_Spec native_app_spec = {
    .name = "slim_bindings._slim.App",
    .basicsize = sizeof(struct native_app),
    .flags = NATIVE_TYPE_FLAGS | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = app_slots,
};
