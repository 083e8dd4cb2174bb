#include "io/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"

/* A folder of its own for each test. */
static char folder[64];

static void enter_folder(void)
{
    memcpy(folder, "/tmp/slim-watch-XXXXXX", sizeof("/tmp/slim-watch-XXXXXX"));
    CHECK(mkdtemp(folder) != NULL);
    CHECK(chdir(folder) == 0);
}

static void leave_folder(void)
{
    char command[128];
    CHECK(chdir("/") == 0);
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder); /* fits */
    CHECK(system(command) == 0);                                   // NOLINT(cert-env33-c)
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK_ROW(path, file != NULL);
    CHECK_ROW(path, fputs(text, file) >= 0);
    CHECK_ROW(path, fclose(file) == 0);
}

static void count_change(void *ctx)
{
    ++*(int *)ctx;
}

/* Turn the loop until *count is `wanted`; false when that takes more than ten seconds. */
static bool is_counted(struct slim_loop *loop, const int *count, int wanted)
{
    uint64_t end_ms = slim_loop_now_ms(loop) + 10000;
    while (*count < wanted && slim_loop_now_ms(loop) < end_ms) {
        slim_loop_turn(loop, 50);
    }
    return *count == wanted;
}

/* Turn the loop for longer than a change needs to be reported. */
static void wait_for_silence(struct slim_loop *loop)
{
    uint64_t end_ms = slim_loop_now_ms(loop) + 3 * (uint64_t)SLIM_FILE_SETTLE_MS;
    while (slim_loop_now_ms(loop) < end_ms) {
        slim_loop_turn(loop, 20);
    }
}

static void write_in_place(void)
{
    put_file("key", "another");
}

static void rename_over(void)
{
    put_file("new", "another");
    CHECK(rename("new", "key") == 0);
}

static void turn_link(void)
{
    put_file("other", "another");
    CHECK(symlink("other", "new") == 0);
    CHECK(rename("new", "key") == 0);
}

static void make_link(void)
{
    put_file("first", "one");
    CHECK(symlink("first", "key") == 0);
}

static void change_behind_link(void)
{
    put_file("first", "another");
}

/* key -> ..data/key, ..data -> ..1 */
static void make_volume(void)
{
    CHECK(mkdir("..1", 0700) == 0);
    put_file("..1/key", "one");
    CHECK(symlink("..1", "..data") == 0);
    CHECK(symlink("..data/key", "key") == 0);
}

static void swap_volume(void)
{
    CHECK(mkdir("..2", 0700) == 0);
    put_file("..2/key", "another");
    CHECK(symlink("..2", "..new") == 0);
    CHECK(rename("..new", "..data") == 0);
}

/* Volume in another folder, named through a link to that folder */
static void make_far_volume(void)
{
    CHECK(mkdir("far", 0700) == 0);
    put_file("far/key", "one");
    CHECK(symlink("far", "near") == 0);
    CHECK(symlink("near/key", "key") == 0);
}

static void change_far_volume(void)
{
    put_file("far/new", "another");
    CHECK(rename("far/new", "far/key") == 0);
}

static void remove_file(void)
{
    CHECK(unlink("key") == 0);
}

static void make_file(void)
{
    put_file("key", "one");
}

static void nothing(void)
{
}

static void every_way_to_change_a_file_is_seen(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        void (*before)(void);
        void (*change)(void);
    } rows[] = {
        {"written in place", make_file, write_in_place},
        {"replaced by a rename", make_file, rename_over},
        {"a link is turned elsewhere", make_link, turn_link},
        {"the file behind a link is written", make_link, change_behind_link},
        {"a link in the middle is turned (Kubernetes)", make_volume, swap_volume},
        {"the folder is reached through a link", make_far_volume, change_far_volume},
        {"it goes away", make_file, remove_file},
        {"it comes", nothing, make_file},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        bool is_absolute = i % 2 == 1;
        enter_folder();
        rows[i].before();
        char path[128];
        /* fits */
        (void)snprintf(path, sizeof(path), "%s%skey", is_absolute ? folder : "",
                       is_absolute ? "/" : "");
        const char *paths[] = {NULL, path};
        struct slim_loop *loop;
        CHECK_OK(slim_loop_new(&loop));
        struct slim_file_watch *watch;
        int count = 0;
        CHECK_OK(slim_file_watch_new(loop, paths, 2, 0, count_change, &count, &watch));
        wait_for_silence(loop);
        CHECK_ROW(rows[i].why, count == 0);
        rows[i].change();
        CHECK_ROW(rows[i].why, is_counted(loop, &count, 1));
        wait_for_silence(loop);
        CHECK_ROW(rows[i].why, count == 1);
        slim_file_watch_free(watch);
        slim_loop_free(loop);
        leave_folder();
    }
}

static void changes_go_on_being_seen(void **state)
{
    (void)state;
    enter_folder();
    make_volume();
    const char *paths[] = {"key"};
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    struct slim_file_watch *watch;
    int count = 0;
    CHECK_OK(slim_file_watch_new(loop, paths, 1, 0, count_change, &count, &watch));
    swap_volume();
    CHECK(is_counted(loop, &count, 1));
    put_file("..2/key", "in the new place"); /* which is watched since the swap */
    CHECK(is_counted(loop, &count, 2));
    put_file("..1/key", "in the old place");
    wait_for_silence(loop);
    CHECK(count == 2);
    slim_file_watch_free(watch);
    slim_loop_free(loop);
    leave_folder();
}

static void a_burst_and_neighbours_are_not_reported_twice(void **state)
{
    (void)state;
    enter_folder();
    make_file();
    put_file("cert", "one");
    const char *paths[] = {"key", "cert"};
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    struct slim_file_watch *watch;
    int count = 0;
    CHECK_OK(slim_file_watch_new(loop, paths, 2, 0, count_change, &count, &watch));
    put_file("neighbour", "nobody asked for it");
    wait_for_silence(loop);
    CHECK(count == 0);
    rename_over();
    slim_loop_turn(loop, 20);
    put_file("cert", "another");
    CHECK(is_counted(loop, &count, 1));
    wait_for_silence(loop);
    CHECK(count == 1);
    slim_file_watch_free(watch);
    slim_loop_free(loop);
    leave_folder();
}

static void a_folder_that_comes_later_is_found_by_looking(void **state)
{
    (void)state;
    enter_folder();
    const char *paths[] = {"later/key"};
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    struct slim_file_watch *watch;
    int count = 0;
    CHECK_OK(slim_file_watch_new(loop, paths, 1, 50, count_change, &count, &watch));
    CHECK(mkdir("later", 0700) == 0);
    put_file("later/key", "one");
    CHECK(is_counted(loop, &count, 1));
    slim_file_watch_free(watch);
    slim_loop_free(loop);
    leave_folder();
}

struct self_freeing {
    struct slim_file_watch *watch;
    bool is_freed;
};

static void free_self(void *ctx)
{
    struct self_freeing *self = ctx;
    slim_file_watch_free(self->watch);
    self->is_freed = true;
}

static void the_callback_may_free_the_watch(void **state)
{
    (void)state;
    enter_folder();
    const char *paths[] = {"key"};
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    struct self_freeing self = {0};
    CHECK_OK(slim_file_watch_new(loop, paths, 1, 0, free_self, &self, &self.watch));
    make_file();
    while (!self.is_freed) {
        slim_loop_turn(loop, 50);
    }
    slim_loop_free(loop); /* asserts that no timer is left */
    leave_folder();
}

static void only_short_regular_files_are_read(void **state)
{
    (void)state;
    enter_folder();
    struct slim_buf out = {0};
    struct slim_error error = {0};
    CHECK_OK(slim_buf_put(&out, SLIM_VIEW("<")));
    put_file("key", "text\n");
    CHECK_OK(slim_file_read("key", &out, &error));
    CHECK_VIEW(slim_buf_view(&out), "<text\n");
    CHECK(slim_file_read("none", &out, &error) == SLIM_ERR_IO);
    assert_string_equal(error.text, "No such file or directory (os error 2)");
    CHECK(slim_file_read(".", &out, &error) == SLIM_ERR_IO);
    CHECK(mkfifo("pipe", 0600) == 0);
    CHECK(slim_file_read("pipe", &out, &error) == SLIM_ERR_IO); /* at once */
    slim_buf_clear(&out);
    put_file("long", "");
    CHECK(truncate("long", SLIM_FILE_BYTES_MAX) == 0);
    CHECK_OK(slim_file_read("long", &out, &error));
    CHECK(out.len == SLIM_FILE_BYTES_MAX);
    slim_buf_clear(&out);
    CHECK(truncate("long", SLIM_FILE_BYTES_MAX + 1) == 0);
    CHECK(slim_file_read("long", &out, &error) == SLIM_ERR_LIMIT);
    slim_buf_fini(&out);
    leave_folder();
}

static void sweep(void)
{
    struct slim_loop *loop;
    if (slim_loop_new(&loop) != SLIM_OK) {
        return;
    }
    const char *paths[] = {"/tmp/a", "/tmp/b"};
    struct slim_file_watch *watch;
    if (slim_file_watch_new(loop, paths, 2, 0, count_change, NULL, &watch) == SLIM_OK) {
        slim_file_watch_free(watch);
    }
    slim_loop_free(loop);
}

static void out_of_memory_is_a_status(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_change_a_file_is_seen),
        cmocka_unit_test(changes_go_on_being_seen),
        cmocka_unit_test(a_burst_and_neighbours_are_not_reported_twice),
        cmocka_unit_test(a_folder_that_comes_later_is_found_by_looking),
        cmocka_unit_test(the_callback_may_free_the_watch),
        cmocka_unit_test(only_short_regular_files_are_read),
        cmocka_unit_test(out_of_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
