/* Tables of configurations for the tests of this folder: what a good one is read as, and the chain of a bad one. */
#ifndef SLIM_TESTS_UNIT_CONFIG_ROWS_H
#define SLIM_TESTS_UNIT_CONFIG_ROWS_H

#include "config/config.h"
#include "support/check.h"

#define INSECURE "tls: {insecure: true}"
#define SERVICE(text) "services: {slim/0: {dataplane: {" text "}}}\n"
#define SERVER(text) SERVICE("servers: [{" text "}]")
#define GOOD_SERVER(rest) SERVER("endpoint: \"127.0.0.1:1\", " INSECURE ", " rest)
#define TLS_SERVER(tls) SERVER("endpoint: \"127.0.0.1:1\", tls: {" tls "}")
#define CLIENT(rest)                                                                               \
    SERVICE("clients: [{endpoint: \"http://127.0.0.1:1\", " INSECURE ", " rest "}]")
#define TLS_CLIENT(tls) SERVICE("clients: [{endpoint: \"https://a:1\", tls: {" tls "}}]")
#define CONTROLLER(rest)                                                                           \
    "services: {slim/0: {dataplane: {servers: [{endpoint: \"127.0.0.1:1\", " INSECURE              \
    "}]}, controller: {" rest "}}}\n"

#define FILE_STAGE SLIM_CONFIG_STAGE_FILE
#define LOAD SLIM_CONFIG_STAGE_SERVICES
#define START SLIM_CONFIG_STAGE_START
#define START_CHAIN "datapath error > configuration error > "
#define CONTROLLER_CHAIN "controller error > configuration error > "
#define UNSUPPORTED "this version of slim does not support "

/* chain: causes joined with " > ", without our last line; hint: part of our last line. */
struct bad_row {
    const char *why;
    const char *text;
    enum slim_config_stage stage;
    const char *chain;
    const char *hint;
};

/* Each text is refused as its row says, and what is left of the configuration has no services. */
void check_bad_rows(const struct bad_row *rows, size_t count);

/* The configuration of `text`, which must be good. Free it with slim_config_free. */
struct slim_config *read_good(const char *why, const char *text);

/* True when both are NULL, or the same text. */
bool is_text(const char *got, const char *want);

#endif
