/* mls-peer NAME: one member that is told what to do by lines, for groups mixed with other implementations (bench/mls-rs/interop.py).
 * Bytes are hex. Each command is answered by one line that begins with `ok` or `error`.
 *
 *   package                  ok KEY_PACKAGE
 *   create                   ok AUTHENTICATOR
 *   join WELCOME             ok AUTHENTICATOR
 *   commit PATH ITEM...      ok COMMIT WELCOME AUTHENTICATOR; PATH is path or nopath, ITEM a key package or `-LEAF`
 *   update                   ok PROPOSAL
 *   take MESSAGE             ok commit AUTHENTICATOR | ok text HEX | ok proposal | ok removed
 *   say HEX                  ok MESSAGE
 *   leaf                     ok INDEX */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "slim/mls.h"

enum { LINE_MAX_BYTES = 1 << 22, ITEMS_MAX = 64 };

static struct slim_mls_client *client;
static struct slim_mls_group *group;
static char line[LINE_MAX_BYTES];

static enum slim_mls_status believe(void *context, const struct slim_mls_check *check,
                                    struct slim_mls_view *name)
{
    (void)context;
    *name = check->credential.data;
    return SLIM_MLS_OK;
}

static uint64_t now_s(void *context)
{
    (void)context;
    return slim_clock_wall_us() / 1000000;
}

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    slim_random_fill(out, len);
}

static void put_hex(struct slim_mls_view view)
{
    putchar(' ');
    if (view.len == 0) {
        putchar('.');
    }
    for (size_t i = 0; i < view.len; i++) {
        printf("%02x", view.data[i]);
    }
}

static struct slim_mls_view view(const struct slim_mls_buf *buf)
{
    return (struct slim_mls_view){buf->data, buf->len};
}

/* Hex in place. */
static struct slim_mls_view take_hex(char *text)
{
    size_t len = strlen(text) / 2;
    for (size_t i = 0; i < len; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        text[i] = (char)strtoul(pair, NULL, 16);
    }
    return (struct slim_mls_view){(const uint8_t *)text, len};
}

static bool failed(enum slim_mls_status status)
{
    if (status != SLIM_MLS_OK) {
        printf("error %s", slim_mls_status_text(status));
    }
    return status != SLIM_MLS_OK;
}

static void answer_buf(enum slim_mls_status status, struct slim_mls_buf *buf)
{
    if (!failed(status)) {
        printf("ok");
        put_hex(view(buf));
        slim_mls_buf_free(buf);
    }
}

static void answer_state(enum slim_mls_status status)
{
    if (!failed(status)) {
        printf("ok");
        put_hex(slim_mls_group_epoch_authenticator(group));
    }
}

static void commit(char *items)
{
    struct slim_mls_view packages[ITEMS_MAX];
    uint32_t removed[ITEMS_MAX];
    struct slim_mls_commit_options options = {.key_packages = packages, .removed = removed};
    char *save = NULL;
    for (char *item = strtok_r(items, " ", &save); item != NULL;
         item = strtok_r(NULL, " ", &save)) {
        if (strcmp(item, "path") == 0) {
            options.path = SLIM_MLS_PATH_ALWAYS;
        } else if (strcmp(item, "nopath") == 0) {
            options.path = SLIM_MLS_PATH_NEEDED;
        } else if (item[0] == '-' && options.removed_count < ITEMS_MAX) {
            removed[options.removed_count++] = (uint32_t)strtoul(item + 1, NULL, 10);
        } else if (options.key_package_count < ITEMS_MAX) {
            packages[options.key_package_count++] = take_hex(item);
        }
    }
    struct slim_mls_commit_output output;
    if (failed(slim_mls_group_commit(group, &options, &output)) ||
        failed(slim_mls_group_commit_apply(group))) {
        return;
    }
    printf("ok");
    put_hex(view(&output.commit));
    put_hex(view(&output.welcome));
    put_hex(slim_mls_group_epoch_authenticator(group));
    slim_mls_commit_output_free(&output);
}

static void take(char *hex)
{
    struct slim_mls_event event;
    if (failed(slim_mls_group_process(group, take_hex(hex), &event))) {
        return;
    }
    switch (event.kind) {
    case SLIM_MLS_EVENT_APPLICATION:
        printf("ok text");
        put_hex(view(&event.data));
        break;
    case SLIM_MLS_EVENT_PROPOSAL:
        printf("ok proposal");
        break;
    case SLIM_MLS_EVENT_COMMIT:
        printf("ok commit");
        put_hex(slim_mls_group_epoch_authenticator(group));
        break;
    case SLIM_MLS_EVENT_REMOVED:
        printf("ok removed");
        slim_mls_group_free(group);
        group = NULL;
        break;
    }
    slim_mls_event_free(&event);
}

static void obey(char *command, char *rest)
{
    struct slim_mls_buf buf = {0};
    if (strcmp(command, "package") == 0) {
        answer_buf(slim_mls_key_package_new(client, &buf), &buf);
    } else if (strcmp(command, "create") == 0) {
        answer_state(slim_mls_group_create(client, NULL, &group));
    } else if (strcmp(command, "join") == 0) {
        answer_state(
            slim_mls_group_join(client, take_hex(rest), (struct slim_mls_view){0}, &group));
    } else if (group == NULL) {
        printf("error not in a group");
    } else if (strcmp(command, "commit") == 0) {
        commit(rest);
    } else if (strcmp(command, "update") == 0) {
        answer_buf(slim_mls_group_propose_update(group, &buf), &buf);
    } else if (strcmp(command, "take") == 0) {
        take(rest);
    } else if (strcmp(command, "say") == 0) {
        answer_buf(slim_mls_group_encrypt(group, (struct slim_mls_view){0}, take_hex(rest), &buf),
                   &buf);
    } else if (strcmp(command, "leaf") == 0) {
        printf("ok %u", slim_mls_group_own_leaf(group));
    } else {
        printf("error what?");
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: mls-peer NAME\n");
        return 2;
    }
    struct slim_mls_client_config config = {
        .cipher_suite = 1,
        .credential = {SLIM_MLS_CREDENTIAL_BASIC, {(const uint8_t *)argv[1], strlen(argv[1])}},
        .callbacks = {.check_credential = believe, .now_s = now_s, .random = fill},
    };
    struct slim_mls_buf private_key;
    struct slim_mls_buf public_key;
    slim_mls_policy_init(&config.policy);
    if (slim_mls_signature_key_new(1, &config.callbacks, &private_key, &public_key) !=
        SLIM_MLS_OK) {
        return 1;
    }
    config.signature_key = view(&private_key);
    if (slim_mls_client_new(&config, &client) != SLIM_MLS_OK) {
        return 1;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        char *rest = strchr(line, ' ');
        char empty[1] = "";
        if (rest != NULL) {
            *rest++ = 0;
        }
        obey(line, rest == NULL ? empty : rest);
        putchar('\n');
        fflush(stdout);
    }
    slim_mls_group_free(group);
    slim_mls_client_free(client);
    slim_mls_buf_free(&private_key);
    slim_mls_buf_free(&public_key);
    return 0;
}
