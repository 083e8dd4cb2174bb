#include "chat/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum chat_identity_kind chat_identity_kind_of(const struct chat_settings *settings)
{
    if (settings->spire_socket != NULL || settings->spire_target != NULL ||
        settings->spire_audience.count > 0) {
        return CHAT_IDENTITY_SPIRE;
    }
    bool has_jwt =
        settings->jwt != NULL && settings->trust_bundle != NULL && settings->audience.count > 0;
    return has_jwt ? CHAT_IDENTITY_JWT : CHAT_IDENTITY_SECRET;
}

const char *chat_identity_text(enum chat_identity_kind kind)
{
    switch (kind) {
    case CHAT_IDENTITY_SECRET:
        return "Using shared-secret authentication.";
    case CHAT_IDENTITY_JWT:
        return "Using JWT + JWKS authentication.";
    case CHAT_IDENTITY_SPIRE:
        break;
    }
    return "Using SPIRE dynamic identity authentication.";
}

/* ------------------------------------------------------------------------------------------------ checks */

static enum slim_status check_file(const char *path, struct slim_error *error)
{
    if (path != NULL && access(path, R_OK) != 0) {
        return slim_error_set(error, SLIM_ERR_IO, "%s: %.250s: %s",
                              errno == ENOENT ? "File not found" : "File cannot be read", path,
                              strerror(errno)); // NOLINT(concurrency-mt-unsafe): one thread yet
    }
    return SLIM_OK;
}

static enum slim_status check_socket(const char *socket, struct slim_error *error)
{
    if (socket == NULL) {
        return SLIM_OK;
    }
    const char *path = socket;
    if (strncmp(path, "unix:", 5) == 0) {
        path += strncmp(path, "unix://", 7) == 0 ? 7 : 5;
    }
    if (path[0] == '/' && access(path, F_OK) != 0) {
        return slim_error_set(error, SLIM_ERR_IO, "SPIRE agent socket: %.250s: %s", path,
                              strerror(errno)); // NOLINT(concurrency-mt-unsafe): one thread yet
    }
    return SLIM_OK; /* what is no path is refused by the library, which says why */
}

enum slim_status chat_identity_check(const struct chat_settings *settings, struct slim_error *error)
{
    SLIM_TRY(check_file(settings->jwt, error));
    SLIM_TRY(check_file(settings->trust_bundle, error));
    SLIM_TRY(check_socket(settings->spire_socket, error));
    bool has_some = settings->jwt != NULL || settings->trust_bundle != NULL;
    if (has_some && chat_identity_kind_of(settings) == CHAT_IDENTITY_SECRET) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT,
                              "--jwt, --spire-trust-bundle and --audience belong together: %s is "
                              "missing",
                              settings->jwt == NULL            ? "--jwt"
                              : settings->trust_bundle == NULL ? "--spire-trust-bundle"
                                                               : "--audience");
    }
    return SLIM_OK;
}

/* ------------------------------------------------------------------------------------------------ texts */

static enum slim_status put_string(struct slim_buf *out, const char *text)
{
    SLIM_TRY(slim_buf_put_byte(out, '"'));
    for (; *text != 0; text++) {
        uint8_t byte = (uint8_t)*text;
        if (byte < 0x20) {
            SLIM_TRY(slim_buf_put_text(out, "\\u%04x", byte));
            continue;
        }
        if (byte == '"' || byte == '\\') {
            SLIM_TRY(slim_buf_put_byte(out, '\\'));
        }
        SLIM_TRY(slim_buf_put_byte(out, byte));
    }
    return slim_buf_put_byte(out, '"');
}

static enum slim_status put_strings(struct slim_buf *out, const struct chat_texts *texts)
{
    SLIM_TRY(slim_buf_put_byte(out, '['));
    for (size_t i = 0; i < texts->count; i++) {
        SLIM_TRY(slim_buf_put(out, slim_view_str(i == 0 ? "" : ", ")));
        SLIM_TRY(put_string(out, texts->items[i]));
    }
    return slim_buf_put_byte(out, ']');
}

static enum slim_status put_jwt(struct slim_buf *out, const struct chat_settings *settings,
                                bool is_provider)
{
    SLIM_TRY(slim_buf_put_text(out, "{\"type\": \"jwt\", \"duration\": \"1h\", \"claims\": "
                                    "{\"issuer\": \"default-issuer\", \"audience\": "));
    SLIM_TRY(put_strings(out, &settings->audience));
    if (is_provider) {
        struct slim_buf subject = {0};
        enum slim_status status =
            slim_buf_put_text(&subject, "%s/ffffffffffffffff%c", settings->local, 0);
        status = status == SLIM_OK ? slim_buf_put_text(out, ", \"subject\": ") : status;
        status = status == SLIM_OK ? put_string(out, (const char *)subject.data) : status;
        slim_buf_fini(&subject);
        SLIM_TRY(status);
    }
    SLIM_TRY(slim_buf_put_text(out,
                               "}, \"key\": {\"type\": \"%s\", \"algorithm\": \"RS256\", "
                               "\"format\": \"%s\", \"key\": {\"file\": ",
                               is_provider ? "encoding" : "decoding",
                               is_provider ? "pem" : "bundle"));
    SLIM_TRY(put_string(out, is_provider ? settings->jwt : settings->trust_bundle));
    return slim_buf_put_text(out, "}}}");
}

static enum slim_status put_spire(struct slim_buf *out, const struct chat_settings *settings)
{
    SLIM_TRY(slim_buf_put_text(out, "{\"type\": \"spire\""));
    if (settings->spire_socket != NULL) {
        SLIM_TRY(slim_buf_put_text(out, ", \"socket_path\": "));
        SLIM_TRY(put_string(out, settings->spire_socket));
    }
    if (settings->spire_target != NULL) {
        SLIM_TRY(slim_buf_put_text(out, ", \"target_spiffe_id\": "));
        SLIM_TRY(put_string(out, settings->spire_target));
    }
    if (settings->spire_audience.count > 0) {
        SLIM_TRY(slim_buf_put_text(out, ", \"jwt_audiences\": "));
        SLIM_TRY(put_strings(out, &settings->spire_audience));
    }
    return slim_buf_put_byte(out, '}');
}

/* As slim_app_new_with_secret has it. */
static enum slim_status put_secret(struct slim_buf *out, const struct chat_settings *settings)
{
    struct slim_buf id = {0};
    enum slim_status status = slim_buf_put_text(&id, "%s/ffffffffffffffff%c", settings->local, 0);
    status = status == SLIM_OK ? slim_buf_put_text(out, "{\"type\": \"shared_secret\", \"id\": ")
                               : status;
    status = status == SLIM_OK ? put_string(out, (const char *)id.data) : status;
    slim_buf_fini(&id);
    SLIM_TRY(status);
    SLIM_TRY(slim_buf_put_text(out, ", \"data\": "));
    SLIM_TRY(put_string(out, settings->shared_secret));
    return slim_buf_put_byte(out, '}');
}

static enum slim_status put_identity(struct slim_buf *out, const struct chat_settings *settings,
                                     bool is_provider)
{
    switch (chat_identity_kind_of(settings)) {
    case CHAT_IDENTITY_SECRET:
        SLIM_TRY(put_secret(out, settings));
        break;
    case CHAT_IDENTITY_JWT:
        SLIM_TRY(put_jwt(out, settings, is_provider));
        break;
    case CHAT_IDENTITY_SPIRE:
        SLIM_TRY(put_spire(out, settings));
        break;
    }
    return slim_buf_put_byte(out, 0);
}

enum slim_status chat_identity_describe(const struct chat_settings *settings,
                                        struct slim_buf *provider, struct slim_buf *verifier)
{
    SLIM_TRY(put_identity(provider, settings, true));
    return put_identity(verifier, settings, false);
}
