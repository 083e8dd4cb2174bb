/* The recorded HTTP/2 sessions of real clients and nodes (tests/vectors/wire/client_*.txt). */
#ifndef SLIM_TESTS_GRPC_RECORDED_H
#define SLIM_TESTS_GRPC_RECORDED_H

#include "unit/h2/frames.h"

/* bytes[0]  what the client sent, preface included;  bytes[1]  what the node sent
 * msgs      the messages of each direction, one behind the other;  msg_count likewise */
struct recorded {
    struct slim_buf bytes[2];
    struct slim_buf msgs[2];
    size_t msg_count[2];
};

static inline void put_hex(struct slim_buf *out, const char *hex)
{
    for (; sscanf(hex, "%2x", &(unsigned){0}) == 1 && hex[0] > ' ' && hex[1] > ' '; hex += 2) {
        unsigned value = 0;
        CHECK(sscanf(hex, "%2x", &value) == 1);
        CHECK_OK(slim_buf_put_byte(out, (uint8_t)value));
    }
}

static inline void recorded_load(struct recorded *recorded, const char *name)
{
    char path[512];
    static char line[8192];
    memset(recorded, 0, sizeof(*recorded));
    snprintf(path, sizeof(path), "%s/wire/%s", SLIM_TEST_VECTORS, name);
    FILE *file = fopen(path, "r");
    CHECK_ROW(path, file != NULL);
    size_t side = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *raw = strstr(line, "    raw: ");
        const char *msg = strstr(line, "    grpc: compressed=0 length=");
        if (strstr(line, " C->S ") != NULL) {
            side = 0;
        } else if (strstr(line, " S->C ") != NULL) {
            side = 1;
        }
        if (strstr(line, " C->S PREFACE ") != NULL) {
            put_hex(&recorded->bytes[0], strstr(line, "PREFACE ") + 8);
        } else if (raw == line) {
            put_hex(&recorded->bytes[side], raw + 9);
        } else if (msg == line) {
            put_hex(&recorded->msgs[side], strstr(line, "message=") + 8);
            recorded->msg_count[side]++;
        }
    }
    fclose(file);
    CHECK_ROW(name, recorded->bytes[0].len > 500 && recorded->bytes[1].len > 50);
}

static inline void recorded_fini(struct recorded *recorded)
{
    for (size_t i = 0; i < 2; i++) {
        slim_buf_fini(&recorded->bytes[i]);
        slim_buf_fini(&recorded->msgs[i]);
    }
}

#endif
