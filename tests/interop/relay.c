/* relay: our engine between nodes, for tests of chains: it listens, opens links, and sets up routes as it is told, which is what a
 * controller does to a node and what programs with the engine inside do by hand.
 *
 *     relay CONFIG          dataplane.servers and dataplane.clients of the first service
 *
 * Prints "ready" when every link was up once. Then reads a command per line, and answers each with "ok" or "failed: WHY":
 *
 *     route NAME N          what is for NAME goes out by link N (counted from 0)
 *     unroute NAME N
 *     announce NAME N       what comes to the node behind link N for NAME goes to us
 *     withdraw NAME N */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "datapath/datapath.h"

enum { LINKS_MAX = 8, LINE_BYTES_MAX = 1024 };

struct link {
    struct relay *relay;
    uint64_t conn_id;
};

struct relay {
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    struct slim_watch input;
    uint64_t app_conn;
    struct link links[LINKS_MAX];
    size_t link_count;
    size_t up_count;
    char line[LINE_BYTES_MAX];
    size_t line_len;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "relay: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void require(enum slim_status status, const char *what)
{
    if (status != SLIM_OK) {
        die(what, slim_status_text(status));
    }
}

static void say(const char *text)
{
    (void)puts(text);
    (void)fflush(stdout);
}

static void on_message(void *ctx, uint64_t incoming_conn, const struct slim_wire_head *head,
                       struct slim_view msg, struct slim_block *block)
{
    (void)ctx; /* nothing is for us: we withdraw our own subscriptions at once */
    (void)incoming_conn;
    (void)head;
    (void)msg;
    (void)block;
}

static void on_error(void *ctx, struct slim_view json)
{
    (void)ctx; /* the status of the command says it */
    (void)json;
}

static void on_connected(void *ctx, enum slim_status status, uint64_t conn_id, const char *text)
{
    struct link *link = ctx;
    if (status != SLIM_OK) {
        die("link", text);
    }
    link->conn_id = conn_id;
    if (++link->relay->up_count == link->relay->link_count) {
        say("ready");
    }
}

/* "org/ns/name" for every application of that name, "org/ns/name/1f" for one. */
static bool parse_name(char *text, struct slim_name_text *name, unsigned __int128 *id)
{
    char *rest = NULL;
    enum { HEX = 16 };
    for (size_t i = 0; i < SLIM_COUNT(name->part); i++) {
        char *part = strtok_r(i == 0 ? text : NULL, "/", &rest);
        if (part == NULL) {
            return false;
        }
        name->part[i] = slim_view_str(part);
    }
    const char *digits = strtok_r(NULL, "/", &rest);
    *id = digits == NULL ? SLIM_NAME_ANY : strtoull(digits, NULL, HEX);
    return true;
}

static enum slim_status submit(struct relay *relay, struct slim_wire_subscription *message)
{
    struct slim_buf encoded = {0};
    enum slim_status status = slim_wire_put_subscription(&encoded, message);
    if (status == SLIM_OK) {
        status = slim_datapath_submit(relay->datapath, relay->app_conn, slim_buf_view(&encoded));
    }
    slim_buf_fini(&encoded);
    return status;
}

static enum slim_status run(struct relay *relay, const char *command, char *name,
                            const struct link *link)
{
    const struct slim_name_text self = {{SLIM_VIEW("test"), SLIM_VIEW("test"), SLIM_VIEW("relay")}};
    struct slim_name_text text;
    unsigned __int128 id;
    if (!parse_name(name, &text, &id)) {
        return SLIM_ERR_ARGUMENT;
    }
    struct slim_wire_subscription message = {
        .source = slim_name_of(&self, 1),
        .source_text = self,
        .destination = slim_name_of(&text, id),
        .destination_text = text,
        .fanout = 1,
        .is_unsubscribe = strcmp(command, "unroute") == 0 || strcmp(command, "withdraw") == 0,
    };
    if (strcmp(command, "route") == 0 || strcmp(command, "unroute") == 0) {
        message.has_recv_from = true;
        message.recv_from = link->conn_id;
        return submit(relay, &message);
    }
    /* The table follows what is forwarded. We are no receiver: our own entry goes, or comes for a moment. */
    struct slim_wire_subscription own = message;
    own.is_unsubscribe = !message.is_unsubscribe;
    message.has_forward_to = true;
    message.forward_to = link->conn_id;
    if (message.is_unsubscribe) {
        SLIM_TRY(submit(relay, &own));
        return submit(relay, &message);
    }
    SLIM_TRY(submit(relay, &message));
    return submit(relay, &own);
}

static void take_line(struct relay *relay, char *line)
{
    char *rest = NULL;
    const char *command = strtok_r(line, " ", &rest);
    char *name = strtok_r(NULL, " ", &rest);
    const char *number = strtok_r(NULL, " ", &rest);
    size_t index = number == NULL ? SIZE_MAX : strtoul(number, NULL, 10);
    if (command == NULL || name == NULL || index >= relay->link_count) {
        say("failed: what?");
        return;
    }
    enum slim_status status = run(relay, command, name, &relay->links[index]);
    if (status == SLIM_OK) {
        say("ok");
        return;
    }
    (void)printf("failed: %s\n", slim_status_text(status));
    (void)fflush(stdout);
}

static void on_input(struct slim_watch *watch, uint32_t events)
{
    struct relay *relay = SLIM_CONTAINER_OF(watch, struct relay, input);
    (void)events; /* read tells */
    ssize_t count =
        read(watch->fd, relay->line + relay->line_len, sizeof(relay->line) - relay->line_len);
    if (count <= 0) {
        slim_loop_stop(relay->loop);
        return;
    }
    relay->line_len += (size_t)count;
    char *end;
    while ((end = memchr(relay->line, '\n', relay->line_len)) != NULL) {
        size_t len = (size_t)(end - relay->line) + 1;
        *end = 0;
        take_line(relay, relay->line);
        relay->line_len -= len;
        memmove(relay->line, relay->line + len, relay->line_len);
    }
}

static void open_all(struct relay *relay, const struct slim_config_service *service)
{
    struct slim_error error;
    for (size_t i = 0; i < service->server_count; i++) {
        if (slim_datapath_listen(relay->datapath, &service->servers[i], &error) != SLIM_OK) {
            die("listen", error.text);
        }
    }
    relay->link_count = service->client_count;
    for (size_t i = 0; i < service->client_count && i < LINKS_MAX; i++) {
        relay->links[i].relay = relay;
        if (slim_datapath_connect(relay->datapath, &service->clients[i], on_connected,
                                  &relay->links[i], &error) != SLIM_OK) {
            die("connect", error.text);
        }
    }
}

int main(int argc, char **argv)
{
    static struct relay relay;
    struct slim_config *config = NULL;
    struct slim_config_error failure;
    if (argc != 2 || slim_config_load(argv[1], &config, &failure) != SLIM_OK) {
        die("configuration", argc != 2 ? "one file, please" : failure.cause[0]);
    }
    struct slim_log_options log = {.fd = STDERR_FILENO, .level = SLIM_LOG_INFO};
    struct slim_error error;
    require(slim_log_init(&log, &error), "log");
    require(slim_loop_new(&relay.loop), "loop");
    struct slim_datapath_options options = {.slim_version = "1.4.0"};
    require(slim_datapath_new(relay.loop, &options, &relay.datapath), "datapath");
    const struct slim_datapath_app app = {.on_message = on_message, .on_error = on_error};
    require(slim_datapath_attach(relay.datapath, &app, &relay.app_conn), "application");
    open_all(&relay, &config->services[0]);
    relay.input =
        (struct slim_watch){.fd = STDIN_FILENO, .wanted = SLIM_IO_READ, .on_ready = on_input};
    require(slim_loop_watch(relay.loop, &relay.input), "input");
    slim_loop_run(relay.loop);
    slim_loop_unwatch(relay.loop, &relay.input);
    slim_datapath_free(relay.datapath);
    slim_loop_free(relay.loop);
    slim_log_fini();
    slim_config_free(config);
    return EXIT_SUCCESS;
}
