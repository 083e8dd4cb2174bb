/* The commands of slim-tool. They return the status of the program. */
#ifndef SLIM_TOOL_TOOL_H
#define SLIM_TOOL_TOOL_H

#include <stdbool.h>

#include "slim/slim.h"

/* What all commands that talk have in common. */
struct tool_options {
    const char *slim;
    const char *local;
    const char *secret;
    bool enable_mls;
    bool is_unreliable;
    uint64_t count;
    uint64_t size;
    uint64_t window;
};

enum { TOOL_TIMEOUT_MS = 10000 };

/* One end: a service of its own, linked and subscribed. Zeroed is none. */
struct tool_end {
    struct slim_service *service;
    struct slim_app *app;
    uint64_t link;
};

/* Say what is wrong ("Error: ...") and return 1. */
int tool_fail(const char *text);

/* An end of this name. False: an error was said. */
bool tool_open(struct tool_end *end, const struct tool_options *options, const char *name);
void tool_close(struct tool_end *end);

/* A reliable (unless the options say otherwise) session with a peer. False: an error was said. */
bool tool_session(struct tool_end *end, const struct tool_options *options, const char *peer,
                  struct slim_session **session);

int tool_pub(const struct tool_options *options, const char *peer, const char *text);
int tool_sub(const struct tool_options *options);
int tool_ping(const struct tool_options *options, const char *peer);
int tool_bench(const struct tool_options *options);
int tool_decode(const char *what);

#endif
