"""Link negotiation, subscription ids and route recovery, as releases from 1.3.0 on use them."""

import uuid

import pytest
from harness import proto
from harness.node import REFERENCES
from peers import Group, Peer


@pytest.fixture(autouse=True)
def speaks_links(node_kind):
    if node_kind in REFERENCES[:2]:
        pytest.skip("this release knows no links")


def ack(subscription_id, error=None):
    body = proto.number(1, subscription_id)
    body += proto.blob(3, error) if error else proto.number(2, 1)
    return proto.blob(6, body)


def test_a_valid_request_is_answered_with_its_id_once(node):
    link_id = str(uuid.uuid4())
    with Peer(node.port) as peer:
        peer.send(proto.link(link_id))
        peer.send(proto.link(link_id))
        peer.send(proto.subscribe(proto.name("o/n/a", 1), subscription_id=5))
        reply, confirmation = peer.take(2)
        assert proto.get(reply, 5, 1, 1).decode() == link_id
        assert proto.get(reply, 5, 1, 3) == 1
        assert proto.get(reply, 5, 1, 2).decode().count(".") == 2
        assert confirmation == ack(5)


@pytest.mark.parametrize(
    "msg",
    [
        pytest.param(proto.link("x"), id="not a UUID"),
        pytest.param(proto.link("81d4fd32-ff0c-1d20-a5c4-b8cb8e0b183d"), id="a UUID of another version"),
        pytest.param(proto.link(str(uuid.uuid4()), "one"), id="no version"),
        pytest.param(proto.link(str(uuid.uuid4()), is_reply=True), id="a reply that nobody asked for"),
    ],
)
def test_an_invalid_request_is_ignored(node, msg):
    with Peer(node.port) as peer:
        peer.send(msg)
        peer.send(proto.subscribe(proto.name("o/n/a", 1), subscription_id=6))
        assert peer.take(1) == [ack(6)]


def test_unsubscribe_is_confirmed_and_an_unknown_id_is_refused(node):
    group = Group([Peer(node.port), Peer(node.port)])
    peer, sender = group.peers
    name = proto.name("o/n/a", 1)
    peer.send(proto.subscribe(name, subscription_id=10))
    peer.send(proto.subscribe(name, subscription_id=11))
    peer.send(proto.unsubscribe(name, subscription_id=12))
    peer.send(proto.unsubscribe(name, subscription_id=10))
    got = group.collect(0)[0]
    assert got == [ack(10), ack(11), ack(12, "subscription id not found: 12"), ack(10)]
    sender.send(proto.publish(proto.name("o/n/s", 1), name, payload=b"still"))
    assert [proto.payload_of(m) for m in group.collect(1)[0]] == [b"still"]
    peer.send(proto.unsubscribe(name, subscription_id=11))
    assert group.collect(0)[0] == [ack(11)]
    sender.send(proto.publish(proto.name("o/n/s", 1), name, payload=b"no more"))
    assert group.collect(1) == [[], []]


def reconnect(node, group, link_id, negotiate_with):
    """Subscribe over a negotiated link, lose it, come back; what does the new connection get without subscribing?"""
    first = Peer(node.port)
    first.send(proto.link(link_id))
    first.send(proto.subscribe(proto.name("o/n/kept", 1), subscription_id=77))
    assert len(first.take(2)) == 2
    first.close()
    with Peer(node.port) as again:
        again.send(proto.link(negotiate_with))
        assert len(again.take(1)) == 1
        group.peers[0].send(proto.publish(proto.name("o/n/s", 1), proto.name("o/n/kept", 1), payload=b"found"))
        assert group.collect(0) is not None
        return [proto.payload_of(m) for m in again.take(1, 1.0)]


def test_the_routes_of_a_lost_link_come_back_with_it(node):
    group = Group([Peer(node.port), Peer(node.port)])
    link_id = str(uuid.uuid4())
    assert reconnect(node, group, link_id, link_id) == [b"found"]


def test_the_routes_of_a_lost_link_do_not_go_to_another(node):
    group = Group([Peer(node.port), Peer(node.port)])
    assert reconnect(node, group, str(uuid.uuid4()), str(uuid.uuid4())) == []
