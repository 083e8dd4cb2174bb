/* Messages of three applications of one engine: any bytes, and any order of subscriptions, publishes and detaching.
 * Input: records of one byte (who: 0-2 submit, 3 detach and attach the first again), two bytes of length, and the message. */
#include <stdlib.h>

#include "datapath/datapath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_message(void *ctx, uint64_t incoming_conn, const struct slim_wire_head *head,
                       struct slim_view msg, struct slim_block *block)
{
    (void)ctx;
    (void)incoming_conn;
    (void)block;
    struct slim_wire_head again;
    if (head->kind != SLIM_WIRE_PUBLISH || slim_wire_read_head(msg, &again) != SLIM_OK ||
        again.has_forward_to || again.has_recv_from) {
        abort(); /* what is delivered decodes, and carries nothing private */
    }
}

static void on_error(void *ctx, struct slim_view json)
{
    (void)ctx;
    if (json.len < 2 || json.data[0] != '{' || json.data[json.len - 1] != '}') {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { APPS = 3, HEAD_BYTES = 3 };
    static struct slim_loop *loop;
    struct slim_datapath *datapath;
    const struct slim_datapath_options options = {.slim_version = "1.4.0"};
    const struct slim_datapath_app app = {.on_message = on_message, .on_error = on_error};
    uint64_t ids[APPS];
    if ((loop == NULL && slim_loop_new(&loop) != SLIM_OK) ||
        slim_datapath_new(loop, &options, &datapath) != SLIM_OK) {
        abort();
    }
    for (size_t i = 0; i < APPS; i++) {
        if (slim_datapath_attach(datapath, &app, &ids[i]) != SLIM_OK) {
            abort();
        }
    }
    while (size >= HEAD_BYTES) {
        size_t len = (size_t)data[1] << 8 | data[2];
        uint8_t who = data[0] & 3;
        data += HEAD_BYTES;
        size -= HEAD_BYTES;
        len = len < size ? len : size;
        if (who < APPS) {
            (void)slim_datapath_submit(datapath, ids[who],
                                       slim_view_of(data, len)); /* any status is fine */
        } else {
            slim_datapath_detach(datapath, ids[0]);
            if (slim_datapath_attach(datapath, &app, &ids[0]) != SLIM_OK) {
                abort();
            }
        }
        data += len;
        size -= len;
    }
    slim_datapath_free(datapath);
    return 0;
}
