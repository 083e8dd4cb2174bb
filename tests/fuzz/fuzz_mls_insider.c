/* The worst sender: a member whose signature, membership tag and keys are right, and whose content is any bytes.
 * The first byte says what: the body of a commit or proposal for a member; edits of a good GroupInfo in a Welcome for a joiner; or
 * edits of a stored group. An edit is two bytes of position, one that says how, one of content. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mls/group.h"
#include "unit/mls/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world = {.seed = 1, .now_s = WORLD_START_S};
static struct slim_mls_client *clients[3];
static struct slim_mls_group *groups[2];
static struct slim_mls_buf saved;
static struct slim_mls_buf
    group_info; /* GroupInfoTBS of a group in which carol's leaf is, with its tree */

static void must(enum slim_mls_status status)
{
    if (status != SLIM_MLS_OK) {
        abort();
    }
}

static void set_up(void)
{
    must(world_client(&world, 1, "alice", &clients[0]));
    must(world_client(&world, 1, "bob", &clients[1]));
    must(world_client(&world, 1, "carol", &clients[2]));
    must(slim_mls_group_create(clients[0], NULL, &groups[0]));
    must(world_add(groups[0], clients[1], &groups[1], NULL));
    must(slim_mls_group_save(groups[1], &saved));
    struct slim_mls_buf package;
    must(slim_mls_key_package_new(clients[2], &package));
    struct slim_mls_view view = world_view(&package);
    struct slim_mls_commit_options options = {.key_packages = &view, .key_package_count = 1};
    struct slim_mls_commit_output output;
    struct slim_mls_group *with_carol;
    struct slim_mls_buf state;
    must(slim_mls_group_save(groups[0], &state));
    must(slim_mls_group_load(clients[0], world_view(&state), &with_carol));
    must(slim_mls_group_commit(with_carol, &options, &output));
    must(slim_mls_group_commit_apply(with_carol));
    must(slim_mls_group_info(with_carol, true, &group_info));
    enum { HEAD = 4, SIGNATURE = 66 };
    memmove(group_info.data, group_info.data + HEAD, group_info.len - HEAD);
    group_info.len -= HEAD + SIGNATURE;
    slim_mls_group_free(with_carol);
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&state);
    slim_mls_buf_free(&package);
}

enum { EDITED_MAX = 1 << 16, EDIT_LEN = 4 };
static uint8_t edited[EDITED_MAX];

/* Apply the edits of the input to a copy of `base`. */
static struct slim_view edit(struct slim_mls_view base, struct slim_view in)
{
    size_t len = base.len;
    memcpy(edited, base.data, len);
    for (; in.len >= EDIT_LEN; in = slim_view_skip(in, EDIT_LEN)) {
        size_t at = (size_t)(in.data[0] << 8 | in.data[1]) % len;
        if (in.data[2] % 4 == 0 && len + 1 < EDITED_MAX) {
            memmove(edited + at + 1, edited + at, len - at);
            edited[at] = in.data[3];
            len++;
        } else if (in.data[2] % 4 == 1 && len > 2) {
            memmove(edited + at, edited + at + 1, len - at - 1);
            len--;
        } else {
            edited[at] ^= in.data[3];
        }
    }
    return slim_view_of(edited, len);
}

/* A content of alice's, in order but for its body. */
static void send_body(struct slim_view body, uint8_t content_type)
{
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    static const uint8_t tag[32];
    struct slim_mls_group *group = groups[0];
    struct slim_mls_content content = {
        .format = MLS_WIRE_PUBLIC,
        .group_id = slim_buf_view(&group->id),
        .epoch = group->epoch->number,
        .sender_type = MLS_SENDER_MEMBER,
        .content_type = content_type,
        .body = body,
        .confirmation_tag = {tag, sizeof(tag)},
    };
    struct slim_mls_out out = {0};
    must((enum slim_mls_status)slim_mls_content_sign(group->suite, clients[0]->signature_key,
                                                     slim_buf_view(&group->epoch->context),
                                                     &content, signature, &len));
    content.signature = slim_view_of(signature, len);
    must((enum slim_mls_status)slim_mls_group_put_message(group, &content, &out));
    struct slim_mls_event event;
    struct slim_mls_view message = {out.buf.data, out.buf.len};
    enum slim_mls_status status = slim_mls_group_process(groups[1], message, &event);
    if (status == SLIM_MLS_OK) {
        slim_mls_event_free(&event);
    }
    slim_mls_out_fini(&out);
    if (groups[1]->is_removed || groups[1]->epoch->number != groups[0]->epoch->number ||
        groups[1]->proposal_count > 0) {
        slim_mls_group_free(groups[1]); /* accepted: begin again */
        must(slim_mls_group_load(clients[1], (struct slim_mls_view){saved.data, saved.len},
                                 &groups[1]));
    } else if (!world_agrees(groups[0], groups[1])) {
        abort(); /* refused, and yet something changed */
    }
}

/* A Welcome for carol around these bytes as GroupInfoTBS, signed by alice. */
static void send_welcome(struct slim_view tbs, bool has_path_secret)
{
    const struct slim_mls_suite *suite = slim_mls_suite_find(1);
    static const uint8_t joiner[32] = {1};
    static const uint8_t no_psk[32];
    uint8_t welcome_secret[32];
    uint8_t key[SLIM_CRYPTO_AEAD_KEY_MAX];
    uint8_t nonce[SLIM_CRYPTO_NONCE_LEN];
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    struct slim_mls_out info = {0};
    struct slim_mls_out secrets = {0};
    struct slim_mls_out out = {0};
    must((enum slim_mls_status)slim_mls_sign(suite, clients[0]->signature_key, "GroupInfoTBS", tbs,
                                             signature, &len));
    slim_mls_put_bytes(&info, tbs);
    slim_mls_put_opaque(&info, slim_view_of(signature, len));
    size_t plain_len = info.buf.len;
    static const uint8_t room[SLIM_CRYPTO_TAG_LEN];
    slim_mls_put_bytes(&info, slim_view_of(room, sizeof(room)));
    slim_mls_welcome_secret(suite, joiner, no_psk, welcome_secret);
    slim_mls_welcome_key(suite, welcome_secret, key, nonce);
    must((enum slim_mls_status)slim_crypto_seal(suite->aead, key, nonce, (struct slim_view){0},
                                                slim_view_of(info.buf.data, plain_len),
                                                info.buf.data));
    struct slim_mls_group_secrets plain = {.joiner_secret = {joiner, 32},
                                           .has_path_secret = has_path_secret,
                                           .path_secret = {joiner, 32}};
    slim_mls_put_group_secrets(&secrets, &plain);
    struct slim_view package_bytes = slim_buf_view(&clients[2]->packages[0].bytes);
    struct slim_mls_key_package package;
    must((enum slim_mls_status)slim_mls_take_key_package(&package_bytes, &package));
    slim_mls_put_message_head(&out, MLS_WIRE_WELCOME);
    slim_mls_put_u16(&out, suite->id);
    size_t mark = slim_mls_put_begin(&out);
    slim_mls_put_opaque(&out, slim_view_of(clients[2]->packages[0].ref, 32));
    must((enum slim_mls_status)slim_mls_encrypt_with_label(
        suite, &clients[2]->random, package.init_key, "Welcome", slim_mls_out_view(&info),
        slim_mls_out_view(&secrets), &out));
    slim_mls_put_end(&out, mark);
    slim_mls_put_opaque(&out, slim_mls_out_view(&info));
    struct slim_mls_group *joined;
    struct slim_mls_view message = {out.buf.data, out.buf.len};
    if (slim_mls_group_join(clients[2], message, (struct slim_mls_view){0}, &joined) ==
        SLIM_MLS_OK) {
        abort(); /* the confirmation tag would have to be guessed */
    }
    slim_mls_out_fini(&info);
    slim_mls_out_fini(&secrets);
    slim_mls_out_fini(&out);
}

static void load_state(struct slim_mls_view state)
{
    struct slim_mls_group *group;
    if (slim_mls_group_load(clients[1], state, &group) != SLIM_MLS_OK) {
        return;
    }
    struct slim_mls_buf message;
    struct slim_mls_commit_output output;
    struct slim_mls_commit_options options = {0};
    if (slim_mls_group_encrypt(group, world_text(""), world_text("text"), &message) ==
        SLIM_MLS_OK) {
        slim_mls_buf_free(&message);
    }
    if (slim_mls_group_commit(group, &options, &output) == SLIM_MLS_OK) {
        slim_mls_commit_output_free(&output);
        must(slim_mls_group_commit_apply(group));
    }
    slim_mls_group_free(group);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (clients[0] == NULL) {
        set_up();
    }
    if (size == 0) {
        return 0;
    }
    struct slim_view rest = slim_view_of(data + 1, size - 1);
    switch (data[0] & 7) {
    case 0:
    case 1:
        send_body(rest, MLS_CONTENT_COMMIT);
        break;
    case 2:
        send_body(rest, MLS_CONTENT_PROPOSAL);
        break;
    case 3:
    case 4:
        send_welcome(edit(world_view(&group_info), rest), data[0] & 1);
        break;
    case 5:
    case 6:
        rest = edit(world_view(&saved), rest);
        load_state((struct slim_mls_view){rest.data, rest.len});
        break;
    default:
        load_state((struct slim_mls_view){rest.data, rest.len});
        break;
    }
    return 0;
}
