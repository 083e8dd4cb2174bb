/* What is in a commit that somebody sent. */
#ifndef SLIM_TESTS_MLS_COMMIT_H
#define SLIM_TESTS_MLS_COMMIT_H

#include <stdbool.h>

#include "base/view.h"

/* Does the PublicMessage with a commit carry an UpdatePath? It fails the test when it is anything else. */
bool commit_has_path(struct slim_view message);

#endif
