/* What the two files of TLS share. Private to src/datapath/tls*. */
#ifndef SLIM_DATAPATH_TLS_INTERNAL_H
#define SLIM_DATAPATH_TLS_INTERNAL_H

#include "auth/auth.h"
#include "datapath/internal.h"
#include "datapath/spire.h"
#include "datapath/tls.h"
#include "io/watch.h"

enum { SLIM_DATAPATH_TLS_FILES_MAX = 3 };

/* Where one of the two halves comes from: our certificate and its key, or the roots of peers.
 * first, second   paths or PEM texts: certificate and key, or CA and NULL
 * domains, peer   SPIFFE, roots: trust domains besides our own, and the id that the peer must have (NULL: any) */
struct slim_datapath_tls_source {
    enum slim_config_source_kind kind;
    char *first;
    char *second;
    struct slim_config_strings domains;
    char *peer;
    struct slim_spire *spire;
    struct slim_spire_user user;
};

/* context   NULL until the SPIFFE agent has given what is needed */
struct slim_datapath_tls {
    struct slim_datapath *datapath;
    struct slim_list node; /* in datapath->tls */
    char *endpoint;
    bool is_server;
    bool use_system;
    struct slim_tls_options options;
    struct slim_datapath_tls_source own;
    struct slim_datapath_tls_source roots;
    struct slim_tls_context *context;
    struct slim_file_watch *watch;
    struct slim_log_limit log_skipped;
};

/* What was read, and what it is. Wiped by slim_datapath_tls_material_fini. */
struct slim_datapath_tls_material {
    struct slim_buf chain;
    struct slim_buf key;
    struct slim_buf roots;
    struct slim_tls_material views;
};

/* Read everything. SLIM_AGAIN with a sentence: the SPIFFE agent has not given it yet. SLIM_ERR_CONFIG: causes, one per line;
 * *culprit is the path of the file that cannot be read, or NULL. SLIM_ERR_NO_MEMORY. Always fini afterwards. */
SLIM_MUST_CHECK enum slim_status
slim_datapath_tls_material_read(const struct slim_datapath_tls *tls,
                                struct slim_datapath_tls_material *material, const char **culprit,
                                struct slim_error *error);
void slim_datapath_tls_material_fini(struct slim_datapath_tls_material *material);

/* For SPIFFE roots, the check of a peer (slim_tls_check_peer; ctx is the slim_datapath_tls). */
enum slim_status slim_datapath_tls_check_peer(void *ctx, struct slim_view chain,
                                              struct slim_error *error);

#endif
