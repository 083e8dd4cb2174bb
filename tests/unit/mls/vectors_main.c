/* mls-vectors FILE.json...: run published and recorded MLS vectors; one line `FILE passed/total` each. The kind of a file
 * follows from the members of its first entry, so that a file may have any name. */
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

/* ---- what the parts share */

enum { ROOM_COUNT_MAX = 1 << 16 };
static uint8_t *rooms[ROOM_COUNT_MAX];
static size_t room_count;

uint8_t *vector_room(size_t len)
{
    uint8_t *room = malloc(len > 0 ? len : 1);
    if (room == NULL || room_count == ROOM_COUNT_MAX) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    rooms[room_count++] = room;
    return room;
}

void vector_forget(void)
{
    while (room_count > 0) {
        free(rooms[--room_count]);
    }
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

struct slim_view vector_hex_text(const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text) / 2;
    uint8_t *room = vector_room(len);
    for (size_t i = 0; i < len; i++) {
        room[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    }
    return slim_view_of(room, len);
}

const json_t *vector_get(const json_t *item, const char *key)
{
    return json_object_get(item, key);
}

struct slim_view vector_hex(const json_t *item, const char *key)
{
    return vector_hex_text(json_string_value(json_object_get(item, key)));
}

struct slim_view vector_text(const json_t *item, const char *key)
{
    return slim_view_str(json_string_value(json_object_get(item, key)));
}

uint64_t vector_number(const json_t *item, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(item, key));
}

bool vector_is_equal(const json_t *item, const char *key, const void *bytes, size_t len)
{
    const json_t *member = json_object_get(item, key);
    return json_is_string(member) &&
           slim_view_is_equal(vector_hex(item, key), slim_view_of(bytes, len));
}

const struct slim_mls_suite *vector_suite(const json_t *item)
{
    return slim_mls_suite_find((uint16_t)vector_number(item, "cipher_suite"));
}

static uint64_t random_state = 1;

/* splitmix64: the runs are to repeat, nothing here is secret */
static void fill(void *context, void *out, size_t len)
{
    (void)context;
    uint8_t *to = out;
    for (size_t i = 0; i < len; i++) {
        random_state += 0x9e3779b97f4a7c15U;
        uint64_t mixed = (random_state ^ (random_state >> 30)) * 0xbf58476d1ce4e5b9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
        to[i] = (uint8_t)(mixed >> 56);
    }
}

const struct slim_mls_random vector_random = {fill, NULL};

/* ---- the kinds of files */

struct kind {
    const char *member; /* that only entries of this kind have */
    vector_case *run;
};

static const struct kind kinds[] = {
    {"ref_hash", vector_crypto_basics},
    {"vlbytes_header", vector_deserialization},
    {"n_leaves", vector_tree_math},
    {"initial_init_secret", vector_key_schedule},
    {"psk_secret", vector_psk_secret},
    {"interim_transcript_hash_before", vector_transcript_hashes},
    {"sender_data", vector_secret_tree},
    {"application_priv", vector_message_protection},
    {"signer_pub", vector_welcome},
    {"tree_before", vector_tree_operations},
    {"resolutions", vector_tree_validation},
    {"update_paths", vector_treekem},
    {"mls_welcome", vector_messages},
    {"initial_epoch_authenticator", vector_passive_client},
};

static const struct kind *kind_find(const json_t *item)
{
    for (size_t i = 0; i < SLIM_COUNT(kinds); i++) {
        if (json_object_get(item, kinds[i].member) != NULL) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* A case of a suite that cannot be done is named, and not counted as passed. */
static bool run_case(const char *path, size_t index, const json_t *item)
{
    const struct kind *kind = kind_find(item);
    if (kind == NULL) {
        fprintf(stderr, "%s: entry %zu is of no known kind\n", path, index);
        return false;
    }
    if (json_object_get(item, "cipher_suite") != NULL && vector_suite(item) == NULL) {
        fprintf(stderr, "%s: entry %zu skipped: cipher suite %u is not available\n", path, index,
                (unsigned)vector_number(item, "cipher_suite"));
        return false;
    }
    bool ok = kind->run(item);
    vector_forget();
    if (!ok) {
        fprintf(stderr, "%s: entry %zu failed\n", path, index);
    }
    return ok;
}

/* A recorded history: one object whose steps (or messages) build on each other. */
static size_t run_history(const char *path, const json_t *root, size_t *total)
{
    const json_t *steps = json_object_get(root, "steps");
    *total = json_array_size(steps != NULL ? steps : json_object_get(root, "messages"));
    size_t passed = 0;
    if (json_object_get(root, "joiner") != NULL) {
        passed = vector_own_member(root);
    } else if (steps != NULL && json_object_get(root, "moderator") == NULL) {
        passed = vector_group_walk(root);
    } else {
        passed = vector_recorded_messages(root);
    }
    vector_forget();
    if (passed < *total) {
        fprintf(stderr, "%s: step %zu failed\n", path, passed);
    }
    return passed;
}

static bool run_file(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL) {
        fprintf(stderr, "%s: %s\n", path, error.text);
        printf("%s 0/0\n", path);
        return false;
    }
    size_t passed = 0;
    size_t total = 0;
    if (json_is_array(root)) {
        total = json_array_size(root);
        for (size_t i = 0; i < total; i++) {
            passed += run_case(path, i, json_array_get(root, i));
        }
    } else {
        passed = run_history(path, root, &total);
    }
    json_decref(root);
    printf("%s %zu/%zu\n", path, passed, total);
    fflush(stdout);
    return passed == total && total > 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: mls-vectors FILE.json...\n");
        return 2;
    }
    bool ok = true;
    for (int i = 1; i < argc; i++) {
        ok = run_file(argv[i]) && ok;
    }
    return ok ? 0 : 1;
}
