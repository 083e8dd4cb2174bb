/* One snapshot for all tests of src/telemetry. */
#ifndef SLIM_TESTS_TELEMETRY_SAMPLE_H
#define SLIM_TESTS_TELEMETRY_SAMPLE_H

#include "support/check.h"
#include "telemetry/telemetry.h"

/* Two services with a few values, two connections. SLIM_ERR_NO_MEMORY. */
enum slim_status sample_collect(void *ctx, struct slim_telemetry_snapshot **snapshot);

#endif
