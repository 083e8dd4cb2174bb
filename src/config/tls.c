/* The section tls of servers, clients and proxies (spec node.md 3.7). */
#include <stdio.h>

#include "base/buf.h"
#include "config/read.h"

#define SOURCE_TYPES "one of `pem`, `file`, `spire`, `none`"

static const char *const source_types[] = {"pem", "file", "spire", "none", NULL};

/* ---------------------------------------------------------------------------------------------------- sources */

#define SPIRE(member) offsetof(struct slim_config_spire, member)

static void read_audiences(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_spire *spire = target;
    slim_config_read_strings(reader, node, &spire->jwt_audiences);
}

static void read_trust_domains(struct slim_config_reader *reader,
                               const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_spire *spire = target;
    slim_config_read_strings(reader, node, &spire->trust_domains);
}

void slim_config_read_spire(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node,
                            struct slim_config_spire *spire)
{
    static const struct slim_config_key keys[] = {
        {"type", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"socket_path", SLIM_CONFIG_TYPE_STRING, SPIRE(socket_path), true, NULL},
        {"target_spiffe_id", SLIM_CONFIG_TYPE_STRING, SPIRE(target_spiffe_id), true, NULL},
        {"jwt_audiences", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_audiences},
        {"trust_domains", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_trust_domains},
    };
    slim_config_read_map(reader, node, "struct SpireConfig", keys, SLIM_COUNT(keys), spire);
    if (slim_config_yaml_find(node, "jwt_audiences") == NULL) {
        struct slim_config_yaml_node slim = {.kind = SLIM_CONFIG_YAML_STRING,
                                             .text = SLIM_VIEW("slim")};
        struct slim_config_yaml_item item = {.value = &slim};
        struct slim_config_yaml_node list = {
            .kind = SLIM_CONFIG_YAML_LIST, .items = &item, .count = 1};
        slim_config_read_strings(reader, &list, &spire->jwt_audiences);
    }
}

void slim_config_spire_fini(struct slim_config_spire *spire)
{
    slim_config_text_free(spire->socket_path);
    slim_config_text_free(spire->target_spiffe_id);
    slim_config_strings_fini(&spire->jwt_audiences);
    slim_config_strings_fini(&spire->trust_domains);
}

static enum slim_config_source_kind source_kind(const char *type)
{
    return strcmp(type, "pem") == 0     ? SLIM_CONFIG_SOURCE_PEM
           : strcmp(type, "file") == 0  ? SLIM_CONFIG_SOURCE_FILE
           : strcmp(type, "spire") == 0 ? SLIM_CONFIG_SOURCE_SPIRE
                                        : SLIM_CONFIG_SOURCE_NONE;
}

/* A map that must have the text `name`, which was read into `text`. */
static void need(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                 const char *name, const char *text, const char *hint)
{
    if (text == NULL && slim_config_yaml_find(node, name) == NULL) {
        slim_config_put_missing(reader, node, name, hint);
    }
}

static void read_source(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        void *target)
{
    static const struct slim_config_key keys[] = {
        {"type", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"cert", SLIM_CONFIG_TYPE_STRING, offsetof(struct slim_config_certificate, cert), false,
         NULL},
        {"key", SLIM_CONFIG_TYPE_SECRET, offsetof(struct slim_config_certificate, key), false,
         NULL},
    };
    struct slim_config_certificate *source = &((struct slim_config_tls *)target)->source;
    const char *type = slim_config_read_tag(reader, node, "TlsSource", SOURCE_TYPES, source_types);
    if (type == NULL) {
        return;
    }
    source->kind = source_kind(type);
    if (source->kind == SLIM_CONFIG_SOURCE_SPIRE) {
        slim_config_read_spire(reader, node, &source->spire);
    } else if (source->kind != SLIM_CONFIG_SOURCE_NONE) {
        bool is_file = source->kind == SLIM_CONFIG_SOURCE_FILE;
        const char *hint = is_file ? "write {type: file, cert: PATH, key: PATH}"
                                   : "write {type: pem, cert: TEXT, key: TEXT}";
        slim_config_read_map(reader, node, "struct TlsSource", keys, SLIM_COUNT(keys), source);
        need(reader, node, "cert", source->cert, hint);
        need(reader, node, "key", source->key, hint);
    }
}

static void read_ca(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                    struct slim_config_ca *ca)
{
    static const struct slim_config_key file_keys[] = {
        {"type", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"path", SLIM_CONFIG_TYPE_STRING, offsetof(struct slim_config_ca, ca), false, NULL},
    };
    static const struct slim_config_key pem_keys[] = {
        {"type", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"data", SLIM_CONFIG_TYPE_STRING, offsetof(struct slim_config_ca, ca), false, NULL},
    };
    const char *type = slim_config_read_tag(reader, node, "CaSource", SOURCE_TYPES, source_types);
    if (type == NULL) {
        return;
    }
    ca->kind = source_kind(type);
    if (ca->kind == SLIM_CONFIG_SOURCE_SPIRE) {
        slim_config_read_spire(reader, node, &ca->spire);
    } else if (ca->kind == SLIM_CONFIG_SOURCE_FILE) {
        slim_config_read_map(reader, node, "struct CaSource", file_keys, SLIM_COUNT(file_keys), ca);
        need(reader, node, "path", ca->ca, "write {type: file, path: PATH}");
    } else if (ca->kind == SLIM_CONFIG_SOURCE_PEM) {
        slim_config_read_map(reader, node, "struct CaSource", pem_keys, SLIM_COUNT(pem_keys), ca);
        need(reader, node, "data", ca->ca, "write {type: pem, data: TEXT}");
    }
}

static void read_ca_source(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    read_ca(reader, node, &((struct slim_config_tls *)target)->ca_source);
}

static void read_client_ca(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    read_ca(reader, node, &((struct slim_config_tls *)target)->client_ca);
}

/* ---------------------------------------------------------------------------------------------------- the section */

/* Which words are good is looked at when it is known whether TLS is on. */
static void read_version(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_tls *tls = target;
    if (node->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, node, "a string", "write tls1.2 or tls1.3");
    } else if (slim_view_is_equal(node->text, SLIM_VIEW("tls1.2"))) {
        tls->version = SLIM_CONFIG_TLS_1_2;
    }
}

/* {secs: u64, nanos: u32} */
static void read_reload(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        void *target)
{
    enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };
    struct interval {
        uint64_t secs;
        uint32_t nanos;
    } interval = {.secs = 0};
    static const struct slim_config_key keys[] = {
        {"secs", SLIM_CONFIG_TYPE_U64, offsetof(struct interval, secs), false, NULL},
        {"nanos", SLIM_CONFIG_TYPE_U32, offsetof(struct interval, nanos), false, NULL},
    };
    static const char hint[] = "write {secs: N, nanos: 0}";
    struct slim_config_tls *tls = target;
    slim_config_read_map(reader, node, "struct Duration", keys, SLIM_COUNT(keys), &interval);
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        return;
    }
    if (slim_config_yaml_find(node, "secs") == NULL) {
        slim_config_put_missing(reader, node, "secs", hint);
    } else if (slim_config_yaml_find(node, "nanos") == NULL) {
        slim_config_put_missing(reader, node, "nanos", hint);
    }
    uint64_t rest_ms = (interval.nanos + NS_PER_MS - 1U) / NS_PER_MS;
    if (__builtin_mul_overflow(interval.secs, (uint64_t)MS_PER_S, &tls->reload_interval_ms) ||
        __builtin_add_overflow(tls->reload_interval_ms, rest_ms, &tls->reload_interval_ms)) {
        tls->reload_interval_ms = UINT64_MAX; /* never, for all that matters */
    }
}

#define TLS(member) offsetof(struct slim_config_tls, member)
#define COMMON_KEYS                                                                                \
    {"insecure", SLIM_CONFIG_TYPE_BOOL, TLS(is_insecure), false, NULL},                            \
        {"source", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_source},                                 \
        {"ca_source", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_ca_source},                           \
        {"include_system_ca_certs_pool", SLIM_CONFIG_TYPE_BOOL, TLS(include_system_ca), false,     \
         NULL},                                                                                    \
        {"tls_version", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_version},                          \
    {                                                                                              \
        "reload_interval", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_reload                           \
    }

void slim_config_tls_init(struct slim_config_tls *tls)
{
    *tls = (struct slim_config_tls){.include_system_ca = true, .version = SLIM_CONFIG_TLS_1_3};
}

void slim_config_read_server_tls(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node,
                                 struct slim_config_tls *tls)
{
    static const struct slim_config_key keys[] = {
        COMMON_KEYS,
        {"client_ca", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_client_ca},
        {"reload_client_ca_file", SLIM_CONFIG_TYPE_BOOL, SLIM_CONFIG_NO_FIELD, false, NULL},
    };
    slim_config_read_map(reader, node, "struct TlsServerConfig", keys, SLIM_COUNT(keys), tls);
}

void slim_config_read_client_tls(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node,
                                 struct slim_config_tls *tls)
{
    static const struct slim_config_key keys[] = {
        COMMON_KEYS,
        {"insecure_skip_verify", SLIM_CONFIG_TYPE_BOOL, TLS(skip_verify), false, NULL},
    };
    slim_config_read_map(reader, node, "struct TlsClientConfig", keys, SLIM_COUNT(keys), tls);
}

void slim_config_tls_fini(struct slim_config_tls *tls)
{
    slim_config_text_free(tls->source.cert);
    slim_config_text_free(tls->source.key);
    slim_config_spire_fini(&tls->source.spire);
    slim_config_text_free(tls->ca_source.ca);
    slim_config_spire_fini(&tls->ca_source.spire);
    slim_config_text_free(tls->client_ca.ca);
    slim_config_spire_fini(&tls->client_ca.spire);
}

/* ---------------------------------------------------------------------------------------------------- start */

static const struct slim_config_yaml_node *find_in(const struct slim_config_yaml_node *node,
                                                   const char *key)
{
    return node == NULL || node->kind != SLIM_CONFIG_YAML_MAP ? NULL
                                                              : slim_config_yaml_find(node, key);
}

static void put_tls_problem(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *at, const char *outer,
                            const char *inner, const char *hint)
{
    slim_config_put_start_problem(
        reader, at, (const char *const[]){"TLS config error", outer, inner, NULL}, hint);
}

enum pem_kind {
    PEM_CERTIFICATE,
    PEM_KEY,
};

/* Whether a section of the right kind begins; OpenSSL looks at what is in it when it is used. */
static bool has_pem(struct slim_view text, enum pem_kind kind)
{
    static const char *const certificates[] = {"-----BEGIN CERTIFICATE-----"};
    static const char *const keys[] = {"-----BEGIN PRIVATE KEY-----",
                                       "-----BEGIN RSA PRIVATE KEY-----",
                                       "-----BEGIN EC PRIVATE KEY-----"};
    const char *const *marks = kind == PEM_KEY ? keys : certificates;
    size_t count = kind == PEM_KEY ? SLIM_COUNT(keys) : SLIM_COUNT(certificates);
    for (size_t i = 0; i < count; i++) {
        if (text.len > 0 && memmem(text.data, text.len, marks[i], strlen(marks[i])) != NULL) {
            return true;
        }
    }
    return false;
}

static void check_pem_text(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *at, struct slim_view text,
                           enum pem_kind kind)
{
    if (!has_pem(text, kind)) {
        put_tls_problem(reader, at, "invalid pem format", "no items found",
                        kind == PEM_KEY ? "there must be a private key in PEM form, not encrypted"
                                        : "there must be a certificate in PEM form");
    }
}

static void check_pem_file(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *at, const char *path,
                           enum pem_kind kind)
{
    if (!reader->has_files) {
        return;
    }
    struct slim_buf bytes = {0};
    struct slim_error error;
    enum slim_status status = slim_config_read_file(path, &bytes, &error);
    if (status == SLIM_ERR_NO_MEMORY) {
        reader->is_out_of_memory = true;
    } else if (status != SLIM_OK) {
        char text[SLIM_CONFIG_CAUSE_BYTES_MAX];
        (void)snprintf(text, sizeof(text), "I/O error: %s", error.text); /* fits */
        put_tls_problem(reader, at, "invalid pem format", text, "the file cannot be read");
    } else {
        check_pem_text(reader, at, slim_buf_view(&bytes), kind);
    }
    slim_buf_wipe(&bytes);
}

/* The text or file under `key` of the map `source`. */
static void check_pem(struct slim_config_reader *reader, const struct slim_config_yaml_node *source,
                      const char *key, enum slim_config_source_kind kind, const char *text)
{
    if (text == NULL) {
        return; /* it could not be read: reported already */
    }
    enum pem_kind pem = strcmp(key, "key") == 0 ? PEM_KEY : PEM_CERTIFICATE;
    size_t mark = slim_config_path_push(reader, ".%s", key);
    switch (kind) {
    case SLIM_CONFIG_SOURCE_FILE:
        check_pem_file(reader, find_in(source, key), text, pem);
        break;
    case SLIM_CONFIG_SOURCE_PEM:
        check_pem_text(reader, find_in(source, key), slim_view_str(text), pem);
        break;
    case SLIM_CONFIG_SOURCE_NONE:
    case SLIM_CONFIG_SOURCE_SPIRE:
        break;
    }
    slim_config_path_pop(reader, mark);
}

static void check_ca(struct slim_config_reader *reader, const struct slim_config_yaml_node *section,
                     const char *name, const struct slim_config_ca *ca)
{
    const char *key = ca->kind == SLIM_CONFIG_SOURCE_FILE ? "path" : "data";
    size_t mark = slim_config_path_push(reader, ".%s", name);
    check_pem(reader, find_in(section, name), key, ca->kind, ca->ca);
    slim_config_path_pop(reader, mark);
}

static void check_sources(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node,
                          const struct slim_config_tls *tls)
{
    const struct slim_config_yaml_node *source = find_in(node, "source");
    size_t mark = slim_config_path_push(reader, ".source");
    check_pem(reader, source, "cert", tls->source.kind, tls->source.cert);
    check_pem(reader, source, "key", tls->source.kind, tls->source.key);
    slim_config_path_pop(reader, mark);
    check_ca(reader, node, "ca_source", &tls->ca_source);
    check_ca(reader, node, "client_ca", &tls->client_ca);
}

static bool is_good_version(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node)
{
    const struct slim_config_yaml_node *version = find_in(node, "tls_version");
    if (version == NULL || version->kind != SLIM_CONFIG_YAML_STRING || version->is_broken ||
        slim_view_is_equal(version->text, SLIM_VIEW("tls1.2")) ||
        slim_view_is_equal(version->text, SLIM_VIEW("tls1.3"))) {
        return true;
    }
    char text[64];
    (void)snprintf(text, sizeof(text), "invalid tls version: %.40s",
                   version->is_secret ? "${..}" : (const char *)version->text.data); /* fits */
    size_t mark = slim_config_path_push(reader, ".tls_version");
    put_tls_problem(reader, version, text, NULL, "write tls1.2 or tls1.3");
    slim_config_path_pop(reader, mark);
    return false;
}

/* Settings that look as if they protected something. */
static void warn_insecure(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node,
                          const struct slim_config_tls *tls)
{
    if (tls->source.kind != SLIM_CONFIG_SOURCE_NONE ||
        tls->ca_source.kind != SLIM_CONFIG_SOURCE_NONE ||
        tls->client_ca.kind != SLIM_CONFIG_SOURCE_NONE) {
        slim_config_put_warning(reader, node,
                                "certificates have no effect with insecure: true, there is no TLS");
    }
}

/* A source that says none, or is not there; one that could not be read is none of these. */
static bool has_no_source(const struct slim_config_yaml_node *node)
{
    const struct slim_config_yaml_node *source = find_in(node, "source");
    const struct slim_config_yaml_node *type = find_in(source, "type");
    bool is_section =
        node == NULL || node->kind == SLIM_CONFIG_YAML_MAP || node->kind == SLIM_CONFIG_YAML_NULL;
    return is_section && (source == NULL || source->kind == SLIM_CONFIG_YAML_NULL ||
                          (type != NULL && slim_view_is_equal(type->text, SLIM_VIEW("none"))));
}

void slim_config_check_server_tls(struct slim_config_reader *reader,
                                  const struct slim_config_yaml_node *node,
                                  const struct slim_config_yaml_node *at,
                                  const struct slim_config_tls *tls)
{
    if (tls->is_insecure) {
        warn_insecure(reader, node, tls);
    } else if (!is_good_version(reader, node)) {
        return;
    } else if (has_no_source(node)) {
        put_tls_problem(reader, node == NULL ? at : node, "missing server cert or key", NULL,
                        "add source: {type: file, cert: PATH, key: PATH}, or tls: {insecure: "
                        "true} for a server without TLS");
    } else {
        check_sources(reader, node, tls);
    }
}

void slim_config_check_client_tls(struct slim_config_reader *reader,
                                  const struct slim_config_yaml_node *node,
                                  const struct slim_config_tls *tls)
{
    if (tls->is_insecure && tls->ca_source.kind == SLIM_CONFIG_SOURCE_NONE) {
        warn_insecure(reader, node, tls);
    } else if (is_good_version(reader, node)) {
        check_sources(reader, node, tls);
    }
}
