#include <stdlib.h>

#include "telemetry/telemetry.h"

enum slim_status slim_telemetry_snapshot_new(size_t service_room,
                                             struct slim_telemetry_snapshot **snapshot)
{
    struct slim_telemetry_snapshot *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->version = "";
    made->sha = "";
    made->service_room = service_room;
    made->services = calloc(service_room + 1, sizeof(*made->services)); /* never of no bytes */
    made->conns = calloc(SLIM_TELEMETRY_CONNS_MAX, sizeof(*made->conns));
    if (made->services == NULL || made->conns == NULL) {
        slim_telemetry_snapshot_free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    *snapshot = made;
    return SLIM_OK;
}

void slim_telemetry_snapshot_free(struct slim_telemetry_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    free(snapshot->services);
    free(snapshot->conns);
    free(snapshot);
}

struct slim_telemetry_service *slim_telemetry_add_service(struct slim_telemetry_snapshot *snapshot,
                                                          const char *name)
{
    assert(snapshot->service_count < snapshot->service_room);
    struct slim_telemetry_service *service = &snapshot->services[snapshot->service_count++];
    slim_telemetry_set_text(service->name, name);
    return service;
}

void slim_telemetry_add(struct slim_telemetry_values *values, enum slim_telemetry_family family,
                        const char *label, uint64_t value)
{
    assert(values->count < SLIM_TELEMETRY_VALUES_MAX);
    values->list[values->count++] =
        (struct slim_telemetry_value){.family = family, .label = label, .value = value};
}

struct slim_telemetry_conn *slim_telemetry_add_conn(struct slim_telemetry_snapshot *snapshot)
{
    assert(snapshot->service_count > 0);
    if (snapshot->conn_count == SLIM_TELEMETRY_CONNS_MAX) {
        snapshot->unlisted_count++;
        return NULL;
    }
    struct slim_telemetry_conn *conn = &snapshot->conns[snapshot->conn_count++];
    conn->service_index = snapshot->service_count - 1;
    return conn;
}

void slim_telemetry_set_text(char to[static SLIM_TELEMETRY_TEXT_MAX], const char *from)
{
    size_t len = 0;
    for (; from[len] != 0 && len < SLIM_TELEMETRY_TEXT_MAX - 1; len++) {
        to[len] = from[len];
        if (from[len] < 0x20 || from[len] >= 0x7f) {
            to[len] = '?'; /* bytes beyond ASCII are below 0 here, or beyond 0x7f */
        }
    }
    to[len] = 0;
}

uint64_t slim_telemetry_sum(const struct slim_telemetry_snapshot *snapshot,
                            enum slim_telemetry_family family, const char *label)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < snapshot->service_count; i++) {
        const struct slim_telemetry_values *values = &snapshot->services[i].values;
        for (size_t k = 0; k < values->count; k++) {
            const struct slim_telemetry_value *value = &values->list[k];
            bool is_meant =
                value->family == family &&
                (label == NULL || (value->label != NULL && strcmp(value->label, label) == 0));
            sum += is_meant ? value->value : 0;
        }
    }
    return sum;
}
