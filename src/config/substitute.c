#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "config/read.h"

enum { OS_TEXT_MAX = 160 };

/* "No such file or directory (os error 2)" */
static enum slim_status set_os_error(struct slim_error *error, int number)
{
    const char *text = strerrordesc_np(number);
    return slim_error_set(error, SLIM_ERR_IO, "%.*s (os error %d)", OS_TEXT_MAX,
                          text == NULL ? "unknown error" : text, number);
}

static enum slim_status read_all(int fd, struct slim_buf *bytes, struct slim_error *error)
{
    enum { STEP_BYTES = 16 * 1024 };
    for (;;) {
        if (slim_buf_reserve(bytes, STEP_BYTES) != SLIM_OK) {
            return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
        }
        ssize_t got = read(fd, bytes->data + bytes->len, STEP_BYTES);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return set_os_error(error, errno);
        }
        if (got == 0) {
            return SLIM_OK;
        }
        bytes->len += (size_t)got;
        if (bytes->len > SLIM_CONFIG_FILE_BYTES_MAX) {
            return slim_error_set(error, SLIM_ERR_LIMIT, "the file is larger than %d bytes",
                                  SLIM_CONFIG_FILE_BYTES_MAX);
        }
    }
}

enum slim_status slim_config_read_file(const char *path, struct slim_buf *bytes,
                                       struct slim_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return set_os_error(error, errno);
    }
    enum slim_status status = read_all(fd, bytes, error);
    (void)close(fd); /* it was only read: nothing can be lost */
    return status;
}

static void put_provider_problem(struct slim_config_reader *reader,
                                 struct slim_config_yaml_node *node, const char *kind,
                                 const char *why, const char *hint)
{
    node->is_broken = true;
    if (kind == NULL) {
        slim_config_put_problem(reader, SLIM_CONFIG_STAGE_FILE, node,
                                (const char *const[]){"config provider error", why, NULL}, "%s",
                                hint);
        return;
    }
    slim_config_put_problem(reader, SLIM_CONFIG_STAGE_FILE, node,
                            (const char *const[]){"config provider error", kind, why, NULL}, "%s",
                            hint);
}

static void take_text(struct slim_config_reader *reader, struct slim_config_yaml_node *node,
                      struct slim_view text)
{
    node->is_secret = true;
    if (slim_config_yaml_keep(reader->yaml, text, &node->text) != SLIM_OK) {
        reader->is_out_of_memory = true;
    }
}

static void substitute_env(struct slim_config_reader *reader, struct slim_config_yaml_node *node,
                           const char *name)
{
    static const char kind[] = "environment variable error";
    char hint[OS_TEXT_MAX];
    const char *value = getenv(name);
    if (value == NULL) {
        (void)snprintf(hint, sizeof(hint), "the variable %.100s is not set", name); /* fits */
        put_provider_problem(reader, node, kind, "environment variable not found", hint);
        return;
    }
    if (!slim_utf8_is_valid(slim_view_str(value))) {
        (void)snprintf(hint, sizeof(hint), "the value of the variable %.100s is not UTF-8",
                       name); /* fits */
        put_provider_problem(reader, node, kind, "environment variable was not valid unicode",
                             hint);
        return;
    }
    take_text(reader, node, slim_view_str(value));
}

static void substitute_file(struct slim_config_reader *reader, struct slim_config_yaml_node *node,
                            const char *path)
{
    static const char kind[] = "file error";
    struct slim_buf bytes = {0};
    struct slim_error error;
    enum slim_status status = slim_config_read_file(path, &bytes, &error);
    if (status == SLIM_ERR_NO_MEMORY) {
        reader->is_out_of_memory = true;
    } else if (status != SLIM_OK) {
        put_provider_problem(reader, node, kind, error.text, "the file cannot be read");
    } else if (!slim_utf8_is_valid(slim_buf_view(&bytes)) ||
               (bytes.len > 0 && memchr(bytes.data, 0, bytes.len) != NULL)) {
        put_provider_problem(reader, node, kind, "stream did not contain valid UTF-8",
                             "the file must be UTF-8 text");
    } else {
        take_text(reader, node, slim_buf_view(&bytes));
    }
    slim_buf_wipe(&bytes);
}

/* Not recursive: what a provider gives is taken as it is. */
static void substitute_scalar(struct slim_config_reader *reader, struct slim_config_yaml_node *node)
{
    struct slim_view text = node->text;
    if (!slim_view_has_prefix(text, SLIM_VIEW("${")) || text.data[text.len - 1] != '}') {
        return;
    }
    struct slim_view inner = slim_view_of(text.data + 2, text.len - 3);
    struct slim_view zeroed;
    if (slim_config_yaml_keep(reader->yaml, inner, &zeroed) != SLIM_OK) {
        reader->is_out_of_memory = true;
        return;
    }
    if (slim_view_has_prefix(zeroed, SLIM_VIEW("env:"))) {
        substitute_env(reader, node, (const char *)zeroed.data + 4);
    } else if (slim_view_has_prefix(zeroed, SLIM_VIEW("file:"))) {
        substitute_file(reader, node, (const char *)zeroed.data + 5);
    } else {
        put_provider_problem(reader, node, NULL, "not found", "write ${env:NAME} or ${file:PATH}");
    }
}

void slim_config_substitute(struct slim_config_reader *reader, struct slim_config_yaml_node *root)
{
    if (root->is_walked) {
        return; /* reached by an alias before */
    }
    root->is_walked = true;
    if (root->kind == SLIM_CONFIG_YAML_STRING) {
        substitute_scalar(reader, root);
        return;
    }
    for (size_t i = 0; i < root->count; i++) {
        const struct slim_config_yaml_item *item = &root->items[i];
        size_t mark;
        if (item->key == NULL) {
            mark = slim_config_path_push(reader, "[%zu]", i);
        } else {
            mark = slim_config_path_push(reader, "%s%s", reader->path_len > 0 ? "." : "",
                                         (const char *)item->key->text.data);
        }
        slim_config_substitute(reader, item->value);
        slim_config_path_pop(reader, mark);
    }
}
