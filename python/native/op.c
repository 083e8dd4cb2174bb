/* Queue and Op: operations, and where their ends are picked up. */
#include "native.h"

/* ------------------------------------------------------------------------------------------------ Queue */

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {NULL};
    struct slim_queue *queue;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "", names)) {
        return NULL;
    }
    enum slim_status status = slim_queue_new(&queue);
    if (status != SLIM_OK) {
        return status == SLIM_ERR_NO_MEMORY ? PyErr_NoMemory() : PyErr_SetFromErrno(PyExc_OSError);
    }
    struct native_queue *self = PyObject_New(struct native_queue, type);
    if (self == NULL) {
        slim_queue_unref(queue);
        return NULL;
    }
    self->queue = queue;
    return (PyObject *)self;
}

static void queue_dealloc(PyObject *self)
{
    slim_queue_unref(((struct native_queue *)self)->queue);
    native_free(self);
}

static PyObject *queue_fileno(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(slim_queue_fd(((struct native_queue *)self)->queue));
}

static PyObject *queue_take(PyObject *self, PyObject *unused)
{
    (void)unused;
    PyObject *keys = PyList_New(0);
    struct slim_op *op;
    while (keys != NULL &&
           (op = slim_queue_next(((struct native_queue *)self)->queue, 0)) != NULL) {
        PyObject *key = PyLong_FromSize_t((size_t)(uintptr_t)slim_op_user(op));
        slim_op_unref(op);
        if (key == NULL || PyList_Append(keys, key) != 0) {
            Py_CLEAR(keys);
        }
        Py_XDECREF(key);
    }
    return keys;
}

static PyMethodDef queue_methods[] = {
    {"fileno", queue_fileno, METH_NOARGS,
     "Descriptor that is readable while there is something to take."},
    {"take", queue_take, METH_NOARGS, "Keys of the operations that have ended since, in order."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot queue_slots[] = {
    {Py_tp_new, queue_new},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_methods, queue_methods},
    {0, NULL},
};

PyType_Spec native_queue_spec = {
    .name = "slim_bindings._slim.Queue",
    .basicsize = sizeof(struct native_queue),
    .flags = NATIVE_TYPE_FLAGS,
    .slots = queue_slots,
};

/* ------------------------------------------------------------------------------------------------ Op */

PyObject *native_op_object(struct native_state *state, struct slim_op *op)
{
    struct native_op *self = PyObject_New(struct native_op, state->op_type);
    if (self == NULL) {
        slim_op_unref(op);
        return NULL;
    }
    self->op = op;
    return (PyObject *)self;
}

static void op_dealloc(PyObject *self)
{
    slim_op_unref(((struct native_op *)self)->op);
    native_free(self);
}

/* What it came to: True, False while it goes on; raises. */
static PyObject *result_of(PyObject *self, enum slim_status status, const struct slim_error *error)
{
    if (status != SLIM_OK && status != SLIM_AGAIN) {
        return native_raise(native_state_of(self), status, error->text);
    }
    return PyBool_FromLong(status == SLIM_OK);
}

PyObject *native_op_refusal(PyObject *op)
{
    struct slim_error error = {.status = SLIM_OK};
    enum slim_status status = slim_op_status(((struct native_op *)op)->op, &error);
    return status == SLIM_ERR_NO_MEMORY ? PyErr_NoMemory()
                                        : native_raise(native_state_of(op), status, error.text);
}

static PyObject *op_poll(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct slim_error error = {.status = SLIM_OK};
    enum slim_status status = slim_op_status(((struct native_op *)self)->op, &error);
    return result_of(self, status, &error);
}

static PyObject *op_wait(PyObject *self, PyObject *deadline)
{
    struct slim_op *op = ((struct native_op *)self)->op;
    struct slim_error error = {.status = SLIM_OK};
    uint64_t deadline_ns;
    enum slim_status status;
    if (!native_deadline_from(deadline, &deadline_ns)) {
        return NULL;
    }
    do {
        Py_BEGIN_ALLOW_THREADS;
        status = slim_op_wait(op, native_slice_end(deadline_ns), &error);
        Py_END_ALLOW_THREADS;
    } while (status == SLIM_AGAIN && native_goes_on(deadline_ns));
    return PyErr_Occurred() != NULL ? NULL : result_of(self, status, &error);
}

static PyObject *op_notify(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct native_state *state = native_state_of(self);
    uint64_t key;
    if (count != 2 || Py_TYPE(args[0]) != state->queue_type) {
        PyErr_SetString(PyExc_TypeError, "notify(queue, key)");
        return NULL;
    }
    if (!native_u64_from(args[1], &key)) {
        return NULL;
    }
    struct slim_notify notify = {.queue = ((struct native_queue *)args[0])->queue,
                                 .user = (void *)(uintptr_t)key};
    enum slim_status status = slim_op_notify(((struct native_op *)self)->op, &notify);
    return PyBool_FromLong(status == SLIM_OK);
}

static PyObject *op_connection(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(slim_op_connection(((struct native_op *)self)->op));
}

static PyMethodDef op_methods[] = {
    {"poll", op_poll, METH_NOARGS,
     "True: ended well; False: goes on; raises Error when it failed."},
    {"wait", op_wait, METH_O, "Wait until the deadline; as poll."},
    {"notify", (PyCFunction)(void (*)(void))op_notify, METH_FASTCALL,
     "Tell a queue with this key when it has ended. Once: False when it had one."},
    {"connection", op_connection, METH_NOARGS, "Connection that a connect made."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot op_slots[] = {
    {Py_tp_dealloc, op_dealloc},
    {Py_tp_methods, op_methods},
    {0, NULL},
};

PyType_Spec native_op_spec = {
    .name = "slim_bindings._slim.Op",
    .basicsize = sizeof(struct native_op),
    .flags = NATIVE_TYPE_FLAGS | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = op_slots,
};
