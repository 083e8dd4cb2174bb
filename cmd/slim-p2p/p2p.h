/* The two roles of slim-p2p. They return the status of the program. */
#ifndef SLIM_P2P_P2P_H
#define SLIM_P2P_P2P_H

#include "chat/client.h"

/* --message --iterations times to --remote, each time the next answer. */
int p2p_send(struct chat_client *client);

/* Any number of sessions at once; every message is echoed with our id. Until interrupted. */
int p2p_receive(struct chat_client *client);

#endif
