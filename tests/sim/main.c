/* slim-sim [--seeds N] [--first SEED] [--seed SEED] [--jobs N] [--until-failure]: worlds, one for each seed. With --seed, one world and its trace.
 * Exit status 1 when something did not hold; the seed that is printed then shows it again. */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

enum { JOBS_MAX = 64, FAILURES_SHOWN = 10 };

/* ---- chance: splitmix64 */

uint64_t sim_draw(struct sim_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t sim_below(struct sim_random *random, uint32_t end)
{
    return end == 0 ? 0 : (uint32_t)(sim_draw(random) % end);
}

uint32_t sim_between(struct sim_random *random, uint32_t low, uint32_t high)
{
    return low + sim_below(random, high - low + 1);
}

bool sim_chance(struct sim_random *random, uint32_t per_mille)
{
    return sim_below(random, 1000) < per_mille;
}

/* ---- words */

const char *sim_type_name(int32_t type)
{
    static const char *const names[] = {
        "?",
        "MSG",
        "MSG_ACK",
        "RTX_REQUEST",
        "RTX_REPLY",
        "DISCOVERY",
        "DISCOVERY_RE",
        "JOIN_REQUEST",
        "JOIN_REPLY",
        "LEAVE_REQUEST",
        "LEAVE_REPLY",
        "GROUP_ADD",
        "GROUP_REMOVE",
        "GROUP_WELCOME",
        "GROUP_CLOSE",
        "GROUP_PROPOSAL",
        "GROUP_ACK",
        "GROUP_NACK",
        "PING",
    };
    return type >= 0 && (size_t)type < SLIM_COUNT(names) ? names[type] : names[0];
}

void sim_trace(struct sim_world *world, const char *format, ...)
{
    if (!world->is_tracing) {
        return;
    }
    va_list args;
    va_start(args, format);
    printf("%8" PRIu64 "  ", world->now_ms);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

void sim_fail(struct sim_world *world, const char *format, ...)
{
    if (world->failure != NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(world->failure_text, sizeof(world->failure_text), format, args);
    va_end(args);
    world->failure = world->failure_text;
    sim_trace(world, "FAILED  %s", world->failure);
}

/* ---- one world */

/* True: everything held. */
static bool run_world(uint64_t seed, bool is_tracing, char *failure, size_t size)
{
    struct sim_world *world = calloc(1, sizeof(*world));
    struct sim_random root = {.state = seed * UINT64_C(0x5851f42d4c957f2d) + 1};
    if (world == NULL) {
        abort();
    }
    world->ops = calloc(SIM_OPS_MAX, sizeof(*world->ops));
    world->messages = calloc(SIM_MESSAGES_MAX, sizeof(*world->messages));
    if (world->ops == NULL || world->messages == NULL) {
        abort();
    }
    world->seed = seed;
    world->is_tracing = is_tracing;
    world->now_ms = 1000;
    world->chance.state = sim_draw(&root);
    world->network.state = sim_draw(&root);
    world->keys.state = sim_draw(&root);
    sim_scenario_plan(world);
    sim_scenario_run(world);
    bool is_ok = world->failure == NULL;
    if (!is_ok) {
        (void)snprintf(failure, size, "at %" PRIu64 " ms: %s", world->now_ms, world->failure);
    }
    if (is_tracing) {
        printf("seed %" PRIu64 ": %s; %" PRIu64 " messages sent, %" PRIu64 " lost, %" PRIu64
               " delivered, %u operations, %" PRIu64 " steps\n",
               seed, is_ok ? "all held" : world->failure, world->sent_count, world->lost_count,
               world->delivered_count, world->op_count, world->step_count);
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (world->peers[i].is_alive) {
            slim_session_app_free(world->peers[i].app);
        }
    }
    sim_network_fini(world);
    sim_hostile_fini(world);
    free(world->ops);
    free(world->messages);
    free(world);
    return is_ok;
}

/* ---- many worlds, in several processes: one that dies takes its seed with it */

/* What a process says of itself: written by it, read by the first one. */
struct job {
    volatile uint64_t seed;
    volatile uint64_t done_count;
    volatile uint64_t failed_count;
};

static void run_job(struct job *job, uint64_t first, uint64_t count, uint64_t step,
                    bool until_failure)
{
    for (uint64_t i = 0; i < count && !(until_failure && job->failed_count > 0); i += step) {
        char failure[500];
        job->seed = first + i;
        if (!run_world(first + i, false, failure, sizeof(failure))) {
            job->failed_count++;
            printf("seed %" PRIu64 " %s\n", first + i, failure);
            fflush(stdout);
        }
        job->done_count++;
    }
}

static uint64_t sum_done(const struct job *jobs, uint64_t job_count)
{
    uint64_t done = 0;
    for (uint64_t i = 0; i < job_count; i++) {
        done += jobs[i].done_count;
    }
    return done;
}

static int run_worlds(uint64_t first, uint64_t count, uint64_t job_count, bool until_failure)
{
    struct job *jobs = mmap(NULL, sizeof(*jobs) * JOBS_MAX, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[JOBS_MAX];
    time_t begin = time(NULL);
    uint64_t failed = 0;
    if (jobs == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    fflush(stdout);
    for (uint64_t i = 0; i < job_count; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            run_job(&jobs[i], first + i, count > i ? count - i : 0, job_count, until_failure);
            exit(0); /* not _exit: the address sanitizer looks for leaks then */
        }
    }
    uint64_t left = job_count;
    uint64_t told = 0;
    bool is_stopping = false;
    while (left > 0) {
        for (uint64_t i = 0; i < job_count && until_failure && !is_stopping; i++) {
            is_stopping = jobs[i].failed_count > 0;
        }
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            uint64_t done = sum_done(jobs, job_count);
            if (done / 1000 > told) {
                told = done / 1000;
                printf("%" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " s\n", done, count,
                       (uint64_t)(time(NULL) - begin));
                fflush(stdout);
            }
            for (uint64_t i = 0; i < job_count && is_stopping; i++) {
                if (pids[i] > 0 && kill(pids[i], SIGKILL) != 0) {
                    perror("kill");
                }
            }
            usleep(20 * 1000);
            continue;
        }
        left--;
        for (uint64_t i = 0; i < job_count; i++) {
            if (pids[i] == pid && status != 0 && !is_stopping) {
                printf("seed %" PRIu64 " ended the process (status %d)\n", jobs[i].seed, status);
                jobs[i].failed_count++;
            }
            pids[i] = pids[i] == pid ? 0 : pids[i];
        }
    }
    for (uint64_t i = 0; i < job_count; i++) {
        failed += jobs[i].failed_count;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " failed, %" PRIu64 " s\n",
           sum_done(jobs, job_count), first, failed, (uint64_t)(time(NULL) - begin));
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},   {"first", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},    {"jobs", required_argument, NULL, 'j'},
        {"until-failure", no_argument, NULL, 'u'}, {NULL, 0, NULL, 0},
    };
    uint64_t count = 1000;
    uint64_t first = 1;
    uint64_t jobs = 1;
    bool is_single = false;
    bool until_failure = false;
    for (int c; (c = getopt_long(argc, argv, "n:f:s:j:u", options, NULL)) != -1;) {
        uint64_t number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        switch (c) {
        case 'n':
            count = number;
            break;
        case 'f':
            first = number;
            break;
        case 's':
            first = number;
            is_single = true;
            break;
        case 'j':
            jobs = number < 1 ? 1 : number > JOBS_MAX ? JOBS_MAX : number;
            break;
        case 'u':
            until_failure = true;
            break;
        default:
            fprintf(
                stderr,
                "usage: %s [--seeds N] [--first SEED] [--seed SEED] [--jobs N] [--until-failure]\n",
                argv[0]);
            return 2;
        }
    }
    char failure[500];
    if (is_single) {
        return run_world(first, true, failure, sizeof(failure)) ? 0 : 1;
    }
    return run_worlds(first, count, jobs, until_failure);
}
