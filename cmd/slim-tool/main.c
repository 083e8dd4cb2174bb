/* slim-tool: send a line, listen to a name, round-trip times, load, and what is in a message. slim-tool(1) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "chat/text.h"
#include "slim-tool/tool.h"

static const char help[] =
    "Usage: slim-tool COMMAND [OPTIONS]\n"
    "\n"
    "  pub NAME TEXT     send one message to a peer, wait until it has it\n"
    "  sub               show what is sent to --local\n"
    "  ping NAME         times until a peer has acknowledged a message\n"
    "  bench             two ends of our own over the node: messages a second, CPU for each\n"
    "  decode HEX|FILE   the fields of a captured message; - is standard input\n"
    "\n"
    "  --slim URL              the node [default: http://127.0.0.1:46357]\n"
    "  --local ORG/NS/APP      our own name [default: slim/tool/PROCESS]\n"
    "  --shared-secret TEXT    at least 32 bytes; also SLIM_SHARED_SECRET; bench: one of its own\n"
    "  --enable-mls            encrypt from end to end\n"
    "  --unreliable            nothing is acknowledged (pub, bench)\n"
    "  --count N               messages [default: 10; bench: 100000; sub: no end]\n"
    "  --size BYTES            of a message (ping, bench) [default: 100]\n"
    "  --window N              messages under way (bench) [default: 256]\n"
    "  --help, --version\n";

int tool_fail(const char *text)
{
    (void)fprintf(stderr, "Error: ");
    for (const char *c = text; *c != 0; c++) {
        (void)fputc(*c == '\n' ? ' ' : *c, stderr); /* a chain of causes in one line */
    }
    (void)fputc('\n', stderr);
    return 1;
}

/* words: what is no option, at most 3. */
struct command_line {
    struct tool_options options;
    const char *words[3];
    size_t word_count;
    bool wants_help;
    bool wants_version;
};

static bool take_number(const char *text, uint64_t *number)
{
    enum { MAX = 1000000000 };
    return text != NULL && chat_text_read_number(text, 1, MAX, number);
}

/* An option with a value. *is_known: it is one. */
static bool take_option(struct tool_options *options, const char *name, const char *value,
                        bool *is_known)
{
    const struct {
        const char *name;
        const char **text;
        uint64_t *number;
    } rows[] = {
        {"--slim", &options->slim, NULL},
        {"--local", &options->local, NULL},
        {"--shared-secret", &options->secret, NULL},
        {"--count", NULL, &options->count},
        {"--size", NULL, &options->size},
        {"--window", NULL, &options->window},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        if (strcmp(name, rows[i].name) == 0) {
            *is_known = true;
            if (rows[i].text != NULL) {
                *rows[i].text = value;
                return value != NULL;
            }
            return take_number(value, rows[i].number);
        }
    }
    *is_known = false;
    return false;
}

static bool take_arguments(struct command_line *line, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        bool is_known = false;
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            line->wants_help = true;
        } else if (strcmp(argument, "--version") == 0) {
            line->wants_version = true;
        } else if (strcmp(argument, "--enable-mls") == 0) {
            line->options.enable_mls = true;
        } else if (strcmp(argument, "--unreliable") == 0) {
            line->options.is_unreliable = true;
        } else if (take_option(&line->options, argument, argv[i + 1], &is_known)) {
            i++;
        } else if (is_known || strncmp(argument, "--", 2) == 0 ||
                   line->word_count == SLIM_COUNT(line->words)) {
            char text[200];
            (void)snprintf(text, sizeof(text), "%.100s: %s", argument,
                           is_known ? "a good value is missing" : "unknown argument"); /* fits */
            (void)tool_fail(text); /* 1, which the caller returns */
            return false;
        } else {
            line->words[line->word_count++] = argument;
        }
    }
    return true;
}

static int run(const struct command_line *line)
{
    const char *command = line->word_count == 0 ? "" : line->words[0];
    const char *first = line->word_count > 1 ? line->words[1] : NULL;
    const char *second = line->word_count > 2 ? line->words[2] : NULL;
    if (strcmp(command, "decode") == 0) {
        return tool_decode(first);
    }
    if (strcmp(command, "bench") == 0) {
        return tool_bench(&line->options);
    }
    if (strcmp(command, "pub") != 0 && strcmp(command, "sub") != 0 &&
        strcmp(command, "ping") != 0) {
        return tool_fail("a command is needed: pub, sub, ping, bench or decode; --help says more");
    }
    if (line->options.secret == NULL) {
        return tool_fail("--shared-secret is needed: the one of the peer, at least 32 bytes");
    }
    if (strcmp(command, "sub") == 0) {
        return line->options.local == NULL ? tool_fail("sub needs --local, the name to listen to")
                                           : tool_sub(&line->options);
    }
    if (first == NULL || (strcmp(command, "pub") == 0 && second == NULL)) {
        return tool_fail("the name of the peer is missing, or the text");
    }
    return strcmp(command, "pub") == 0 ? tool_pub(&line->options, first, second)
                                       : tool_ping(&line->options, first);
}

int main(int argc, char **argv)
{
    struct command_line line = {
        .options = {.slim = "http://127.0.0.1:46357", .size = 100, .window = 256},
    };
    line.options.secret =
        getenv("SLIM_SHARED_SECRET");       // NOLINT(concurrency-mt-unsafe): one thread yet
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a line at a time, also into a pipe */
    if (!take_arguments(&line, argc, argv)) {
        return 1;
    }
    if (line.wants_help || line.wants_version) {
        (void)printf("%s", line.wants_help ? help : "");
        if (line.wants_version) {
            (void)printf("slim-tool %s\n", slim_version());
        }
        return 0;
    }
    return run(&line);
}
