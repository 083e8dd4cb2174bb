/* slim-p2p: send a message to a peer and show its answers, or answer peers. slim-p2p(1) */
#include "chat/client.h"
#include "slim-p2p/p2p.h"

static int p2p_main(struct chat_client *client)
{
    return client->settings->message != NULL ? p2p_send(client) : p2p_receive(client);
}

int main(int argc, char **argv)
{
    return chat_run(CHAT_P2P, argc, argv, p2p_main);
}
