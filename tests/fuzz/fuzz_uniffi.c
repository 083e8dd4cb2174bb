/* Any bytes as an argument of the UniFFI interface: a value or a text that says what is wrong, never a crash. What can be read is written again,
 * to the same bytes, and configurations become texts for the library. The first byte chooses the type. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "uniffi/things.h"

static void check_texts(const struct uf_type *type, const void *value)
{
    struct uf_error error = {.fault = UF_FINE};
    char *text = NULL;
    if (type == &uf_type_client_config) {
        text = uf_client_text(value, &error);
    } else if (type == &uf_type_server_config) {
        text = uf_server_text(value, &error);
    } else if (type == &uf_type_provider) {
        text = uf_provider_text(value, &error);
    } else if (type == &uf_type_verifier) {
        text = uf_verifier_text(value, &error);
    } else {
        return;
    }
    assert((text == NULL) == (error.fault != UF_FINE));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct uf_type *type = uf_types[data[0] % uf_type_count];
    struct slim_view in = {data + 1, size - 1};
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error error = {.fault = UF_FINE};
    void *value = calloc(1, type->size);
    struct uf_buffer out;
    assert(value != NULL);
    if (uf_read_record(type, in, value, &arena, &error)) {
        assert(error.fault == UF_FINE);
        if (!uf_write_record(type, value, &out, &error)) {
            abort(); /* what was read can be written */
        }
        assert(out.len == in.len && (in.len == 0 || memcmp(out.data, in.data, in.len) == 0));
        uf_buffer_free(&out);
        check_texts(type, value);
    } else {
        assert(error.fault == UF_PANIC && error.text[0] != '\0');
    }
    uf_arena_fini(&arena);
    free(value);
    return 0;
}
