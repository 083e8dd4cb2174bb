/* Typed reading of a YAML tree: problems and warnings with file, line and key path. Private to src/config.
 *
 * Readers go on after a problem, so that all of them are found at once. */
#ifndef SLIM_CONFIG_READ_H
#define SLIM_CONFIG_READ_H

#include "base/buf.h"
#include "config/config.h"
#include "config/document.h"
#include "config/limits.h"

/* stage              stage of type errors in the part of the file that is being read
 * start_stage        stage of what the reference finds out when it starts a server or client
 * start_context      outermost cause of such a problem: "datapath error", "controller error"
 * has_files          files that the configuration names are looked at
 * is_out_of_memory   set by whoever finds it; the result is thrown away then
 * document           gets the document as JSON, for a program that may do without services and what they run; NULL: for a node
 * text_bytes         copied into the configuration so far, aliases counted each time
 * path               keys down to the value that is being read, e.g. services.slim/0.dataplane.servers[0] */
struct slim_config_reader {
    const char *file;
    struct slim_config_report *report;
    struct slim_config_yaml *yaml;
    enum slim_config_stage stage;
    enum slim_config_stage start_stage;
    const char *start_context;
    bool has_files;
    bool is_out_of_memory;
    struct slim_buf *document;
    size_t text_bytes;
    size_t path_len;
    char path[SLIM_CONFIG_PATH_BYTES_MAX];
};

/* Add a problem: `causes` (outermost first, ends with NULL) and, as the last cause, where it is and the formatted hint.
 * `at` may be NULL: the file as a whole. */
void slim_config_put_problem(struct slim_config_reader *reader, enum slim_config_stage stage,
                             const struct slim_config_yaml_node *at, const char *const *causes,
                             const char *hint, ...) SLIM_PRINTF(5, 6);

void slim_config_put_warning(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *at, const char *format, ...)
    SLIM_PRINTF(3, 4);

/* "yaml parse error" -> "invalid type: integer `10`, expected string". */
void slim_config_put_type_problem(struct slim_config_reader *reader,
                                  const struct slim_config_yaml_node *at, const char *expected,
                                  const char *hint);

/* "yaml parse error" -> "missing field `NAME`". */
void slim_config_put_missing(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *at, const char *name,
                             const char *hint);

/* A problem of the stage `start_stage`: start_context -> "configuration error" -> `causes` (at most 3, NULL at the end). */
void slim_config_put_start_problem(struct slim_config_reader *reader,
                                   const struct slim_config_yaml_node *at,
                                   const char *const *causes, const char *hint);

/* The value is legal, but nothing that this version does. `what` is put behind "this version of slim does not support". */
void slim_config_put_unsupported(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *at, const char *what, ...)
    SLIM_PRINTF(3, 4);

/* Problems so far, those beyond the limit included: the same before and after when a part of the file is good. */
static inline size_t slim_config_problem_total(const struct slim_config_reader *reader)
{
    return reader->report->problem_count + reader->report->left_out_count;
}

/* Go one key down; give the result to slim_config_path_pop. */
size_t slim_config_path_push(struct slim_config_reader *reader, const char *format, ...)
    SLIM_PRINTF(2, 3);
void slim_config_path_pop(struct slim_config_reader *reader, size_t mark);

enum slim_config_type {
    SLIM_CONFIG_TYPE_BOOL,     /* bool */
    SLIM_CONFIG_TYPE_U32,      /* uint32_t */
    SLIM_CONFIG_TYPE_U64,      /* uint64_t */
    SLIM_CONFIG_TYPE_USIZE,    /* uint64_t; differs from U64 in messages only */
    SLIM_CONFIG_TYPE_STRING,   /* char *, owned by the target; an old text is freed */
    SLIM_CONFIG_TYPE_SECRET,   /* as STRING; never shown in a message */
    SLIM_CONFIG_TYPE_DURATION, /* uint64_t, milliseconds */
    SLIM_CONFIG_TYPE_CUSTOM,   /* `read` does it */
};

#define SLIM_CONFIG_NO_FIELD SIZE_MAX

/* One key of a section.
 * offset        of the field in the target; SLIM_CONFIG_NO_FIELD: the type is checked and the value has no effect
 * is_optional   null is the same as absent
 * read          for SLIM_CONFIG_TYPE_CUSTOM: called with the target of the section */
struct slim_config_key {
    const char *name;
    enum slim_config_type type;
    size_t offset;
    bool is_optional;
    void (*read)(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                 void *target);
};

/* Read a map by the table `keys`; fields whose keys are absent stay as they are. Null is an empty map. Unknown keys are
 * warned of. `expected` names the section in type errors ("struct ServerConfig"). */
void slim_config_read_map(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node, const char *expected,
                          const struct slim_config_key *keys, size_t key_count, void *target);

/* Read one value into the field of `key` in `target`. */
void slim_config_read_value(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node,
                            const struct slim_config_key *key, void *target);

/* A copy of the text of a STRING node into *copy, freeing what was there. False: no memory, or all texts together are more
 * than SLIM_CONFIG_TEXT_BYTES_MAX (aliases repeat them); a problem was put. */
bool slim_config_copy_text(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, char **copy);

/* Wipe and free: any text may have come from ${env:..} or ${file:..}. NULL is allowed. */
void slim_config_text_free(char *text);

/* One of `words` (NULL at the end), or NULL after a problem was put. `expected` names the type in type errors. */
const char *slim_config_read_word(struct slim_config_reader *reader,
                                  const struct slim_config_yaml_node *node, const char *expected,
                                  const char *const *words);

/* A tagged value such as `auth: {type: basic, ..}`: its `type`, or NULL after a problem was put. Null gives "none".
 * expected: "one of `pem`, `file`" as it stands in the message about an unknown type; types: all of them, NULL at the end. */
const char *slim_config_read_tag(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node, const char *section,
                                 const char *expected, const char *const *types);

/* Replace every string that is a whole ${env:NAME} or ${file:PATH} (node.md 3.2). */
void slim_config_substitute(struct slim_config_reader *reader, struct slim_config_yaml_node *root);

/* All bytes of a file, at most SLIM_CONFIG_FILE_BYTES_MAX. SLIM_ERR_IO, SLIM_ERR_LIMIT with the reference's words in
 * *error ("No such file or directory (os error 2)"); SLIM_ERR_NO_MEMORY. */
struct slim_buf;
SLIM_MUST_CHECK enum slim_status slim_config_read_file(const char *path, struct slim_buf *bytes,
                                                       struct slim_error *error);

/* The sections of the file. `node` may be NULL: the section is absent. */
void slim_config_read_tracing(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node);
void slim_config_read_runtime(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node);
void slim_config_read_telemetry(struct slim_config_reader *reader,
                                const struct slim_config_yaml_node *node);
void slim_config_read_services(struct slim_config_reader *reader,
                               const struct slim_config_yaml_node *node);

/* One entry of dataplane.servers or dataplane.clients into a zeroed target. */
void slim_config_read_server(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node,
                             struct slim_config_server *server);
void slim_config_read_client(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node,
                             struct slim_config_client *client);

/* ---- tls (tls.c). *tls has the defaults of slim_config_tls_init, or was read already. */
void slim_config_tls_init(struct slim_config_tls *tls);
void slim_config_read_server_tls(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node,
                                 struct slim_config_tls *tls);
void slim_config_read_client_tls(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node,
                                 struct slim_config_tls *tls);
/* What the reference finds out at the start; what could not be read is left alone. `node` is the section, NULL when absent; `at` is where it would be. */
void slim_config_check_server_tls(struct slim_config_reader *reader,
                                  const struct slim_config_yaml_node *node,
                                  const struct slim_config_yaml_node *at,
                                  const struct slim_config_tls *tls);
void slim_config_check_client_tls(struct slim_config_reader *reader,
                                  const struct slim_config_yaml_node *node,
                                  const struct slim_config_tls *tls);
void slim_config_tls_fini(struct slim_config_tls *tls);
/* The keys of a SPIFFE source; `type` and what `node` has besides are passed over. */
void slim_config_read_spire(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node,
                            struct slim_config_spire *spire);
void slim_config_spire_fini(struct slim_config_spire *spire);

/* ---- auth, token_provider, token_verifier (auth.c) */
enum slim_config_auth_role {
    SLIM_CONFIG_ROLE_SERVER,
    SLIM_CONFIG_ROLE_CLIENT,
    SLIM_CONFIG_ROLE_PROVIDER,
    SLIM_CONFIG_ROLE_VERIFIER,
};
void slim_config_read_auth(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node,
                           enum slim_config_auth_role role, struct slim_config_auth *auth);
void slim_config_check_auth(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node,
                            enum slim_config_auth_role role, const struct slim_config_auth *auth);
void slim_config_auth_fini(struct slim_config_auth *auth);

/* ---- shared (shared.c) */
void slim_config_read_strings(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node,
                              struct slim_config_strings *strings);
void slim_config_strings_fini(struct slim_config_strings *strings);
/* Header names and values: names in lower case, those that HTTP/2 or gRPC sets itself left out with a warning. */
void slim_config_read_headers(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node,
                              struct slim_config_pairs *pairs);
void slim_config_pairs_fini(struct slim_config_pairs *pairs);
/* A map of texts, numbers, lists and maps as the text of a JSON object of at most `bytes_max` bytes. */
void slim_config_read_json(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, size_t bytes_max, char **text);
void slim_config_read_transport(struct slim_config_reader *reader,
                                const struct slim_config_yaml_node *node, void *target);
/* "1.2.3.4:80" or "[::1]:80" */
bool slim_config_is_socket_address(const char *text);
/* "host", "host:port", "1.2.3.4:port", "[::1]:port": the part of a URL between the slashes, without user and password. */
bool slim_config_is_authority(const char *text, size_t len);

void slim_config_server_fini(struct slim_config_server *server);
void slim_config_client_fini(struct slim_config_client *client);
void slim_config_service_fini(struct slim_config_service *service);

/* Append a document as JSON. SLIM_ERR_NO_MEMORY; SLIM_ERR_INVALID: a text is not UTF-8. */
SLIM_MUST_CHECK enum slim_status slim_config_put_document(const struct slim_config_yaml_node *root,
                                                          struct slim_buf *out);

#endif
