#include "caller.h"

#include <string.h>
#include <time.h>

struct uf_buffer caller_text(const char *text)
{
    return uf_buffer_of_text(uf_view(text));
}

struct uf_buffer caller_record(const struct uf_type *type, const void *value)
{
    struct uf_error error = {.fault = UF_FINE};
    struct uf_buffer buffer;
    CHECK_ROW(type->name, uf_write_record(type, value, &buffer, &error));
    return buffer;
}

void caller_expect_fine(const char *what, const struct uf_status *status)
{
    if (status->code != UF_CODE_OK) {
        print_error("error: %.*s\n", (int)status->error.len, (const char *)status->error.data);
    }
    CHECK_ROW(what, status->code == UF_CODE_OK);
}

void caller_expect_error(const char *what, struct uf_status *status, enum uf_fault fault,
                         const char *text)
{
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error error = {.fault = UF_FINE};
    struct uf_union value = {.variant = UF_PANIC};
    struct slim_view message = uf_view_of(&status->error);
    CHECK_ROW(what, status->code == (fault == UF_PANIC ? UF_CODE_PANIC : UF_CODE_ERROR));
    if (status->code == UF_CODE_ERROR) {
        CHECK_ROW(what, uf_read_record(&uf_type_slim_error, message, &value, &arena, &error));
        message = value.body == NULL ? uf_view("")
                                     : ((const struct uf_message_record *)value.body)->message;
    }
    bool is_expected = value.variant == (uint32_t)fault &&
                       memmem(message.data, message.len, text, strlen(text)) != NULL;
    if (!is_expected) {
        print_error("%u: %.*s\n", value.variant, (int)message.len, (const char *)message.data);
    }
    CHECK_ROW(what, is_expected);
    uf_arena_fini(&arena);
    uf_buffer_free(&status->error);
    status->code = UF_CODE_OK;
}

/* ---- objects */

static void *clone(void *object, void *(*how)(void *, struct uf_status *))
{
    struct uf_status status = {.code = 0};
    void *handle = how(object, &status);
    EXPECT_FINE(&status);
    return handle;
}

void *caller_name(const char *last)
{
    struct uf_status status = {.code = 0};
    void *name = uniffi_slim_bindings_fn_constructor_name_new(caller_text("org"), caller_text("ns"),
                                                              caller_text(last), &status);
    EXPECT_FINE(&status);
    return name;
}

void *caller_service(void)
{
    struct uf_status status = {.code = 0};
    struct uf_tracing_config tracing = {.log_level = uf_view("off")};
    struct uf_runtime_config runtime = {.thread_name = uf_view("slim"),
                                        .drain_timeout = {.seconds = 10}};
    struct uf_service_config config = {.node_id = NULL};
    struct uf_list configs = {.count = 1, .items = &config};
    uniffi_slim_bindings_fn_func_initialize_with_configs(
        caller_record(&uf_type_runtime_config, &runtime),
        caller_record(&uf_type_tracing_config, &tracing),
        caller_record(&uf_type_service_configs, &configs), &status);
    EXPECT_FINE(&status);
    void *service = uniffi_slim_bindings_fn_constructor_service_new(caller_text("tests"), &status);
    EXPECT_FINE(&status);
    return service;
}

void *caller_app(void *service, const char *last)
{
    struct uf_status status = {.code = 0};
    void *app = uniffi_slim_bindings_fn_method_service_create_app_with_secret(
        clone(service, uniffi_slim_bindings_fn_clone_service), caller_name(last),
        caller_text(CALLER_SECRET), &status);
    EXPECT_FINE(&status);
    return app;
}

void *caller_session(void *app, void *peer, const char *last, void **other)
{
    struct uf_status status = {.code = 0};
    static const uint32_t retries = 10;
    static const struct uf_duration interval = {.seconds = 1};
    struct uf_session_config config = {
        .session_type = UF_POINT_TO_POINT, .max_retries = &retries, .interval = &interval};
    void *session = uniffi_slim_bindings_fn_method_app_create_session_and_wait(
        clone(app, uniffi_slim_bindings_fn_clone_app),
        caller_record(&uf_type_session_config, &config), caller_name(last), &status);
    EXPECT_FINE(&status);
    const struct uf_duration patience = {.seconds = CALLER_PATIENCE_S};
    const struct uf_duration *timeout = &patience;
    *other = uniffi_slim_bindings_fn_method_app_listen_for_session(
        clone(peer, uniffi_slim_bindings_fn_clone_app),
        caller_record(&uf_type_optional_duration, (const void *)&timeout), &status);
    EXPECT_FINE(&status);
    return session;
}

void caller_publish(void *session, const char *text)
{
    struct uf_status status = {.code = 0};
    struct slim_view data = uf_view(text);
    const void *none = NULL;
    uniffi_slim_bindings_fn_method_session_publish_and_wait(
        clone(session, uniffi_slim_bindings_fn_clone_session), caller_record(&uf_type_bytes, &data),
        caller_record(&uf_type_optional_text, (const void *)&none),
        caller_record(&uf_type_optional_pairs, (const void *)&none), &status);
    EXPECT_FINE(&status);
}

void caller_free_all(void *service, void *first_app, void *second_app, void *session, void *other)
{
    struct uf_status status = {.code = 0};
    uniffi_slim_bindings_fn_free_session(session, &status);
    EXPECT_FINE(&status);
    uniffi_slim_bindings_fn_free_session(other, &status);
    EXPECT_FINE(&status);
    uniffi_slim_bindings_fn_free_app(first_app, &status);
    EXPECT_FINE(&status);
    uniffi_slim_bindings_fn_free_app(second_app, &status);
    EXPECT_FINE(&status);
    uniffi_slim_bindings_fn_method_service_shutdown(
        clone(service, uniffi_slim_bindings_fn_clone_service), &status);
    EXPECT_FINE(&status);
    uniffi_slim_bindings_fn_free_service(service, &status);
    EXPECT_FINE(&status);
}

/* ---- futures */

void caller_wake(uint64_t wakes, int8_t poll)
{
    struct caller_wakes *called = (struct caller_wakes *)(uintptr_t)wakes;
    atomic_store(&called->last_poll, poll);
    atomic_fetch_add(&called->count, 1);
}

void caller_wait(struct caller_wakes *wakes, int count)
{
    enum { STEP_NS = 1000000, STEPS_PER_S = 1000 };
    for (int step = 0; atomic_load(&wakes->count) < count; step++) {
        CHECK_ROW("in time", step < CALLER_PATIENCE_S * STEPS_PER_S);
        (void)nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
    }
}

void caller_await(uint64_t future)
{
    struct caller_wakes wakes = {.count = 0};
    int polls = 0;
    do {
        atomic_store(&wakes.last_poll, -1);
        ffi_slim_bindings_rust_future_poll_void(future, caller_wake, (uint64_t)(uintptr_t)&wakes);
        caller_wait(&wakes, ++polls);
    } while (atomic_load(&wakes.last_poll) != UF_POLL_READY);
}
