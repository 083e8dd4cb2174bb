/* mls_group: end-to-end encryption with nothing but slim/mls.h. Three members in one process: create a group, add two, send
 * messages, remove one, and print what each of them can read.
 *
 *   cc mls_group.c $(pkg-config --cflags --libs slim) -o mls_group
 *
 * A real program would send the key packages, commits, welcomes and messages over a network, SLIM's or any other: whoever
 * carries them can read none of it. And it would check credentials: here everybody is believed. */
#include <slim/mls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { ALICE, BOB, CAROL, MEMBER_COUNT };
static const char *const names[MEMBER_COUNT] = {"alice", "bob", "carol"};

struct member {
    struct slim_mls_client *client;
    struct slim_mls_group *group; /* NULL until it joins */
};

/* End with a sentence when a call did not succeed. */
static void must(enum slim_mls_status status, const char *what)
{
    if (status != SLIM_MLS_OK) {
        fprintf(stderr, "mls_group: %s: %s\n", what, slim_mls_status_text(status));
        exit(1);
    }
}

/* ---- what the library asks of its caller */

static enum slim_mls_status believe(void *context, const struct slim_mls_check *check,
                                    struct slim_mls_view *name)
{
    (void)context;
    *name =
        check->credential
            .data; /* a real program verifies that the credential belongs to check->signature_key */
    return SLIM_MLS_OK;
}

static uint64_t now_s(void *context)
{
    (void)context;
    return (uint64_t)time(NULL);
}

static void fill_random(void *context, void *out, size_t len)
{
    (void)context;
    for (uint8_t *to = out; len > 0;) {
        ssize_t got = getrandom(to, len, 0);
        if (got <= 0) {
            abort();
        }
        to += got;
        len -= (size_t)got;
    }
}

static struct slim_mls_view view(const struct slim_mls_buf *buf)
{
    return (struct slim_mls_view){buf->data, buf->len};
}

static struct slim_mls_view text(const char *string)
{
    return (struct slim_mls_view){(const uint8_t *)string, strlen(string)};
}

static struct slim_mls_client *make_client(const char *name)
{
    struct slim_mls_client_config config = {
        .cipher_suite = 1,
        .credential = {SLIM_MLS_CREDENTIAL_BASIC, text(name)},
        .callbacks = {.check_credential = believe, .now_s = now_s, .random = fill_random},
    };
    struct slim_mls_buf private_key;
    struct slim_mls_buf public_key;
    struct slim_mls_client *client;
    slim_mls_policy_init(&config.policy);
    must(slim_mls_signature_key_new(1, &config.callbacks, &private_key, &public_key),
         "make a signature key");
    config.signature_key = view(&private_key);
    must(slim_mls_client_new(&config, &client), "make a client");
    slim_mls_buf_free(&private_key);
    slim_mls_buf_free(&public_key);
    return client;
}

/* ---- the group */

/* Everybody in the group but its author takes a commit. */
static void deliver_commit(struct member *members, int author, const struct slim_mls_buf *commit)
{
    for (int i = 0; i < MEMBER_COUNT; i++) {
        struct slim_mls_event event;
        if (i == author || members[i].group == NULL) {
            continue;
        }
        must(slim_mls_group_process(members[i].group, view(commit), &event), "process a commit");
        if (event.kind == SLIM_MLS_EVENT_REMOVED) {
            printf("%s learns that it was removed\n", names[i]);
        }
        slim_mls_event_free(&event);
    }
}

static void add(struct member *members, int who)
{
    struct slim_mls_buf key_package;
    struct slim_mls_commit_output output;
    must(slim_mls_key_package_new(members[who].client, &key_package), "make a key package");
    struct slim_mls_view packages = view(&key_package);
    struct slim_mls_commit_options options = {.key_packages = &packages, .key_package_count = 1};
    must(slim_mls_group_commit(members[ALICE].group, &options, &output), "add a member");
    deliver_commit(members, ALICE, &output.commit);
    must(slim_mls_group_commit_apply(members[ALICE].group), "apply the commit");
    must(slim_mls_group_join(members[who].client, view(&output.welcome), (struct slim_mls_view){0},
                             &members[who].group),
         "join");
    printf("alice adds %s: %u members, epoch %llu\n", names[who],
           slim_mls_group_member_count(members[ALICE].group),
           (unsigned long long)slim_mls_group_epoch(members[ALICE].group));
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&key_package);
}

static void remove_member(struct member *members, int who)
{
    uint32_t leaf = slim_mls_group_own_leaf(members[who].group);
    struct slim_mls_commit_options options = {.removed = &leaf, .removed_count = 1};
    struct slim_mls_commit_output output;
    must(slim_mls_group_commit(members[ALICE].group, &options, &output), "remove a member");
    deliver_commit(members, ALICE, &output.commit);
    must(slim_mls_group_commit_apply(members[ALICE].group), "apply the commit");
    printf("alice removes %s: %u members, epoch %llu\n", names[who],
           slim_mls_group_member_count(members[ALICE].group),
           (unsigned long long)slim_mls_group_epoch(members[ALICE].group));
    slim_mls_commit_output_free(&output);
}

/* One speaks; what the others can read is printed. Returns how many could. */
static int say(struct member *members, int who, const char *words)
{
    struct slim_mls_buf message;
    int readers = 0;
    must(slim_mls_group_encrypt(members[who].group, (struct slim_mls_view){0}, text(words),
                                &message),
         "encrypt");
    printf("%s says \"%s\" (%zu bytes on the wire)\n", names[who], words, message.len);
    for (int i = 0; i < MEMBER_COUNT; i++) {
        struct slim_mls_event event;
        if (i == who || members[i].group == NULL) {
            continue;
        }
        enum slim_mls_status status =
            slim_mls_group_process(members[i].group, view(&message), &event);
        if (status == SLIM_MLS_OK) {
            printf("    %s reads \"%.*s\"\n", names[i], (int)event.data.len,
                   (const char *)event.data.data);
            slim_mls_event_free(&event);
            readers++;
        } else {
            printf("    %s cannot read it: %s\n", names[i], slim_mls_status_text(status));
        }
    }
    slim_mls_buf_free(&message);
    return readers;
}

int main(void)
{
    struct member members[MEMBER_COUNT] = {0};
    for (int i = 0; i < MEMBER_COUNT; i++) {
        members[i].client = make_client(names[i]);
    }
    must(slim_mls_group_create(members[ALICE].client, NULL, &members[ALICE].group),
         "create a group");
    add(members, BOB);
    int readers = say(members, ALICE, "hello bob");
    add(members, CAROL);
    readers += say(members, BOB, "hello both");
    readers += say(members, CAROL, "glad to be here");
    remove_member(members, BOB);
    readers += say(members, ALICE, "without bob");

    for (int i = 0; i < MEMBER_COUNT; i++) {
        slim_mls_group_free(members[i].group);
        slim_mls_client_free(members[i].client);
    }
    return readers == 1 + 2 + 2 + 1 ? 0 : 1; /* the last message has one reader: carol */
}
