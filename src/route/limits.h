/* Every limit of the subscription table, and what happens there. */
#ifndef SLIM_ROUTE_LIMITS_H
#define SLIM_ROUTE_LIMITS_H

enum {
    /* Different names in one table: about 200 MB. A subscription to one more new name is refused (SLIM_ERR_LIMIT). */
    SLIM_ROUTE_NAMES_MAX = 1 << 20,

    /* (name, peer) pairs in one table, 64 to 100 bytes each: a thousand peers on each of 4000 channels. One more is
     * refused (SLIM_ERR_LIMIT). */
    SLIM_ROUTE_SUBSCRIPTIONS_MAX = 1 << 22,

    /* The three strings of a prefix together, in bytes. A name with longer strings is refused (SLIM_ERR_LIMIT). */
    SLIM_ROUTE_TEXT_BYTES_MAX = 4096,

    /* Subscription ids that one peer holds for one name, 8 bytes each, kept in order: adding one moves up to 128 KiB. One
     * more is refused (SLIM_ERR_LIMIT). */
    SLIM_ROUTE_IDS_MAX = 16384,

    /* Subscription ids in one table, beyond the first of each (name, peer): 32 to 64 MB. One more is refused
     * (SLIM_ERR_LIMIT). */
    SLIM_ROUTE_IDS_TOTAL_MAX = 1 << 22,
};

/* References without id that one peer holds for one name. One more is refused (SLIM_ERR_LIMIT). */
#define SLIM_ROUTE_REFERENCES_MAX UINT32_MAX

#endif
