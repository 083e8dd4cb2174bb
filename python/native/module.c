/* The extension module `_slim`. */
#include "native.h"

#include <openssl/crypto.h>

#include "base/hash.h"

struct native_state *native_state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

PyObject *native_raise(struct native_state *state, enum slim_status status, const char *text)
{
    PyObject *args = Py_BuildValue(
        "(iN)", (int)status,
        native_text_to((struct slim_view){(const uint8_t *)text, text == NULL ? 0 : strlen(text)}));
    if (args != NULL) {
        PyErr_SetObject(state->error, args);
        Py_DECREF(args);
    }
    return NULL;
}

void native_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *hash_component(PyObject *module, PyObject *text)
{
    (void)module;
    Py_ssize_t len;
    const char *data = PyUnicode_AsUTF8AndSize(text, &len);
    if (data == NULL) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(
        slim_hash_component((struct slim_view){(const uint8_t *)data, (size_t)len}));
}

static PyObject *version(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyUnicode_FromString(slim_version());
}

static PyMethodDef functions[] = {
    {"hash_component", hash_component, METH_O, "64-bit hash of one component of a name."},
    {"config_check", native_config_check, METH_O,
     "Raises Error when a text is no good configuration of a node."},
    {"config_load", native_config_load, METH_O,
     "(level, directives, display_thread_names, display_thread_ids, n_cores, thread_name, "
     "drain_timeout_ms, warnings, json) of a node's file."},
    {"log_start", native_log_start, METH_VARARGS,
     "log_start(fd, directives, thread_names, thread_ids, colour): False when it was called "
     "before."},
    {"log_warn", native_log_warn, METH_O, "A line of level WARN."},
    {"version", version, METH_NOARGS, "Version of libslim."},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, PyType_Spec *spec, const char *name, PyTypeObject **type)
{
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type == NULL ? -1 : PyModule_AddObjectRef(module, name, (PyObject *)*type);
}

static int module_exec(PyObject *module)
{
    struct native_state *state = PyModule_GetState(module);
    /* our threads may be inside OpenSSL when the process ends: it must not clean up under them */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    state->error = PyErr_NewException("slim_bindings._slim.Error", NULL, NULL);
    if (state->error == NULL || PyModule_AddObjectRef(module, "Error", state->error) != 0 ||
        add_type(module, &native_queue_spec, "Queue", &state->queue_type) != 0 ||
        add_type(module, &native_op_spec, "Op", &state->op_type) != 0 ||
        add_type(module, &native_service_spec, "Service", &state->service_type) != 0 ||
        add_type(module, &native_app_spec, "App", &state->app_type) != 0 ||
        add_type(module, &native_session_spec, "Session", &state->session_type) != 0 ||
        PyModule_AddIntConstant(module, "ERR_CLOSED", SLIM_ERR_CLOSED) != 0 ||
        PyModule_AddIntConstant(module, "ERR_STATE", SLIM_ERR_STATE) != 0) {
        return -1;
    }
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct native_state *state = PyModule_GetState(module);
    Py_VISIT(state->error);
    Py_VISIT(state->queue_type);
    Py_VISIT(state->op_type);
    Py_VISIT(state->service_type);
    Py_VISIT(state->app_type);
    Py_VISIT(state->session_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    struct native_state *state = PyModule_GetState(module);
    Py_CLEAR(state->error);
    Py_CLEAR(state->queue_type);
    Py_CLEAR(state->op_type);
    Py_CLEAR(state->service_type);
    Py_CLEAR(state->app_type);
    Py_CLEAR(state->session_type);
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "slim_bindings._slim",
    .m_doc = "Objects of libslim, without policy. Private: use slim_bindings.",
    .m_size = sizeof(struct native_state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__slim(void);
PyMODINIT_FUNC PyInit__slim(void)
{
    return PyModuleDef_Init(&definition);
}
