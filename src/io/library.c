#include "io/library.h"

#include <dlfcn.h>
#include <string.h>

void *slim_library_open(const char *file, const struct slim_library_symbol *symbols, size_t count,
                        const char **missing)
{
    *missing = NULL;
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (found == NULL) {
            (void)dlclose(handle); /* an old library: nothing of it is in use */
            *missing = symbols[i].name;
            return NULL;
        }
        /* ISO C has no conversion from void * to a pointer to a function; POSIX has. */
        memcpy(symbols[i].function, &found, sizeof(found));
    }
    return handle;
}
