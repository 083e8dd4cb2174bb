#include "io/library.h"

#include <dlfcn.h>
#include <string.h>

bool slim_library_open(const char *file, const struct slim_library_symbol *symbols, size_t count,
                       const char **missing)
{
    *missing = NULL;
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (found == NULL) {
            *missing = symbols[i].name; /* an old library: nothing of it is used */
            return false;
        }
        /* ISO C has no conversion from void * to a pointer to a function; POSIX has. */
        memcpy(symbols[i].function, &found, sizeof(found));
    }
    return true;
}
