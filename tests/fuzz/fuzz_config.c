/* Any bytes as a configuration file: a value or an error with a sentence, never more memory than the bounds allow. The same
 * bytes are read as a duration too. */
#include <stdlib.h>

#include "config/config.h"

/* What every user of the result relies on. */
static void check_config(const struct slim_config *config)
{
    assert(config->thread_name != NULL && config->log_directives != NULL);
    for (size_t i = 0; i < config->warning_count; i++) {
        assert(config->warnings[i][0] != '\0');
    }
    for (size_t i = 0; i < config->service_count; i++) {
        const struct slim_config_service *service = &config->services[i];
        assert(service->id != NULL && service->server_count + service->client_count > 0);
        for (size_t j = 0; j < service->server_count; j++) {
            assert(service->servers[j].endpoint != NULL && service->servers[j].tls.is_insecure);
            assert(service->servers[j].max_frame_bytes >= 16384 &&
                   service->servers[j].max_frame_bytes < 1U << 24);
        }
        for (size_t j = 0; j < service->client_count; j++) {
            assert(service->clients[j].endpoint != NULL && service->clients[j].endpoint[0] != '\0');
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slim_config *config = NULL;
    struct slim_config_error error;
    enum slim_status status =
        slim_config_parse(slim_view_of(data, size), "f.yaml", &config, &error);
    if (status == SLIM_OK) {
        assert(config->service_count > 0);
    } else {
        assert(error.cause_count > 0 && error.cause_count <= SLIM_CONFIG_CAUSES_MAX);
        assert((config == NULL) == (error.stage == SLIM_CONFIG_STAGE_FILE));
    }
    if (config != NULL) {
        check_config(config);
    }
    slim_config_free(config);

    uint64_t ms;
    struct slim_error duration_error = {.text = ""};
    if (slim_config_parse_duration(slim_view_of(data, size), &ms, &duration_error) != SLIM_OK) {
        assert(duration_error.text[0] != '\0');
    }
    return 0;
}
