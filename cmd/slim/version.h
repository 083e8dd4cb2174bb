/* What --version prints. version.c is written by the build from version.c.in. */
#ifndef SLIM_CMD_SLIM_VERSION_H
#define SLIM_CMD_SLIM_VERSION_H

/* version   the newest tag slim-v* reachable from the commit, with the distance to it; slim-v<project version> without one
 * date      RFC 3339, of the configuration of the build tree (SOURCE_DATE_EPOCH when set)
 * sha       short hash of the commit, empty outside of git
 * profile   release or debug */
struct slim_build {
    const char *version;
    const char *date;
    const char *sha;
    const char *profile;
};

extern const struct slim_build slim_build;

#endif
