/* mls_group: CPU time of group operations, cipher suite 1, for groups of 2, 32, 256 and 1000 members.
 * One line per size; microseconds of CPU of this thread, medians of several runs. bench/run --mls puts it beside other engines.
 *
 *   create    a group of one
 *   add       commit and welcome that add the n-th member, with a path (SLIM's default) and without (the reference's)
 *   join      process the welcome (of the commit with a path)
 *   process   a member processes that commit, without and with a path
 *   encrypt, decrypt   1 KiB of application data
 *   state     bytes of a saved group after that */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "slim/mls.h"

enum { MEMBERS_MAX = 1000, RUNS = 9, MESSAGES = 200, PAYLOAD = 1024, BATCH = 100 };

#define MUST(call)                                                                                 \
    do {                                                                                           \
        enum slim_mls_status status_ = (call);                                                     \
        if (status_ != SLIM_MLS_OK) {                                                              \
            fprintf(stderr, "%s: %s\n", #call, slim_mls_status_text(status_));                     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static enum slim_mls_status check(void *context, const struct slim_mls_check *asked,
                                  struct slim_mls_view *name)
{
    (void)context;
    *name = asked->credential.data;
    return SLIM_MLS_OK;
}

static uint64_t now_s(void *context)
{
    (void)context;
    return slim_clock_wall_us() / 1000000;
}

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    slim_random_fill(out, len);
}

static struct slim_mls_view view(const struct slim_mls_buf *buf)
{
    return (struct slim_mls_view){buf->data, buf->len};
}

static struct slim_mls_client *client_new(unsigned index)
{
    char name[200];                                      /* about as long as an identity token */
    (void)snprintf(name, sizeof(name), "%0190u", index); /* fits */
    struct slim_mls_client_config config = {
        .cipher_suite = 1,
        .credential = {SLIM_MLS_CREDENTIAL_BASIC, {(const uint8_t *)name, strlen(name)}},
        .callbacks = {.check_credential = check, .now_s = now_s, .random = fill},
    };
    slim_mls_policy_init(&config.policy);
    struct slim_mls_buf private_key;
    struct slim_mls_buf public_key;
    struct slim_mls_client *client;
    MUST(slim_mls_signature_key_new(1, &config.callbacks, &private_key, &public_key));
    config.signature_key = view(&private_key);
    MUST(slim_mls_client_new(&config, &client));
    slim_mls_buf_free(&private_key);
    slim_mls_buf_free(&public_key);
    return client;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static double median_us(uint64_t *times, size_t count)
{
    qsort(times, count, sizeof(*times), compare);
    uint64_t middle = times[count / 2];
    return (double)middle / 1000.0;
}

static struct slim_mls_client *clients[MEMBERS_MAX + 1];
static struct slim_mls_buf packages[MEMBERS_MAX + 1];

/* A moderator's group of `count` members, and the view of member 1 (NULL when there is none). */
static struct slim_mls_group *grow(unsigned count, struct slim_mls_group **other,
                                   uint64_t *moderator_ns, uint64_t *member_max_ns,
                                   uint64_t *joiner_ns)
{
    struct slim_mls_group *group;
    *other = NULL;
    MUST(slim_mls_group_create(clients[0], NULL, &group));
    for (unsigned next = 1; next < count;) {
        struct slim_mls_view list[BATCH];
        size_t batch = 0;
        for (; batch < BATCH && next < count; batch++, next++) {
            list[batch] = view(&packages[next]);
        }
        struct slim_mls_commit_options options = {.key_packages = list, .key_package_count = batch};
        struct slim_mls_commit_output output;
        uint64_t start = slim_clock_thread_cpu_ns();
        MUST(slim_mls_group_commit(group, &options, &output));
        MUST(slim_mls_group_commit_apply(group));
        *moderator_ns += slim_clock_thread_cpu_ns() - start;
        start = slim_clock_thread_cpu_ns();
        if (*other == NULL) {
            MUST(slim_mls_group_join(clients[1], view(&output.welcome), (struct slim_mls_view){0},
                                     other));
        } else {
            struct slim_mls_event event;
            MUST(slim_mls_group_process(*other, view(&output.commit), &event));
            slim_mls_event_free(&event);
            uint64_t took = slim_clock_thread_cpu_ns() - start;
            *member_max_ns = took > *member_max_ns ? took : *member_max_ns;
        }
        if (next == count && count > 2) {
            struct slim_mls_group *joined;
            start = slim_clock_thread_cpu_ns();
            MUST(slim_mls_group_join(clients[count - 1], view(&output.welcome),
                                     (struct slim_mls_view){0}, &joined));
            *joiner_ns = slim_clock_thread_cpu_ns() - start;
            slim_mls_group_free(joined);
        }
        slim_mls_commit_output_free(&output);
    }
    return group;
}

static void make_members(void)
{
    for (unsigned i = 0; i <= MEMBERS_MAX; i++) {
        clients[i] = client_new(i);
        MUST(slim_mls_key_package_new(clients[i], &packages[i]));
    }
}

/* The joiners' private keys are used up by joining: new packages for the next round. */
static void renew_packages(void)
{
    for (unsigned i = 0; i <= MEMBERS_MAX; i++) {
        slim_mls_buf_free(&packages[i]);
        MUST(slim_mls_key_package_new(clients[i], &packages[i]));
    }
}

static double measure_create(void)
{
    uint64_t times[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        struct slim_mls_group *group;
        uint64_t start = slim_clock_thread_cpu_ns();
        MUST(slim_mls_group_create(clients[0], NULL, &group));
        times[i] = slim_clock_thread_cpu_ns() - start;
        slim_mls_group_free(group);
    }
    return median_us(times, RUNS);
}

/* A member processes the same commit again and again, each time from the same stored state. */
static double measure_process(struct slim_mls_group **member, const struct slim_mls_buf *commit)
{
    uint64_t times[RUNS];
    struct slim_mls_buf state;
    MUST(slim_mls_group_save(*member, &state));
    for (size_t i = 0; i < RUNS; i++) {
        struct slim_mls_event event;
        slim_mls_group_free(*member);
        MUST(slim_mls_group_load(clients[1], view(&state), member));
        uint64_t start = slim_clock_thread_cpu_ns();
        MUST(slim_mls_group_process(*member, view(commit), &event));
        times[i] = slim_clock_thread_cpu_ns() - start;
        slim_mls_event_free(&event);
    }
    slim_mls_group_free(*member);
    MUST(slim_mls_group_load(clients[1], view(&state), member));
    slim_mls_buf_free(&state);
    return median_us(times, RUNS);
}

struct add_times {
    double add;
    double join;
    double process;
};

/* Add the last member again and again, with a path or without, each time by a key package of its own. The last commit is left
 * pending, and *joined is the view of who joined by it. */
static struct add_times measure_add(struct slim_mls_group *group, struct slim_mls_group **member,
                                    unsigned size, enum slim_mls_path path,
                                    struct slim_mls_group **joined)
{
    uint64_t adds[RUNS];
    uint64_t joins[RUNS];
    struct slim_mls_commit_output output = {0};
    for (size_t i = 0; i < RUNS; i++) {
        struct slim_mls_buf package;
        MUST(slim_mls_key_package_new(clients[size - 1], &package));
        struct slim_mls_view list = view(&package);
        struct slim_mls_commit_options options = {
            .key_packages = &list, .key_package_count = 1, .path = path};
        slim_mls_group_commit_cancel(group);
        slim_mls_commit_output_free(&output);
        slim_mls_group_free(*joined);
        *joined = NULL;
        uint64_t start = slim_clock_thread_cpu_ns();
        MUST(slim_mls_group_commit(group, &options, &output));
        adds[i] = slim_clock_thread_cpu_ns() - start;
        start = slim_clock_thread_cpu_ns();
        MUST(slim_mls_group_join(clients[size - 1], view(&output.welcome),
                                 (struct slim_mls_view){0}, joined));
        joins[i] = slim_clock_thread_cpu_ns() - start;
        slim_mls_buf_free(&package);
    }
    struct add_times result = {.add = median_us(adds, RUNS), .join = median_us(joins, RUNS)};
    if (*member != NULL) {
        result.process = measure_process(member, &output.commit);
    }
    slim_mls_commit_output_free(&output);
    return result;
}

static void measure_messages(struct slim_mls_group *from, struct slim_mls_group *to,
                             double results[2])
{
    static uint8_t payload[PAYLOAD];
    uint64_t encrypt[MESSAGES];
    uint64_t decrypt[MESSAGES];
    for (size_t i = 0; i < MESSAGES; i++) {
        struct slim_mls_buf message;
        struct slim_mls_event event;
        uint64_t start = slim_clock_thread_cpu_ns();
        MUST(slim_mls_group_encrypt(from, (struct slim_mls_view){0},
                                    (struct slim_mls_view){payload, PAYLOAD}, &message));
        uint64_t middle = slim_clock_thread_cpu_ns();
        MUST(slim_mls_group_process(to, view(&message), &event));
        decrypt[i] = slim_clock_thread_cpu_ns() - middle;
        encrypt[i] = middle - start;
        slim_mls_event_free(&event);
        slim_mls_buf_free(&message);
    }
    results[0] = median_us(encrypt, MESSAGES);
    results[1] = median_us(decrypt, MESSAGES);
}

static void measure_size(unsigned size)
{
    uint64_t unused[3] = {0};
    struct slim_mls_group *other;
    struct slim_mls_group *joined = NULL;
    double messages[2];
    struct slim_mls_buf state;
    renew_packages();
    struct slim_mls_group *group = grow(size - 1, &other, &unused[0], &unused[1], &unused[2]);
    double create = measure_create();
    struct add_times plain = measure_add(group, &other, size, SLIM_MLS_PATH_NEEDED, &joined);
    struct add_times with_path = measure_add(group, &other, size, SLIM_MLS_PATH_ALWAYS, &joined);
    MUST(slim_mls_group_commit_apply(group));
    measure_messages(group, joined, messages);
    MUST(slim_mls_group_save(group, &state));
    printf("%5u  add %.1f  process %.1f  create %.1f  add+path %.1f  join %.1f  process+path %.1f  "
           "encrypt %.1f  decrypt %.1f  state %zu\n",
           size, plain.add, plain.process, create, with_path.add, with_path.join, with_path.process,
           messages[0], messages[1], state.len);
    fflush(stdout);
    slim_mls_buf_free(&state);
    slim_mls_group_free(group);
    slim_mls_group_free(other);
    slim_mls_group_free(joined);
}

static void measure_growth(void)
{
    uint64_t times[3] = {0};
    struct slim_mls_group *other;
    renew_packages();
    struct slim_mls_group *group = grow(MEMBERS_MAX, &other, &times[0], &times[1], &times[2]);
    printf("growth to %u in batches of %u: moderator %.1f ms in total, a member at most %.1f ms "
           "per batch, the last joiner %.1f ms\n",
           MEMBERS_MAX, BATCH, (double)times[0] / 1e6, (double)times[1] / 1e6,
           (double)times[2] / 1e6);
    slim_mls_group_free(group);
    slim_mls_group_free(other);
}

/* Sizes as arguments, else all and the growth. */
int main(int argc, char **argv)
{
    static const unsigned sizes[] = {2, 32, 256, 1000};
    make_members();
    for (int i = 1; i < argc; i++) {
        unsigned long size = strtoul(argv[i], NULL, 10);
        if (size < 2 || size > MEMBERS_MAX) {
            fprintf(stderr, "a group has 2 to %d members\n", MEMBERS_MAX);
            return 2;
        }
        measure_size((unsigned)size);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && argc == 1; i++) {
        measure_size(sizes[i]);
    }
    if (argc == 1) {
        measure_growth();
    }
    for (unsigned i = 0; i <= MEMBERS_MAX; i++) {
        slim_mls_buf_free(&packages[i]);
        slim_mls_client_free(clients[i]);
    }
    return 0;
}
