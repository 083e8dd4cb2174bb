/* What systemd wants to hear from a service of Type=notify (sd_notify(3)): a datagram to the socket that NOTIFY_SOCKET names.
 * Without that variable nothing happens. */
#ifndef SLIM_CMD_SLIM_NOTIFY_H
#define SLIM_CMD_SLIM_NOTIFY_H

#include <stdint.h>

void slim_notify_ready(void);
void slim_notify_stopping(void);

/* Files are being read again; slim_notify_ready says that it is over. */
void slim_notify_reloading(void);

/* Still alive. */
void slim_notify_watchdog(void);

/* How often slim_notify_watchdog must be called, half of WATCHDOG_USEC; 0: nobody watches. */
uint64_t slim_notify_watchdog_ms(void);

#endif
