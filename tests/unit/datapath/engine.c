#include "engine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_message(void *ctx, uint64_t incoming_conn, const struct slim_wire_head *head,
                       struct slim_view msg, struct slim_block *block)
{
    (void)block;
    struct test_app *app = ctx;
    if (head->kind != SLIM_WIRE_PUBLISH) {
        return;
    }
    app->message_count++;
    app->incoming_conn = incoming_conn;
    slim_buf_clear(&app->last);
    app->is_copied = slim_buf_put(&app->last, msg) == SLIM_OK;
}

static void on_error(void *ctx, struct slim_view json)
{
    struct test_app *app = ctx;
    app->error_count++;
    slim_buf_clear(&app->last_error);
    app->is_copied = slim_buf_put(&app->last_error, json) == SLIM_OK;
}

static void on_link(void *ctx, uint64_t conn_id, bool is_up)
{
    struct test_app *app = ctx;
    app->link_conn = conn_id;
    if (is_up) {
        app->up_count++;
    } else {
        app->down_count++;
    }
}

void test_app_init(struct test_app *app, struct slim_datapath *datapath)
{
    *app = (struct test_app){.datapath = datapath};
    struct slim_datapath_app callbacks = {
        .on_message = on_message, .on_error = on_error, .on_link = on_link, .ctx = app};
    CHECK_OK(slim_datapath_attach(datapath, &callbacks, &app->id));
}

void test_app_fini(struct test_app *app)
{
    slim_datapath_detach(app->datapath, app->id);
    slim_buf_fini(&app->last);
    slim_buf_fini(&app->last_error);
}

struct slim_wire_name test_name(const char *app, unsigned __int128 id)
{
    struct slim_name_text text = {{SLIM_VIEW("org"), SLIM_VIEW("ns"), slim_view_str(app)}};
    return (struct slim_wire_name){
        .name = slim_name_of(&text, id), .text = text, .is_present = true, .is_complete = true};
}

static enum slim_status submit_subscription(struct test_app *app, bool is_unsubscribe,
                                            const char *name, unsigned __int128 id,
                                            struct test_flags flags)
{
    struct slim_wire_name destination = test_name(name, id);
    struct slim_wire_name source = test_name("tester", app->id);
    struct slim_wire_subscription message = {
        .is_unsubscribe = is_unsubscribe,
        .source = source.name,
        .source_text = source.text,
        .destination = destination.name,
        .destination_text = destination.text,
        .fanout = 1,
        .identity = SLIM_VIEW("token"),
        .subscription_id = flags.subscription_id,
        .has_recv_from = flags.has_recv_from,
        .recv_from = flags.recv_from,
        .has_forward_to = flags.has_forward_to,
        .forward_to = flags.forward_to,
    };
    struct slim_buf encoded = {0};
    CHECK_OK(slim_wire_put_subscription(&encoded, &message));
    enum slim_status status = slim_datapath_submit(app->datapath, app->id, slim_buf_view(&encoded));
    slim_buf_fini(&encoded);
    return status;
}

enum slim_status test_subscribe(struct test_app *app, const char *name, unsigned __int128 id,
                                struct test_flags flags)
{
    return submit_subscription(app, false, name, id, flags);
}

enum slim_status test_unsubscribe(struct test_app *app, const char *name, unsigned __int128 id,
                                  struct test_flags flags)
{
    return submit_subscription(app, true, name, id, flags);
}

/* ---- a protobuf writer of the test's own: the engine must not be tested with its own encoder alone */

static void put_varint(struct slim_buf *out, uint64_t value)
{
    while (value >= 0x80) {
        CHECK_OK(slim_buf_put_byte(out, (uint8_t)(value | 0x80)));
        value >>= 7;
    }
    CHECK_OK(slim_buf_put_byte(out, (uint8_t)value));
}

static void put_number(struct slim_buf *out, uint32_t field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

static void put_bytes(struct slim_buf *out, uint32_t field, struct slim_view bytes)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, bytes.len);
    CHECK_OK(slim_buf_put(out, bytes));
}

static void put_nested(struct slim_buf *out, uint32_t field, struct slim_buf *inner)
{
    put_bytes(out, field, slim_buf_view(inner));
    slim_buf_fini(inner);
}

static void put_name(struct slim_buf *out, uint32_t field, const struct slim_wire_name *name)
{
    struct slim_buf encoded = {0};
    struct slim_buf texts = {0};
    struct slim_buf both = {0};
    for (uint32_t i = 0; i < 3; i++) {
        put_number(&encoded, i + 1, name->name.prefix[i]);
        put_bytes(&texts, i + 1, name->text.part[i]);
    }
    put_number(&encoded, 4, name->name.id == SLIM_NAME_ANY ? UINT64_MAX : (uint64_t)name->name.id);
    put_nested(&both, 1, &encoded);
    put_nested(&both, 2, &texts);
    put_nested(out, field, &both);
}

void test_put_publish(struct slim_buf *out, uint64_t source_id, const char *name,
                      unsigned __int128 id, uint32_t fanout, struct test_flags flags,
                      size_t blob_len)
{
    struct slim_wire_name source = test_name("tester", source_id);
    struct slim_wire_name destination = test_name(name, id);
    struct slim_buf header = {0};
    put_name(&header, 1, &source);
    put_name(&header, 2, &destination);
    put_number(&header, 3, fanout);
    if (flags.has_forward_to) {
        put_number(&header, 6, flags.forward_to);
    }
    struct slim_buf session = {0};
    put_number(&session, 1, 1);
    put_number(&session, 2, 5);
    put_number(&session, 3, 3684865249);
    put_number(&session, 4, 3477968843);
    struct slim_buf payload = {0};
    uint8_t *blob = calloc(1, blob_len + 1);
    CHECK(blob != NULL);
    put_bytes(&payload, 2, slim_view_of(blob, blob_len));
    free(blob);
    struct slim_buf content = {0};
    put_nested(&content, 1, &payload);
    struct slim_buf publish = {0};
    put_nested(&publish, 1, &header);
    put_nested(&publish, 2, &session);
    put_nested(&publish, 3, &content);
    put_nested(out, 3, &publish);
}

enum slim_status test_publish(struct test_app *app, const char *name, unsigned __int128 id,
                              uint32_t fanout, struct test_flags flags, size_t blob_len)
{
    struct slim_buf message = {0};
    test_put_publish(&message, app->id, name, id, fanout, flags, blob_len);
    enum slim_status status = slim_datapath_submit(app->datapath, app->id, slim_buf_view(&message));
    slim_buf_fini(&message);
    return status;
}

struct slim_datapath *test_engine_new(struct slim_loop *loop)
{
    return test_engine_new_with(loop, 0);
}

struct slim_datapath *test_engine_new_with(struct slim_loop *loop, size_t memory_max)
{
    struct slim_datapath_options options = {
        .memory_max_bytes = memory_max, .recovery_ttl_ms = 30000, .slim_version = "1.4.0"};
    struct slim_datapath *datapath;
    CHECK_OK(slim_datapath_new(loop, &options, &datapath));
    return datapath;
}

uint16_t test_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

void test_engine_listen(struct slim_datapath *datapath, uint16_t port)
{
    char endpoint[32];
    (void)snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", (unsigned)port);
    struct slim_config_server server = {.endpoint = endpoint,
                                        .tls.is_insecure = true,
                                        .max_frame_bytes = 16384,
                                        .header_list_bytes = 16384};
    struct slim_error error = {0};
    CHECK_ROW(error.text, slim_datapath_listen(datapath, &server, &error) == SLIM_OK);
}

static void on_connected(void *ctx, enum slim_status status, uint64_t conn_id, const char *text)
{
    CHECK_ROW(text, status == SLIM_OK);
    *(uint64_t *)ctx = conn_id;
}

void test_engine_connect(struct slim_datapath *datapath, uint16_t port, const char *link_id,
                         uint64_t *conn_id)
{
    char endpoint[48];
    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", (unsigned)port);
    struct slim_config_client client = {
        .endpoint = endpoint,
        .tls.is_insecure = true,
        .backoff = {.kind = SLIM_CONFIG_BACKOFF_FIXED,
                    .interval_ms = 20,
                    .max_attempts = UINT64_MAX},
        .link_id = (char *)link_id,
    };
    *conn_id = UINT64_MAX;
    CHECK_OK(slim_datapath_connect(datapath, &client, on_connected, conn_id, NULL));
}
