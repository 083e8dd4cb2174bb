#include "h2/finished.h"

#include "support/check.h"
#include "unit/h2/frames.h"

enum { GO_ON = -1 };

/* Where it stops, fed in pieces of `step` bytes; GO_ON. */
static long feed(struct slim_view bytes, bool has_preface, size_t step)
{
    struct slim_h2_finished finished;
    slim_h2_finished_init(&finished, has_preface);
    for (size_t at = 0; at < bytes.len; at += step) {
        size_t count = bytes.len - at < step ? bytes.len - at : step;
        if (slim_h2_finished_take(&finished, slim_view_of(bytes.data + at, count)) < count) {
            return (long)at;
        }
    }
    return GO_ON;
}

static bool is_refused(struct slim_view bytes, bool has_preface)
{
    bool result = feed(bytes, has_preface, bytes.len) != GO_ON;
    for (size_t step = 1; step < bytes.len; step++) {
        CHECK((feed(bytes, has_preface, step) != GO_ON) == result);
    }
    return result;
}

static void only_what_follows_the_peers_own_end_is_refused(void **state)
{
    (void)state;
    struct frame {
        uint8_t type, flags;
        uint32_t id;
    };
    static const struct {
        const char *why;
        struct frame frames[5];
        size_t count;
        bool is_refused;
    } rows[] = {
        {"one stream", {{F_HEADERS, 4, 1}, {F_DATA, 0, 1}, {F_DATA, 1, 1}}, 3, false},
        {"DATA behind the end", {{F_HEADERS, 5, 1}, {F_DATA, 0, 1}}, 2, true},
        {"DATA behind DATA with the end",
         {{F_DATA, 0, 1}, {F_DATA, 1, 1}, {F_DATA, 0, 1}},
         3,
         true},
        {"HEADERS behind the end", {{F_DATA, 1, 1}, {F_HEADERS, 4, 1}}, 2, true},
        {"DATA behind a reset", {{F_HEADERS, 4, 1}, {F_RST_STREAM, 0, 1}, {F_DATA, 0, 1}}, 3, true},
        {"a reset and credit behind the end",
         {{F_HEADERS, 5, 1}, {F_WINDOW_UPDATE, 0, 1}, {F_RST_STREAM, 0, 1}, {F_PRIORITY, 0, 1}},
         4,
         false},
        {"two streams", {{F_HEADERS, 5, 1}, {F_HEADERS, 4, 3}, {F_DATA, 0, 3}}, 3, false},
        {"the flag of an ack is no end",
         {{F_SETTINGS, 1, 0}, {F_PING, 1, 0}, {F_DATA, 0, 0}},
         3,
         false},
        {"the connection is no stream", {{F_DATA, 1, 0}, {F_DATA, 1, 0}}, 2, false},
        {"the reserved bit", {{F_DATA, 1, 0x80000001}, {F_DATA, 0, 1}}, 2, true},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (int has_preface = 0; has_preface < 2; has_preface++) {
            struct slim_buf in = {0};
            if (has_preface != 0) {
                put_preface(&in);
            }
            for (size_t k = 0; k < rows[i].count; k++) {
                put_frame(&in, rows[i].frames[k].type, rows[i].frames[k].flags,
                          rows[i].frames[k].id, SLIM_VIEW("a payload like a head"));
            }
            CHECK_ROW(rows[i].why,
                      is_refused(slim_buf_view(&in), has_preface != 0) == rows[i].is_refused);
            slim_buf_fini(&in);
        }
    }
}

static void it_remembers_the_last_streams(void **state)
{
    (void)state;
    struct slim_buf in = {0};
    for (uint32_t i = 0; i <= SLIM_H2_FINISHED_STREAMS; i++) {
        put_frame(&in, F_HEADERS, 5, 1 + 2 * i, SLIM_VIEW(""));
    }
    size_t len = in.len;
    put_frame(&in, F_DATA, 0, 1, SLIM_VIEW("")); /* forgotten */
    CHECK(!is_refused(slim_buf_view(&in), false));
    in.len = len;
    put_frame(&in, F_DATA, 0, 3, SLIM_VIEW(""));
    CHECK(is_refused(slim_buf_view(&in), false));
    slim_buf_fini(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_follows_the_peers_own_end_is_refused),
        cmocka_unit_test(it_remembers_the_last_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
