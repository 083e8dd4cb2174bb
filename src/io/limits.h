/* Every bound of src/io, and what happens there. */
#ifndef SLIM_IO_LIMITS_H
#define SLIM_IO_LIMITS_H

enum {
    SLIM_IO_ACCEPTS_PER_TURN = 64, /* further connections wait for the next turn */
    SLIM_IO_ACCEPT_PAUSE_MS = 100, /* out of descriptors: accepting rests this long */
    SLIM_IO_LISTEN_BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
    SLIM_IO_LISTENER_FD =
        16384, /* listeners get a number just below this, or below the limit of the process */
    SLIM_IO_FLUSH_PIECES = 128,       /* pieces of one write */
    SLIM_IO_FLUSH_BYTES = 512 * 1024, /* bytes of one write */
    /* writes of one connection in one turn; the rest waits for the next turn */
    SLIM_IO_FLUSHES_PER_TURN = 4,
    SLIM_IO_TLS_FLUSH_BYTES = 208 * 1024, /* sealed for one write: fits into the receive buffer */
    SLIM_IO_TLS_PENDING_BYTES = 8 * 1024, /* sealed and unwritten: nothing more is sealed */
    SLIM_IO_REFUSED_LINGER_MS = 2000,     /* how long a peer that was refused may take to hang up */
    SLIM_IO_SHUT_PERIOD_MS = 10, /* how often we ask whether a closing peer received everything */
    SLIM_IO_ADDRESSES_MAX = 16,  /* addresses of one host name that are tried */
};

#endif
