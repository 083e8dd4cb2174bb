#include "vectors.h"
bool vector_passive_client(const json_t *item)
{
    (void)item;
    return false;
}
