#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/siphash.h"

uint64_t slim_hash_component(struct slim_view text)
{
    static const uint8_t end = 0xff;
    enum { SHORT_BYTES = 256 };
    if (text.len < SHORT_BYTES) {
        uint8_t bytes[SHORT_BYTES];
        if (text.len > 0) {
            memcpy(bytes, text.data, text.len);
        }
        bytes[text.len] = end;
        return XXH64(bytes, text.len + 1, 0);
    }
    XXH64_state_t state;
    (void)XXH64_reset(&state, 0);                    /* cannot fail: the state is ours */
    (void)XXH64_update(&state, text.data, text.len); /* cannot fail: the pointers are not NULL */
    (void)XXH64_update(&state, &end, 1);
    return XXH64_digest(&state);
}

uint64_t slim_hash_app_id(struct slim_view identity_id)
{
    return slim_siphash13_ended(identity_id);
}
