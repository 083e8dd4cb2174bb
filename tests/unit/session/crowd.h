/* Several members of one MLS session in one process. Who they are: the credential is the subject ("bob", or "bob#2" for a later one of
 * the same subject), and a name belongs to a subject when its id is the subject's hash. */
#ifndef SLIM_TESTS_SESSION_CROWD_H
#define SLIM_TESTS_SESSION_CROWD_H

#include "session/crypt.h"
#include "support/check.h"
#include "unit/mls/world.h"

enum { PEOPLE = 6, MOD = 0, BOB, CAROL, DAVE, EVE, FRED };

struct person {
    const char *subject;
    struct slim_name_key name;
    struct slim_mls_client *client;
    struct slim_session_crypt *crypt;
};

/* reads     credentials read so far
 * expired   a credential that is too old; NULL: none */
struct crowd {
    struct world world;
    struct person people[PEOPLE];
    unsigned reads;
    const char *expired;
};
extern struct crowd crowd;

bool crowd_is_source(void *ctx, struct slim_view subject, const struct slim_name_key *name);
enum slim_status crowd_read_credential(void *ctx, struct slim_view token, bool any_age,
                                       struct slim_mls_claims *claims, struct slim_error *error);
struct slim_name_key crowd_name(const char *subject);

enum slim_status person_new(const char *subject, bool has_plain_adds, struct person *person);
void person_free(struct person *person);

/* Everybody is there; the moderator has a group of one. */
void crowd_start(void);
void crowd_stop(void);

struct slim_session_crypt *crowd_crypt(unsigned index);

/* A commit of the moderator that adds one person, who joins; the commit is the caller's. */
void crowd_invite(unsigned index, struct slim_session_commit *commit);

/* A person takes a commit. */
enum slim_status crowd_give(unsigned index, const struct slim_session_commit *commit);

/* The first `count` people, moderator included, are a group and know it. */
void crowd_gather(unsigned count);

/* A commit of the moderator that adds nobody, or removes one. */
void crowd_refresh(struct slim_session_commit *commit);
void crowd_drop(unsigned index, struct slim_session_commit *commit);

struct slim_buf crowd_seal(unsigned from, const char *text);

/* Open it as a message of `source`; the text must be the one given when it opens. */
enum slim_status crowd_open(unsigned to, unsigned source, const struct slim_buf *sealed,
                            const char *text);

/* Everybody of these hears everybody. */
void crowd_talk(const unsigned *who, size_t count);

#endif
