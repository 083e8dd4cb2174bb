/* Recorded sessions of real clients (tests/vectors/session): our tables in the place of one of them get what it got and are asked what it was
 * asked, and must send what it sent: types, destinations, fanout, numbers, metadata and content.
 *
 *   in    what the others sent, with numbers of our requests where theirs stood    ---> slim_session_app_take
 *   call  what its program asked for                                               ---> slim_session_app_invite ...
 *   out   must be among what we sent, sooner or later; what it sent twice we need not
 *
 * We may send later than it did (a buffered message waits for the acknowledgement of the welcome), never something else. Under MLS what the
 * others sealed stays closed to us: there the moderators are played, up to their messages. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "session/session.h"
#include "support/check.h"

enum { SENT_MAX = 512, LINE_MAX_BYTES = 1 << 16, CONN = 3 };

enum what { PUBLISH, SUBSCRIBE, UNSUBSCRIBE };

/* expected or sent. pair: number of the other one + 1 */
struct item {
    enum what what;
    struct slim_buf bytes;
    struct slim_wire_session_message message; /* points into bytes */
    struct slim_name_key name;                /* of a subscription */
    size_t pair;
};

static struct {
    struct slim_session_app *app;
    struct item sent[SENT_MAX];
    struct item wanted[SENT_MAX];
    size_t sent_count;
    size_t wanted_count;
    struct slim_wire_name self;
    struct slim_buf self_bytes;
    uint32_t session_id;
    uint64_t now_ms;
    uint64_t seed;
    bool is_mls;
    uint64_t next_op;
    struct slim_name_key last_source;
} play;

static char line[LINE_MAX_BYTES];

/* ---- the owner */

static enum slim_status token(void *ctx, struct slim_view *out)
{
    (void)ctx;
    *out = SLIM_VIEW("token");
    return SLIM_OK;
}

static enum slim_status check(void *ctx, struct slim_view view, const struct slim_name_key *source)
{
    (void)ctx;
    (void)source;
    return view.len > 0 ? SLIM_OK : SLIM_ERR_AUTH;
}

/* A subject is org/ns/<name>/<anything>. */
static bool is_source(void *ctx, struct slim_view subject, const struct slim_name_key *name)
{
    struct slim_name_text text = {.part = {SLIM_VIEW("org"), SLIM_VIEW("ns"), subject}};
    const struct slim_view prefix = SLIM_VIEW("org/ns/");
    (void)ctx;
    if (!slim_view_has_prefix(subject, prefix)) {
        return false;
    }
    text.part[2] = slim_view_skip(subject, prefix.len);
    const uint8_t *slash = memchr(text.part[2].data, '/', text.part[2].len);
    if (slash == NULL) {
        return false;
    }
    text.part[2].len = (size_t)(slash - text.part[2].data);
    struct slim_name_key key = slim_name_of(&text, SLIM_NAME_ANY);
    return slim_name_has_prefix_of(&key, name);
}

/* "<subject>:<key in base64>" */
static enum slim_status make_credential(void *ctx, const uint8_t *key, struct slim_buf *out)
{
    (void)ctx;
    SLIM_TRY(slim_buf_put_text(out, "org/ns/%.*s/us:", SLIM_VIEW_ARG(play.self.text.part[2])));
    return slim_base64_put(SLIM_BASE64_STANDARD, slim_view_of(key, 32), out);
}

static struct slim_view field_of(struct slim_view text, uint32_t number)
{
    for (;;) {
        const uint8_t *colon = text.len > 0 ? memchr(text.data, ':', text.len) : NULL;
        size_t len = colon == NULL ? text.len : (size_t)(colon - text.data);
        if (number-- == 0) {
            return slim_view_of(text.data, len);
        }
        text = slim_view_skip(text, colon == NULL ? len : len + 1);
    }
}

/* Ours, or that of a real client: "<subject>:<time>:<nonce>:<{"pubkey":"<key>"} in base64>:<signature>". */
static enum slim_status read_credential(void *ctx, struct slim_view view, bool any_age,
                                        struct slim_mls_claims *claims, struct slim_error *error)
{
    static uint8_t decoded[256];
    static const char head[] = "{\"pubkey\":\"";
    struct slim_view encoded = field_of(view, 3);
    size_t len = 0;
    (void)ctx;
    (void)any_age;
    claims->subject = field_of(view, 0);
    claims->public_key = field_of(view, 1);
    if (encoded.len == 0) {
        return SLIM_OK;
    }
    if (slim_base64_decode(SLIM_BASE64_STANDARD, encoded, decoded, sizeof(decoded), &len) !=
            SLIM_OK &&
        slim_base64_decode(SLIM_BASE64_URL, encoded, decoded, sizeof(decoded), &len) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_AUTH, "not a token");
    }
    CHECK(len > sizeof(head) + 1 && memcmp(decoded, head, sizeof(head) - 1) == 0);
    claims->public_key = slim_view_of(decoded + sizeof(head) - 1, len - sizeof(head) - 1);
    return SLIM_OK;
}

static uint64_t now_s(void *ctx)
{
    (void)ctx;
    return 1795343500; /* when it was recorded: key packages are of that time */
}

static void fill_random(void *ctx, void *out, size_t len)
{
    uint8_t *bytes = out;
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        play.seed = play.seed * 6364136223846793005U + 1442695040888963407U;
        bytes[i] = (uint8_t)(play.seed >> 56);
    }
}

/* ---- what was sent, and what should be */

static struct item *add(struct item *items, size_t *count, enum what what, struct slim_view bytes)
{
    CHECK(*count < SENT_MAX);
    struct item *item = &items[(*count)++];
    *item = (struct item){.what = what};
    CHECK_OK(slim_buf_put(&item->bytes, bytes));
    return item;
}

static void on_send(void *ctx, struct slim_view msg)
{
    (void)ctx;
    struct item *item = add(play.sent, &play.sent_count, PUBLISH, msg);
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(&item->bytes), &item->message));
}

static void on_route(void *ctx, const struct slim_wire_name *name, uint64_t conn_id, bool is_add)
{
    (void)ctx;
    (void)name;
    (void)is_add;
    CHECK(conn_id == CONN);
}

static void on_subscribe(void *ctx, const struct slim_wire_name *name, uint64_t conn_id,
                         bool is_add)
{
    (void)ctx;
    CHECK(conn_id == CONN);
    struct item *item =
        add(play.sent, &play.sent_count, is_add ? SUBSCRIBE : UNSUBSCRIBE, (struct slim_view){0});
    item->name = name->name;
}

static void on_event(void *ctx, const struct slim_session_event *event)
{
    (void)ctx;
    (void)event; /* what is sent is looked at */
}

static bool is_request(const struct slim_wire_session_message *message)
{
    switch (message->head.session_message_type) {
    case SLIM_WIRE_TYPE_DISCOVERY_REQUEST:
    case SLIM_WIRE_TYPE_JOIN_REQUEST:
    case SLIM_WIRE_TYPE_LEAVE_REQUEST:
    case SLIM_WIRE_TYPE_GROUP_ADD:
    case SLIM_WIRE_TYPE_GROUP_REMOVE:
    case SLIM_WIRE_TYPE_GROUP_WELCOME:
    case SLIM_WIRE_TYPE_GROUP_CLOSE:
        return true;
    default: /* answers and data; pings depend on who plays */
        return message->head.message_id >= SLIM_SESSION_DIRECT_MIN &&
               message->head.session_message_type == SLIM_WIRE_TYPE_MSG;
    }
}

static bool has_name(struct slim_wire_names names, const struct slim_name_key *wanted)
{
    struct slim_wire_name name;
    bool has = true;
    while (slim_wire_next_name(&names, &has, &name) == SLIM_OK && has) {
        if (slim_name_is_equal(&name.name, wanted)) {
            return true;
        }
    }
    return false;
}

static bool is_same_set(struct slim_wire_names a, struct slim_wire_names b)
{
    struct slim_wire_names rest = a;
    struct slim_wire_name name;
    bool has = true;
    bool is_same = a.count == b.count;
    while (is_same && slim_wire_next_name(&rest, &has, &name) == SLIM_OK && has) {
        is_same = has_name(b, &name.name);
    }
    return is_same;
}

static bool is_same_mls(const struct slim_wire_mls *a, const struct slim_wire_mls *b)
{
    return a->is_present == b->is_present && a->commit_id == b->commit_id &&
           (a->content.len > 0) == (b->content.len > 0) &&
           (a->content.len == 0 || memcmp(a->content.data, b->content.data, 4) == 0);
}

static bool is_same_payload(const struct slim_wire_session_message *a,
                            const struct slim_wire_session_message *b)
{
    const struct slim_wire_payload *x = &a->payload;
    const struct slim_wire_payload *y = &b->payload;
    if (x->kind != y->kind) {
        return false;
    }
    if (x->kind == SLIM_WIRE_PAYLOAD_APP) {
        return slim_view_is_equal(x->app.payload_type, y->app.payload_type) &&
               (play.is_mls ? (x->app.blob.len > 0) == (y->app.blob.len > 0)
                            : slim_view_is_equal(x->app.blob, y->app.blob));
    }
    if (x->kind == SLIM_WIRE_PAYLOAD_JOIN_REQUEST) {
        return x->join_request.enable_mls == y->join_request.enable_mls &&
               x->join_request.has_timer == y->join_request.has_timer &&
               x->join_request.timeout_ms == y->join_request.timeout_ms &&
               x->join_request.max_retries == y->join_request.max_retries &&
               x->join_request.channel.is_present == y->join_request.channel.is_present &&
               (!x->join_request.channel.is_present ||
                slim_name_is_equal(&x->join_request.channel.name, &y->join_request.channel.name));
    }
    if (x->kind == SLIM_WIRE_PAYLOAD_JOIN_REPLY) {
        return x->join_reply.has_key_package == y->join_reply.has_key_package;
    }
    if (x->kind == SLIM_WIRE_PAYLOAD_GROUP_WELCOME) {
        return is_same_set(x->group_welcome.participants, y->group_welcome.participants) &&
               is_same_mls(&x->group_welcome.mls, &y->group_welcome.mls);
    }
    if (x->kind == SLIM_WIRE_PAYLOAD_GROUP_ADD || x->kind == SLIM_WIRE_PAYLOAD_GROUP_REMOVE) {
        return slim_name_is_equal(&x->group_change.participant.name,
                                  &y->group_change.participant.name) &&
               is_same_set(x->group_change.participants, y->group_change.participants) &&
               is_same_mls(&x->group_change.mls, &y->group_change.mls);
    }
    if (x->kind == SLIM_WIRE_PAYLOAD_GROUP_CLOSE) {
        return is_same_set(x->group_close.participants, y->group_close.participants);
    }
    return true;
}

/* Ours may carry our mark besides, where nobody else looks. */
static bool is_same_metadata(const struct slim_wire_metadata *ours,
                             const struct slim_wire_metadata *theirs)
{
    struct slim_wire_metadata rest = *theirs;
    struct slim_wire_pair pair;
    size_t count = slim_wire_find_metadata(ours, SLIM_VIEW("SLIM_C"), NULL) ? 1 : 0;
    bool has = true;
    while (slim_wire_next_pair(&rest, &has, &pair) == SLIM_OK && has) {
        struct slim_view value;
        if (!slim_wire_find_metadata(ours, pair.key, &value) ||
            !slim_view_is_equal(value, pair.value)) {
            return false;
        }
        count++;
    }
    return count == ours->count;
}

static bool is_match(const struct item *ours, const struct item *theirs)
{
    if (ours->what != theirs->what || ours->what != PUBLISH) {
        return ours->what == theirs->what && slim_name_is_equal(&ours->name, &theirs->name);
    }
    const struct slim_wire_head *a = &ours->message.head;
    const struct slim_wire_head *b = &theirs->message.head;
    bool is_same_number =
        is_request(&theirs->message) ? is_request(&ours->message) : a->message_id == b->message_id;
    return a->session_message_type == b->session_message_type && a->session_id == b->session_id &&
           a->session_type == b->session_type && a->fanout == b->fanout && is_same_number &&
           a->error == b->error && slim_name_is_equal(&a->source.name, &b->source.name) &&
           slim_name_is_equal(&a->destination.name, &b->destination.name) &&
           is_same_metadata(&ours->message.metadata, &theirs->message.metadata) &&
           is_same_payload(&ours->message, &theirs->message);
}

static void match(void)
{
    for (size_t i = 0; i < play.wanted_count; i++) {
        for (size_t k = 0; k < play.sent_count && play.wanted[i].pair == 0; k++) {
            if (play.sent[k].pair == 0 && is_match(&play.sent[k], &play.wanted[i])) {
                play.sent[k].pair = i + 1;
                play.wanted[i].pair = k + 1;
            }
        }
    }
}

/* ---- the play */

static void pass_time(uint64_t until_ms)
{
    while (play.app != NULL) {
        uint64_t due_ms = slim_session_app_tick(play.app, play.now_ms);
        if (due_ms > until_ms) {
            break;
        }
        play.now_ms = due_ms;
    }
    play.now_ms = until_ms > play.now_ms ? until_ms : play.now_ms;
    match();
}

static struct slim_wire_name name_of(const char *text)
{
    struct slim_wire_name name = {.is_present = true, .is_complete = true};
    name.text.part[0] = SLIM_VIEW("org");
    name.text.part[1] = SLIM_VIEW("ns");
    name.text.part[2] = slim_view_str(text);
    name.name = slim_name_of(&name.text, SLIM_NAME_ANY);
    return name;
}

/* The client's own name, with its id, is the source of its first subscription. */
static void begin(struct slim_view subscribe)
{
    struct slim_wire_head head;
    CHECK_OK(slim_buf_put(&play.self_bytes, subscribe));
    CHECK_OK(slim_wire_read_head(slim_buf_view(&play.self_bytes), &head));
    play.self = head.source;
    const struct slim_session_app_options options = {
        .name = head.source, .can_send = true, .can_receive = true, .has_plain_adds = true};
    const struct slim_session_owner owner = {
        .send = on_send,
        .route = on_route,
        .subscribe = on_subscribe,
        .on_event = on_event,
        .now_s = now_s,
        .random = fill_random,
        .identity = {.token = token,
                     .check = check,
                     .is_source = is_source,
                     .make_credential = make_credential,
                     .read_credential = read_credential},
    };
    CHECK_OK(slim_session_app_new(&options, &owner, &play.app));
}

/* An answer to a request of the real client is an answer to ours in its place. */
static void take(struct slim_view bytes)
{
    struct slim_wire_session_message message;
    CHECK_OK(slim_wire_read_session_message(bytes, &message));
    if (message.head.session_message_type == SLIM_WIRE_TYPE_MSG) {
        play.last_source = message.head.source.name; /* publish_to answers it */
    }
    bool is_to_request = message.payload.kind == SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY ||
                         message.payload.kind == SLIM_WIRE_PAYLOAD_JOIN_REPLY ||
                         message.payload.kind == SLIM_WIRE_PAYLOAD_LEAVE_REPLY ||
                         message.payload.kind == SLIM_WIRE_PAYLOAD_GROUP_ACK ||
                         (message.head.session_message_type == SLIM_WIRE_TYPE_MSG_ACK &&
                          message.head.message_id >= SLIM_SESSION_DIRECT_MIN);
    for (size_t i = 0; i < play.wanted_count && is_to_request; i++) {
        const struct item *theirs = &play.wanted[i];
        if (theirs->what == PUBLISH && theirs->pair > 0 && is_request(&theirs->message) &&
            theirs->message.head.message_id == message.head.message_id) {
            message.head.message_id = play.sent[theirs->pair - 1].message.head.message_id;
            break;
        }
    }
    struct slim_buf mapped = {0};
    CHECK_OK(slim_wire_put_session_message(&mapped, &message));
    slim_session_app_take(play.app, play.now_ms, CONN, slim_buf_view(&mapped));
    slim_buf_fini(&mapped);
}

/* What its program asked in vain (an invitation by a participant, a message into a session that is over) is refused here too; what should have
 * been sent is looked at in the end. */
static void may_be_refused(enum slim_status status)
{
    (void)status;
}

static void create(const char *args)
{
    char kind[8];
    char metadata[64];
    char name[64];
    unsigned is_mls;
    unsigned interval_ms;
    unsigned retries;
    struct slim_error error = {.status = SLIM_OK};
    CHECK(sscanf(args, "%7s %u %u %u %63s %63s", kind, &is_mls, &interval_ms, &retries, metadata,
                 name) == 6);
    char *value = strchr(metadata, '=');
    struct slim_wire_pair pair = {.key = SLIM_VIEW("")};
    if (value != NULL) {
        pair.key = slim_view_of(metadata, (size_t)(value - metadata));
        pair.value = slim_view_str(value + 1);
    }
    struct slim_session_settings settings = {
        .kind = kind[0] == 'g' ? SLIM_SESSION_GROUP : SLIM_SESSION_POINT_TO_POINT,
        .is_mls = is_mls != 0,
        .has_timer = true,
        .max_retries = retries,
        .interval_ms = interval_ms,
        .metadata = &pair,
        .metadata_count = value != NULL ? 1 : 0,
    };
    struct slim_wire_name destination = name_of(name);
    uint32_t id;
    CHECK_OK(slim_session_app_create(play.app, play.now_ms, &settings, &destination,
                                     play.session_id, play.next_op++, &id, &error));
}

static void publish(const char *args, bool is_direct)
{
    char type[64];
    char metadata[64];
    int at = 0;
    struct slim_error error = {.status = SLIM_OK};
    CHECK(sscanf(args, "%63s %63s %n", type, metadata, &at) == 2);
    char *value = strchr(metadata, '=');
    struct slim_wire_pair pair = {.key = SLIM_VIEW("")};
    if (value != NULL) {
        pair.key = slim_view_of(metadata, (size_t)(value - metadata));
        pair.value = slim_view_str(value + 1);
    }
    const struct slim_session_payload payload = {
        .payload_type = type[0] == '-' ? SLIM_VIEW("") : slim_view_str(type),
        .blob = slim_view_str(args + at),
        .metadata = &pair,
        .metadata_count = value != NULL ? 1 : 0,
    };
    struct slim_wire_name to = {.name = play.last_source, .is_present = true, .is_complete = true};
    may_be_refused(is_direct ? slim_session_app_publish_to(play.app, play.now_ms, play.session_id,
                                                           &to, &payload, play.next_op++, &error)
                             : slim_session_app_publish(play.app, play.now_ms, play.session_id,
                                                        &payload, play.next_op++, &error));
}

static void call(const char *verb, const char *args)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_wire_name name = name_of(args);
    if (strcmp(verb, "create") == 0) {
        create(args);
    } else if (strcmp(verb, "invite") == 0) {
        may_be_refused(slim_session_app_invite(play.app, play.now_ms, play.session_id, &name,
                                               play.next_op++, &error));
    } else if (strcmp(verb, "remove") == 0) {
        may_be_refused(slim_session_app_remove(play.app, play.now_ms, play.session_id, &name,
                                               play.next_op++, &error));
    } else if (strcmp(verb, "delete") == 0) {
        may_be_refused(
            slim_session_app_close(play.app, play.now_ms, play.session_id, play.next_op++, &error));
        pass_time(play.now_ms + SLIM_SESSION_QUIET_MS); /* ours listens for a moment first */
    } else {
        publish(args, strcmp(verb, "pubto") == 0);
    }
}

static void decode_hex(const char *text, struct slim_buf *out)
{
    unsigned byte;
    for (size_t i = 0; sscanf(text + i, "%2x", &byte) == 1; i += 2) {
        CHECK_OK(slim_buf_put_byte(out, (uint8_t)byte));
    }
}

static void want(enum what what, struct slim_view bytes)
{
    struct item *item = add(play.wanted, &play.wanted_count, what, bytes);
    if (what == PUBLISH) {
        CHECK_OK(slim_wire_read_session_message(slim_buf_view(&item->bytes), &item->message));
    } else {
        struct slim_wire_head head;
        CHECK_OK(slim_wire_read_head(slim_buf_view(&item->bytes), &head));
        item->name = head.destination.name;
    }
    match();
}

static void act(const char *verb, char *rest)
{
    struct slim_buf bytes = {0};
    if (strcmp(verb, "call") == 0) {
        char *args = strchr(rest, ' ');
        if (args != NULL) {
            *args++ = 0;
        }
        call(rest, args != NULL ? args : "");
        return;
    }
    decode_hex(rest, &bytes);
    if (strcmp(verb, "in") == 0) {
        take(slim_buf_view(&bytes));
    } else if (strcmp(verb, "out") == 0) {
        want(PUBLISH, slim_buf_view(&bytes));
    } else if (play.app == NULL) {
        begin(slim_buf_view(&bytes));
    } else {
        want(strcmp(verb, "subscribe") == 0 ? SUBSCRIBE : UNSUBSCRIBE, slim_buf_view(&bytes));
    }
    slim_buf_fini(&bytes);
}

/* The session's id: of the first message of the recording. */
static void find_session(FILE *file)
{
    while (fgets(line, sizeof(line), file) != NULL && play.session_id == 0) {
        char *hex = strstr(line, " out ");
        struct slim_buf bytes = {0};
        struct slim_wire_head head;
        if (hex != NULL) {
            decode_hex(hex + 5, &bytes);
            CHECK_OK(slim_wire_read_head(slim_buf_view(&bytes), &head));
            play.session_id = head.session_id;
        }
        slim_buf_fini(&bytes);
    }
    rewind(file);
}

static void perform(const char *name, const char *client)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/session/%s.txt", SLIM_TEST_VECTORS, name);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    memset(&play, 0, sizeof(play));
    play.seed = 7;
    play.is_mls = strstr(name, "mls") != NULL;
    find_session(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        unsigned ms;
        char who[32];
        char verb[32];
        int at = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%u %31s %31s %n", &ms, who, verb, &at) == 3 && strcmp(who, client) == 0) {
            if (play.app != NULL) {
                pass_time(ms);
            }
            act(verb, line + at);
            match();
        }
    }
    (void)fclose(file); /* it was read to its end */
    pass_time(play.now_ms + 50);
}

static void end(void)
{
    for (size_t i = 0; i < play.sent_count; i++) {
        slim_buf_fini(&play.sent[i].bytes);
    }
    for (size_t i = 0; i < play.wanted_count; i++) {
        slim_buf_fini(&play.wanted[i].bytes);
    }
    slim_session_app_free(play.app);
    slim_buf_fini(&play.self_bytes);
}

static void print_item(const char *what, size_t number, const struct item *item)
{
    static const char *const words[] = {"publish", "subscribe", "unsubscribe"};
    const struct slim_wire_head *head = &item->message.head;
    print_error("%s, number %zu: %s type %d number %u to %.*s fanout %u\n", what, number,
                words[item->what], head->session_message_type, head->message_id,
                SLIM_VIEW_ARG(head->destination.text.part[2]), head->fanout);
}

static bool is_of(const struct item *item, enum what what, int32_t type)
{
    return item->what == what &&
           (what != PUBLISH || item->message.head.session_message_type == type);
}

/* A second copy of what is there already (it repeated what we had no need to repeat)? */
static bool is_copy(const struct item *items, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (items[i].what == PUBLISH && items[index].what == PUBLISH &&
            items[i].message.head.session_message_type ==
                items[index].message.head.session_message_type &&
            items[i].message.head.message_id == items[index].message.head.message_id) {
            return true;
        }
    }
    return false;
}

/* Everything it sent we sent, and nothing else. */
static void check_all(void)
{
    size_t missing = 0;
    for (size_t i = 0; i < play.wanted_count; i++) {
        if (play.wanted[i].pair == 0 && !is_copy(play.wanted, i)) {
            print_item("the real one sent, and we did not", i, &play.wanted[i]);
            missing++;
        }
    }
    for (size_t i = 0; i < play.sent_count; i++) {
        if (play.sent[i].pair == 0 && !is_copy(play.sent, i)) {
            print_item("we sent, and the real one did not", i, &play.sent[i]);
            missing++;
        }
    }
    CHECK(missing == 0);
}

/* Where the order matters: whenever the real one sent `a` right before `b`, so did we. */
static void check_order(enum what what_a, int32_t a, enum what what_b, int32_t b)
{
    size_t last = 0;
    for (size_t i = 0; i < play.wanted_count; i++) {
        const struct item *item = &play.wanted[i];
        if (is_of(item, what_a, a)) {
            last = item->pair;
        } else if (is_of(item, what_b, b) && last > 0 && item->pair > 0) {
            CHECK(last < item->pair);
            last = 0;
        }
    }
}

static void play_all(const char *name, const char *client)
{
    perform(name, client);
    check_all();
    check_order(SUBSCRIBE, 0, PUBLISH, SLIM_WIRE_TYPE_GROUP_ACK);
    check_order(PUBLISH, SLIM_WIRE_TYPE_GROUP_ADD, PUBLISH, SLIM_WIRE_TYPE_GROUP_WELCOME);
    check_order(UNSUBSCRIBE, 0, PUBLISH, SLIM_WIRE_TYPE_LEAVE_REQUEST);
    end();
}

static void initiator_sends_what_a_real_one_sent(void **state)
{
    (void)state;
    play_all("p2p_plain-1.0.0", "alice");
}

static void responder_sends_what_a_real_one_sent(void **state)
{
    (void)state;
    play_all("p2p_plain-1.0.0", "bob");
}

static void moderator_sends_what_a_real_one_sent(void **state)
{
    (void)state;
    play_all("group_plain-1.0.0", "mod");
}

static void participants_send_what_real_ones_sent(void **state)
{
    (void)state;
    play_all("group_plain-1.0.0", "p1");
    play_all("group_plain-1.0.0", "p2");
    play_all("group_plain-1.0.0", "p3");
}

/* Their ciphertext is for keys that we do not have: of what we sent nothing may be new, but acknowledgements are missing. */
static void play_sealed(const char *name, const char *client)
{
    perform(name, client);
    for (size_t i = 0; i < play.wanted_count; i++) {
        int32_t type = play.wanted[i].message.head.session_message_type;
        bool is_ack = play.wanted[i].what == PUBLISH && type == SLIM_WIRE_TYPE_MSG_ACK;
        play.wanted[i].pair = is_ack ? SENT_MAX : play.wanted[i].pair;
    }
    check_all();
    end();
}

static void initiators_under_mls_send_what_real_ones_sent(void **state)
{
    (void)state;
    play_sealed("p2p_mls-1.0.1", "alice");
    play_sealed("p2p_mls-1.4.0", "alice");
}

static void moderator_under_mls_sends_what_a_real_one_sent(void **state)
{
    (void)state;
    play_sealed("group_mls-1.4.0", "mod");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initiator_sends_what_a_real_one_sent),
        cmocka_unit_test(responder_sends_what_a_real_one_sent),
        cmocka_unit_test(moderator_sends_what_a_real_one_sent),
        cmocka_unit_test(participants_send_what_real_ones_sent),
        cmocka_unit_test(initiators_under_mls_send_what_real_ones_sent),
        cmocka_unit_test(moderator_under_mls_sends_what_a_real_one_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
