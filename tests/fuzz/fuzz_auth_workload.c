/* Any bytes as messages of the Workload API: what is refused changes nothing. */
#include <stdlib.h>

#include "auth/workload.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned change_count;
static unsigned problem_count;

static enum slim_status start(void *ctx, enum slim_auth_workload_call call,
                              struct slim_view request)
{
    (void)ctx;
    (void)call;
    (void)request;
    return SLIM_OK;
}

static void cancel(void *ctx, enum slim_auth_workload_call call)
{
    (void)ctx;
    (void)call;
}

static void on_change(void *ctx, enum slim_auth_workload_call call)
{
    (void)ctx;
    (void)call;
    change_count++;
}

static void on_problem(void *ctx, enum slim_auth_workload_call call, const char *text)
{
    (void)ctx;
    (void)call;
    REQUIRE(text[0] != '\0');
    problem_count++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { NOW_S = 1795344500 };
    static const struct slim_auth_workload_owner owner = {start, cancel, on_change, on_problem,
                                                          NULL};
    static const struct slim_auth_workload_options options = {.wants_x509 = true,
                                                              .wants_jwt = true};
    struct slim_auth_workload *workload;
    if (size == 0) {
        return 0;
    }
    enum slim_auth_workload_call call =
        (enum slim_auth_workload_call)(data[0] % SLIM_AUTH_WORKLOAD_CREDENTIAL);
    REQUIRE(slim_auth_workload_new(&options, &owner, &workload, NULL) == SLIM_OK);
    slim_auth_workload_attach(workload, 0);
    REQUIRE(slim_auth_workload_tick(workload, 0, NOW_S) == SLIM_AUTH_WORKLOAD_ANSWER_MS);
    change_count = 0;
    problem_count = 0;
    slim_auth_workload_take_message(workload, call, slim_view_of(data + 1, size - 1), 0, NOW_S);
    /* Refused, taken, or taken with a sentence about the part that is of no use: never nothing, never twice. */
    REQUIRE(change_count <= 1 && problem_count <= 1 && change_count + problem_count >= 1);
    REQUIRE(slim_auth_workload_x509_generation(workload) ==
            (call == SLIM_AUTH_WORKLOAD_X509 ? change_count : 0));
    struct slim_auth_x509_svid svid;
    REQUIRE(slim_auth_workload_x509(workload, &svid) ==
            (call == SLIM_AUTH_WORKLOAD_X509 && change_count == 1));
    slim_auth_workload_take_end(workload, call, SLIM_GRPC_OK, 1, NOW_S);
    REQUIRE(slim_auth_workload_tick(workload, 1, NOW_S) > 1);
    slim_auth_workload_free(workload);
    return 0;
}
