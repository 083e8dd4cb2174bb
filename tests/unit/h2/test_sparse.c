/* Where the large objects of a session lie. */
#include "h2/h2.h"
#include "h2/session.h"
#include "unit/h2/frames.h"

enum { FRAME_BYTES = 16394, TABLE_COUNT = 256, TABLE_ENTRY_BYTES = 16 };

static struct slim_h2_sparse sparse_new(void)
{
    struct slim_h2_sparse sparse = {0};
    CHECK_OK(slim_heap_new(0, &sparse.heap));
    return sparse;
}

static void sparse_free(struct slim_h2_sparse *sparse)
{
    slim_h2_sparse_fini(sparse);
    slim_heap_free(sparse->heap);
}

static bool is_of_heap(const struct slim_h2_sparse *sparse)
{
    return slim_heap_stats(sparse->heap)->bytes_in_use > 0;
}

static void only_the_two_large_objects_lie_in_the_pages(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        size_t count; /* 0: not zeroed */
        size_t size;
        bool is_sparse;
    } rows[] = {
        {"the frame buffer", 0, FRAME_BYTES, true},
        {"a little less is something else", 0, 16 * 1024 - 1, false},
        {"more than its place holds", 0, FRAME_BYTES + 7, false},
        {"the stream table", TABLE_COUNT, TABLE_ENTRY_BYTES, true},
        {"the stream table after it grew", 2 * TABLE_COUNT, TABLE_ENTRY_BYTES, false},
        {"a small object", 1, 100, false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_h2_sparse sparse = sparse_new();
        nghttp2_mem mem = slim_h2_sparse_mem(&sparse);
        uint8_t *object = rows[i].count == 0
                              ? mem.malloc(rows[i].size, mem.mem_user_data)
                              : mem.calloc(rows[i].count, rows[i].size, mem.mem_user_data);
        CHECK_ROW(rows[i].why, object != NULL && is_of_heap(&sparse) != rows[i].is_sparse);
        size_t size = rows[i].count == 0 ? rows[i].size : rows[i].count * rows[i].size;
        for (size_t k = 0; k < size; k++) {
            CHECK_ROW(rows[i].why, rows[i].count == 0 || object[k] == 0);
            object[k] = 0xa5; /* the sanitizer looks */
        }
        mem.free(object, mem.mem_user_data);
        CHECK_ROW(rows[i].why, !is_of_heap(&sparse));
        sparse_free(&sparse);
    }
}

static void a_place_that_is_taken_is_not_given_twice(void **state)
{
    (void)state;
    struct slim_h2_sparse sparse = sparse_new();
    nghttp2_mem mem = slim_h2_sparse_mem(&sparse);
    void *frame = mem.malloc(FRAME_BYTES, mem.mem_user_data);
    void *table = mem.calloc(TABLE_COUNT, TABLE_ENTRY_BYTES, mem.mem_user_data);
    CHECK(frame != NULL && table != NULL && !is_of_heap(&sparse));
    void *other = mem.malloc(FRAME_BYTES, mem.mem_user_data);
    CHECK(other != NULL && other != frame && is_of_heap(&sparse));
    mem.free(other, mem.mem_user_data);
    mem.free(frame, mem.mem_user_data);
    CHECK(mem.malloc(FRAME_BYTES, mem.mem_user_data) == frame);
    memset(table, 0xff, TABLE_COUNT * TABLE_ENTRY_BYTES);
    mem.free(table, mem.mem_user_data);
    uint8_t *zeroed = mem.calloc(TABLE_COUNT, TABLE_ENTRY_BYTES, mem.mem_user_data);
    CHECK(zeroed != NULL && zeroed[0] == 0);
    mem.free(zeroed, mem.mem_user_data);
    CHECK(!is_of_heap(&sparse));
    sparse_free(&sparse);
}

static void a_resized_object_keeps_its_content(void **state)
{
    (void)state;
    struct slim_h2_sparse sparse = sparse_new();
    nghttp2_mem mem = slim_h2_sparse_mem(&sparse);
    uint8_t *frame = mem.realloc(NULL, FRAME_BYTES, mem.mem_user_data);
    CHECK(frame != NULL && !is_of_heap(&sparse));
    memset(frame, 7, FRAME_BYTES);
    CHECK(mem.realloc(frame, 100, mem.mem_user_data) == frame);
    uint8_t *moved = mem.realloc(frame, 100000, mem.mem_user_data);
    CHECK(moved != NULL && moved != frame && moved[0] == 7 && moved[FRAME_BYTES - 1] == 7);
    CHECK(mem.malloc(FRAME_BYTES, mem.mem_user_data) == frame); /* its place is free again */
    mem.free(moved, mem.mem_user_data);
    CHECK(!is_of_heap(&sparse));
    sparse_free(&sparse);
}

static void on_request(void *ctx, int32_t id, const struct slim_h2_header *headers, size_t count,
                       bool is_last)
{
    struct slim_h2_stream *stream = ctx;
    (void)headers;
    (void)count;
    (void)is_last;
    struct slim_h2_header answer = {SLIM_VIEW(":status"), SLIM_VIEW("200")};
    CHECK(id == 1 && slim_h2_stream_count(stream->h2) == 0);
    struct slim_h2 *h2 = stream->h2;
    slim_h2_stream_attach(h2, stream, id);
    CHECK_OK(slim_h2_stream_respond(stream, &answer, 1, false));
}

static void on_data(void *ctx, struct slim_h2_stream *stream, struct slim_view bytes)
{
    (void)ctx;
    slim_h2_stream_credit(stream, bytes.len);
    CHECK_OK(slim_h2_stream_put(stream, bytes, (struct slim_view){NULL, 0})); /* an echo */
}

/* Pages with anything but zeros in them. A page that was only looked at costs nothing. */
static size_t count_written(const uint8_t *pages)
{
    enum { PAGE_BYTES = 4096 };
    size_t count = 0;
    for (size_t at = 0; at < SLIM_H2_SPARSE_BYTES; at += PAGE_BYTES) {
        size_t end =
            at + PAGE_BYTES < SLIM_H2_SPARSE_BYTES ? at + PAGE_BYTES : SLIM_H2_SPARSE_BYTES;
        size_t i = at;
        while (i < end && pages[i] == 0) {
            i++;
        }
        count += i < end ? 1 : 0;
    }
    return count;
}

static void one_stream_writes_to_one_page(void **state)
{
    (void)state;
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    CHECK_OK(slim_heap_new(0, &heap));
    CHECK_OK(slim_block_pool_new(0, &pool));
    struct slim_h2_stream stream = {0};
    const struct slim_h2_handler handler = {.on_request = on_request, .on_data = on_data};
    const struct slim_h2_options options = {true, 1 << 20, 1 << 20, 16384, 16384, 100, NULL};
    CHECK_OK(slim_h2_new(&options, &handler, &stream, heap, pool, 0, &stream.h2));
    struct slim_h2 *h2 = stream.h2;

    struct slim_buf in = {0};
    put_preface(&in);
    put_headers(&in, 0, 1,
                FIELDS(":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/p"));
    static uint8_t payload[10000];
    put_frame(&in, F_DATA, 0, 1, slim_view_of(payload, sizeof(payload)));
    CHECK_OK(slim_h2_take(h2, slim_buf_view(&in), 0));
    struct iovec iov[16];
    size_t sent = 0;
    size_t count;
    while ((count = slim_h2_output(h2, iov, SLIM_COUNT(iov), 1 << 20)) > 0) {
        size_t bytes = 0;
        for (size_t i = 0; i < count; i++) {
            bytes += iov[i].iov_len;
        }
        slim_h2_sent(h2, bytes);
        sent += bytes;
    }
    CHECK(sent > sizeof(payload));
    CHECK(h2->sparse.has_frame && h2->sparse.has_table);
    CHECK(count_written(h2->sparse.pages) == 1);

    slim_h2_stream_fini(&stream);
    slim_h2_free(h2);
    slim_buf_fini(&in);
    slim_block_pool_free(pool);
    slim_heap_free(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_two_large_objects_lie_in_the_pages),
        cmocka_unit_test(a_place_that_is_taken_is_not_given_twice),
        cmocka_unit_test(a_resized_object_keeps_its_content),
        cmocka_unit_test(one_stream_writes_to_one_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
