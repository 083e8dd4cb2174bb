#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto_context.h"
#include "io/tls_internal.h"
#include "support/check.h"
#include "tls_certs.h"

enum { PATH_BYTES = 512 };

static struct certs root;
static char base[] = "/tmp/slim-roots-XXXXXX";

/* The path below the folder of this test; its folders are made. */
static const char *below(char *out, const char *path)
{
    int len = snprintf(out, PATH_BYTES, "%s%s", base, path);
    CHECK(len > 0 && len < PATH_BYTES);
    for (char *at = out + strlen(base) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(out, 0700); /* is there, from the second time on */
        *at = '/';
    }
    return out;
}

static void put(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fwrite(text, 1, len, file) == len && fclose(file) == 0);
}

static void put_root(const char *path)
{
    put(path, (const char *)root.root_pem.data, root.root_pem.len);
}

/* Is what `root` signed good, by the roots that are found there? */
static bool is_trusted(const struct slim_tls_roots_from *from, char *note, size_t size)
{
    X509_STORE *store = X509_STORE_new();
    CHECK(store != NULL);
    slim_tls_roots_add(store, from, note, size);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(slim_crypto_context(), NULL);
    CHECK(ctx != NULL && X509_STORE_CTX_init(ctx, store, root.cert, NULL) == 1);
    bool is_good = X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return is_good;
}

/* As c_rehash names it. */
static void hashed(char *out, const char *folder)
{
    char path[PATH_BYTES];
    int len = snprintf(
        path, sizeof(path), "%s/%08lx.0", folder,
        X509_NAME_hash_ex(X509_get_subject_name(root.cert), slim_crypto_context(), NULL, NULL));
    CHECK(len > 0 && len < PATH_BYTES);
    (void)below(out, path);
}

/* ---------------------------------------------------------------------------------------------------- claims */

static void roots_are_found_where_distributions_keep_them(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *path;
        bool is_folder;
    } rows[] = {
        {"Debian, by hash", "/etc/ssl/certs", true},
        {"Red Hat, by hash", "/etc/pki/tls/certs", true},
        {"Debian, a bundle", "/etc/ssl/certs/ca-certificates.crt", false},
        {"Fedora", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", false},
        {"older Red Hat", "/etc/pki/tls/certs/ca-bundle.crt", false},
        {"SUSE", "/etc/ssl/ca-bundle.pem", false},
        {"Alpine", "/etc/ssl/cert.pem", false},
    };
    const struct slim_tls_roots_from from = {.prefix = base};
    char note[SLIM_TLS_NOTE_BYTES];
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char path[PATH_BYTES];
        if (rows[i].is_folder) {
            hashed(path, rows[i].path);
        } else {
            (void)below(path, rows[i].path);
        }
        CHECK_ROW(rows[i].why, !is_trusted(&from, note, sizeof(note)));
        CHECK_ROW(rows[i].why, strstr(note, rows[i].path) != NULL); /* the sentence names all */
        CHECK_ROW(rows[i].why, strstr(note, "SSL_CERT_FILE or SSL_CERT_DIR") != NULL);
        put_root(path);
        CHECK_ROW(rows[i].why, is_trusted(&from, note, sizeof(note)));
        CHECK_ROW(rows[i].why, note[0] == '\0');
        CHECK(unlink(path) == 0);
    }
}

static void what_is_no_certificate_does_not_end_the_search(void **state)
{
    (void)state;
    char rubbish[PATH_BYTES];
    char other[PATH_BYTES];
    char good[PATH_BYTES];
    put(below(rubbish, "/etc/ssl/certs/ca-certificates.crt"), "rubbish", 7);
    put(below(other, "/etc/ssl/certs/abcdef01.pem"), "", 0); /* not named by a hash */
    put_root(below(good, "/etc/ssl/cert.pem"));
    char note[SLIM_TLS_NOTE_BYTES];
    CHECK(is_trusted(&(struct slim_tls_roots_from){.prefix = base}, note, sizeof(note)));
    CHECK(unlink(rubbish) == 0 && unlink(other) == 0 && unlink(good) == 0);
}

static void what_is_set_counts_and_nothing_else(void **state)
{
    (void)state;
    char known[PATH_BYTES];
    char file[PATH_BYTES];
    char folder[PATH_BYTES];
    char in_folder[PATH_BYTES];
    char list[2 * PATH_BYTES];
    put_root(below(known, "/etc/ssl/cert.pem"));
    put_root(below(file, "/own.pem"));
    hashed(in_folder, "/own");
    put_root(in_folder);
    (void)below(folder, "/own");
    int len = snprintf(list, sizeof(list), "/nowhere::%s", folder);
    CHECK(len > 0);
    const struct {
        const char *why;
        struct slim_tls_roots_from from;
        bool is_good;
        const char *note;
    } rows[] = {
        {"nothing is set", {NULL, NULL, base}, true, ""},
        {"empty is not set", {"", "", base}, true, ""},
        {"a file", {file, NULL, "/nowhere"}, true, ""},
        {"a folder", {NULL, folder, "/nowhere"}, true, ""},
        {"the second folder of a list", {NULL, list, "/nowhere"}, true, ""},
        {"one of both is enough", {"/nowhere", folder, "/nowhere"}, true, ""},
        {"a file that is missing: the known places do not count",
         {"/nowhere/x", NULL, base},
         false,
         "there is no usable one in SSL_CERT_FILE=/nowhere/x"},
        {"a folder that is missing",
         {NULL, "/nowhere/y", base},
         false,
         "there is no usable one in SSL_CERT_DIR=/nowhere/y"},
        {"both",
         {"/nowhere/x", "/nowhere/y", base},
         false,
         "there is no usable one in SSL_CERT_FILE=/nowhere/x and SSL_CERT_DIR=/nowhere/y"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char note[SLIM_TLS_NOTE_BYTES];
        CHECK_ROW(rows[i].why, is_trusted(&rows[i].from, note, sizeof(note)) == rows[i].is_good);
        CHECK_ROW(rows[i].why, strcmp(note, rows[i].note) == 0);
    }
    CHECK(unlink(known) == 0 && unlink(file) == 0 && unlink(in_folder) == 0);
}

static int set_up(void **state)
{
    (void)state;
    certs_make(&root, NULL, &(struct certs_rules){"root", NULL, true, -1, 30});
    CHECK(mkdtemp(base) != NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const folders[] = {"/own",
                                          "/etc/ssl/certs",
                                          "/etc/ssl",
                                          "/etc/pki/tls/certs",
                                          "/etc/pki/tls",
                                          "/etc/pki/ca-trust/extracted/pem",
                                          "/etc/pki/ca-trust/extracted",
                                          "/etc/pki/ca-trust",
                                          "/etc/pki",
                                          "/etc",
                                          ""};
    for (size_t i = 0; i < SLIM_COUNT(folders); i++) {
        char path[PATH_BYTES];
        int len = snprintf(path, sizeof(path), "%s%s", base, folders[i]);
        CHECK(len > 0 && rmdir(path) == 0);
    }
    certs_free(&root);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_found_where_distributions_keep_them),
        cmocka_unit_test(what_is_no_certificate_does_not_end_the_search),
        cmocka_unit_test(what_is_set_counts_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
