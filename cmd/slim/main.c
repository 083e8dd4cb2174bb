/* The node's program: arguments, configuration, log, start, stop (spec node.md 1 and 2). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/crypto_context.h"
#include "base/log.h"
#include "config/config.h"
#include "io/listener.h"
#include "slim/args.h"
#include "slim/check.h"
#include "slim/failure.h"
#include "slim/node.h"
#include "slim/signals.h"
#include "slim/version.h"

#define SLIM_LOG_TARGET "slim"

enum {
    EXIT_USAGE = 2, /* besides EXIT_SUCCESS and EXIT_FAILURE */
};

static void print_version(void)
{
    (void)printf("Version:\t%s\nBuild Date:\t%s\nGit SHA:\t%s\nProfile:\t%s\n", slim_build.version,
                 slim_build.date, slim_build.sha, slim_build.profile);
}

/* ---------------------------------------------------------------------------------------------------- --check */

static int check_file(const char *path)
{
    struct slim_config_report *report = NULL;
    enum slim_status status = slim_config_check(path, &report);
    if (status != SLIM_OK) {
        (void)fprintf(stderr, "Error: %s\n", slim_status_text(status));
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < report->config->warning_count; i++) {
        (void)fprintf(stderr, "warning: %s\n", report->config->warnings[i]);
    }
    for (size_t i = 0; i < report->problem_count; i++) {
        slim_failure_print(stderr, &report->problems[i]);
        (void)fputc('\n', stderr);
    }
    size_t total = report->problem_count + report->left_out_count;
    if (total == 0) {
        total = slim_check_certificates(stderr, report->config);
    }
    if (total > 0) {
        (void)fprintf(stderr, "%s: %zu problem%s\n", path, total, total == 1 ? "" : "s");
    } else {
        (void)printf("%s: no problems\n", path);
    }
    slim_config_report_free(report);
    return total > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------------- log */

/* RUST_LOG wins entirely, then tracing.filters, then tracing.log_level for every target (spec node.md 5.3). */
static void start_log(const struct slim_config *config)
{
    const char *rust_log = getenv("RUST_LOG");
    const char *no_color = getenv("NO_COLOR");
    struct slim_log_options options = {
        .fd = STDOUT_FILENO,
        .level = config->log_level,
        .directives = slim_view_str(config->log_directives),
        .display_thread_names = config->display_thread_names,
        .display_thread_ids = config->display_thread_ids,
        .is_json = config->is_json,
        /* the reference colours always; a file or a pipe is better off without */
        .colour = isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0'),
    };
    if (rust_log != NULL) {
        options.directives = slim_view_str(rust_log);
    }
    if (rust_log != NULL || options.directives.len > 0) {
        options.level = SLIM_LOG_OFF; /* targets that no directive names are silent */
    }
    struct slim_error error;
    if (slim_log_init(&options, &error) != SLIM_OK) {
        (void)fprintf(stderr, "%s\n", error.text); /* the other directives are in force */
    }
    /* the span belongs to the target `slim`: silenced with it, as in the reference */
    slim_log_thread("main", slim_log_is_on(SLIM_LOG_INFO, "slim") ? "application_lifecycle" : "");
}

static void log_config(const struct slim_config *config)
{
    for (size_t i = 0; i < config->warning_count; i++) {
        slim_log(WARN, "configuration", SLIM_LOG_STR("warning", config->warnings[i]));
    }
    slim_log(DEBUG, "Services configuration loaded", SLIM_LOG_U64("count", config->service_count));
}

/* ---------------------------------------------------------------------------------------------------- run */

/* A connection is a descriptor: as many as we may have. Where the kernel refuses, those that we have must do. */
static void raise_descriptor_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int run(const char *path)
{
    int signal_fd = -1;
    struct slim_error error;
    if (slim_signals_open(&signal_fd, &error) != SLIM_OK) {
        (void)fprintf(stderr, "Error: %s\n", error.text);
        return EXIT_FAILURE;
    }
    raise_descriptor_limit();
    slim_listener_make_room();
    struct slim_config *config = NULL;
    struct slim_config_error failure;
    enum slim_status status = slim_config_load(path, &config, &failure);
    int result = EXIT_FAILURE;
    if (config != NULL) {
        start_log(config);
        slim_log(INFO, "Runtime started");
        log_config(config);
    }
    if (status == SLIM_OK) {
        result = slim_node_run(config, signal_fd);
    } else {
        slim_failure_print(stderr, &failure);
    }
    slim_log_fini();
    slim_config_free(config);
    return result;
}

int main(int argc, char **argv)
{
    struct slim_args args;
    slim_crypto_context_use_default(); /* a node follows openssl.cnf of its machine */
    slim_args_parse(argc, argv, getenv("CONFIG"), &args);
    switch (args.action) {
    case SLIM_ARGS_RUN:
        return run(args.config_path);
    case SLIM_ARGS_CHECK:
        return check_file(args.config_path);
    case SLIM_ARGS_VERSION:
        print_version();
        return EXIT_SUCCESS;
    case SLIM_ARGS_HELP:
        (void)fputs(args.text, stdout);
        return EXIT_SUCCESS;
    case SLIM_ARGS_ERROR:
        (void)fputs(args.text, stderr);
        return EXIT_USAGE;
    }
    return EXIT_FAILURE;
}
