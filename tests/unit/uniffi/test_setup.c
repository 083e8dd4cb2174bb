/* The set-up of the process, and the files it may come from. The claims share the process: their order is part of them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caller.h"
#include "uniffi/document.h"

static char path[] = "/tmp/slim-uniffi-XXXXXX";

static void write_file(const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0 ? -1 : 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void expect_part(const char *text, const char *part)
{
    CHECK_ROW(part, strstr(text, part) != NULL);
}

static void a_file_is_taken_apart(void **state)
{
    (void)state;
    struct uf_document document;
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error error = {.fault = UF_FINE};
    write_file(
        "tracing: {log_level: debug, filters: [slim, a=warn]}\n"
        "tls: &tls {insecure: true}\n"
        "services:\n"
        "  slim/7:\n"
        "    dataplane:\n"
        "      servers:\n"
        "        - {endpoint: \"127.0.0.1:1\", tls: *tls, metadata: \"12\"}\n"
        "      clients: [{endpoint: \"http://a\", headers: {x: \"yes\", y: 7}}, {endpoint: b}]\n"
        "  slim/8: ~\n");
    CHECK(uf_document_read(path, &document, &arena, &error));
    CHECK_VIEW(*document.log_level, "debug");
    const struct slim_view *filters = document.filters.items;
    CHECK(document.filters.count == 2);
    CHECK_VIEW(filters[1], "a=warn");
    const struct uf_described_service *services = document.services.items;
    CHECK(document.services.count == 2);
    CHECK_VIEW(services[0].node_id, "slim/7");
    CHECK(services[0].servers.count == 1 && services[0].clients.count == 2);
    CHECK(services[1].servers.count == 0 && services[1].clients.count == 0);
    const char *const *servers = services[0].servers.items;
    const char *const *clients = services[0].clients.items;
    expect_part(servers[0], "insecure: true");
    expect_part(servers[0], "metadata: \"12\""); /* still a text */
    expect_part(clients[0], "x: \"yes\"");
    expect_part(clients[0], "y: 7");
    uf_arena_fini(&arena);
}

static void a_file_that_says_little_gets_the_defaults(void **state)
{
    (void)state;
    struct uf_document document;
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error error = {.fault = UF_FINE};
    write_file("{}");
    CHECK(uf_document_read(path, &document, &arena, &error));
    CHECK(document.log_level == NULL && document.filters.count == 0 &&
          document.services.count == 1);
    CHECK_VIEW(((const struct uf_described_service *)document.services.items)->node_id, "slim/0");
    uf_arena_fini(&arena);
}

static void files_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        const char *error;
    } rows[] = {
        {"empty", "", "a mapping is expected"},
        {"a list", "[1]", "a mapping is expected"},
        {"not YAML", "a: [", "Failed to create config loader: "},
        {"a circle of aliases",
         "services: {a/b: {dataplane: {servers: [&a {endpoint: x, more: [*a]}]}}}",
         "too large or too deep"},
        {"aliases that multiply",
         "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
         "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
         "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
         "services: {a/b: {dataplane: {servers: [*e]}}}",
         "too large or too deep"},
        {"aliases that multiply over many servers",
         "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
         "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
         "services: {a/b: {dataplane: {servers: [*d,*d,*d,*d], clients: [*d,*d,*d,*d]}}}",
         "too large or too deep"},
        {"a name that is none", "services: {[1]: {}}", "a name of text is expected"},
    };
    for (size_t i = 0; i < UF_COUNT(rows); i++) {
        struct uf_document document;
        struct uf_arena arena = {.chunks = NULL};
        struct uf_error error = {.fault = UF_FINE};
        write_file(rows[i].text);
        CHECK_ROW(rows[i].why, !uf_document_read(path, &document, &arena, &error));
        CHECK_ROW(rows[i].why, error.fault == UF_PANIC);
        CHECK_ROW(rows[i].why, strstr(error.text, rows[i].error) != NULL);
        uf_arena_fini(&arena);
    }
}

static void a_text_that_many_servers_share_is_counted_for_each(void **state)
{
    (void)state;
    enum { TEXT_LEN = UF_DOCUMENT_BYTES_MAX / 8, FILE_BYTES = TEXT_LEN + 256 };
    static const char many[] = "*a,*a,*a,*a,*a,*a,*a,*a";
    char *text = malloc(FILE_BYTES);
    CHECK(text != NULL);
    int len = snprintf(text, FILE_BYTES, "a: &a {endpoint: %0*d}\n", TEXT_LEN, 7);
    for (size_t given = 5; given < sizeof(many); given += 18) { /* two of them, or all eight */
        struct uf_document document;
        struct uf_arena arena = {.chunks = NULL};
        struct uf_error error = {.fault = UF_FINE};
        (void)snprintf(text + len, (size_t)(FILE_BYTES - len),
                       "services: {a/b: {dataplane: {clients: [%.*s]}}}", (int)given, many);
        write_file(text);
        bool is_read = uf_document_read(path, &document, &arena, &error);
        CHECK_ROW(error.text, is_read == (given == 5));
        uf_arena_fini(&arena);
    }
    free(text);
}

static void set_up(const struct uf_list *configs, struct uf_status *status)
{
    struct uf_tracing_config tracing = {.log_level = uf_view("off")};
    struct uf_runtime_config runtime = {.thread_name = uf_view("slim"),
                                        .drain_timeout = {.seconds = 10}};
    uniffi_slim_bindings_fn_func_initialize_with_configs(
        caller_record(&uf_type_runtime_config, &runtime),
        caller_record(&uf_type_tracing_config, &tracing),
        caller_record(&uf_type_service_configs, configs), status);
}

static void a_set_up_that_fails_may_be_tried_again(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    struct uf_list configs = {.count = 0};
    set_up(&configs, &status);
    caller_expect_error("none", &status, UF_PANIC,
                        "Initialization failed: service error: No service configuration provided");
    static const struct slim_view ids[] = {{(const uint8_t *)"nodeX", 5},
                                           {(const uint8_t *)"a/b/c", 5}};
    for (size_t i = 0; i < UF_COUNT(ids); i++) {
        struct uf_service_config config = {.node_id = &ids[i]};
        configs = (struct uf_list){.count = 1, .items = &config};
        set_up(&configs, &status);
        caller_expect_error("an id", &status, UF_PANIC,
                            "service error: id error\nCaused by:\n  -> kind contains invalid");
    }
    uniffi_slim_bindings_fn_func_initialize_from_config(caller_text("/nowhere/at/all"), &status);
    caller_expect_error("no file", &status, UF_PANIC,
                        "Failed to create config loader: IoError(Os { code: 2, kind: NotFound, "
                        "message: \"No such file or directory\" })");
    write_file("services: {slim/3: {dataplane: {servers: [{endpoint: nowhere}]}}}");
    uniffi_slim_bindings_fn_func_initialize_from_config(caller_text(path), &status);
    caller_expect_error("no endpoint", &status, UF_PANIC,
                        "Initialization failed: service error: Failed to start service 0: ");
    CHECK(uniffi_slim_bindings_fn_func_is_initialized(&status) == 0);
    EXPECT_FINE(&status);
}

static void two_services_are_set_up_and_the_first_is_global(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    static const struct slim_view id = {(const uint8_t *)"slim/own", 8};
    struct uf_service_config both[] = {{.node_id = NULL}, {.node_id = &id}};
    struct uf_list configs = {.count = 2, .items = both};
    set_up(&configs, &status);
    EXPECT_FINE(&status);
    set_up(&configs, &status); /* changes nothing */
    EXPECT_FINE(&status);
    CHECK(uniffi_slim_bindings_fn_func_is_initialized(&status) == 1);
    struct uf_buffer list = uniffi_slim_bindings_fn_func_get_services(&status);
    EXPECT_FINE(&status);
    struct uf_list found;
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error error = {.fault = UF_FINE};
    CHECK(uf_read_record(&uf_type_services, uf_view_of(&list), &found, &arena, &error));
    CHECK(found.count == 2);
    struct uf_service *const *services = found.items;
    CHECK(strcmp(services[0]->title, "slim/global-bindings-service-0") == 0);
    CHECK(strcmp(services[1]->title, "slim/own") == 0);
    uf_arena_fini(&arena);
    uf_buffer_free(&list);
    void *global = uniffi_slim_bindings_fn_func_get_global_service(&status);
    struct uf_buffer title = uniffi_slim_bindings_fn_method_service_get_name(global, &status);
    EXPECT_FINE(&status);
    CHECK(title.len == strlen("slim/global-bindings-service-0"));
    uf_buffer_free(&title);
}

static void services_say_what_is_wrong_with_them(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    (void)uniffi_slim_bindings_fn_constructor_service_new(caller_text("a/b"), &status);
    caller_expect_error("a bad name", &status, UF_PANIC,
                        "Invalid service name: InvalidCharacter(\"a/b\")");
    void *service = uniffi_slim_bindings_fn_func_create_service(caller_text(""), &status);
    EXPECT_FINE(&status);
    for (int i = 0; i < 4; i++) { /* one for each call below */
        CHECK(uniffi_slim_bindings_fn_clone_service(service, &status) == service);
    }
    uniffi_slim_bindings_fn_method_service_run(service, &status);
    caller_expect_error("nothing to run", &status, UF_SERVICE_ERROR,
                        "no server or client configured");
    uniffi_slim_bindings_fn_method_service_disconnect(service, 77, &status);
    caller_expect_error("no link", &status, UF_SERVICE_ERROR, "disconnection error");
    uniffi_slim_bindings_fn_method_service_stop_server(service, caller_text("x"), &status);
    caller_expect_error("no server", &status, UF_SERVICE_ERROR, "server not found: x");
    struct uf_buffer found = uniffi_slim_bindings_fn_method_service_get_connection_id(
        service, caller_text("x"), &status);
    CHECK(status.code == UF_CODE_OK && found.len == 1 && found.data[0] == 0);
    uf_buffer_free(&found);
    uniffi_slim_bindings_fn_free_service(service, &status);
    EXPECT_FINE(&status);
}

static void a_service_is_shut_down_once(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    uniffi_slim_bindings_fn_func_shutdown_blocking(&status);
    EXPECT_FINE(&status);
    uniffi_slim_bindings_fn_func_shutdown_blocking(&status);
    caller_expect_error("again", &status, UF_SERVICE_ERROR,
                        "datapath error\nCaused by:\n  -> data path is already closed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_taken_apart),
        cmocka_unit_test(a_file_that_says_little_gets_the_defaults),
        cmocka_unit_test(files_that_make_no_sense_are_refused),
        cmocka_unit_test(a_text_that_many_servers_share_is_counted_for_each),
        cmocka_unit_test(a_set_up_that_fails_may_be_tried_again),
        cmocka_unit_test(two_services_are_set_up_and_the_first_is_global),
        cmocka_unit_test(services_say_what_is_wrong_with_them),
        cmocka_unit_test(a_service_is_shut_down_once),
    };
    return cmocka_run_group_tests_name("uniffi_setup", tests, make_file, remove_file);
}
