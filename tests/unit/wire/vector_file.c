#include "vector_file.h"

#include <ctype.h>
#include <stdlib.h>

#include "support/check.h"

void vector_text_load(struct slim_buf *text, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", SLIM_TEST_VECTORS,
                   name); /* a cut path fails to open */
    FILE *in = fopen(path, "rb");
    CHECK_ROW(path, in != NULL);
    uint8_t chunk[16384];
    size_t got;
    while ((got = fread(chunk, 1, sizeof(chunk), in)) > 0) {
        CHECK_OK(slim_buf_put(text, slim_view_of(chunk, got)));
    }
    CHECK_ROW(path, fclose(in) == 0 && text->len > 0);
}

void vector_file_load(struct vector_file *file, const char *name)
{
    *file = (struct vector_file){.at = 0};
    vector_text_load(&file->text, name);
}

void vector_file_fini(struct vector_file *file)
{
    slim_buf_fini(&file->text);
}

static bool is_bare(uint8_t c)
{
    return isalnum(c) || c == '-' || c == '.';
}

bool vector_file_next(struct vector_file *file, struct slim_view *token, bool *is_key)
{
    const uint8_t *data = file->text.data;
    size_t len = file->text.len;
    size_t at = file->at;
    while (at < len && data[at] != '"' && !is_bare(data[at])) {
        at++;
    }
    if (at == len) {
        return false;
    }
    bool is_string = data[at] == '"';
    size_t start = is_string ? ++at : at;
    while (at < len && (is_string ? data[at] != '"' : is_bare(data[at]))) {
        at += is_string && data[at] == '\\' ? 2 : 1;
    }
    CHECK(at < len);
    *token = slim_view_of(data + start, at - start);
    at += is_string ? 1 : 0;
    *is_key = at < len && data[at] == ':';
    file->at = at;
    return true;
}

static uint8_t nibble(uint8_t c)
{
    CHECK(isxdigit(c));
    return (uint8_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
}

void vector_unhex(struct slim_view hex, struct slim_buf *bytes)
{
    *bytes = (struct slim_buf){.len = 0};
    uint8_t *digits = malloc(hex.len + 1);
    CHECK(digits != NULL);
    size_t count = 0;
    for (size_t i = 0; i < hex.len; i++) {
        if (hex.data[i] != ' ') {
            digits[count++] = nibble(hex.data[i]);
        }
    }
    CHECK(count % 2 == 0);
    bytes->len = count / 2;
    bytes->capacity = count / 2;
    bytes->data = malloc(bytes->len + (bytes->len == 0));
    CHECK(bytes->data != NULL);
    for (size_t i = 0; i < bytes->len; i++) {
        bytes->data[i] = (uint8_t)(digits[2 * i] << 4 | digits[2 * i + 1]);
    }
    free(digits);
}

void vector_unhex_fini(struct slim_buf *bytes)
{
    free(bytes->data);
    *bytes = (struct slim_buf){.len = 0};
}
