/* Somebody with a valid token and bad intentions. */
#include <stdlib.h>

#include "sim.h"

void sim_hostile_keep(struct sim_world *world, uint32_t to, struct slim_view msg)
{
    (void)world;
    (void)to;
    (void)msg;
}

void sim_hostile_act(struct sim_world *world)
{
    (void)world;
}

void sim_hostile_fini(struct sim_world *world)
{
    for (size_t i = 0; i < SIM_KEPT_MAX; i++) {
        free(world->kept[i].bytes);
    }
}
