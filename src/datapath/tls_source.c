/* Certificates, keys and roots out of files, the configuration and the SPIFFE agent; and who a SPIFFE peer may be. */
#include "datapath/tls_internal.h"

void slim_datapath_tls_material_fini(struct slim_datapath_tls_material *material)
{
    slim_buf_fini(&material->chain);
    slim_buf_wipe(&material->key);
    slim_buf_fini(&material->roots);
}

static enum slim_status not_yet(struct slim_error *error)
{
    return slim_error_set(error, SLIM_AGAIN,
                          "the SPIFFE agent has not given us a certificate and roots yet");
}

static enum slim_status read_part(enum slim_config_source_kind kind, const char *text,
                                  struct slim_buf *out, const char **culprit,
                                  struct slim_error *error)
{
    if (kind == SLIM_CONFIG_SOURCE_PEM) {
        return slim_buf_put(out, slim_view_str(text));
    }
    struct slim_error why;
    enum slim_status status = slim_file_read(text, out, &why);
    if (status == SLIM_OK || status == SLIM_ERR_NO_MEMORY) {
        return status;
    }
    *culprit = text;
    return slim_error_set(error, SLIM_ERR_CONFIG, "invalid pem format\nI/O error: %s", why.text);
}

/* ------------------------------------------------------------------------------------------------ our certificate */

static enum slim_status read_own_spire(const struct slim_datapath_tls *tls,
                                       struct slim_datapath_tls_material *material,
                                       struct slim_error *error)
{
    struct slim_auth_x509_svid svid;
    if (!slim_auth_workload_x509(slim_spire_workload(tls->own.spire), &svid)) {
        return not_yet(error);
    }
    material->views.format = SLIM_TLS_DER;
    SLIM_TRY(slim_buf_put(&material->chain, svid.chain));
    return slim_buf_put(&material->key, svid.key);
}

static enum slim_status read_own(const struct slim_datapath_tls *tls,
                                 struct slim_datapath_tls_material *material, const char **culprit,
                                 struct slim_error *error)
{
    const struct slim_datapath_tls_source *own = &tls->own;
    switch (own->kind) {
    case SLIM_CONFIG_SOURCE_NONE:
        return SLIM_OK;
    case SLIM_CONFIG_SOURCE_FILE:
    case SLIM_CONFIG_SOURCE_PEM:
        SLIM_TRY(read_part(own->kind, own->first, &material->chain, culprit, error));
        return read_part(own->kind, own->second, &material->key, culprit, error);
    case SLIM_CONFIG_SOURCE_SPIRE:
        return read_own_spire(tls, material, error);
    }
    return SLIM_ERR_INTERNAL;
}

/* ------------------------------------------------------------------------------------------------ roots */

/* The roots of our own trust domain and of those that are named. One that the agent does not know is left out: its roots may come
 * later, and until then nobody of it is let in. */
static enum slim_status read_roots_spire(const struct slim_datapath_tls *tls,
                                         struct slim_datapath_tls_material *material,
                                         struct slim_error *error)
{
    const struct slim_auth_workload *workload = slim_spire_workload(tls->roots.spire);
    struct slim_auth_x509_svid svid;
    if (!slim_auth_workload_x509(workload, &svid)) {
        return not_yet(error);
    }
    material->views.roots_format = SLIM_TLS_DER;
    SLIM_TRY(slim_buf_put(&material->roots, svid.bundle));
    for (size_t i = 0; i < tls->roots.domains.count; i++) {
        struct slim_view domain;
        SLIM_TRY(slim_spiffe_domain_parse(slim_view_str(tls->roots.domains.items[i]), &domain));
        SLIM_TRY(slim_buf_put(&material->roots, slim_auth_workload_roots(workload, domain)));
    }
    return SLIM_OK;
}

static enum slim_status read_roots(const struct slim_datapath_tls *tls,
                                   struct slim_datapath_tls_material *material,
                                   const char **culprit, struct slim_error *error)
{
    const struct slim_datapath_tls_source *roots = &tls->roots;
    switch (roots->kind) {
    case SLIM_CONFIG_SOURCE_NONE:
        return SLIM_OK;
    case SLIM_CONFIG_SOURCE_FILE:
    case SLIM_CONFIG_SOURCE_PEM:
        SLIM_TRY(read_part(roots->kind, roots->first, &material->roots, culprit, error));
        return material->roots.len > 0
                   ? SLIM_OK
                   : slim_error_set(error, SLIM_ERR_CONFIG, "invalid pem format\nthe CA is empty");
    case SLIM_CONFIG_SOURCE_SPIRE:
        return read_roots_spire(tls, material, error);
    }
    return SLIM_ERR_INTERNAL;
}

enum slim_status slim_datapath_tls_material_read(const struct slim_datapath_tls *tls,
                                                 struct slim_datapath_tls_material *material,
                                                 const char **culprit, struct slim_error *error)
{
    *material = (struct slim_datapath_tls_material){.views.use_system = tls->use_system};
    *culprit = NULL;
    enum slim_status status = read_own(tls, material, culprit, error);
    if (status == SLIM_OK) {
        status = read_roots(tls, material, culprit, error);
    }
    if (status == SLIM_ERR_NO_MEMORY) {
        return slim_error_set(error, status, "out of memory");
    }
    material->views.chain = slim_buf_view(&material->chain);
    material->views.key = slim_buf_view(&material->key);
    material->views.roots = slim_buf_view(&material->roots);
    return status;
}

/* ------------------------------------------------------------------------------------------------ SPIFFE peers */

/* The first certificate of a chain: its length is in its header (DER: a sequence, X.690 8.1.3). */
static struct slim_view first_cert(struct slim_view chain)
{
    enum { LENGTH_BYTES_MAX = 4 };
    if (chain.len < 2 || (chain.data[1] & 0x80) == 0) {
        return chain;
    }
    size_t count = chain.data[1] & 0x7f;
    if (count > LENGTH_BYTES_MAX || chain.len < 2 + count) {
        return chain;
    }
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len = len << 8 | chain.data[2 + i];
    }
    return len > chain.len - 2 - count ? chain : slim_view_of(chain.data, 2 + count + len);
}

/* Is the domain one whose peers are let in: our own, or one that the configuration names? */
static bool is_domain_allowed(const struct slim_datapath_tls *tls, struct slim_view own,
                              struct slim_view domain)
{
    struct slim_view name;
    if (slim_spiffe_domain_parse(own, &name) == SLIM_OK && slim_view_is_equal(name, domain)) {
        return true;
    }
    for (size_t i = 0; i < tls->roots.domains.count; i++) {
        if (slim_spiffe_domain_parse(slim_view_str(tls->roots.domains.items[i]), &name) ==
                SLIM_OK &&
            slim_view_is_equal(name, domain)) {
            return true;
        }
    }
    return false;
}

/* The roots of one trust domain vouch for its own ids only: OpenSSL, which has the roots of all domains in one store, cannot know. */
static enum slim_status check_id(const struct slim_datapath_tls *tls, struct slim_view text,
                                 struct slim_view chain, struct slim_error *error)
{
    const struct slim_auth_workload *workload = slim_spire_workload(tls->roots.spire);
    struct slim_spiffe_id id;
    SLIM_TRY(slim_spiffe_id_parse(text, &id));
    struct slim_auth_x509_svid svid;
    if (!slim_auth_workload_x509(workload, &svid)) {
        return slim_error_set(error, SLIM_ERR_DENIED, "the SPIFFE agent has taken its roots back");
    }
    struct slim_spiffe_id own;
    SLIM_TRY(slim_spiffe_id_parse(svid.spiffe_id, &own));
    if (!is_domain_allowed(tls, own.domain, id.domain)) {
        return slim_error_set(error, SLIM_ERR_DENIED, "its trust domain is not one of ours");
    }
    if (tls->roots.peer != NULL && !slim_view_is_equal(text, slim_view_str(tls->roots.peer))) {
        return slim_error_set(error, SLIM_ERR_DENIED, "its SPIFFE id is not target_spiffe_id");
    }
    struct slim_view roots = slim_view_is_equal(id.domain, own.domain)
                                 ? svid.bundle
                                 : slim_auth_workload_roots(workload, id.domain);
    return slim_tls_verify_chain(chain, roots, error);
}

enum slim_status slim_datapath_tls_check_peer(void *ctx, struct slim_view chain,
                                              struct slim_error *error)
{
    const struct slim_datapath_tls *tls = ctx;
    struct slim_buf id = {0};
    enum slim_status status = slim_spiffe_cert_id(first_cert(chain), &id, error);
    if (status == SLIM_OK) {
        status = check_id(tls, slim_buf_view(&id), chain, error);
    }
    slim_buf_fini(&id);
    return status;
}
