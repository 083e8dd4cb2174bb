/* The group: moderator when the settings have a channel and invitations, else a participant. */
#ifndef SLIM_GROUP_GROUP_H
#define SLIM_GROUP_GROUP_H

#include "chat/client.h"

int group_main(struct chat_client *client);

#endif
