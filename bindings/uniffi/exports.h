/* What the library exports for users, in the types of its C interface. Objects come and go as handles, a self first; without uf_status: a
 * future. The support functions are declared where they are defined: buffer.c, future.c, checksums.c. */
#ifndef UF_EXPORTS_H
#define UF_EXPORTS_H

#include "abi.h"

/* ---- app */

UF_EXPORT void *uniffi_slim_bindings_fn_clone_app(void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_free_app(void *, struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_constructor_app_new(void *, struct uf_buffer,
                                                            struct uf_buffer, struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_constructor_app_new_with_direction(void *, struct uf_buffer,
                                                                           struct uf_buffer,
                                                                           struct uf_buffer,
                                                                           struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_constructor_app_new_with_secret(void *, struct uf_buffer,
                                                                        struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_method_app_create_session(void *,
                                                                             struct uf_buffer,
                                                                             void *,
                                                                             struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_method_app_create_session_and_wait(void *, struct uf_buffer,
                                                                           void *,
                                                                           struct uf_status *);
UF_EXPORT uint64_t
uniffi_slim_bindings_fn_method_app_create_session_and_wait_async(void *, struct uf_buffer, void *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_create_session_async(void *, struct uf_buffer,
                                                                           void *);
UF_EXPORT void *uniffi_slim_bindings_fn_method_app_delete_session(void *, void *,
                                                                  struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_method_app_delete_session_and_wait(void *, void *,
                                                                          struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_delete_session_and_wait_async(void *, void *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_delete_session_async(void *, void *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_id(void *, struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_method_app_listen_for_session(void *, struct uf_buffer,
                                                                      struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_listen_for_session_async(void *,
                                                                               struct uf_buffer);
UF_EXPORT void *uniffi_slim_bindings_fn_method_app_name(void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_method_app_remove_route(void *, void *, uint64_t,
                                                               struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_remove_route_async(void *, void *, uint64_t);
UF_EXPORT void uniffi_slim_bindings_fn_method_app_set_route(void *, void *, uint64_t,
                                                            struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_set_route_async(void *, void *, uint64_t);
UF_EXPORT void uniffi_slim_bindings_fn_method_app_subscribe(void *, void *, struct uf_buffer,
                                                            struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_subscribe_async(void *, void *,
                                                                      struct uf_buffer);
UF_EXPORT void uniffi_slim_bindings_fn_method_app_unsubscribe(void *, void *, struct uf_buffer,
                                                              struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_app_unsubscribe_async(void *, void *,
                                                                        struct uf_buffer);

/* ---- completionhandle */

UF_EXPORT void *uniffi_slim_bindings_fn_clone_completionhandle(void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_free_completionhandle(void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_method_completionhandle_wait(void *, struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_completionhandle_wait_async(void *);
UF_EXPORT void uniffi_slim_bindings_fn_method_completionhandle_wait_for(void *, struct uf_buffer,
                                                                        struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_completionhandle_wait_for_async(void *,
                                                                                  struct uf_buffer);

/* ---- name */

UF_EXPORT void *uniffi_slim_bindings_fn_clone_name(void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_free_name(void *, struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_constructor_name_new(struct uf_buffer, struct uf_buffer,
                                                             struct uf_buffer, struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_constructor_name_new_with_id(struct uf_buffer,
                                                                     struct uf_buffer,
                                                                     struct uf_buffer, uint64_t,
                                                                     struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_method_name_components(void *,
                                                                          struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_name_id(void *, struct uf_status *);
UF_EXPORT struct uf_buffer
uniffi_slim_bindings_fn_method_name_uniffi_trait_debug(void *, struct uf_status *);
UF_EXPORT struct uf_buffer
uniffi_slim_bindings_fn_method_name_uniffi_trait_display(void *, struct uf_status *);
UF_EXPORT int8_t uniffi_slim_bindings_fn_method_name_uniffi_trait_eq_eq(void *, void *,
                                                                        struct uf_status *);
UF_EXPORT int8_t uniffi_slim_bindings_fn_method_name_uniffi_trait_eq_ne(void *, void *,
                                                                        struct uf_status *);

/* ---- service */

UF_EXPORT void *uniffi_slim_bindings_fn_clone_service(void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_free_service(void *, struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_constructor_service_new(struct uf_buffer,
                                                                struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_constructor_service_new_with_config(struct uf_buffer,
                                                                            struct uf_buffer,
                                                                            struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_method_service_config(void *,
                                                                         struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_service_connect(void *, struct uf_buffer,
                                                                  struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_service_connect_async(void *, struct uf_buffer);
UF_EXPORT void *uniffi_slim_bindings_fn_method_service_create_app(void *, void *, struct uf_buffer,
                                                                  struct uf_buffer,
                                                                  struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_service_create_app_async(void *, void *,
                                                                           struct uf_buffer,
                                                                           struct uf_buffer);
UF_EXPORT void *uniffi_slim_bindings_fn_method_service_create_app_with_direction(
    void *, void *, struct uf_buffer, struct uf_buffer, struct uf_buffer, struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_service_create_app_with_direction_async(
    void *, void *, struct uf_buffer, struct uf_buffer, struct uf_buffer);
UF_EXPORT void *uniffi_slim_bindings_fn_method_service_create_app_with_secret(void *, void *,
                                                                              struct uf_buffer,
                                                                              struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_service_create_app_with_secret_async(
    void *, void *, struct uf_buffer);
UF_EXPORT void uniffi_slim_bindings_fn_method_service_disconnect(void *, uint64_t,
                                                                 struct uf_status *);
UF_EXPORT struct uf_buffer
uniffi_slim_bindings_fn_method_service_get_connection_id(void *, struct uf_buffer,
                                                         struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_method_service_get_name(void *,
                                                                           struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_method_service_run(void *, struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_service_run_async(void *);
UF_EXPORT void uniffi_slim_bindings_fn_method_service_run_server(void *, struct uf_buffer,
                                                                 struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_service_run_server_async(void *,
                                                                           struct uf_buffer);
UF_EXPORT void uniffi_slim_bindings_fn_method_service_shutdown(void *, struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_service_shutdown_async(void *);
UF_EXPORT void uniffi_slim_bindings_fn_method_service_stop_server(void *, struct uf_buffer,
                                                                  struct uf_status *);

/* ---- session */

UF_EXPORT void *uniffi_slim_bindings_fn_clone_session(void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_free_session(void *, struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_method_session_config(void *,
                                                                         struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_method_session_destination(void *, struct uf_status *);
UF_EXPORT struct uf_buffer
uniffi_slim_bindings_fn_method_session_get_message(void *, struct uf_buffer, struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_get_message_async(void *,
                                                                            struct uf_buffer);
UF_EXPORT void *uniffi_slim_bindings_fn_method_session_invite(void *, void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_method_session_invite_and_wait(void *, void *,
                                                                      struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_invite_and_wait_async(void *, void *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_invite_async(void *, void *);
UF_EXPORT int8_t uniffi_slim_bindings_fn_method_session_is_initiator(void *, struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_method_session_metadata(void *,
                                                                           struct uf_status *);
UF_EXPORT struct uf_buffer
uniffi_slim_bindings_fn_method_session_participants_list(void *, struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_participants_list_async(void *);
UF_EXPORT void *uniffi_slim_bindings_fn_method_session_publish(void *, struct uf_buffer,
                                                               struct uf_buffer, struct uf_buffer,
                                                               struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_method_session_publish_and_wait(void *, struct uf_buffer,
                                                                       struct uf_buffer,
                                                                       struct uf_buffer,
                                                                       struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_publish_and_wait_async(void *,
                                                                                 struct uf_buffer,
                                                                                 struct uf_buffer,
                                                                                 struct uf_buffer);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_publish_async(void *, struct uf_buffer,
                                                                        struct uf_buffer,
                                                                        struct uf_buffer);
UF_EXPORT void *uniffi_slim_bindings_fn_method_session_publish_to(void *, struct uf_buffer,
                                                                  struct uf_buffer,
                                                                  struct uf_buffer,
                                                                  struct uf_buffer,
                                                                  struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_method_session_publish_to_and_wait(void *, struct uf_buffer,
                                                                          struct uf_buffer,
                                                                          struct uf_buffer,
                                                                          struct uf_buffer,
                                                                          struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_publish_to_and_wait_async(
    void *, struct uf_buffer, struct uf_buffer, struct uf_buffer, struct uf_buffer);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_publish_to_async(void *, struct uf_buffer,
                                                                           struct uf_buffer,
                                                                           struct uf_buffer,
                                                                           struct uf_buffer);
UF_EXPORT void uniffi_slim_bindings_fn_method_session_publish_with_params(
    void *, void *, uint32_t, struct uf_buffer, struct uf_buffer, struct uf_buffer,
    struct uf_buffer, struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_publish_with_params_async(
    void *, void *, uint32_t, struct uf_buffer, struct uf_buffer, struct uf_buffer,
    struct uf_buffer);
UF_EXPORT void *uniffi_slim_bindings_fn_method_session_remove(void *, void *, struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_method_session_remove_and_wait(void *, void *,
                                                                      struct uf_status *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_remove_and_wait_async(void *, void *);
UF_EXPORT uint64_t uniffi_slim_bindings_fn_method_session_remove_async(void *, void *);
UF_EXPORT uint32_t uniffi_slim_bindings_fn_method_session_session_id(void *, struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_method_session_session_type(void *,
                                                                               struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_method_session_source(void *, struct uf_status *);

/* ---- functions */

UF_EXPORT void *uniffi_slim_bindings_fn_func_create_service(struct uf_buffer, struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_func_create_service_with_config(struct uf_buffer,
                                                                        struct uf_buffer,
                                                                        struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_get_build_info(struct uf_status *);
UF_EXPORT void *uniffi_slim_bindings_fn_func_get_global_service(struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_get_services(struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_get_version(struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_func_initialize_from_config(struct uf_buffer,
                                                                   struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_func_initialize_with_configs(struct uf_buffer,
                                                                    struct uf_buffer,
                                                                    struct uf_buffer,
                                                                    struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_func_initialize_with_defaults(struct uf_status *);
UF_EXPORT int8_t uniffi_slim_bindings_fn_func_is_initialized(struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_new_dataplane_config(struct uf_status *);
UF_EXPORT struct uf_buffer
uniffi_slim_bindings_fn_func_new_insecure_client_config(struct uf_buffer, struct uf_status *);
UF_EXPORT struct uf_buffer
uniffi_slim_bindings_fn_func_new_insecure_server_config(struct uf_buffer, struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_new_runtime_config(struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_new_runtime_config_with(uint64_t,
                                                                                struct uf_buffer,
                                                                                struct uf_buffer,
                                                                                struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_new_server_config(struct uf_buffer,
                                                                          struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_new_service_config(struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_new_service_config_with(struct uf_buffer,
                                                                                struct uf_buffer,
                                                                                struct uf_buffer,
                                                                                struct uf_status *);
UF_EXPORT struct uf_buffer
uniffi_slim_bindings_fn_func_new_service_configuration(struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_new_tracing_config(struct uf_status *);
UF_EXPORT struct uf_buffer uniffi_slim_bindings_fn_func_new_tracing_config_with(struct uf_buffer,
                                                                                int8_t, int8_t,
                                                                                struct uf_buffer,
                                                                                struct uf_status *);
UF_EXPORT void uniffi_slim_bindings_fn_func_shutdown_blocking(struct uf_status *);

#endif
