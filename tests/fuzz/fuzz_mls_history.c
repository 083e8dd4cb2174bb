/* A history of four clients, driven by the input: changes of the group and messages, each possibly damaged or held back. Members
 * that took the same commits agree; a damaged message is refused by everybody and leaves all as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unit/mls/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COUNT = 4, STEPS_MAX = 64 };

static struct world world = {.seed = 1, .now_s = WORLD_START_S};
static struct slim_mls_client *clients[COUNT];

struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t take(struct input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

static void must(enum slim_mls_status status)
{
    if (status != SLIM_MLS_OK) {
        abort();
    }
}

static void set_up(void)
{
    static const char *const names[COUNT] = {"alice", "bob", "carol", "dave"};
    for (size_t i = 0; i < COUNT; i++) {
        must(world_client(&world, 1, names[i], &clients[i]));
    }
}

/* A copy with some bytes changed, cut or added; false when it came out equal. */
static bool damage(struct input *input, const struct slim_mls_buf *message, uint8_t *copy,
                   size_t *len)
{
    memcpy(copy, message->data, message->len);
    *len = message->len;
    for (uint8_t changes = take(input) % 4; changes > 0; changes--) {
        size_t at = (size_t)(take(input) << 8 | take(input)) % message->len;
        copy[at] ^= take(input);
    }
    *len -= take(input) % 2;
    return *len != message->len || memcmp(copy, message->data, *len) != 0;
}

static void deliver(struct input *input, struct slim_mls_group *group,
                    const struct slim_mls_buf *message, enum slim_mls_event_kind *kind)
{
    uint8_t *copy = malloc(message->len);
    size_t len;
    struct slim_mls_event event;
    if (copy != NULL && damage(input, message, copy, &len)) {
        uint64_t epoch = slim_mls_group_epoch(group);
        if (slim_mls_group_process(group, (struct slim_mls_view){copy, len}, &event) ==
                SLIM_MLS_OK ||
            slim_mls_group_epoch(group) != epoch) {
            abort();
        }
    }
    free(copy);
    must(slim_mls_group_process(group, world_view(message), &event));
    *kind = event.kind;
    slim_mls_event_free(&event);
}

static void commit(struct input *input, struct slim_mls_group **groups, size_t author)
{
    uint8_t what = take(input);
    size_t joiner = what / 4 % COUNT;
    size_t leaver = what / 16 % COUNT;
    struct slim_mls_buf package = {0};
    struct slim_mls_view view;
    uint32_t removed;
    struct slim_mls_commit_options options = {.path = (what & 1) != 0 ? SLIM_MLS_PATH_NEEDED
                                                                      : SLIM_MLS_PATH_POLICY};
    if (groups[joiner] == NULL) {
        must(slim_mls_key_package_new(clients[joiner], &package));
        view = world_view(&package);
        options.key_packages = &view;
        options.key_package_count = 1;
    }
    if ((what & 2) != 0 && groups[leaver] != NULL && leaver != author) {
        removed = slim_mls_group_own_leaf(groups[leaver]);
        options.removed = &removed;
        options.removed_count = 1;
    }
    struct slim_mls_commit_output output;
    must(slim_mls_group_commit(groups[author], &options, &output));
    must(slim_mls_group_commit_apply(groups[author]));
    for (size_t i = 0; i < COUNT; i++) {
        enum slim_mls_event_kind kind;
        if (groups[i] != NULL && i != author) {
            deliver(input, groups[i], &output.commit, &kind);
            if (kind == SLIM_MLS_EVENT_REMOVED) {
                slim_mls_group_free(groups[i]);
                groups[i] = NULL;
            }
        }
    }
    if (options.key_package_count > 0) {
        must(slim_mls_group_join(clients[joiner], world_view(&output.welcome),
                                 (struct slim_mls_view){0}, &groups[joiner]));
    }
    slim_mls_buf_free(&package);
    slim_mls_commit_output_free(&output);
}

static void say(struct input *input, struct slim_mls_group **groups, size_t author)
{
    struct slim_mls_buf message;
    must(slim_mls_group_encrypt(groups[author], world_text("aad"), world_text("hello"), &message));
    for (size_t i = 0; i < COUNT; i++) {
        enum slim_mls_event_kind kind;
        if (groups[i] != NULL && i != author && take(input) % 4 != 0) {
            deliver(input, groups[i], &message, &kind);
        }
    }
    slim_mls_buf_free(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (clients[0] == NULL) {
        set_up();
    }
    struct input input = {data, size};
    struct slim_mls_group *groups[COUNT] = {0};
    must(slim_mls_group_create(clients[0], NULL, &groups[0]));
    for (int step = 0; step < STEPS_MAX && input.size > 0; step++) {
        uint8_t what = take(&input);
        size_t author = what / 4 % COUNT;
        while (groups[author] == NULL) {
            author = (author + 1) % COUNT;
        }
        if (what % 4 == 0) {
            commit(&input, groups, author);
        } else {
            say(&input, groups, author);
        }
        for (size_t i = 0; i < COUNT; i++) {
            if (groups[i] != NULL && !world_agrees(groups[author], groups[i])) {
                abort();
            }
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        slim_mls_group_free(groups[i]);
    }
    return 0;
}
