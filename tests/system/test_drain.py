"""How connections and the process come to their end: keepalive, age, idleness, signals."""

import re
import signal
import socket
import time

import pytest
from harness import proto
from harness.h2raw import Conn, Server
from harness.node import free_port, wait_until
from peers import Group, Peer

LIMIT_S = 10.0


@pytest.fixture
def ours(make_node, node_kind):
    if node_kind != "ours":
        pytest.skip("what our node does")
    return make_node


def can_talk(one, two):
    return Group([one, two]).collect(0) is not None


# ------------------------------------------------------------------------------------------------- connections


def test_a_peer_that_answers_no_ping_is_closed(ours):
    node = ours(server='keepalive: {time: "1s", timeout: "1s"}')
    with Peer(node.port) as awake, Peer(node.port) as asleep:
        asleep.conn.pause()
        assert wait_until(lambda: node.fd_count() and re.search(r"connection closed by peer", node.log_text()), LIMIT_S)
        time.sleep(1)
        assert not awake.conn.is_closed and awake.conn.pings_answered >= 1
        asleep.conn.resume()
        assert asleep.stream.wait_over()
        with Peer(node.port) as other:
            assert can_talk(awake, other)


def test_an_old_connection_gets_goaway_and_its_stream_goes_on(ours):
    node = ours(server='keepalive: {max_connection_age: "1s"}')
    with Peer(node.port) as old:
        assert old.conn.wait(lambda: old.conn.goaway is not None, LIMIT_S)
        assert old.conn.goaway == (1, 0), "the last stream that is served, and no error"
        late = old.conn.open_stream()
        with Peer(node.port) as other:
            assert can_talk(old, other), "the open stream goes on"
            assert late.headers is None, "no new one is served"
        assert not old.conn.is_closed
        old.stream.half_close()
        assert old.conn.wait(lambda: old.conn.is_closed, LIMIT_S), "the last stream ends the connection"


def test_an_idle_connection_is_closed(ours):
    node = ours(server='keepalive: {max_connection_idle: "1s"}')
    with Conn.connect(node.port) as idle, Peer(node.port) as used, Peer(node.port) as done:
        done.stream.half_close()
        for conn in (idle, done.conn):
            assert conn.wait(lambda c=conn: c.is_closed, LIMIT_S)
            assert conn.goaway is not None and conn.goaway[1] == 0
        assert not used.conn.is_closed, "a stream is no idleness, however silent it is"
        with Peer(node.port) as other:
            assert can_talk(used, other)


# ------------------------------------------------------------------------------------------------- signals


def test_sighup_never_ends_the_process(ours):
    """Neither while it starts, nor while it runs, nor while it drains."""
    port = free_port()
    node = ours(clients=[port], wait=False)
    assert wait_until(lambda: "Retrying" in node.log_text(), LIMIT_S)
    node.process.send_signal(signal.SIGHUP)
    with Server(port):
        assert wait_until(lambda: "service started" in node.log_text(), LIMIT_S)
        node.process.send_signal(signal.SIGHUP)
        with Peer(node.port) as one, Peer(node.port) as two:
            assert can_talk(one, two)
        with socket.create_connection(("127.0.0.1", node.port)):
            node.process.send_signal(signal.SIGTERM)
            node.process.send_signal(signal.SIGHUP)
            assert node.process.wait(LIMIT_S) == 0


def stuck_reader(node):
    """A receiver with much unsent, which reads nothing any more."""
    group = Group([Peer(node.port), Peer(node.port, window=65535, rcvbuf=4096)])
    sender, reader = group.peers
    reader.send(proto.subscribe(proto.name("o/n/stuck", 1)))
    assert group.collect(1) is not None
    reader.conn.pause()
    for _ in range(40):
        sender.send(proto.publish(proto.name("o/n/s"), proto.name("o/n/stuck", 1), payload=b"x" * 20_000))
    assert sender.stream is not None
    return group


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_changes_nothing(ours, second):
    """The drain of a stuck reader takes its time, and ends as it would have."""
    node = ours()
    group = stuck_reader(node)
    node.process.send_signal(signal.SIGTERM)
    assert wait_until(lambda: "shutting down stream on drain" in node.log_text(), LIMIT_S)
    node.process.send_signal(second)
    time.sleep(0.5)
    assert node.is_alive, "it drains"
    assert group.peers[0].stream.wait_over() and group.peers[0].stream.grpc_status == 0
    assert node.process.wait(LIMIT_S) == 0
    assert node.log_text().count("received signal, starting shutdown") == 1


STARTING = [
    ("nobody listens", lambda: None),
    ("a peer that accepts and says nothing", lambda: socket.create_server(("127.0.0.1", 0))),
    ("a peer that speaks HTTP/2 and does not answer", lambda: Server(on_request=lambda conn, stream: None)),
]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("make", [pytest.param(make, id=why) for why, make in STARTING])
def test_a_signal_while_starting_drains_and_exits_0(ours, make, number):
    peer = make()
    port = free_port() if peer is None else peer.port if isinstance(peer, Server) else peer.getsockname()[1]
    node = ours(clients=[port], wait=True)
    with Peer(node.port) as early:  # the servers are up before the clients are connected
        node.process.send_signal(number)
        assert early.stream.wait_over() and early.stream.grpc_status == 0
        assert node.process.wait(LIMIT_S) == 0
    if peer is not None:
        peer.close()


def test_new_streams_are_refused_while_draining(ours):
    node = ours()
    group = stuck_reader(node)
    node.process.send_signal(signal.SIGTERM)
    assert wait_until(lambda: "shutting down stream on drain" in node.log_text(), LIMIT_S)
    reader = group.peers[1].conn
    late = reader.open_stream()
    reader.resume()
    assert late.wait_over()
    assert late.grpc_status in (14, None), "unavailable, or its connection is gone"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", node.port), 1)
    assert node.process.wait(LIMIT_S) == 0
