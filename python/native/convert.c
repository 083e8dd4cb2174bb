/* Between Python's values and libslim's. */
#include "native.h"

enum { NAME_PARTS = 3, SLICE_MS = 50 };

/* format: with one %S, for the name of the object's class. */
static void raise_type(PyObject *exception, const char *format, PyObject *object)
{
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__name__");
    if (name != NULL) {
        PyErr_Format(exception, format, name);
        Py_DECREF(name);
    }
}

static bool view_from(PyObject *text, struct slim_view *view)
{
    if (!PyUnicode_Check(text)) {
        raise_type(PyExc_TypeError, "argument must be str, not %S", text);
        return false;
    }
    Py_ssize_t len;
    const char *data = PyUnicode_AsUTF8AndSize(text, &len);
    if (data == NULL) {
        return false;
    }
    *view = (struct slim_view){(const uint8_t *)data, (size_t)len};
    return true;
}

bool native_u64_from(PyObject *number, uint64_t *value)
{
    unsigned long long got = PyLong_AsUnsignedLongLong(number);
    *value = got;
    return got != (unsigned long long)-1 || PyErr_Occurred() == NULL;
}

bool native_u32_from(PyObject *number, uint32_t *value)
{
    uint64_t got;
    if (!native_u64_from(number, &got)) {
        return false;
    }
    if (got > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "a number of 32 bits is expected");
        return false;
    }
    *value = (uint32_t)got;
    return true;
}

bool native_name_from(PyObject *tuple, struct slim_name *name)
{
    if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != NAME_PARTS + 1) {
        PyErr_SetString(PyExc_TypeError, "a name is a tuple of three strings and a number");
        return false;
    }
    for (Py_ssize_t i = 0; i < NAME_PARTS; i++) {
        if (!view_from(PyTuple_GetItem(tuple, i), &name->part[i])) {
            return false;
        }
    }
    return native_u64_from(PyTuple_GetItem(tuple, NAME_PARTS), &name->id);
}

PyObject *native_text_to(struct slim_view text)
{
    return PyUnicode_DecodeUTF8((const char *)text.data, (Py_ssize_t)text.len, "replace");
}

PyObject *native_name_to(const struct slim_name *name)
{
    return Py_BuildValue("(NNNK)", native_text_to(name->part[0]), native_text_to(name->part[1]),
                         native_text_to(name->part[2]), (unsigned long long)name->id);
}

bool native_deadline_from(PyObject *deadline, uint64_t *ns)
{
    if (deadline == Py_None) {
        *ns = SLIM_FOREVER;
        return true;
    }
    return native_u64_from(deadline, ns);
}

bool native_text_from(PyObject *text, const char **result)
{
    struct slim_view view;
    if (text == Py_None) {
        *result = NULL;
        return true;
    }
    if (!view_from(text, &view)) {
        return false;
    }
    *result = (const char *)view.data;
    for (size_t i = 0; i < view.len; i++) {
        if (view.data[i] == 0) {
            PyErr_SetString(PyExc_ValueError, "embedded null character");
            return false;
        }
    }
    return true;
}

bool native_pairs_from(PyObject *dict, struct slim_pair **pairs, size_t *count)
{
    *pairs = NULL;
    *count = 0;
    if (dict == Py_None) {
        return true;
    }
    if (!PyDict_Check(dict)) {
        raise_type(PyExc_AttributeError, "'%S' object has no attribute 'items'", dict);
        return false;
    }
    Py_ssize_t size = PyDict_Size(dict);
    if (size == 0) {
        return true;
    }
    *pairs = PyMem_Malloc((size_t)size * sizeof(struct slim_pair));
    if (*pairs == NULL) {
        PyErr_NoMemory();
        return false;
    }
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;
    while (*count < (size_t)size && PyDict_Next(dict, &at, &key, &value)) {
        if (!view_from(key, &(*pairs)[*count].key) || !view_from(value, &(*pairs)[*count].value)) {
            PyMem_Free(*pairs);
            *pairs = NULL;
            return false;
        }
        ++*count;
    }
    return true;
}

PyObject *native_pairs_to(const struct slim_pair *pairs, size_t count)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; i < count && dict != NULL; i++) {
        PyObject *key = native_text_to(pairs[i].key);
        PyObject *value = native_text_to(pairs[i].value);
        if (key == NULL || value == NULL || PyDict_SetItem(dict, key, value) != 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
}

uint64_t native_slice_end(uint64_t deadline_ns)
{
    uint64_t end = slim_in_ms(SLICE_MS);
    return end < deadline_ns ? end : deadline_ns;
}

bool native_goes_on(uint64_t deadline_ns)
{
    return PyErr_CheckSignals() == 0 &&
           (deadline_ns == SLIM_FOREVER || slim_now_ns() < deadline_ns);
}
