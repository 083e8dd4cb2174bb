/* A guest in its process: forks, signals, descriptors, standard output. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

struct guest {
    struct world world;
    struct world_app alice;
    struct world_app bob;
    struct slim_session *out;
    struct slim_session *in;
    struct slim_queue *queue;
    struct slim_op *waiting;
};

static void guest_init(struct guest *guest)
{
    world_init(&guest->world);
    world_app_init(&guest->alice, &guest->world, "org/ns/alice");
    world_app_init(&guest->bob, &guest->world, "org/ns/bob");
    world_pair(&guest->alice, &guest->bob, "org/ns/bob", true, &guest->out, &guest->in);
    CHECK_OK(slim_queue_new(&guest->queue));
    guest->waiting =
        slim_app_await_session(guest->alice.app, &(struct slim_notify){.queue = guest->queue});
}

static void guest_fini(struct guest *guest)
{
    slim_op_unref(guest->waiting);
    slim_queue_unref(guest->queue);
    slim_session_unref(guest->out);
    slim_session_unref(guest->in);
    world_app_fini(&guest->alice);
    world_app_fini(&guest->bob);
    world_fini(&guest->world);
}

/* The number of the first thing that is not as it must be in a child, or 0. */
static int use_in_child(struct guest *guest)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_name name;
    struct slim_session *session;
    struct slim_message *message;
    struct slim_name_list *list;
    struct slim_app *app;
    struct slim_payload payload = world_payload("x");
    uint64_t link;
    if (slim_name_parse("org/ns/child", &name) != SLIM_OK) {
        return 1;
    }
    struct slim_op *ops[] = {
        slim_service_connect(guest->alice.service, "http://127.0.0.1:1", NULL),
        slim_service_shutdown(guest->alice.service, NULL),
        slim_app_subscribe(guest->alice.app, &name, 0, NULL),
        slim_app_await_session(guest->alice.app, NULL),
        slim_session_publish(guest->out, &payload, NULL),
        slim_session_await_message(guest->in, NULL),
        slim_session_await_writable(guest->out, NULL),
        slim_session_delete(guest->out, NULL),
    };
    for (size_t i = 0; i < SLIM_COUNT(ops); i++) {
        if (slim_op_status(ops[i], &error) != SLIM_ERR_STATE ||
            strstr(error.text, "forked") == NULL) {
            return 10 + (int)i;
        }
        slim_op_unref(ops[i]);
    }
    if (slim_app_listen(guest->alice.app, SLIM_FOREVER, &session, NULL) != SLIM_ERR_STATE ||
        slim_session_receive(guest->in, SLIM_FOREVER, &message, NULL) != SLIM_ERR_STATE ||
        slim_session_try_publish(guest->out, &payload, NULL) != SLIM_ERR_STATE ||
        slim_session_participants(guest->out, &list, NULL) != SLIM_ERR_STATE ||
        slim_service_connection(guest->alice.service, "x", &link) != SLIM_ERR_STATE ||
        slim_app_new_with_secret(guest->alice.service, &name, WORLD_SECRET, &app, NULL) !=
            SLIM_ERR_STATE) {
        return 2;
    }
    if (slim_op_status(guest->waiting, NULL) != SLIM_ERR_STATE ||
        slim_op_wait(guest->waiting, SLIM_FOREVER, NULL) != SLIM_ERR_STATE ||
        slim_queue_next(guest->queue, SLIM_FOREVER) != NULL || slim_op_cancel(guest->waiting)) {
        return 3;
    }
    guest_fini(guest);
    return 0;
}

/* A service of its own works in the child. */
static int begin_anew(void)
{
    struct slim_service *service;
    struct slim_app *alice;
    struct slim_app *bob;
    struct slim_session *session;
    struct slim_name name = world_name("org/ns/alice");
    struct slim_name peer = world_name("org/ns/bob");
    struct slim_session_config config = world_config(SLIM_POINT_TO_POINT, true);
    struct slim_payload payload = world_payload("x");
    if (slim_service_new("child", NULL, &service, NULL) != SLIM_OK ||
        slim_app_new_with_secret(service, &name, WORLD_SECRET, &alice, NULL) != SLIM_OK ||
        slim_app_new_with_secret(service, &peer, WORLD_SECRET, &bob, NULL) != SLIM_OK ||
        slim_session_open(alice, &config, &peer, world_soon(), &session, NULL) != SLIM_OK ||
        slim_finish(slim_session_publish(session, &payload, NULL), world_soon(), NULL) != SLIM_OK) {
        return 50;
    }
    slim_session_unref(session);
    slim_app_unref(alice);
    slim_app_unref(bob);
    slim_service_unref(service);
    return 0;
}

static int wait_for(pid_t child)
{
    int status = 0;
    for (int i = 0; i < WORLD_PATIENCE_MS / 10; i++) {
        if (waitpid(child, &status, WNOHANG) == child) {
            return status;
        }
        (void)usleep(10000);
    }
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
    return -1;
}

static void a_child_can_only_unref_and_begin_anew(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest);
    for (int i = 0; i < 5; i++) {
        struct slim_payload payload = world_payload("while it forks");
        slim_op_unref(slim_session_publish(guest.out, &payload, NULL));
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            (void)alarm(60);
            int failed = use_in_child(&guest);
            _exit(failed != 0 ? failed : begin_anew());
        }
        int status = wait_for(child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail_msg("the child ended with %x", (unsigned)status);
        }
        world_expect(guest.in, "while it forks");
    }
    struct slim_payload payload = world_payload("the parent goes on");
    WORLD_DO(slim_session_publish(guest.out, &payload, NULL));
    world_expect(guest.in, "the parent goes on");
    guest_fini(&guest);
}

/* ---- what a guest does not touch */

static bool handlers_are_default(void)
{
    for (int i = 1; i < NSIG; i++) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) == 0 &&
            (action.sa_handler != SIG_DFL || (action.sa_flags & SA_SIGINFO) != 0)) {
            return false;
        }
    }
    return true;
}

static size_t count_fds(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

static bool all_fds_close_on_exec(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) {
            return false;
        }
    }
    return true;
}

/* Live with a link that breaks under writes, and end. Number of what is wrong, or 0. */
static int visit(void)
{
    struct guest guest;
    struct slim_payload payload = world_payload("into the void");
    size_t fds = count_fds();
    guest_init(&guest);
    if (!all_fds_close_on_exec()) {
        return 3;
    }
    slim_service_unref(guest.world.node); /* its sockets are reset while we write */
    guest.world.node = NULL;
    for (int i = 0; i < 500; i++) {
        slim_op_unref(slim_session_publish(guest.out, &payload, NULL));
    }
    struct slim_op *end = slim_service_shutdown(guest.alice.service, NULL);
    if (slim_finish(end, world_soon(), NULL) != SLIM_OK) {
        return 4;
    }
    bool are_default = handlers_are_default();
    guest_fini(&guest);
    return !are_default ? 5 : count_fds() != fds ? 6 : 0;
}

static void nothing_of_the_process_is_touched(void **state)
{
    (void)state;
    int out[2];
    char byte;
    CHECK(pipe(out) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)alarm(60);
        for (int fd = 3; fd < 1024; fd++) {
            if (fd != out[1]) {
                close(fd);
            }
        }
        (void)dup2(out[1], 1);
        (void)dup2(out[1], 2);
        close(out[1]);
        for (int i = 1; i < NSIG; i++) {
            (void)signal(i, SIG_DFL); /* some cannot be set */
        }
        _exit(handlers_are_default() ? visit() : 2);
    }
    close(out[1]);
    int status = wait_for(child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the child ended with %x", (unsigned)status);
    }
    CHECK_ROW("nothing is written unless asked", read(out[0], &byte, 1) == 0);
    close(out[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef SLIM_SANITIZED /* they have handlers, threads and descriptors of their own */
        cmocka_unit_test(nothing_of_the_process_is_touched),
#endif
        cmocka_unit_test(a_child_can_only_unref_and_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
