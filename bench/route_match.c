/* What the subscription table costs: memory of a name, CPU time of a change and of a match.
 *
 *   build/bench/route_match
 *
 * One thread, CPU time of the thread. "warm" is the same name again and again; "spread" is a random one of all names, most
 * of which are in no cache of the processor. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "route/route.h"

enum {
    NAMES = 100 * 1000,
    MATCHES = 2 * 1000 * 1000,
    CHANNEL_PEERS = 1000,
    ADDS_TIMED = 10, /* a clock reading costs as much as an add */
    TEXT_SIZE = 24,
};

struct bench {
    struct slim_heap *heap;
    struct slim_routes *routes;
    struct slim_route_peer *peers; /* NAMES of them */
    uint64_t random;
};

static void must(enum slim_status status)
{
    if (status != SLIM_OK) {
        (void)fprintf(stderr, "route_match: %s\n", slim_status_text(status));
        exit(1);
    }
}

static uint32_t random_below(struct bench *bench, uint32_t limit)
{
    bench->random = bench->random * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)((bench->random >> 33) % limit);
}

static uint64_t mixed(uint64_t x)
{
    return slim_hash_fold(x ^ 0xa0761d6478bd642fU, 0xe7037ed1a0b428dbU);
}

/* The name of number `i`: its own prefix with one id, or its own id in one prefix. */
static struct slim_name_key name_at(uint32_t i, bool is_own_prefix)
{
    struct slim_name_key name = {.prefix = {11, 12, is_own_prefix ? mixed(i) : 13}};
    name.id = mixed(i + NAMES);
    return name;
}

/* 3 + 7 + 20 = 30 bytes of strings. */
static struct slim_name_text text_at(uint32_t i, char text[static TEXT_SIZE])
{
    int len = snprintf(text, TEXT_SIZE, "application-%08" PRIu32, i);
    return (struct slim_name_text){
        {SLIM_VIEW("org"), SLIM_VIEW("default"), slim_view_of(text, (size_t)len)}};
}

static void start(struct bench *bench)
{
    must(slim_heap_new(0, &bench->heap));
    must(slim_routes_new(bench->heap,
                         (struct slim_hash_key){0x243f6a8885a308d3U, 0x13198a2e03707344U},
                         &bench->routes));
    bench->random = 1;
    for (uint32_t i = 0; i < NAMES; i++) {
        slim_route_peer_init(&bench->peers[i], i, false);
    }
}

static void stop(struct bench *bench)
{
    slim_routes_free(bench->routes);
    slim_heap_free(bench->heap);
}

static void add(struct bench *bench, uint32_t i, bool is_own_prefix, struct slim_route_peer *peer)
{
    char buffer[TEXT_SIZE];
    struct slim_name_key name = name_at(i, is_own_prefix);
    struct slim_name_text text = text_at(i, buffer);
    must(slim_routes_add(bench->routes, &name, &text, peer, i + 1, NULL));
}

static void report(const char *what, uint64_t ns, uint64_t count)
{
    printf("  %-58s %9.1f ns\n", what, (double)ns / (double)count);
}

static void match(struct bench *bench, const char *what, bool is_own_prefix, bool is_any,
                  uint32_t fanout, const struct slim_route_peer *from, uint32_t names,
                  uint32_t count)
{
    uint64_t hits_total = 0;
    uint64_t ns = 0;
    /* the names come first, so that making them is not measured */
    enum { BATCH = 1024 };
    static struct slim_name_key batch[BATCH];
    for (uint32_t done = 0; done < count; done += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            batch[i] = name_at(names == 1 ? 0 : random_below(bench, names), is_own_prefix);
            batch[i].id = is_any ? SLIM_NAME_ANY : batch[i].id;
        }
        uint64_t before = slim_clock_thread_cpu_ns();
        for (uint32_t i = 0; i < BATCH; i++) {
            struct slim_route_hits hits;
            slim_routes_match(bench->routes, &batch[i], fanout, from, &hits);
            hits_total += hits.count;
        }
        ns += slim_clock_thread_cpu_ns() - before;
    }
    if (hits_total == 0) {
        (void)fprintf(stderr, "route_match: %s matched nothing\n", what);
        exit(1);
    }
    report(what, ns, (count + BATCH - 1) / BATCH * BATCH);
}

/* 100 000 names, their memory, and what adding and removing one costs. */
static void names(struct bench *bench, const char *what, bool is_own_prefix, bool is_own_peer)
{
    start(bench);
    size_t malloc_before = mallinfo2().uordblks + mallinfo2().hblkhd;
    uint64_t longest_ns = 0;
    uint64_t add_ns = 0;
    for (uint32_t i = 0; i < NAMES; i += ADDS_TIMED) {
        uint64_t before = slim_clock_thread_cpu_ns();
        for (uint32_t k = i; k < i + ADDS_TIMED; k++) {
            add(bench, k, is_own_prefix, &bench->peers[is_own_peer ? k : 0]);
        }
        uint64_t ns = slim_clock_thread_cpu_ns() - before;
        add_ns += ns;
        longest_ns = ns > longest_ns ? ns : longest_ns;
    }
    size_t malloc_bytes = mallinfo2().uordblks + mallinfo2().hblkhd - malloc_before;
    size_t bytes = slim_routes_stats(bench->routes).bytes;
    printf("%s\n", what);
    printf("  %-58s %9.1f B\n", "memory of a name, as the table counts it", (double)bytes / NAMES);
    printf("  %-58s %9.1f B\n", "memory of a name, as malloc counts it",
           (double)malloc_bytes / NAMES);
    report("add (with making its strings)", add_ns, NAMES);
    report("longest ten adds in a row", longest_ns, 1);
    match(bench, "match of one id, spread", is_own_prefix, false, 1, NULL, NAMES, MATCHES);
    match(bench, "match of one id, warm", is_own_prefix, false, 1, NULL, 1, MATCHES);
    if (is_own_prefix) {
        match(bench, "match without id, spread", is_own_prefix, true, 1, NULL, NAMES, MATCHES);
        match(bench, "match without id, warm", is_own_prefix, true, 1, NULL, 1, MATCHES);
    }
    uint64_t before = slim_clock_thread_cpu_ns();
    for (uint32_t i = 0; i < NAMES; i++) {
        uint32_t k =
            (uint32_t)((uint64_t)i * 7919 % NAMES); /* each once, in another order than they came */
        slim_routes_remove_peer(bench->routes, &bench->peers[k], NULL, NULL);
    }
    report("remove", slim_clock_thread_cpu_ns() - before, NAMES);
    printf("  %-58s %9zu B\n", "memory left in the empty table",
           slim_routes_stats(bench->routes).bytes);
    stop(bench);
}

/* A channel: peers with their own ids in one prefix. */
static void channel(struct bench *bench, uint32_t peers)
{
    start(bench);
    for (uint32_t i = 0; i < peers; i++) {
        add(bench, i, false, &bench->peers[i]);
    }
    printf("one channel, %" PRIu32 " peers\n", peers);
    match(bench, "match of all, from nobody", false, true, 256, NULL, 1, MATCHES);
    match(bench, "match of all, from one of the middle", false, true, 256, &bench->peers[peers / 2],
          1, MATCHES / 10);
    match(bench, "anycast, from nobody", false, true, 1, NULL, 1, MATCHES);
    match(bench, "anycast, from one of the middle", false, true, 1, &bench->peers[peers / 2], 1,
          MATCHES);
    for (uint32_t i = 0; i < peers; i++) {
        slim_routes_remove_peer(bench->routes, &bench->peers[i], NULL, NULL);
    }
    stop(bench);
}

int main(void)
{
    struct bench bench = {.peers = calloc(NAMES, sizeof(*bench.peers))};
    if (bench.peers == NULL) {
        (void)fprintf(stderr, "route_match: no memory\n");
        return 1;
    }
    names(&bench, "100 000 names, each in its own prefix and of its own peer", true, true);
    names(&bench, "100 000 names, each in its own prefix, all of one peer", true, false);
    names(&bench, "100 000 ids in one prefix, each of its own peer", false, true);
    names(&bench, "100 000 ids in one prefix, all of one peer", false, false);
    channel(&bench, 8);
    channel(&bench, CHANNEL_PEERS);
    free(bench.peers);
    return 0;
}
