/* Answers of proxies, whole and cut at every place: an answer that is complete says the same whatever came behind it, and a part of it asks
 * for more. Beside it, URLs and lists of exempt hosts. */
#include <assert.h>
#include <stdlib.h>

#include "io/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(struct slim_view bytes)
{
    size_t used = SIZE_MAX;
    struct slim_error error = {0};
    enum slim_status status = slim_proxy_read_answer(bytes, &used, &error);
    assert(status == SLIM_OK || status == SLIM_AGAIN || error.text[0] != '\0');
    assert(status == SLIM_OK ? used <= bytes.len && used <= SLIM_PROXY_ANSWER_BYTES_MAX
                             : used == SIZE_MAX);
    assert(status != SLIM_AGAIN || bytes.len < SLIM_PROXY_ANSWER_BYTES_MAX);
    for (size_t cut = 0; cut < bytes.len && cut < 300; cut++) {
        size_t part_used = SIZE_MAX;
        struct slim_error part_error;
        enum slim_status part =
            slim_proxy_read_answer(slim_view_of(bytes.data, cut), &part_used, &part_error);
        assert(part == SLIM_AGAIN || part == status);
        assert(part != SLIM_OK || part_used == used);
        assert(status != SLIM_AGAIN || part == SLIM_AGAIN);
    }
}

static void url(struct slim_view text)
{
    struct slim_endpoint endpoint;
    struct slim_buf user_pass = {0};
    struct slim_error error;
    if (slim_proxy_parse(text, &endpoint, &user_pass, &error) == SLIM_OK) {
        struct slim_buf request = {0};
        if (slim_proxy_put_request(&request, &endpoint, slim_buf_view(&user_pass), NULL, 0) ==
            SLIM_OK) {
            size_t lines = 0;
            for (size_t i = 0; i < request.len; i++) {
                lines += request.data[i] == '\n';
            }
            assert(lines == (user_pass.len > 0 ? 4 : 3)); /* nothing smuggles a line in */
        }
        slim_buf_fini(&request);
    }
    slim_buf_fini(&user_pass);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slim_view rest = slim_view_of(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        url(rest);
        break;
    case 1: {
        char host[64] = {0};
        size_t len = rest.len < sizeof(host) - 1 ? rest.len : sizeof(host) - 1;
        if (len > 0) {
            memcpy(host, rest.data, len / 2);
        }
        (void)slim_proxy_is_exempt(slim_view_skip(rest, len / 2), host);
        break;
    }
    default:
        answer(rest);
    }
    return 0;
}
