/* slim-group: talk in a group, encrypted from end to end. slim-group(1) */
#include "chat/client.h"
#include "slim-group/group.h"

int main(int argc, char **argv)
{
    return chat_run(CHAT_GROUP, argc, argv, group_main);
}
