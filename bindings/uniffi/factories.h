/* Defaults of configurations. */
#ifndef UF_FACTORIES_H
#define UF_FACTORIES_H

#include "records.h"

extern const struct uf_runtime_config uf_default_runtime;
extern const struct uf_tracing_config uf_default_tracing;

/* No filters, or those of uf_default_tracing: all modules have its level. */
bool uf_has_default_filters(const struct uf_tracing_config *tracing);

#endif
