/* auth of servers and clients, token_provider and token_verifier of controllers (spec node.md 3.8). */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "config/read.h"

enum {
    TOKEN_DURATION_MS = 3600 * 1000,
    SHARED_SECRET_BYTES_MIN = 32,
};

#define FIELD(member) offsetof(struct slim_config_auth, member)
#define TYPE_KEY                                                                                   \
    {                                                                                              \
        "type", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL                         \
    }

/* ---------------------------------------------------------------------------------------------------- the key of a JWT */

static void read_algorithm(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    static const char *const words[] = {"HS256", "HS384", "HS512", "ES256", "ES384",
                                        "RS256", "RS384", "RS512", "PS256", "PS384",
                                        "PS512", "EdDSA", NULL};
    struct slim_config_jwt_key *key = target;
    if (slim_config_read_word(reader, node, "variant identifier", words) != NULL) {
        (void)slim_config_copy_text(reader, node, &key->algorithm); /* a problem was put */
    }
}

static void read_format(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        void *target)
{
    static const char *const words[] = {"pem", "jwk", "jwks", NULL};
    struct slim_config_jwt_key *key = target;
    /* a form of our own, which the reference's sentence about others does not name */
    bool is_bundle = node->kind == SLIM_CONFIG_YAML_STRING &&
                     slim_view_is_equal(node->text, SLIM_VIEW("bundle"));
    if (is_bundle || slim_config_read_word(reader, node, "variant identifier", words) != NULL) {
        (void)slim_config_copy_text(reader, node, &key->format); /* a problem was put */
    }
}

/* {file: PATH} or {data: TEXT} */
static void read_key_data(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key file = {
        "file", SLIM_CONFIG_TYPE_STRING, offsetof(struct slim_config_jwt_key, file), false, NULL};
    static const struct slim_config_key data = {
        "data", SLIM_CONFIG_TYPE_SECRET, offsetof(struct slim_config_jwt_key, data), false, NULL};
    static const char *const words[] = {"file", "data", NULL};
    static const char hint[] = "write key: {file: PATH} or key: {data: TEXT}";
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        slim_config_put_type_problem(reader, node, "a map with a single key", hint);
    } else if (node->count != 1) {
        slim_config_put_problem(
            reader, reader->stage, node,
            (const char *const[]){"yaml parse error",
                                  "invalid value: map, expected map with a single key", NULL},
            "%s", hint);
    } else {
        const char *word =
            slim_config_read_word(reader, node->items[0].key, "variant identifier", words);
        if (word != NULL) {
            slim_config_read_value(reader, node->items[0].value,
                                   strcmp(word, "file") == 0 ? &file : &data, target);
        }
    }
}

static void read_jwt_key(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, void *target)
{
    static const char *const types[] = {"encoding", "decoding", "autoresolve", NULL};
    static const struct slim_config_key keys[] = {
        TYPE_KEY,
        {"algorithm", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_algorithm},
        {"format", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_format},
        {"key", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_key_data},
    };
    static const char hint[] = "write {type: encoding or decoding, algorithm: HS256, format: pem, "
                               "key: {file: PATH}}";
    struct slim_config_jwt_key *key = &((struct slim_config_auth *)target)->jwt_key;
    const char *type = slim_config_read_tag(reader, node, "KeyConfig",
                                            "one of `encoding`, `decoding`, `autoresolve`", types);
    if (type == NULL) {
        return;
    }
    if (strcmp(type, "autoresolve") == 0) {
        static const struct slim_config_key only_type[] = {TYPE_KEY};
        key->kind = SLIM_CONFIG_JWT_KEY_AUTORESOLVE;
        slim_config_read_map(reader, node, "struct KeyConfig", only_type, SLIM_COUNT(only_type),
                             key);
        return;
    }
    key->kind =
        strcmp(type, "encoding") == 0 ? SLIM_CONFIG_JWT_KEY_ENCODING : SLIM_CONFIG_JWT_KEY_DECODING;
    slim_config_read_map(reader, node, "struct KeyConfig", keys, SLIM_COUNT(keys), key);
    for (size_t i = 1; i < SLIM_COUNT(keys); i++) {
        if (slim_config_yaml_find(node, keys[i].name) == NULL) {
            slim_config_put_missing(reader, node, keys[i].name, hint);
            return;
        }
    }
}

/* ---------------------------------------------------------------------------------------------------- claims */

static void read_audience(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_auth *auth = target;
    slim_config_read_strings(reader, node, &auth->audiences);
}

static void read_custom_claims(struct slim_config_reader *reader,
                               const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_auth *auth = target;
    slim_config_read_json(reader, node, SLIM_CONFIG_CLAIMS_BYTES_MAX, &auth->custom_claims);
}

/* Two spellings of one claim: the reference refuses them, too. */
static void refuse_twice(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *claims, const char *const *names)
{
    const char *const *first = names;
    size_t count = 0;
    for (; *names != NULL; names++) {
        count += slim_config_yaml_find(claims, *names) == NULL ? 0 : 1;
    }
    if (count > 1) {
        char text[64];
        (void)snprintf(text, sizeof(text), "duplicate field `%s`", *first); /* fits */
        slim_config_put_problem(reader, reader->stage, claims,
                                (const char *const[]){"yaml parse error", text, NULL},
                                "write %s once, under one of its names", *first);
    }
}

static void read_claims(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        void *target)
{
    static const struct slim_config_key keys[] = {
        {"audience", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_audience},
        {"aud", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_audience},
        {"audiences", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_audience},
        {"issuer", SLIM_CONFIG_TYPE_STRING, FIELD(issuer), true, NULL},
        {"iss", SLIM_CONFIG_TYPE_STRING, FIELD(issuer), true, NULL},
        {"subject", SLIM_CONFIG_TYPE_STRING, FIELD(subject), true, NULL},
        {"sub", SLIM_CONFIG_TYPE_STRING, FIELD(subject), true, NULL},
        {"custom_claims", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_custom_claims},
    };
    slim_config_read_map(reader, node, "struct Claims", keys, SLIM_COUNT(keys), target);
    if (node->kind == SLIM_CONFIG_YAML_MAP) {
        refuse_twice(reader, node, (const char *const[]){"audience", "aud", "audiences", NULL});
        refuse_twice(reader, node, (const char *const[]){"issuer", "iss", NULL});
        refuse_twice(reader, node, (const char *const[]){"subject", "sub", NULL});
    }
}

/* ---------------------------------------------------------------------------------------------------- kinds */

static const struct slim_config_key basic_keys[] = {
    TYPE_KEY,
    {"username", SLIM_CONFIG_TYPE_STRING, FIELD(username), false, NULL},
    {"password", SLIM_CONFIG_TYPE_SECRET, FIELD(password), false, NULL},
};
static const struct slim_config_key jwt_keys[] = {
    TYPE_KEY,
    {"claims", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_claims},
    {"duration", SLIM_CONFIG_TYPE_DURATION, FIELD(duration_ms), false, NULL},
    {"key", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_jwt_key},
};
static const struct slim_config_key static_jwt_keys[] = {
    TYPE_KEY,
    {"file", SLIM_CONFIG_TYPE_STRING, FIELD(file), false, NULL},
    {"duration", SLIM_CONFIG_TYPE_DURATION, FIELD(duration_ms), false, NULL},
};
static const struct slim_config_key shared_secret_keys[] = {
    TYPE_KEY,
    {"id", SLIM_CONFIG_TYPE_STRING, FIELD(id), false, NULL},
    {"data", SLIM_CONFIG_TYPE_SECRET, FIELD(data), false, NULL},
};
static const struct slim_config_key none_keys[] = {TYPE_KEY};

/* keys NULL: SPIFFE. needed: keys that must be there, NULL at the end. */
static const struct kind {
    const char *type;
    enum slim_config_auth_kind kind;
    const char *section;
    const struct slim_config_key *keys;
    size_t key_count;
    const char *needed[3];
    const char *hint;
} kinds[] = {
    {"none", SLIM_CONFIG_AUTH_NONE, "struct None", none_keys, SLIM_COUNT(none_keys), {NULL}, ""},
    {"basic",
     SLIM_CONFIG_AUTH_BASIC,
     "struct Basic",
     basic_keys,
     SLIM_COUNT(basic_keys),
     {"username", "password"},
     "write {type: basic, username: NAME, password: TEXT}"},
    {"jwt",
     SLIM_CONFIG_AUTH_JWT,
     "struct Jwt",
     jwt_keys,
     SLIM_COUNT(jwt_keys),
     {"key"},
     "write {type: jwt, claims: {issuer: TEXT, audience: [TEXT]}, key: {type: encoding or "
     "decoding, "
     "..}}"},
    {"static_jwt",
     SLIM_CONFIG_AUTH_STATIC_JWT,
     "struct StaticJwt",
     static_jwt_keys,
     SLIM_COUNT(static_jwt_keys),
     {"file"},
     "write {type: static_jwt, file: PATH}"},
    {"shared_secret",
     SLIM_CONFIG_AUTH_SHARED_SECRET,
     "struct SharedSecret",
     shared_secret_keys,
     SLIM_COUNT(shared_secret_keys),
     {"id", "data"},
     "write {type: shared_secret, id: NAME, data: TEXT of at least 32 bytes}"},
    {"spire", SLIM_CONFIG_AUTH_SPIRE, "struct SpireConfig", NULL, 0, {NULL}, ""},
};

/* What may stand where, and the reference's sentence about everything else. */
static const struct {
    const char *section;
    const char *expected;
    const char *types[6];
} roles[] = {
    [SLIM_CONFIG_ROLE_SERVER] = {"AuthenticationConfig",
                                 "one of `basic`, `jwt`, `none`",
                                 {"none", "basic", "jwt", "spire"}},
    [SLIM_CONFIG_ROLE_CLIENT] = {"AuthenticationConfig",
                                 "one of `basic`, `static_jwt`, `jwt`, `none`",
                                 {"none", "basic", "jwt", "static_jwt", "spire"}},
    [SLIM_CONFIG_ROLE_PROVIDER] = {"TokenProviderConfig",
                                   "one of `none`, `jwt`, `static_jwt`, `shared_secret`, `spire`",
                                   {"none", "jwt", "static_jwt", "shared_secret", "spire"}},
    [SLIM_CONFIG_ROLE_VERIFIER] = {"TokenVerifierConfig",
                                   "one of `none`, `jwt`, `shared_secret`, `spire`",
                                   {"none", "jwt", "shared_secret", "spire"}},
};

static const struct kind *find_kind(const char *type)
{
    size_t i = 0;
    while (strcmp(kinds[i].type, type) != 0) {
        i++;
        assert(i < SLIM_COUNT(kinds)); /* the words of `roles` are all there */
    }
    return &kinds[i];
}

void slim_config_read_auth(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node,
                           enum slim_config_auth_role role, struct slim_config_auth *auth)
{
    const char *type = slim_config_read_tag(reader, node, roles[role].section, roles[role].expected,
                                            roles[role].types);
    if (type == NULL) {
        return;
    }
    const struct kind *kind = find_kind(type);
    auth->kind = kind->kind;
    auth->duration_ms = TOKEN_DURATION_MS;
    if (kind->keys == NULL) {
        slim_config_read_spire(reader, node, &auth->spire);
        return;
    }
    slim_config_read_map(reader, node, kind->section, kind->keys, kind->key_count, auth);
    for (size_t i = 0; kind->needed[i] != NULL; i++) {
        if (slim_config_yaml_find(node, kind->needed[i]) == NULL) {
            slim_config_put_missing(reader, node, kind->needed[i], kind->hint);
            return;
        }
    }
    if (auth->data != NULL && strlen(auth->data) < SHARED_SECRET_BYTES_MIN) {
        slim_config_put_warning(reader, slim_config_yaml_find(node, "data"),
                                "a shared secret needs at least %d bytes; no token can be made "
                                "with this one",
                                SHARED_SECRET_BYTES_MIN);
    }
}

void slim_config_auth_fini(struct slim_config_auth *auth)
{
    slim_config_text_free(auth->username);
    slim_config_text_free(auth->password);
    slim_config_strings_fini(&auth->audiences);
    slim_config_text_free(auth->issuer);
    slim_config_text_free(auth->subject);
    slim_config_text_free(auth->custom_claims);
    slim_config_text_free(auth->jwt_key.algorithm);
    slim_config_text_free(auth->jwt_key.format);
    slim_config_text_free(auth->jwt_key.file);
    slim_config_text_free(auth->jwt_key.data);
    slim_config_text_free(auth->file);
    slim_config_text_free(auth->id);
    slim_config_text_free(auth->data);
    slim_config_spire_fini(&auth->spire);
}

/* ---------------------------------------------------------------------------------------------------- start */

/* A problem of the value under `key` of the section `node`. */
static void put_auth_problem(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node, const char *key,
                             const char *outer, const char *inner, const char *hint)
{
    size_t mark = slim_config_path_push(reader, ".%s", key);
    slim_config_put_start_problem(reader, slim_config_yaml_find(node, key),
                                  (const char *const[]){"auth config error", outer, inner, NULL},
                                  hint);
    slim_config_path_pop(reader, mark);
}

static void check_basic(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        const struct slim_config_auth *auth)
{
    if (auth->username != NULL && auth->username[0] == '\0') {
        put_auth_problem(reader, node, "username", "username cannot be empty", NULL,
                         "write a name");
    } else if (auth->password != NULL && auth->password[0] == '\0') {
        put_auth_problem(reader, node, "password", "password cannot be empty", NULL,
                         "write a password, or ${env:NAME} or ${file:PATH}");
    }
}

/* A file with a key or token that the start would not find. */
static void check_file(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                       const char *key, const char *path)
{
    if (path == NULL || !reader->has_files) {
        return;
    }
    struct slim_buf bytes = {0};
    struct slim_error error;
    enum slim_status status = slim_config_read_file(path, &bytes, &error);
    if (status == SLIM_ERR_NO_MEMORY) {
        reader->is_out_of_memory = true;
    } else if (status != SLIM_OK) {
        put_auth_problem(reader, node, key, "internal auth error", error.text,
                         "the file cannot be read");
    }
    slim_buf_wipe(&bytes);
}

static void check_jwt(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                      enum slim_config_auth_role role, const struct slim_config_auth *auth)
{
    if (auth->jwt_key.kind != SLIM_CONFIG_JWT_KEY_AUTORESOLVE && auth->jwt_key.file == NULL &&
        auth->jwt_key.data == NULL) {
        return; /* the key could not be read: reported already */
    }
    bool makes_tokens = role == SLIM_CONFIG_ROLE_CLIENT || role == SLIM_CONFIG_ROLE_PROVIDER;
    bool can_make = auth->jwt_key.kind == SLIM_CONFIG_JWT_KEY_ENCODING;
    if (makes_tokens && !can_make) {
        put_auth_problem(reader, node, "key", "internal auth error",
                         "no private key available for signing",
                         "write key: {type: encoding, ..}: here tokens are made");
    } else if (!makes_tokens && can_make) {
        put_auth_problem(reader, node, "key", "internal auth error",
                         "missing decoding key or autoresolve is disabled",
                         "write key: {type: decoding, ..} or {type: autoresolve}: here tokens are "
                         "checked");
    } else if (auth->jwt_key.kind == SLIM_CONFIG_JWT_KEY_AUTORESOLVE &&
               (auth->issuer == NULL || auth->issuer[0] == '\0')) {
        put_auth_problem(reader, node, "key", "internal auth error",
                         "autoresolve without an issuer",
                         "add claims: {issuer: URL}: without it, whoever signs a token says where "
                         "its key is");
    } else {
        check_file(reader, node, "key", auth->jwt_key.file);
    }
}

void slim_config_check_auth(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node,
                            enum slim_config_auth_role role, const struct slim_config_auth *auth)
{
    switch (auth->kind) {
    case SLIM_CONFIG_AUTH_BASIC:
        check_basic(reader, node, auth);
        return;
    case SLIM_CONFIG_AUTH_JWT:
        check_jwt(reader, node, role, auth);
        return;
    case SLIM_CONFIG_AUTH_STATIC_JWT:
        check_file(reader, node, "file", auth->file);
        return;
    case SLIM_CONFIG_AUTH_NONE:
    case SLIM_CONFIG_AUTH_SHARED_SECRET:
    case SLIM_CONFIG_AUTH_SPIRE:
        return;
    }
}
