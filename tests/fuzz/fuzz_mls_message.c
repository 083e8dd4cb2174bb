/* Any bytes as MLSMessage, and as each struct inside: decoding must end, and what decodes must encode to the same bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "mls/framing.h"
#include "mls/welcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct slim_view before, struct slim_view after, struct slim_mls_out *out)
{
    if (out->status == SLIM_OK &&
        !slim_view_is_equal(slim_mls_taken(before, after), slim_mls_out_view(out))) {
        abort();
    }
    slim_mls_out_fini(out);
}

static void content(struct slim_view in)
{
    struct slim_view before = in;
    struct slim_mls_content got;
    struct slim_view tag;
    struct slim_mls_out out = {0};
    if (slim_mls_take_public(&in, &got, &tag) == SLIM_OK) {
        got.framed = (struct slim_view){0};
        slim_mls_put_framed(&out, &got);
        slim_mls_put_auth(&out, &got);
        if (got.sender_type == MLS_SENDER_MEMBER) {
            slim_mls_put_opaque(&out, tag);
        }
        same(before, in, &out);
        if (got.content_type == MLS_CONTENT_COMMIT) {
            struct slim_mls_commit commit;
            in = got.body;
            if (slim_mls_take_commit(&in, &commit) != SLIM_OK || in.len != 0) {
                abort(); /* the reader of the whole accepted it */
            }
            slim_mls_put_commit(&out, &commit);
            same(got.body, in, &out);
        }
    }
}

static void others(struct slim_view in)
{
    struct slim_mls_out out = {0};
    struct slim_view rest = in;
    struct slim_mls_private_message message;
    if (slim_mls_take_private(&rest, &message) == SLIM_OK) {
        slim_mls_put_private(&out, &message);
        same(in, rest, &out);
    }
    struct slim_mls_welcome welcome;
    rest = in;
    if (slim_mls_take_welcome(&rest, &welcome) == SLIM_OK) {
        slim_mls_put_welcome(&out, &welcome);
        same(in, rest, &out);
    }
    struct slim_mls_group_info info;
    rest = in;
    if (slim_mls_take_group_info(&rest, &info) == SLIM_OK) {
        slim_mls_put_group_info(&out, &info);
        same(in, rest, &out);
    }
    struct slim_mls_group_secrets secrets;
    rest = in;
    if (slim_mls_take_group_secrets(&rest, &secrets) == SLIM_OK) {
        slim_mls_put_group_secrets(&out, &secrets);
        same(in, rest, &out);
    }
}

static void packages(struct slim_view in)
{
    struct slim_mls_out out = {0};
    struct slim_view rest = in;
    struct slim_mls_key_package package;
    if (slim_mls_take_key_package(&rest, &package) == SLIM_OK) {
        slim_mls_put_key_package(&out, &package);
        same(in, rest, &out);
        for (uint16_t suite = 1; suite <= 7; suite++) {
            if (slim_mls_key_package_check(slim_mls_suite_find(suite), &package) != SLIM_OK) {
                continue; /* seeds pass: their signatures hold */
            }
        }
    }
    struct slim_mls_proposal proposal;
    rest = in;
    if (slim_mls_take_proposal(&rest, &proposal) == SLIM_OK) {
        slim_mls_put_proposal(&out, &proposal);
        same(in, rest, &out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slim_view in = slim_view_of(data, size);
    enum slim_mls_wire_format format;
    if (slim_mls_take_message_head(&in, &format) != SLIM_OK) {
        in = slim_view_of(data, size);
    }
    content(in);
    others(in);
    packages(in);
    return 0;
}
