"""The node is killed and started again while sessions of real clients are open."""

import time

import pytest
from test_groups import open_group
from test_point_to_point import open_session

VERSIONS = ["1.0.0", "1.0.1", "1.4.1"]
# A retransmission that meets a link that is still down is lost for good (a defect of the clients): leave them the time
# to reconnect, which their back-off does within about two seconds.
INTERVAL_S = 5
RETRIES = 5
LIMIT_S = INTERVAL_S * (RETRIES + 1) + 10
COUNT = 10
ATTEMPTS = 3


def crash_in_the_middle(node, sender, session, crossing_count=COUNT):
    """Publish, kill the node with messages on their way, start it again. Returns all texts once all are acknowledged.

    In a group nothing is on its way: a request for a missing message counts as its acknowledgement at the sender (a defect of the
    clients), so when the crash takes the answer the message is lost for good, and all that follows waits for it."""
    before = [f"before {i}" for i in range(COUNT)]
    crossing = [f"crossing {i}" for i in range(crossing_count)]
    after = [f"after {i}" for i in range(COUNT)]
    sender.call("publish", session=session, texts=before)
    if crossing:
        sender.call("publish", session=session, texts=crossing, wait=False)
    node.kill()
    node.start()
    time.sleep(INTERVAL_S)  # the clients reconnect, and send again what was not acknowledged
    sender.call("publish", session=session, texts=after, timeout=LIMIT_S)
    return before + crossing + after


def crash_between(node, clients, mls):
    """Sessions that went on, or None: the clients lost a message that was on its way, as they rarely do (see above), and wait for it for ever."""
    initiator, responder = clients
    sessions = open_session(initiator, responder, mls, retries=RETRIES, interval=INTERVAL_S)
    texts = crash_in_the_middle(node, initiator, sessions[0])
    got = responder.wait_texts(len(texts), timeout=LIMIT_S)
    assert got == texts[: len(got)]
    if got == texts:
        return sessions
    assert COUNT <= len(got) < 2 * COUNT, "only what crosses the crash can be lost"
    return None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_a_point_to_point_session_survives(make_node, make_clients, version, mls):
    node = make_node()
    for _ in range(ATTEMPTS):
        clients = initiator, responder = make_clients(node, [version] * 2)
        if sessions := crash_between(node, clients, mls):
            break
    else:
        pytest.fail("a message was lost each time")
    back = [f"back {i}" for i in range(COUNT)]
    responder.call("publish", session=sessions[1], texts=back, timeout=LIMIT_S)
    assert initiator.wait_texts(COUNT, timeout=LIMIT_S) == back


@pytest.mark.parametrize("version", VERSIONS)
def test_a_group_survives(make_node, make_clients, version):
    node = make_node()
    clients = make_clients(node, [version] * 4)
    sessions = open_group(clients[0], clients[1:], retries=RETRIES, interval=INTERVAL_S)
    texts = crash_in_the_middle(node, clients[0], sessions[0], crossing_count=0)
    for receiver in clients[1:]:
        assert receiver.wait_texts(len(texts), clients[0], timeout=LIMIT_S) == texts, receiver.short_name
    for sender, session in zip(clients[1:], sessions[1:], strict=True):
        back = [f"{sender.short_name} {i}" for i in range(COUNT)]
        sender.call("publish", session=session, texts=back, timeout=LIMIT_S)
        for receiver in clients:
            if receiver is not sender:
                assert receiver.wait_texts(COUNT, sender, timeout=LIMIT_S) == back, receiver.short_name


@pytest.mark.parametrize("version", VERSIONS)
def test_several_restarts_without_traffic(make_node, make_clients, version):
    """Clients that were idle come back after each restart."""
    node = make_node()
    initiator, responder = make_clients(node, [version] * 2)
    ours, _ = open_session(initiator, responder, False, retries=RETRIES, interval=INTERVAL_S)
    for turn in range(3):
        node.kill()
        node.start()
        time.sleep(3)  # longer than the back-off of the clients
        initiator.call("publish", session=ours, texts=[f"turn {turn}"], timeout=LIMIT_S)
    assert responder.wait_texts(3) == ["turn 0", "turn 1", "turn 2"]
