/* The system's roots, where this system keeps them. What OpenSSL was built for is only the first guess: a program that brings its own
 * OpenSSL runs on other distributions than the one it was built on. */
#include <ctype.h>
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto_context.h"
#include "io/tls_internal.h"

enum { NAME_DIGITS = 8, PATH_BYTES = 4096 };

/* Folders of certificates that are named by their hash: OpenSSL opens the ones it needs, so they come before the bundles. */
static const char *const FOLDERS[] = {"/etc/ssl/certs", "/etc/pki/tls/certs"};

/* Files with all of them: Debian, Arch and Nix; Fedora; older Red Hat; SUSE; Alpine and the BSDs. */
static const char *const BUNDLES[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

/* "5a3f0ff8.0", as c_rehash names them. */
static bool is_hashed_name(const char *name)
{
    size_t digits = 0;
    while (digits < NAME_DIGITS && isxdigit((unsigned char)name[digits])) {
        digits++;
    }
    return digits == NAME_DIGITS && name[digits] == '.' && isdigit((unsigned char)name[digits + 1]);
}

static bool has_hashed_names(const char *path)
{
    DIR *folder = opendir(path);
    bool is_found = false;
    const struct dirent *entry;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else reads this one
    while (folder != NULL && !is_found && (entry = readdir(folder)) != NULL) {
        is_found = is_hashed_name(entry->d_name);
    }
    if (folder != NULL) {
        (void)closedir(folder); /* was read only */
    }
    return is_found;
}

static bool add_folder(X509_STORE *store, const char *path)
{
    return has_hashed_names(path) && X509_STORE_load_path(store, path) == 1;
}

static bool add_file(X509_STORE *store, const char *path)
{
    return X509_STORE_load_file_ex(store, path, slim_crypto_context(), NULL) == 1;
}

/* A list as in PATH; every folder counts. */
static bool add_folders(X509_STORE *store, const char *list)
{
    bool is_found = false;
    while (*list != '\0') {
        size_t len = strcspn(list, ":");
        char path[PATH_BYTES];
        if (len > 0 && len < sizeof(path)) {
            memcpy(path, list, len);
            path[len] = '\0';
            is_found = add_folder(store, path) || is_found;
        }
        list += len + (list[len] == ':' ? 1 : 0);
    }
    return is_found;
}

static bool is_given(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* Until one is enough. */
static bool add_known(X509_STORE *store, const char *prefix, const char *const *paths, size_t count,
                      bool (*add)(X509_STORE *store, const char *path))
{
    for (size_t i = 0; i < count; i++) {
        char path[PATH_BYTES];
        int len = snprintf(path, sizeof(path), "%s%s", prefix, paths[i]);
        if (len > 0 && (size_t)len < sizeof(path) && add(store, path)) {
            return true;
        }
    }
    return false;
}

/* Which setting has nothing. May be cut. */
static void explain_given(const struct slim_tls_roots_from *from, char *note, size_t size)
{
    bool is_file = is_given(from->file);
    (void)snprintf(note, size, "there is no usable one in %s=%.100s%s%.100s",
                   is_file ? "SSL_CERT_FILE" : "SSL_CERT_DIR", is_file ? from->file : from->folder,
                   is_file && is_given(from->folder) ? " and SSL_CERT_DIR=" : "",
                   is_file && is_given(from->folder) ? from->folder : "");
}

static void explain_known(char *note, size_t size)
{
    int len = snprintf(note, size, "set SSL_CERT_FILE or SSL_CERT_DIR, as there is none in ");
    const char *const *lists[] = {FOLDERS, BUNDLES};
    const size_t counts[] = {SLIM_COUNT(FOLDERS), SLIM_COUNT(BUNDLES)};
    const char *mark = "";
    for (size_t i = 0; i < SLIM_COUNT(lists); i++) {
        for (size_t j = 0; j < counts[i] && len > 0 && (size_t)len < size; j++) {
            len += snprintf(note + len, size - (size_t)len, "%s%s", mark, lists[i][j]);
            mark = ", ";
        }
    }
}

void slim_tls_roots_add(X509_STORE *store, const struct slim_tls_roots_from *from, char *note,
                        size_t size)
{
    note[0] = '\0';
    if (is_given(from->file) || is_given(from->folder)) {
        bool is_file = is_given(from->file) && add_file(store, from->file);
        bool is_folder = is_given(from->folder) && add_folders(store, from->folder);
        if (!is_file && !is_folder) {
            explain_given(from, note, size);
        }
    } else if (!add_known(store, from->prefix, FOLDERS, SLIM_COUNT(FOLDERS), add_folder) &&
               !add_known(store, from->prefix, BUNDLES, SLIM_COUNT(BUNDLES), add_file)) {
        explain_known(note, size);
    }
    ERR_clear_error();
}

void slim_tls_roots_add_system(X509_STORE *store, char *note, size_t size)
{
    const struct slim_tls_roots_from from = {
        .file = secure_getenv("SSL_CERT_FILE"),
        .folder = secure_getenv("SSL_CERT_DIR"),
        .prefix = "",
    };
    slim_tls_roots_add(store, &from, note, size);
}
