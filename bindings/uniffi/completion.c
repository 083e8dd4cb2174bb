/* CompletionHandle: the end of something that was begun. It is waited for once. */
#include <assert.h>

#include "things.h"

UF_CLONE_AND_FREE(completionhandle, UF_COMPLETION)

struct uf_completion *uf_call_begun(struct uf_call *call, struct slim_op *op, enum uf_fault fault)
{
    struct uf_completion *completion = uf_completion_new(op, fault);
    if (completion == NULL) {
        (void)uf_fail_no_memory(&call->error); /* the call has it */
    }
    return completion;
}

static struct uf_completion *claim(struct uf_call *call, void *self)
{
    struct uf_completion *completion = uf_call_object(call, self, UF_COMPLETION);
    if (completion == NULL || !uf_call_is_fine(call)) {
        return NULL;
    }
    if (atomic_exchange(&completion->is_consumed, true)) {
        (void)uf_fail(&call->error, UF_INTERNAL_ERROR,
                      "CompletionHandle already consumed (wait can only be called once)");
        return NULL;
    }
    return completion;
}

static void wait_until(struct uf_call *call, void *self, uint64_t deadline_ns)
{
    struct uf_completion *completion = claim(call, self);
    struct slim_error why = {.status = SLIM_OK};
    if (completion == NULL) {
        return;
    }
    enum slim_status status =
        slim_op_wait(completion->op, deadline_ns == 0 ? 1 : deadline_ns, &why);
    if (status == SLIM_AGAIN) {
        (void)uf_fail(&call->error, UF_TIMEOUT, "%s", ""); /* has no text */
    } else if (status != SLIM_OK) {
        (void)uf_fail(&call->error, completion->fault, "%s", why.text); /* the call has it */
    }
}

static uint64_t begin_wait(struct uf_call *call, void *self, uint64_t deadline_ns)
{
    struct uf_completion *completion = claim(call, self);
    struct uf_result result = {.form = UF_RESULT_VOID};
    if (completion == NULL) {
        return uf_call_future(call, &result);
    }
    uint64_t handle =
        uf_future_of_completions(uf_object_ref(completion), deadline_ns, &result, true);
    uf_call_end(call, NULL);
    return handle;
}

void uniffi_slim_bindings_fn_method_completionhandle_wait(void *self, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    wait_until(&call, self, SLIM_FOREVER);
    uf_call_end(&call, status);
}

uint64_t uniffi_slim_bindings_fn_method_completionhandle_wait_async(void *self)
{
    struct uf_call call;
    uf_call_begin(&call);
    return begin_wait(&call, self, SLIM_FOREVER);
}

void uniffi_slim_bindings_fn_method_completionhandle_wait_for(void *self, struct uf_buffer timeout,
                                                              struct uf_status *status)
{
    struct uf_call call;
    struct uf_duration duration;
    uf_call_begin(&call);
    uf_call_record(&call, timeout, &uf_type_duration, &duration);
    wait_until(&call, self, uf_deadline(&duration));
    uf_call_end(&call, status);
}

uint64_t uniffi_slim_bindings_fn_method_completionhandle_wait_for_async(void *self,
                                                                        struct uf_buffer timeout)
{
    struct uf_call call;
    struct uf_duration duration;
    uf_call_begin(&call);
    uf_call_record(&call, timeout, &uf_type_duration, &duration);
    return begin_wait(&call, self, uf_deadline(&duration));
}
