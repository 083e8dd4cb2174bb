/* The node's configuration file, for Python; and the start of log lines, which its section `tracing` is about. */
#include <stdatomic.h>
#include <stdlib.h>

#include "config/config.h"
#include "native.h"

#define SLIM_LOG_TARGET "slim_bindings::config"

/* The reference's causes below each other; the last one is ours, with place and key. */
static PyObject *raise_problem(PyObject *module, enum slim_status status,
                               const struct slim_config_error *problem)
{
    char text[SLIM_CONFIG_CAUSES_MAX * SLIM_CONFIG_CAUSE_BYTES_MAX];
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < problem->cause_count && at < sizeof(text); i++) {
        const char *lead = i == 0 ? "" : i == 1 ? "\nCaused by:\n  -> " : "\n  -> ";
        int len = snprintf(text + at, sizeof(text) - at, "%s%s", lead, problem->cause[i]);
        at += len > 0 ? (size_t)len : 0;
    }
    return native_raise(PyModule_GetState(module), status, text);
}

static PyObject *texts_to(char *const *texts, size_t count)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; i < count && list != NULL; i++) {
        PyObject *text = native_text_to(slim_view_str(texts[i]));
        if (text == NULL || PyList_Append(list, text) != 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(text);
    }
    return list;
}

/* (level, directives, display_thread_names, display_thread_ids, n_cores, thread_name, drain_timeout_ms, warnings, json) */
static PyObject *config_to(const struct slim_config *config, const struct slim_buf *json)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "off"};
    return Py_BuildValue(
        "(ssNNIsKNN)", levels[config->log_level], config->log_directives,
        PyBool_FromLong(config->display_thread_names), PyBool_FromLong(config->display_thread_ids),
        config->n_cores, config->thread_name, (unsigned long long)config->drain_timeout_ms,
        texts_to(config->warnings, config->warning_count), native_text_to(slim_buf_view(json)));
}

PyObject *native_config_load(PyObject *module, PyObject *path)
{
    const char *text;
    struct slim_config *config = NULL;
    struct slim_buf json = {0};
    struct slim_config_error problem = {0};
    enum slim_status status;
    if (!native_text_from(path, &text)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    status = slim_config_load_json(text == NULL ? "" : text, &config, &json, &problem);
    Py_END_ALLOW_THREADS;
    PyObject *result =
        status == SLIM_OK ? config_to(config, &json) : raise_problem(module, status, &problem);
    slim_config_free(config);
    slim_buf_wipe(&json);
    return result;
}

PyObject *native_config_check(PyObject *module, PyObject *text)
{
    const char *document;
    struct slim_config *config = NULL;
    struct slim_config_error problem = {0};
    if (!native_text_from(text, &document)) {
        return NULL;
    }
    enum slim_status status = slim_config_parse(slim_view_str(document), "json", &config, &problem);
    slim_config_free(config);
    if (status != SLIM_OK) {
        return raise_problem(module, status, &problem);
    }
    Py_RETURN_NONE;
}

PyObject *native_log_start(PyObject *module, PyObject *args)
{
    static _Atomic bool is_started;
    const char *directives;
    int fd;
    int names;
    int ids;
    int colour;
    (void)module;
    if (!PyArg_ParseTuple(args, "isppp", &fd, &directives, &names, &ids, &colour)) {
        return NULL;
    }
    if (atomic_exchange(&is_started, true)) {
        Py_RETURN_FALSE;
    }
    struct slim_log_options options = {
        .fd = fd,
        .level = SLIM_LOG_INFO,
        .directives = slim_view_str(directives),
        .display_thread_names = names != 0,
        .display_thread_ids = ids != 0,
        .colour = colour != 0,
    };
    enum slim_status status = slim_log_init(&options, NULL); /* what is understood is in force */
    return PyBool_FromLong(status == SLIM_OK || status == SLIM_ERR_CONFIG);
}

PyObject *native_log_warn(PyObject *module, PyObject *text)
{
    const char *message;
    (void)module;
    if (!native_text_from(text, &message)) {
        return NULL;
    }
    slim_log(WARN, message == NULL ? "" : message);
    Py_RETURN_NONE;
}
