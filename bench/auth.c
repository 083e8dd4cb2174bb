/* What identity costs: making and verifying tokens, per message.
 *
 *   ninja -C build bench/auth && build/bench/auth
 *
 * Each line is the median of 9 runs, in CPU time of the thread. "new" rows verify a token that was never seen before; "again" rows
 * one that was, which is what a peer that reuses its token for a minute causes. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/random.h"

enum { RUN_COUNT = 9, NOW_S = 1795344500, SECRET_ROUNDS = 200000, JWT_ROUNDS = 400 };

static const char secret_text[] = "sharedsecret-for-benchmarks-0123456789abcdef";
static const char id_text[] = "org/default/bob/ffffffffffffffff";

static void must(enum slim_status status)
{
    if (status != SLIM_OK) {
        (void)fprintf(stderr, "auth: %s\n", slim_status_text(status));
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over runs of `run(rounds)`, per round. */
static void measure(const char *what, size_t rounds, void (*run)(size_t rounds))
{
    double us[RUN_COUNT];
    for (size_t i = 0; i < RUN_COUNT; i++) {
        uint64_t begin_ns = slim_clock_thread_cpu_ns();
        run(rounds);
        us[i] = (double)(slim_clock_thread_cpu_ns() - begin_ns) / 1000.0 / (double)rounds;
    }
    qsort(us, RUN_COUNT, sizeof(us[0]), compare);
    (void)printf("%-44s %8.3f us\n", what, us[RUN_COUNT / 2]);
}

static struct slim_auth_provider *provider;
static struct slim_auth_verifier *verifier;
static struct slim_buf *tokens; /* different ones */
static size_t token_count;

static void run_make(size_t rounds)
{
    struct slim_buf token = {0};
    for (size_t i = 0; i < rounds; i++) {
        slim_buf_clear(&token);
        must(slim_auth_provider_make(provider, NOW_S + i / 1000, NULL, &token));
    }
    slim_buf_fini(&token);
}

static void run_reuse(size_t rounds)
{
    struct slim_view token;
    for (size_t i = 0; i < rounds; i++) {
        must(slim_auth_provider_token(provider, NOW_S, &token));
    }
}

static void run_verify(size_t rounds)
{
    struct slim_auth_identity identity;
    for (size_t i = 0; i < rounds; i++) {
        must(slim_auth_verify(verifier, slim_buf_view(&tokens[i % token_count]), NOW_S, NULL,
                              &identity));
    }
}

/* Make `count` different tokens. */
static void fill(size_t count)
{
    tokens = calloc(count, sizeof(tokens[0]));
    token_count = count;
    for (size_t i = 0; i < count; i++) {
        must(slim_auth_provider_make(provider, NOW_S - i % 3000, NULL, &tokens[i]));
    }
}

static void drop(void)
{
    for (size_t i = 0; i < token_count; i++) {
        slim_buf_fini(&tokens[i]);
    }
    free(tokens);
    slim_auth_provider_free(provider);
    slim_auth_verifier_free(verifier);
}

static void bench_secret(void)
{
    must(slim_auth_provider_new_secret(slim_view_str(id_text), slim_view_str(secret_text),
                                       slim_random_fill, &provider, NULL));
    must(slim_auth_verifier_new_secret(slim_view_str(secret_text), slim_random_fill, &verifier,
                                       NULL));
    measure("shared secret: make", SECRET_ROUNDS, run_make);
    measure("shared secret: own token again", SECRET_ROUNDS, run_reuse);
    fill(2 * SLIM_AUTH_CACHE_COUNT); /* twice the table: each one is gone when its turn comes */
    measure("shared secret: verify, new", SECRET_ROUNDS, run_verify);
    token_count = 1;
    measure("shared secret: verify, again", SECRET_ROUNDS, run_verify);
    token_count = 2 * SLIM_AUTH_CACHE_COUNT;
    drop();
}

/* A fresh key pair as two PEM texts. */
static void make_pem(const char *type, const char *group, unsigned bits,
                     struct slim_buf *private_pem, struct slim_buf *public_pem)
{
    EVP_PKEY *pkey = bits > 0        ? EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)bits)
                     : group != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, type, group)
                                     : EVP_PKEY_Q_keygen(NULL, NULL, type);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    if (PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        exit(1);
    }
    long len = BIO_get_mem_data(bio, &text);
    must(slim_buf_put(private_pem, slim_view_of(text, (size_t)len)));
    (void)BIO_reset(bio); /* of memory: always works */
    if (PEM_write_bio_PUBKEY(bio, pkey) != 1) {
        exit(1);
    }
    len = BIO_get_mem_data(bio, &text);
    must(slim_buf_put(public_pem, slim_view_of(text, (size_t)len)));
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static void bench_jwt(enum slim_auth_alg alg, const char *type, const char *group, unsigned bits)
{
    struct slim_buf private_pem = {0};
    struct slim_buf public_pem = {0};
    struct slim_view issuer = SLIM_VIEW("bench-issuer");
    struct slim_view audience = SLIM_VIEW("slim");
    char what[64];
    if (type == NULL) {
        must(slim_buf_put(&private_pem, slim_view_str(secret_text)));
        must(slim_buf_put(&public_pem, slim_view_str(secret_text)));
    } else {
        make_pem(type, group, bits, &private_pem, &public_pem);
    }
    struct slim_auth_jwt_options options = {.alg = alg,
                                            .key = slim_buf_view(&private_pem),
                                            .issuer = issuer,
                                            .subject = slim_view_str(id_text),
                                            .audiences = &audience,
                                            .audience_count = 1};
    struct slim_auth_rules rules = {.issuers = &issuer,
                                    .issuer_count = 1,
                                    .audiences = &audience,
                                    .audience_count = 1,
                                    .alg = alg,
                                    .key = slim_buf_view(&public_pem)};
    must(slim_auth_provider_new_jwt(&options, &provider, NULL));
    must(slim_auth_verifier_new_jwt(&rules, slim_random_fill, &verifier, NULL));
    (void)snprintf(what, sizeof(what), "JWT %s: make", slim_auth_alg_text(alg)); /* fits */
    measure(what, JWT_ROUNDS, run_make);
    fill(RUN_COUNT * JWT_ROUNDS < 3000 ? RUN_COUNT * JWT_ROUNDS : 3000);
    struct slim_buf *all = tokens;
    size_t all_count = token_count;
    token_count = 300; /* each run takes others: none was seen */
    double us[RUN_COUNT];
    struct slim_auth_identity identity;
    for (size_t i = 0; i < RUN_COUNT; i++) {
        uint64_t begin_ns = slim_clock_thread_cpu_ns();
        for (size_t j = 0; j < token_count; j++) {
            must(slim_auth_verify(verifier, slim_buf_view(&all[i * token_count + j]), NOW_S, NULL,
                                  &identity));
        }
        us[i] = (double)(slim_clock_thread_cpu_ns() - begin_ns) / 1000.0 / (double)token_count;
    }
    qsort(us, RUN_COUNT, sizeof(us[0]), compare);
    (void)printf("JWT %s: verify, new %*s %8.3f us\n", slim_auth_alg_text(alg),
                 (int)(26 - strlen(slim_auth_alg_text(alg))), "", us[RUN_COUNT / 2]);
    token_count = 1;
    (void)snprintf(what, sizeof(what), "JWT %s: verify, again", slim_auth_alg_text(alg)); /* fits */
    measure(what, SECRET_ROUNDS, run_verify);
    (void)snprintf(what, sizeof(what), "JWT %s: own token again", slim_auth_alg_text(alg));
    measure(what, SECRET_ROUNDS, run_reuse);
    token_count = all_count;
    drop();
    slim_buf_fini(&private_pem);
    slim_buf_fini(&public_pem);
}

int main(void)
{
    bench_secret();
    bench_jwt(SLIM_AUTH_ALG_HS256, NULL, NULL, 0);
    bench_jwt(SLIM_AUTH_ALG_RS256, "RSA", NULL, 2048);
    bench_jwt(SLIM_AUTH_ALG_ES256, "EC", "P-256", 0);
    bench_jwt(SLIM_AUTH_ALG_EDDSA, "ED25519", NULL, 0);
    return 0;
}
