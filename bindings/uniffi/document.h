/* A file of the node's schema, of which initialize_from_config uses some: what is written about log lines, and the servers and links of each
 * service, which go to libslim as they are written. */
#ifndef UF_DOCUMENT_H
#define UF_DOCUMENT_H

#include "serial.h"

enum {
    UF_DOCUMENT_BYTES_MAX =
        1 << 20, /* of the file; and of the texts in all servers and links, aliases followed */
    UF_DOCUMENT_NODE_COUNT_MAX = 1 << 16, /* in all servers and links, aliases followed */
    UF_DOCUMENT_DEPTH_MAX = 64,
    UF_SYSTEM_TEXT_MAX = 192
};

/* servers, clients: lists of const char *, each a YAML document. */
struct uf_described_service {
    struct slim_view node_id;
    struct uf_list servers;
    struct uf_list clients;
};

/* log_level: NULL when the file has none; filters: of struct slim_view; services: of struct uf_described_service, at least one. */
struct uf_document {
    const struct slim_view *log_level;
    struct uf_list filters;
    struct uf_list services;
};

/* All of *document belongs to the arena. False: *error, UF_PANIC. */
UF_CHECKED bool uf_document_read(const char *path, struct uf_document *document,
                                 struct uf_arena *arena, struct uf_error *error);

/* What the system says about errno `number`, as the reference prints it. Returns `text`. */
const char *uf_system_text(int number, char text[UF_SYSTEM_TEXT_MAX]);

#endif
