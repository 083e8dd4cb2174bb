/* A group of alice and bob, and the two ways of a commit between them. */
#ifndef SLIM_TESTS_MLS_PAIR_H
#define SLIM_TESTS_MLS_PAIR_H

#include "support/check.h"
#include "world.h"

#define CHECK_MLS(call) assert_int_equal(call, SLIM_MLS_OK)

struct pair {
    struct world world;
    struct slim_mls_client *clients[2];
    struct slim_mls_group *groups[2];
};

static inline void pair_new(struct pair *pair)
{
    *pair = (struct pair){.world = {.seed = 99, .now_s = WORLD_START_S}};
    CHECK_MLS(world_client(&pair->world, 1, "alice", &pair->clients[0]));
    CHECK_MLS(world_client(&pair->world, 1, "bob", &pair->clients[1]));
    CHECK_MLS(slim_mls_group_create(pair->clients[0], NULL, &pair->groups[0]));
    CHECK_MLS(world_add(pair->groups[0], pair->clients[1], &pair->groups[1], NULL));
}

static inline void pair_free(struct pair *pair)
{
    for (size_t i = 0; i < 2; i++) {
        slim_mls_group_free(pair->groups[i]);
        slim_mls_client_free(pair->clients[i]);
    }
}

/* Commit, let the other take it, apply. */
static inline enum slim_mls_status exchange(struct slim_mls_group *author,
                                            struct slim_mls_group *other,
                                            const struct slim_mls_commit_options *options)
{
    struct slim_mls_commit_output output;
    enum slim_mls_status status = slim_mls_group_commit(author, options, &output);
    if (status == SLIM_MLS_OK) {
        status = world_process(other, &output.commit, SLIM_MLS_EVENT_COMMIT);
        if (status == SLIM_MLS_OK) {
            status = slim_mls_group_commit_apply(author);
        } else {
            slim_mls_group_commit_cancel(author);
        }
        slim_mls_commit_output_free(&output);
    }
    return status;
}

#endif
