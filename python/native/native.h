/* What the files of the extension `_slim` share: objects of libslim as Python objects, without any policy. All policy (names, records, texts of
 * errors, asyncio) is Python code in slim_bindings/.
 *
 * No thread of libslim ever enters Python: what ends is picked up from a queue by the thread of an event loop (Queue.take), or waited
 * for by the caller with the interpreter released. Names are tuples (part, part, part, id). Deadlines are nanoseconds of time.monotonic_ns(); None: for ever. */
#ifndef SLIM_PYTHON_NATIVE_H
#define SLIM_PYTHON_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <slim/slim.h>
#include <stdbool.h>

/* Nobody changes a class or makes another of it. */
#define NATIVE_TYPE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE)

/* error   exception class: Error(status, text)
 * types   of the objects below */
struct native_state {
    PyObject *error;
    PyTypeObject *queue_type;
    PyTypeObject *op_type;
    PyTypeObject *service_type;
    PyTypeObject *app_type;
    PyTypeObject *session_type;
};

struct native_queue {
    PyObject_HEAD struct slim_queue *queue;
};

struct native_op {
    PyObject_HEAD struct slim_op *op;
};

struct native_service {
    PyObject_HEAD struct slim_service *service;
};

struct native_app {
    PyObject_HEAD struct slim_app *app;
};

struct native_session {
    PyObject_HEAD struct slim_session *session;
};

extern PyType_Spec native_queue_spec;
extern PyType_Spec native_op_spec;
extern PyType_Spec native_service_spec;
extern PyType_Spec native_app_spec;
extern PyType_Spec native_session_spec;

/* Of the module that the object's type belongs to. */
struct native_state *native_state_of(PyObject *self);

/* Raise Error(status, text). Returns NULL for `return native_raise(...)`. */
PyObject *native_raise(struct native_state *state, enum slim_status status, const char *text);

/* The operation becomes the object's, whether it works or not. */
PyObject *native_op_object(struct native_state *state, struct slim_op *op);

/* Raise what an operation failed with. Returns NULL. */
PyObject *native_op_refusal(PyObject *op);
PyObject *native_app_object(struct native_state *state, struct slim_app *app);
PyObject *native_session_object(struct native_state *state, struct slim_session *session);

/* Give an object's memory back and let go of its type. */
void native_free(PyObject *self);

/* ---- config.c: functions of the module */
PyObject *native_config_load(PyObject *module, PyObject *path);
PyObject *native_config_check(PyObject *module, PyObject *text);
PyObject *native_log_start(PyObject *module, PyObject *args);
PyObject *native_log_warn(PyObject *module, PyObject *text);

/* ---- convert.c: false or NULL: an exception is set */

/* (part, part, part, id); borrows the strings of the tuple. */
bool native_name_from(PyObject *tuple, struct slim_name *name);
PyObject *native_name_to(const struct slim_name *name);
bool native_u64_from(PyObject *number, uint64_t *value);
bool native_u32_from(PyObject *number, uint32_t *value);

/* None: SLIM_FOREVER. */
bool native_deadline_from(PyObject *deadline, uint64_t *ns);

/* Zero-terminated; None: NULL. */
bool native_text_from(PyObject *text, const char **result);
PyObject *native_text_to(struct slim_view text);

/* dict[str, str] or None; borrows the strings, so the dict must stay as it is. *pairs: PyMem_Free. */
bool native_pairs_from(PyObject *dict, struct slim_pair **pairs, size_t *count);
PyObject *native_pairs_to(const struct slim_pair *pairs, size_t count);

/* Wait in slices with the interpreter released, so that Ctrl-C is answered: the end of the next slice, at most `deadline_ns`. False: the
 * deadline has passed, or (with an exception set) a signal's handler raised. */
uint64_t native_slice_end(uint64_t deadline_ns);
bool native_goes_on(uint64_t deadline_ns);

#endif
