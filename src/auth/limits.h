/* Every bound of src/auth, and what happens at it. */
#ifndef SLIM_AUTH_LIMITS_H
#define SLIM_AUTH_LIMITS_H

enum {
    SLIM_AUTH_TOKEN_BYTES_MAX = 16 * 1024,  /* a longer token is refused (SLIM_AUTH_CHECK_SIZE) */
    SLIM_AUTH_TOKEN_DEPTH_MAX = 16,         /* JSON levels of a token's header and claims */
    SLIM_AUTH_SECRET_BYTES_MIN = 32,        /* a shorter shared secret or HMAC key is refused */
    SLIM_AUTH_SECRET_BYTES_MAX = 64 * 1024, /* a longer one too */
    SLIM_AUTH_ID_BYTES_MAX = 1024,          /* configured ids, subjects, issuers, audiences */
    SLIM_AUTH_NAMES_MAX = 64,               /* audiences, issuers, trust domains in one list */
    SLIM_AUTH_CLAIMS_BYTES_MAX = 8 * 1024,  /* configured custom claims */
    SLIM_AUTH_KEY_TEXT_BYTES_MAX = 512 * 1024, /* a PEM, JWK, JWKS or trust bundle */
    SLIM_AUTH_KEY_DEPTH_MAX = 8,               /* JSON levels of those */
    SLIM_AUTH_KEYS_MAX = 256,                  /* usable keys in one set; more refuse the set */
    SLIM_AUTH_RSA_BITS_MIN = 2048,             /* smaller RSA keys are refused */
    SLIM_AUTH_RSA_BITS_MAX = 8192,             /* larger ones make verifying a burden */
    SLIM_AUTH_CACHE_COUNT = 4096, /* verified tokens remembered; the longest unused one goes */
};

/* Seconds. */
enum {
    SLIM_AUTH_VALIDITY_S =
        3600, /* of shared-secret tokens, and of JWT when no duration is configured */
    SLIM_AUTH_SECRET_SKEW_S = 5,         /* how far in the future a shared-secret token may be */
    SLIM_AUTH_LEEWAY_S = 60,             /* around exp and nbf of a JWT */
    SLIM_AUTH_REUSE_S = 60,              /* how long an own token serves for further messages */
    SLIM_AUTH_DURATION_S_MIN = 10,       /* shortest configured life of a JWT */
    SLIM_AUTH_DURATION_S_MAX = 31536000, /* and longest: a year */
};

#endif
