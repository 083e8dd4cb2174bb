/* slim-load: put load on a SLIM node and check what arrives. See load.h for how, `slim-load --help` for what.
 *
 * Prints one JSON object. Exit status 0: every message came once, in order and whole; 1: not so; 2: it could not run. */
#include "load_run.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

_Noreturn void load_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("slim-load: ", stderr); /* nowhere to report a failure to */
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static const char usage[] =
    "usage: slim-load --port N [options]\n"
    "  --host A              IPv4 address of the node (127.0.0.1)\n"
    "  --mode M              flood, paced, pingpong or idle (flood)\n"
    "  --receivers N         (1)\n"
    "  --streams N           receivers that share a connection (1)\n"
    "  --senders N           (1)\n"
    "  --fanout one|all      sender i to receiver i, or every message to all (one)\n"
    "  --payload BYTES       at least 32 (128)\n"
    "  --identity BYTES      length of the identity string (100)\n"
    "  --rate N              paced: messages per second of each sender\n"
    "  --seconds S           measured window (3)\n"
    "  --count N             messages of each sender, instead of a time\n"
    "  --ahead N             flood: messages that a sender may be ahead of the receivers\n"
    "  --warmup S            before the window (0.5)\n"
    "  --drain S             silence after which what is missing is lost (5)\n"
    "  --frame-per-message   one DATA frame per message, as real clients send\n"
    "  --verify              compare every byte of the payloads\n"
    "  --stalled N           the last N receivers stop reading after they subscribed\n"
    "  --read-rate BYTES     per second and receiver\n"
    "  --window BYTES        HTTP/2 stream window of the receivers (2097152)\n"
    "  --rcvbuf BYTES        their SO_RCVBUF\n"
    "  --names N             subscriptions of each receiver beside its own\n"
    "  --pid PID             measure the CPU time of this process\n"
    "  --hold                stay connected after the report until standard input ends\n";

static uint64_t number_of(const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != 0 || value < least || value > most) {
        load_die("--%s: not a number from %" PRIu64 " to %" PRIu64 ": %s", option, least, most,
                 text);
    }
    return value;
}

static double seconds_of(const char *option, const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || value < 0 || value > 86400) {
        load_die("--%s: not a time in seconds: %s", option, text);
    }
    return value;
}

static enum load_mode mode_of(const char *text)
{
    static const char *const names[] = {"flood", "paced", "pingpong", "idle"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum load_mode)i;
        }
    }
    load_die("--mode: %s is none of flood, paced, pingpong, idle", text);
}

static const struct option long_options[] = {
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"mode", required_argument, NULL, 'm'},
    {"receivers", required_argument, NULL, 'r'},
    {"streams", required_argument, NULL, 'k'},
    {"senders", required_argument, NULL, 's'},
    {"fanout", required_argument, NULL, 'f'},
    {"payload", required_argument, NULL, 'b'},
    {"identity", required_argument, NULL, 'i'},
    {"rate", required_argument, NULL, 'R'},
    {"seconds", required_argument, NULL, 't'},
    {"count", required_argument, NULL, 'c'},
    {"ahead", required_argument, NULL, 'a'},
    {"warmup", required_argument, NULL, 'w'},
    {"drain", required_argument, NULL, 'd'},
    {"frame-per-message", no_argument, NULL, '1'},
    {"verify", no_argument, NULL, 'v'},
    {"stalled", required_argument, NULL, 'x'},
    {"read-rate", required_argument, NULL, 'q'},
    {"window", required_argument, NULL, 'W'},
    {"rcvbuf", required_argument, NULL, 'B'},
    {"names", required_argument, NULL, 'n'},
    {"pid", required_argument, NULL, 'P'},
    {"hold", no_argument, NULL, 'H'},
    {"help", no_argument, NULL, '?'},
    {NULL, 0, NULL, 0},
};

/* Options that say who there is and what is sent. False: not one of them. */
static bool set_shape(struct load_options *o, int key, const char *name, const char *arg)
{
    switch (key) {
    case 'r':
        o->receiver_count = (uint32_t)number_of(name, arg, 1, 100000);
        return true;
    case 'k':
        o->streams_per_conn = (uint32_t)number_of(name, arg, 1, 1024);
        return true;
    case 's':
        o->sender_count = (uint32_t)number_of(name, arg, 1, 100000);
        return true;
    case 'f':
        o->is_fanout_all = strcmp(arg, "all") == 0;
        return true;
    case 'b':
        o->payload_bytes = (uint32_t)number_of(name, arg, LOAD_TRAILER_BYTES, 4000000);
        return true;
    case 'i':
        o->identity_bytes = (uint32_t)number_of(name, arg, 0, 65536);
        return true;
    case 'x':
        o->stalled_count = (uint32_t)number_of(name, arg, 0, 100000);
        return true;
    case 'n':
        o->name_count = (uint32_t)number_of(name, arg, 0, 10000000);
        return true;
    case '1':
        o->is_frame_per_message = true;
        return true;
    default:
        return false;
    }
}

/* Options that say how fast, how long and how closely. False: not one of them. */
static bool set_course(struct load_options *o, int key, const char *name, const char *arg)
{
    switch (key) {
    case 'm':
        o->mode = mode_of(arg);
        return true;
    case 'R':
        o->rate = number_of(name, arg, 1, 100000000);
        return true;
    case 't':
        o->seconds = seconds_of(name, arg);
        return true;
    case 'c':
        o->count = number_of(name, arg, 1, UINT64_MAX / 2);
        return true;
    case 'a':
        o->ahead = number_of(name, arg, 2, UINT32_MAX);
        return true;
    case 'w':
        o->warmup_s = seconds_of(name, arg);
        return true;
    case 'd':
        o->drain_s = seconds_of(name, arg);
        return true;
    case 'q':
        o->read_rate = number_of(name, arg, 1, UINT32_MAX);
        return true;
    case 'v':
        o->is_verifying = true;
        return true;
    case 'H':
        o->is_holding = true;
        return true;
    default:
        return false;
    }
}

static void set_connection(struct load_options *o, int key, const char *name, const char *arg)
{
    switch (key) {
    case 'h':
        o->host = arg;
        break;
    case 'p':
        o->port = (uint16_t)number_of(name, arg, 1, 65535);
        break;
    case 'W':
        o->window_bytes = (uint32_t)number_of(name, arg, 65535, 1 << 30);
        break;
    case 'B':
        o->receive_buffer_bytes = (int)number_of(name, arg, 1024, 1 << 28);
        break;
    case 'P':
        o->pid = (pid_t)number_of(name, arg, 1, 1 << 22);
        break;
    default:
        (void)fputs(usage, stderr); /* nowhere to report a failure to */
        exit(2);
    }
}

static void check_options(struct load_options *o)
{
    if (o->port == 0) {
        load_die("--port is missing");
    }
    if (o->stalled_count > o->receiver_count) {
        load_die("more stalled receivers than receivers");
    }
    if (o->mode == LOAD_MODE_PACED && o->rate == 0) {
        load_die("--mode paced needs --rate");
    }
    if (o->mode == LOAD_MODE_PINGPONG) {
        o->receiver_count = 2;
        o->sender_count = 2;
        o->streams_per_conn = 1;
        o->is_fanout_all = false;
        o->stalled_count = 0;
    }
    if (o->stalled_count > 0 && o->streams_per_conn > 1) {
        load_die("a stalled receiver has a connection of its own: --streams 1");
    }
}

static void report(const struct load_options *o, const struct load_result *r)
{
    double delivered = r->window_delivered > 0 ? (double)r->window_delivered : 1;
    double window_s = r->window_s > 0 ? r->window_s : 1;
    (void)printf("{\"ready\": true, \"window_s\": %.4f, \"sent\": %" PRIu64
                 ", \"delivered\": %" PRIu64 ", \"window_sent\": %" PRIu64
                 ", \"window_delivered\": %" PRIu64 ", \"delivered_per_s\": %.0f, "
                 "\"node_cpu_us_per_delivered\": %.4f, \"own_cpu_us_per_delivered\": %.4f, "
                 "\"node_busy\": %.3f, "
                 "\"own_busy\": %.3f, ",
                 r->window_s, r->sent, r->delivered, r->window_sent, r->window_delivered,
                 (double)r->window_delivered / window_s, (double)r->node_cpu_ns / 1e3 / delivered,
                 (double)r->own_cpu_ns / 1e3 / delivered, (double)r->node_cpu_ns / 1e9 / window_s,
                 (double)r->own_cpu_ns / 1e9 / window_s);
    (void)printf(
        "\"missing\": %" PRIu64 ", \"again\": %" PRIu64 ", \"damaged\": %" PRIu64
        ", \"closed\": %u, "
        "\"closed_stalled\": %u, \"received_least\": %" PRIu64 ", \"received_most\": %" PRIu64
        ", \"latency_count\": %" PRIu64 ", \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
        r->missing, r->again, r->damaged, r->closed, r->closed_stalled, r->received_least,
        r->received_most, r->latency.count, (double)load_histogram_at(&r->latency, 0.5) / 1e3,
        (double)load_histogram_at(&r->latency, 0.99) / 1e3, (double)r->latency.max_ns / 1e3);
    (void)fflush(stdout); /* who reads it notices what is missing */
    (void)o;
}

int main(int argc, char **argv)
{
    static struct load_result result;
    struct load_options o = {.host = "127.0.0.1",
                             .receiver_count = 1,
                             .streams_per_conn = 1,
                             .sender_count = 1,
                             .payload_bytes = 128,
                             .identity_bytes = 100,
                             .window_bytes = 2097152,
                             .warmup_s = 0.5,
                             .seconds = 3,
                             .drain_s = 5};
    int key;
    int index = 0;
    while ((key = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        const char *name = key == '?' ? "" : long_options[index].name;
        if (!set_shape(&o, key, name, optarg) && !set_course(&o, key, name, optarg)) {
            set_connection(&o, key, name, optarg);
        }
    }
    if (optind != argc) {
        load_die("what is %s?", argv[optind]);
    }
    check_options(&o);

    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* open() tells when there are too few */
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0, 0,
                0); /* paced senders wake up in time, or a little later without it */

    load_run(&o, &result, report);
    bool is_good =
        result.missing == 0 && result.again == 0 && result.damaged == 0 && result.closed == 0;
    return is_good ? 0 : 1;
}
