#include "io/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "support/check.h"
#include "tls_pair.h"

static struct certs_world world;

static const struct rules plain_rules = {
    .client_roots = &world.root, .server = &world.server, .name = "localhost"};

/* ---------------------------------------------------------------------------------------------------- claims */

static void same_versions_meet_and_others_are_told_why(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        enum slim_tls_version client;
        enum slim_tls_version server;
        bool is_good;
        const char *client_text;
        const char *server_text;
    } rows[] = {
        {"1.3", SLIM_TLS_1_3, SLIM_TLS_1_3, true, "", ""},
        {"1.2", SLIM_TLS_1_2, SLIM_TLS_1_2, true, "", ""},
        {"1.2 to 1.3: alert 70, as the reference", SLIM_TLS_1_2, SLIM_TLS_1_3, false,
         "the server refused us: it does not speak our TLS version (alert 70",
         "the client does not speak TLS 1.3"},
        {"1.3 to 1.2", SLIM_TLS_1_3, SLIM_TLS_1_2, false,
         "the server refused us: it does not speak our TLS version (alert 70",
         "the client does not speak TLS 1.2"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct rules rules = plain_rules;
        rules.client_version = rows[i].client;
        rules.server_version = rows[i].server;
        struct pair pair;
        pair_make(&pair, &rules);
        pump(&pair, BUFFER_BYTES / 2);
        CHECK_ROW(rows[i].why, is_open(&pair) == rows[i].is_good);
        CHECK_ROW(rows[i].why, strstr(pair.client.error.text, rows[i].client_text) != NULL);
        CHECK_ROW(rows[i].why, strstr(pair.server.error.text, rows[i].server_text) != NULL);
        pair_free(&pair);
    }
}

static enum slim_status deny(void *ctx, struct slim_view chain, struct slim_error *error)
{
    (void)ctx;
    CHECK(chain.len > 100);
    return slim_error_set(error, SLIM_ERR_DENIED, "not one of us");
}

static enum slim_status allow(void *ctx, struct slim_view chain, struct slim_error *error)
{
    (void)ctx;
    (void)error;
    CHECK(chain.len > 100);
    return SLIM_OK;
}

/* Rows: what differs from plain_rules; both texts "" mean that it works. */
static void certificates_are_checked_and_both_ends_are_told(void **state)
{
    (void)state;
    static const char untrusted[] =
        "the certificate of the server is refused: its CA is not trusted";
    static const char unknown_ca[] = "the client refused us: it does not trust the CA";
    const struct certs *root = &world.root;
    const struct {
        const char *why;
        struct rules rules;
        const char *client_text;
        const char *server_text;
    } rows[] = {
        {"name", {.client_roots = root, .server = &world.server, .name = "localhost"}, "", ""},
        {"IPv4", {.client_roots = root, .server = &world.server, .name = "127.0.0.1"}, "", ""},
        {"IPv6", {.client_roots = root, .server = &world.server, .name = "::1"}, "", ""},
        {"chain with an intermediate CA",
         {.client_roots = root, .server = &world.chained, .name = "localhost"},
         "",
         ""},
        {"an intermediate CA is enough of a root",
         {.client_roots = &world.inter, .server = &world.chained, .name = "localhost"},
         "",
         ""},
        {"wildcard",
         {.client_roots = root, .server = &world.wild, .name = "a.example.test"},
         "",
         ""},
        {"wildcard is one label",
         {.client_roots = root, .server = &world.wild, .name = "b.a.example.test"},
         "it is not for \"b.a.example.test\"",
         "the client refused us"},
        {"other name",
         {.client_roots = root, .server = &world.server, .name = "elsewhere"},
         "it is not for \"elsewhere\"",
         "the client refused us"},
        {"other address",
         {.client_roots = root, .server = &world.server, .name = "127.0.0.2"},
         "it is not for \"127.0.0.2\"",
         "the client refused us"},
        {"the common name does not count",
         {.client_roots = root, .server = &world.nameless, .name = "localhost"},
         "it is not for \"localhost\"",
         "the client refused us"},
        {"any name",
         {.client_roots = root, .server = &world.server, .name = "elsewhere", .is_any_name = true},
         "",
         ""},
        {"unknown CA",
         {.client_roots = root, .server = &world.stranger, .name = "localhost"},
         untrusted,
         unknown_ca},
        {"no roots at all", {.server = &world.server, .name = "localhost"}, untrusted, unknown_ca},
        {"not asked to check",
         {.server = &world.stranger, .name = "elsewhere", .skip_verify = true},
         "",
         ""},
        {"expired",
         {.client_roots = root, .server = &world.expired, .name = "localhost"},
         "certificate has expired",
         "our certificate has expired"},
        {"not valid yet",
         {.client_roots = root, .server = &world.early, .name = "localhost"},
         "certificate is not yet valid",
         "the client refused us"},
        {"client certificate",
         {.client_roots = root,
          .server = &world.server,
          .name = "localhost",
          .asks_client = true,
          .server_roots = root,
          .client = &world.client},
         "",
         ""},
        {"no client certificate",
         {.client_roots = root,
          .server = &world.server,
          .name = "localhost",
          .asks_client = true,
          .server_roots = root},
         "client certificate",
         "the client has shown no certificate, which this server wants"},
        {"client certificate of another CA",
         {.client_roots = root,
          .server = &world.server,
          .name = "localhost",
          .asks_client = true,
          .server_roots = root,
          .client = &world.stranger},
         "it does not trust the CA of our certificate",
         "the certificate of the client is refused: its CA is not trusted"},
        {"expired client certificate",
         {.client_roots = root,
          .server = &world.server,
          .name = "localhost",
          .asks_client = true,
          .server_roots = root,
          .client = &world.expired},
         "our certificate has expired",
         "certificate has expired"},
        {"check of our own",
         {.client_roots = root,
          .server = &world.server,
          .name = "localhost",
          .asks_client = true,
          .server_roots = root,
          .client = &world.client,
          .check_server = allow,
          .check_client = allow},
         "",
         ""},
        {"check of our own refuses the server",
         {.client_roots = root, .server = &world.server, .name = "localhost", .check_server = deny},
         "the certificate of the server is refused: not one of us",
         "the client refused us"},
        {"check of our own refuses the client",
         {.client_roots = root,
          .server = &world.server,
          .name = "localhost",
          .asks_client = true,
          .server_roots = root,
          .client = &world.client,
          .check_client = deny},
         "the server refused us",
         "the certificate of the client is refused: not one of us"},
    };
    for (size_t i = 0; i < 2 * SLIM_COUNT(rows); i++) {
        struct rules rules = rows[i / 2].rules;
        rules.client_version = rules.server_version = i % 2 == 0 ? SLIM_TLS_1_3 : SLIM_TLS_1_2;
        struct pair pair;
        pair_make(&pair, &rules);
        pump(&pair, BUFFER_BYTES / 2);
        const char *why = rows[i / 2].why;
        bool is_good = rows[i / 2].client_text[0] == '\0';
        if (is_open(&pair) != is_good) {
            print_error("client: %s\nserver: %s\n", pair.client.error.text, pair.server.error.text);
        }
        CHECK_ROW(why, is_open(&pair) == is_good);
        CHECK_ROW(why, is_good || (pair.client.status == SLIM_ERR_DENIED &&
                                   pair.server.status == SLIM_ERR_DENIED));
        if (strstr(pair.client.error.text, rows[i / 2].client_text) == NULL ||
            strstr(pair.server.error.text, rows[i / 2].server_text) == NULL) {
            print_error("client: %s\nserver: %s\n", pair.client.error.text, pair.server.error.text);
            fail_msg("%s", why);
        }
        pair_free(&pair);
    }
}

static void every_split_of_a_handshake_is_the_same(void **state)
{
    (void)state;
    struct rules rules = plain_rules;
    rules.server = &world.chained;
    rules.client = &world.client;
    rules.server_roots = &world.root;
    rules.asks_client = true;
    for (size_t version = 0; version < 2; version++) {
        rules.client_version = rules.server_version = version == 0 ? SLIM_TLS_1_3 : SLIM_TLS_1_2;
        /* whole; in steps of 1, 2, 3 ... bytes; every flight broken once at the same place */
        for (size_t chunk = 1; chunk < 3000; chunk += chunk < 64 ? 1 : 37) {
            struct pair pair;
            pair_make(&pair, &rules);
            pump(&pair, chunk);
            CHECK_ROW("open", is_open(&pair));
            say(&pair.client, &pair.server, SLIM_VIEW("hello"), chunk);
            say(&pair.server, &pair.client, SLIM_VIEW("and you"), chunk);
            CHECK_VIEW(slim_buf_view(&pair.server.plain), "hello");
            CHECK_VIEW(slim_buf_view(&pair.client.plain), "and you");
            pair_free(&pair);
        }
    }
}

/* The version in the header of a record before encryption: nobody vouches for it, and it says nothing. */
static bool is_record_version(const struct slim_buf *wire, size_t at)
{
    size_t begin = 0;
    while (begin + 5 <= wire->len) {
        size_t len = 5 + ((size_t)wire->data[begin + 3] << 8 | wire->data[begin + 4]);
        if (at < begin + len) {
            return at - begin == 1 || at - begin == 2;
        }
        begin += len;
    }
    return false;
}

static void a_changed_byte_of_a_handshake_never_opens_it(void **state)
{
    (void)state;
    /* the client's whole first flight, then the server's, with one byte changed */
    for (size_t flight = 0; flight < 2; flight++) {
        size_t len = SIZE_MAX;
        for (size_t at = 0; at < len; at += flight == 0 ? 1 : 3) {
            struct pair pair;
            pair_make(&pair, &plain_rules);
            if (flight == 1) {
                (void)carry(&pair.client, &pair.server, BUFFER_BYTES / 2);
            }
            struct end *from = flight == 0 ? &pair.client : &pair.server;
            struct end *to = flight == 0 ? &pair.server : &pair.client;
            struct slim_buf wire = {0};
            collect(from, &wire);
            len = wire.len;
            at = at < len ? at : len - 1; /* signatures vary in length */
            bool is_harmless = is_record_version(&wire, at);
            wire.data[at] ^= 0x20;
            take(to, wire.data, wire.len);
            slim_buf_fini(&wire);
            pump(&pair, BUFFER_BYTES / 2);
            CHECK_ROW("not open", !is_open(&pair) || is_harmless);
            CHECK_ROW("nothing came out", pair.server.plain.len + pair.client.plain.len == 0);
            pair_free(&pair);
        }
    }
}

static void garbage_and_other_protocols_are_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", "the client does not speak TLS"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the client does not speak TLS"},
        {"CONNECT a:1 HTTP/1.1\r\n\r\n", "the client does not speak TLS"},
        {"\x16\x03\x01\xff\xff....................", "the client does not speak TLS"},
        {"\x16\x03\x01\x00\x04....................", "TLS handshake failed"},
        {"................................", "the client does not speak TLS"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        pair_make(&pair, &plain_rules);
        /* the length of the fourth has zeros in it */
        size_t len = rows[i].bytes[0] == 0x16 ? 25 : strlen(rows[i].bytes);
        take(&pair.server, (const uint8_t *)rows[i].bytes, len);
        CHECK_ROW(rows[i].bytes, pair.server.status == SLIM_ERR_DENIED);
        CHECK_ROW(pair.server.error.text, strstr(pair.server.error.text, rows[i].text) != NULL);
        pair_free(&pair);
    }
    struct pair pair;
    pair_make(&pair, &plain_rules);
    take(&pair.client, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    CHECK_ROW(pair.client.error.text,
              strstr(pair.client.error.text, "the server does not speak TLS") != NULL);
    pair_free(&pair);
}

static void big_messages_pass_both_ways_in_any_pieces(void **state)
{
    (void)state;
    enum { BYTES = 700 * 1024 };
    uint8_t *data = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)(i * 2654435761U >> 13);
    }
    /* the largest piece fills the receive buffer behind its headroom; odd ones leave parts of records behind */
    static const size_t chunks[] = {
        BUFFER_BYTES - SLIM_TLS_HEADROOM, 100003, 16406, 16405, 16384, 5000, 977, 61};
    for (size_t i = 0; i < 2 * SLIM_COUNT(chunks); i++) {
        struct rules rules = plain_rules;
        rules.client_version = rules.server_version = i % 2 == 0 ? SLIM_TLS_1_3 : SLIM_TLS_1_2;
        struct pair pair;
        pair_make(&pair, &rules);
        pump(&pair, BUFFER_BYTES / 2);
        uint8_t *room = malloc(BUFFER_BYTES);
        for (size_t way = 0; way < 2; way++) {
            struct end *from = way == 0 ? &pair.client : &pair.server;
            struct end *to = way == 0 ? &pair.server : &pair.client;
            struct slim_buf wire = {0};
            for (size_t at = 0; at < BYTES;) {
                struct iovec iov[] = {{data + at, BYTES - at}};
                size_t sealed = 0;
                CHECK_OK(slim_tls_session_seal(from->session, iov, 1, room, BUFFER_BYTES, &sealed));
                CHECK(sealed > 0);
                at += sealed;
                collect(from, &wire);
            }
            size_t chunk = chunks[i / 2];
            for (size_t at = 0; at < wire.len; at += chunk) {
                take(to, wire.data + at, wire.len - at < chunk ? wire.len - at : chunk);
            }
            CHECK_ROW("all of it",
                      slim_view_is_equal(slim_buf_view(&to->plain), slim_view_of(data, BYTES)));
            slim_buf_fini(&wire);
        }
        free(room);
        CHECK(is_open(&pair));
        CHECK_ROW("an idle session keeps nothing",
                  slim_tls_session_pending_bytes(pair.client.session) == 0);
        pair_free(&pair);
    }
    free(data);
}

static void what_the_socket_does_not_take_is_kept_in_order(void **state)
{
    (void)state;
    struct pair pair;
    pair_make(&pair, &plain_rules);
    pump(&pair, BUFFER_BYTES / 2);
    uint8_t *room = malloc(SLIM_TLS_ROOM_MIN);
    uint8_t data[40000];
    memset(data, 'x', sizeof(data));
    struct slim_buf wire = {0};
    size_t total = 0;
    for (size_t i = 0; i < 20; i++) {
        data[0] = (uint8_t)('a' + i);
        struct iovec iov[] = {{data, 1 + 1999 * i % sizeof(data)}};
        size_t sealed = 0;
        CHECK_OK(
            slim_tls_session_seal(pair.client.session, iov, 1, room, SLIM_TLS_ROOM_MIN, &sealed));
        total += sealed;
        struct iovec out[2];
        size_t count = slim_tls_session_output(pair.client.session, out);
        CHECK(count > 0);
        size_t part = out[0].iov_len / 2; /* a short write, every time */
        CHECK_OK(slim_buf_put(&wire, slim_view_of(out[0].iov_base, part)));
        CHECK_OK(slim_tls_session_sent(pair.client.session, part));
        memset(room, 0xdd, SLIM_TLS_ROOM_MIN); /* it is ours again */
    }
    collect(&pair.client, &wire);
    for (size_t at = 0; at < wire.len; at += 60000) {
        take(&pair.server, wire.data + at, wire.len - at < 60000 ? wire.len - at : 60000);
    }
    CHECK(pair.server.status == SLIM_OK && pair.server.plain.len == total);
    char letter = 'a';
    for (size_t i = 0; i < pair.server.plain.len; i++) {
        if (pair.server.plain.data[i] != 'x') {
            CHECK_ROW("in order", pair.server.plain.data[i] == letter);
            letter++;
        }
    }
    CHECK(letter == 'a' + 20);
    slim_buf_fini(&wire);
    free(room);
    pair_free(&pair);
}

static void goodbye_is_said_once_and_heard(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        pair_make(&pair, &plain_rules);
        CHECK_ROW("not before the handshake", !slim_tls_session_close(pair.client.session));
        pump(&pair, BUFFER_BYTES / 2);
        struct end *from = i == 0 ? &pair.client : &pair.server;
        struct end *to = i == 0 ? &pair.server : &pair.client;
        say(from, to, SLIM_VIEW("last words"), BUFFER_BYTES / 2);
        CHECK(slim_tls_session_close(from->session));
        CHECK(!slim_tls_session_close(from->session));
        (void)carry(from, to, BUFFER_BYTES / 2);
        CHECK(to->status == SLIM_ERR_CLOSED);
        CHECK_VIEW(slim_buf_view(&to->plain), "last words");
        CHECK_ROW("and answered", slim_tls_session_close(to->session));
        (void)carry(to, from, BUFFER_BYTES / 2);
        CHECK(from->status == SLIM_ERR_CLOSED);
        pair_free(&pair);
    }
}

static void new_material_is_for_later_handshakes(void **state)
{
    (void)state;
    struct pair pair;
    pair_make(&pair, &plain_rules);
    pump(&pair, BUFFER_BYTES / 2);
    CHECK(is_open(&pair));

    struct slim_error error = {0};
    struct slim_tls_material broken = certs_material(&world.stranger, NULL);
    broken.key = slim_buf_view(&world.server.key_pem);
    CHECK(slim_tls_context_update(pair.server.context, &broken, &error) == SLIM_ERR_CONFIG);
    CHECK(strstr(error.text, "does not belong to the certificate") != NULL);
    struct slim_tls_session *before;
    CHECK_OK(slim_tls_session_new(pair.server.context, NULL, &before)); /* still the old one */
    struct slim_tls_material other = certs_material(&world.stranger, NULL);
    CHECK_OK(slim_tls_context_update(pair.server.context, &other, NULL));

    say(&pair.client, &pair.server, SLIM_VIEW("still here"), BUFFER_BYTES / 2);
    CHECK_VIEW(slim_buf_view(&pair.server.plain), "still here");
    for (size_t i = 0; i < 2; i++) {
        slim_tls_session_free(pair.client.session);
        slim_tls_session_free(pair.server.session);
        pair.client.status = pair.server.status = SLIM_OK;
        CHECK_OK(slim_tls_session_new(pair.client.context, "localhost", &pair.client.session));
        pair.server.session = before;
        if (i == 1) {
            CHECK_OK(slim_tls_session_new(pair.server.context, NULL, &pair.server.session));
        }
        take(&pair.client, NULL, 0);
        pump(&pair, BUFFER_BYTES / 2);
        CHECK_ROW("begun before: old certificate; after: new one", is_open(&pair) == (i == 0));
    }
    /* sessions outlive their context */
    slim_tls_context_free(pair.client.context);
    pair.client.context = NULL;
    pair_free(&pair);
}

static void material_that_makes_no_sense_is_refused_in_words(void **state)
{
    (void)state;
    static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                    "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBBkZ2Zk\n-----"
                                    "END ENCRYPTED PRIVATE KEY-----\n";
    struct slim_view cert = slim_buf_view(&world.server.pem);
    struct slim_view key = slim_buf_view(&world.server.key_pem);
    struct slim_view other_key = slim_buf_view(&world.client.key_pem);
    struct slim_view cut = {cert.data, cert.len / 2};
    struct slim_view none = {0};
    const struct {
        const char *why;
        bool is_server;
        struct slim_view chain;
        struct slim_view key;
        struct slim_view roots;
        const char *text;
    } rows[] = {
        {"server without anything", true, none, none, none, "missing server cert or key"},
        {"server without a key", true, cert, none, none, "missing server cert or key"},
        {"server without a certificate", true, none, key, none, "missing server cert or key"},
        {"client without a key", false, cert, none, none, "missing client cert or key"},
        {"no certificate in it", true, SLIM_VIEW("hello"), key, none, "invalid pem format"},
        {"a certificate cut short", true, cut, key, none, "invalid pem format"},
        {"the key where the certificate should be", true, key, key, none, "invalid pem format"},
        {"the certificate where the key should be", true, cert, cert, none, "invalid pem format"},
        {"somebody else's key", true, cert, other_key, none,
         "the key does not belong to the certificate"},
        {"a key with a password", true, cert, SLIM_VIEW(encrypted), none, "invalid pem format"},
        {"roots without certificates", true, cert, key, SLIM_VIEW("# none"), "invalid pem format"},
        {"roots cut short", false, none, none, cut, "invalid pem format"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_tls_options options = {0};
        struct slim_tls_material material = {
            .chain = rows[i].chain, .key = rows[i].key, .roots = rows[i].roots};
        struct slim_tls_context *context = NULL;
        struct slim_error error = {0};
        enum slim_status status =
            rows[i].is_server ? slim_tls_context_new_server(&options, &material, &context, &error)
                              : slim_tls_context_new_client(&options, &material, &context, &error);
        CHECK_ROW(rows[i].why, status == SLIM_ERR_CONFIG && context == NULL);
        if (strstr(error.text, rows[i].text) == NULL) {
            fail_msg("%s: %s", rows[i].why, error.text);
        }
        CHECK_ROW("OpenSSL's queue of errors is empty", ERR_peek_error() == 0);
    }
}

/* ---------------------------------------------------------------------------------------------------- other clients */

/* A client that is OpenSSL itself, with ALPN as given (wire form; NULL: none). Carries a handshake with `server`. */
struct stranger {
    SSL_CTX *ctx;
    SSL *ssl;
};

static struct stranger stranger_new(const char *alpn)
{
    struct stranger made = {.ctx =
                                SSL_CTX_new_ex(slim_crypto_context(), NULL, TLS_client_method())};
    CHECK(made.ctx != NULL);
    made.ssl = SSL_new(made.ctx);
    SSL_set_bio(made.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(made.ssl);
    if (alpn != NULL) {
        CHECK(SSL_set_alpn_protos(made.ssl, (const uint8_t *)alpn, (unsigned)strlen(alpn)) == 0);
    }
    return made;
}

static void stranger_free(struct stranger *stranger)
{
    SSL_free(stranger->ssl);
    SSL_CTX_free(stranger->ctx);
    ERR_clear_error();
}

static void meet(struct stranger *stranger, struct end *server)
{
    for (int i = 0; i < 10; i++) {
        char bytes[1];
        (void)SSL_read(stranger->ssl, bytes, sizeof(bytes)); /* also runs the handshake */
        char *data;
        long len = BIO_get_mem_data(SSL_get_wbio(stranger->ssl), &data);
        if (len > 0) {
            take(server, (const uint8_t *)data, (size_t)len);
            (void)BIO_reset(SSL_get_wbio(stranger->ssl));
        }
        struct slim_buf wire = {0};
        collect(server, &wire);
        if (wire.len > 0) {
            (void)BIO_write(SSL_get_rbio(stranger->ssl), wire.data, (int)wire.len);
        }
        slim_buf_fini(&wire);
    }
}

static void servers_choose_h2_and_tolerate_no_choice(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *alpn;
        bool is_good;
        const char *chosen;
    } rows[] = {
        {"h2", "\2h2", true, "h2"},
        {"among others", "\x08http/1.1\2h2", true, "h2"},
        {"none offered", NULL, true, ""},
        {"another one", "\x08http/1.1", false, ""},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        pair_make(&pair, &plain_rules);
        struct stranger stranger = stranger_new(rows[i].alpn);
        meet(&stranger, &pair.server);
        CHECK_ROW(rows[i].why, slim_tls_session_is_open(pair.server.session) == rows[i].is_good);
        const uint8_t *chosen;
        unsigned len;
        SSL_get0_alpn_selected(stranger.ssl, &chosen, &len);
        CHECK_ROW(rows[i].why,
                  slim_view_is_equal(slim_view_of(chosen, len), slim_view_str(rows[i].chosen)));
        CHECK_ROW("no tickets",
                  !SSL_SESSION_is_resumable(SSL_get0_session(stranger.ssl)) || !rows[i].is_good);
        stranger_free(&stranger);
        pair_free(&pair);
    }
}

static void key_updates_are_answered(void **state)
{
    (void)state;
    struct pair pair;
    pair_make(&pair, &plain_rules);
    struct stranger stranger = stranger_new("\2h2");
    meet(&stranger, &pair.server);
    for (int i = 0; i < 5; i++) {
        CHECK(SSL_key_update(stranger.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        CHECK(SSL_write(stranger.ssl, "x", 1) == 1);
        meet(&stranger, &pair.server);
        CHECK(pair.server.status == SLIM_OK && pair.server.plain.len == (size_t)i + 1);
        struct iovec iov[] = {{(void *)(uintptr_t) "y", 1}};
        uint8_t *room = malloc(SLIM_TLS_ROOM_MIN);
        size_t sealed;
        CHECK_OK(
            slim_tls_session_seal(pair.server.session, iov, 1, room, SLIM_TLS_ROOM_MIN, &sealed));
        struct slim_buf wire = {0};
        collect(&pair.server, &wire);
        (void)BIO_write(SSL_get_rbio(stranger.ssl), wire.data, (int)wire.len);
        char byte = 0;
        CHECK(SSL_read(stranger.ssl, &byte, 1) == 1 && byte == 'y');
        slim_buf_fini(&wire);
        free(room);
    }
    stranger_free(&stranger);
    pair_free(&pair);
}

static void a_flood_of_key_updates_costs_a_bounded_queue(void **state)
{
    (void)state;
    struct pair pair;
    pair_make(&pair, &plain_rules);
    struct stranger stranger = stranger_new("\2h2");
    meet(&stranger, &pair.server);
    for (int i = 0; i < 40000 && pair.server.status == SLIM_OK; i++) {
        CHECK(SSL_key_update(stranger.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        (void)SSL_do_handshake(stranger.ssl);
        char *data;
        long len = BIO_get_mem_data(SSL_get_wbio(stranger.ssl), &data);
        CHECK(len > 0);
        take(&pair.server, (const uint8_t *)data, (size_t)len);
        (void)BIO_reset(SSL_get_wbio(stranger.ssl));
        /* each is answered, and the answers wait: the peer does not read */
        CHECK(slim_tls_session_pending_bytes(pair.server.session) < SLIM_TLS_PENDING_MAX + 1024);
    }
    CHECK(pair.server.status == SLIM_ERR_LIMIT);
    stranger_free(&stranger);
    pair_free(&pair);
}

static void key_updates_that_come_at_once_are_counted(void **state)
{
    (void)state;
    static const int rows[] = {1, SLIM_TLS_UPDATES_MAX, SLIM_TLS_UPDATES_MAX + 1, 5000};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        pair_make(&pair, &plain_rules);
        struct stranger stranger = stranger_new("\2h2");
        meet(&stranger, &pair.server);
        for (int at = 0; at < rows[i]; at++) {
            CHECK(SSL_key_update(stranger.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
            CHECK(SSL_do_handshake(stranger.ssl) == 1);
        }
        CHECK(SSL_write(stranger.ssl, "x", 1) == 1);
        meet(&stranger, &pair.server);
        bool is_flood = rows[i] > SLIM_TLS_UPDATES_MAX;
        CHECK(pair.server.status == (is_flood ? SLIM_ERR_LIMIT : SLIM_OK));
        CHECK(pair.server.plain.len == (is_flood ? 0 : 1));
        stranger_free(&stranger);
        pair_free(&pair);
    }
}

static void nobody_negotiates_again(void **state)
{
    (void)state;
    struct rules rules = plain_rules;
    rules.server_version = SLIM_TLS_1_2;
    struct pair pair;
    pair_make(&pair, &rules);
    struct stranger stranger = stranger_new("\2h2");
    meet(&stranger, &pair.server);
    CHECK(slim_tls_session_is_open(pair.server.session));
    CHECK(SSL_renegotiate(stranger.ssl) == 1);
    CHECK(SSL_do_handshake(stranger.ssl) != 1);
    struct slim_buf wire = {0};
    char *data;
    long len = BIO_get_mem_data(SSL_get_wbio(stranger.ssl), &data);
    CHECK(len > 0);
    take(&pair.server, (const uint8_t *)data, (size_t)len);
    CHECK_ROW("the connection goes on", pair.server.status == SLIM_OK);
    collect(&pair.server, &wire);
    CHECK_ROW("with a warning, and no handshake", wire.len > 0 && wire.len < 64);
    slim_buf_fini(&wire);
    stranger_free(&stranger);
    pair_free(&pair);
}

/* ---------------------------------------------------------------------------------------------------- memory */

static void shake_hands_without_memory(void)
{
    struct slim_tls_material own = certs_material(&world.server, NULL);
    struct slim_tls_material roots = certs_material(NULL, &world.root);
    struct slim_tls_options options = {0};
    struct end client = {.buffer = malloc(BUFFER_BYTES)};
    struct end server = {.buffer = malloc(BUFFER_BYTES)};
    if (client.buffer == NULL || server.buffer == NULL ||
        slim_tls_context_new_server(&options, &own, &server.context, NULL) != SLIM_OK ||
        slim_tls_context_new_client(&options, &roots, &client.context, NULL) != SLIM_OK ||
        slim_tls_session_new(server.context, NULL, &server.session) != SLIM_OK ||
        slim_tls_session_new(client.context, "localhost", &client.session) != SLIM_OK) {
        goto out;
    }
    enum slim_status status = SLIM_OK;
    struct end *from = &client;
    struct end *to = &server;
    size_t plain_len;
    status = slim_tls_session_take(client.session, client.buffer, 0, &plain_len, &client.error);
    for (int i = 0; i < 4 && status == SLIM_OK; i++) {
        struct iovec iov[2];
        size_t count = slim_tls_session_output(from->session, iov);
        CHECK(count <= 1);
        size_t len = count == 0 ? 0 : iov[0].iov_len;
        if (len > 0) {
            memcpy(to->buffer + SLIM_TLS_HEADROOM, iov[0].iov_base, len);
        }
        status = slim_tls_session_sent(from->session, len);
        if (status == SLIM_OK) {
            status = slim_tls_session_take(to->session, to->buffer, len, &plain_len, &to->error);
        }
        struct end *swap = from;
        from = to;
        to = swap;
    }
    CHECK(status == SLIM_OK || status == SLIM_ERR_NO_MEMORY);
    CHECK(status != SLIM_OK ||
          (slim_tls_session_is_open(client.session) && slim_tls_session_is_open(server.session)));
out:
    end_free(&client);
    end_free(&server);
}

static void no_memory_is_a_status(void **state)
{
    (void)state;
    slim_sweep_alloc(shake_hands_without_memory);
}

static int set_up(void **state)
{
    (void)state;
    certs_world_make(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    certs_world_free(&world);
    return 0;
}

int main(void)
{
    /* the system's roots have no part in this */
    (void)setenv("SSL_CERT_FILE", "/dev/null", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_versions_meet_and_others_are_told_why),
        cmocka_unit_test(certificates_are_checked_and_both_ends_are_told),
        cmocka_unit_test(every_split_of_a_handshake_is_the_same),
        cmocka_unit_test(a_changed_byte_of_a_handshake_never_opens_it),
        cmocka_unit_test(garbage_and_other_protocols_are_refused_in_words),
        cmocka_unit_test(big_messages_pass_both_ways_in_any_pieces),
        cmocka_unit_test(what_the_socket_does_not_take_is_kept_in_order),
        cmocka_unit_test(goodbye_is_said_once_and_heard),
        cmocka_unit_test(new_material_is_for_later_handshakes),
        cmocka_unit_test(material_that_makes_no_sense_is_refused_in_words),
        cmocka_unit_test(servers_choose_h2_and_tolerate_no_choice),
        cmocka_unit_test(key_updates_are_answered),
        cmocka_unit_test(a_flood_of_key_updates_costs_a_bounded_queue),
        cmocka_unit_test(key_updates_that_come_at_once_are_counted),
        cmocka_unit_test(nobody_negotiates_again),
        cmocka_unit_test(no_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
