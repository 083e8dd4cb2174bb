"""Each defect of the reference node that can be seen from outside: one test that ours does not have it.

Seen with applications or a control plane inside the node's process only, and so tested elsewhere: names that come back after
a reconnect although they were unsubscribed, the loss of notifications of the control plane.
"""

import re
import socket
import struct
import threading
import time

import pytest
from harness import proto
from harness.h2raw import GOAWAY, RST_STREAM, Server, frame
from harness.node import wait_until
from peers import Group, Peer

NAME = "o/n/target"


def anycast(source_id, payload=b"x"):
    return proto.publish(proto.name("o/n/source", source_id), proto.name(NAME), payload=payload)


@pytest.mark.ours_only("recv_from of remote peers is honoured")
def test_route_hijack_with_recv_from(node):
    """A peer cannot make the node believe that another connection subscribed something."""
    victim, attacker, sender = peers = [Peer(node.port) for _ in range(3)]
    group = Group(peers)
    for conn_id in range(8):
        attacker.send(proto.subscribe(proto.name("o/n/stolen", 1), recv_from=conn_id))
    assert group.collect(1) is not None
    sender.send(proto.publish(proto.name("o/n/s", 1), proto.name("o/n/stolen", 1), fanout=proto.ALL))
    got = group.collect(2)
    assert [len(messages) for messages in got] == [0, 1, 0], "the subscriber is who sent the Subscribe"


@pytest.mark.ours_only("recv_from of remote peers is honoured")
def test_route_removal_with_recv_from(node):
    """A peer cannot unsubscribe another."""
    victim, attacker, sender = peers = [Peer(node.port) for _ in range(3)]
    group = Group(peers)
    victim.send(proto.subscribe(proto.name(NAME, 1)))
    assert group.collect(0) is not None
    for conn_id in range(8):
        attacker.send(proto.unsubscribe(proto.name(NAME, 1), recv_from=conn_id))
    assert group.collect(1) is not None
    sender.send(proto.publish(proto.name("o/n/s", 1), proto.name(NAME, 1)))
    assert [len(messages) for messages in group.collect(2)] == [1, 0, 0]


@pytest.mark.ours_only("forward_to of remote peers is honoured")
def test_injection_with_forward_to(node):
    """A peer cannot have anything sent into a connection of its choice."""
    victim, attacker, other = peers = [Peer(node.port) for _ in range(3)]
    group = Group(peers)
    for conn_id in range(8):
        nowhere = proto.name("o/n/nowhere", 1)
        attacker.send(proto.publish(nowhere, nowhere, forward_to=conn_id))
        attacker.send(proto.subscribe(proto.name("o/n/x", conn_id), forward_to=conn_id))
        attacker.send(proto.unsubscribe(proto.name("o/n/x", conn_id), forward_to=conn_id))
    assert group.collect(1) == [[], [], []]


def without(msg, member, field):
    """The message without `field` of its header's source (1) or destination (2)."""
    kind, body, _ = next(iter(proto.fields(msg)))
    head = b""
    for n, value, raw in proto.fields(proto.get(body, 1)):
        if n == member:
            raw = proto.blob(n, b"".join(r for k, _, r in proto.fields(value) if k != field))
        head += raw
    rest = b"".join(raw for n, _, raw in proto.fields(body) if n != 1)
    return proto.blob(kind, proto.blob(1, head) + rest)


@pytest.mark.ours_only("the stream task dies and leaves a zombie")
@pytest.mark.parametrize("member", [pytest.param(1, id="source"), pytest.param(2, id="destination")])
@pytest.mark.parametrize("field", [pytest.param(1, id="EncodedName"), pytest.param(2, id="StringName")])
@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe", "publish"])
def test_zombie_after_a_malformed_name(node, kind, member, field):
    """A name of which one half is missing costs its message and nothing else."""
    makers = {"subscribe": proto.subscribe, "unsubscribe": proto.unsubscribe}
    if kind == "publish":
        msg = proto.publish(proto.name("o/n/s", 1), proto.name("o/n/d", 2))
    else:
        msg = makers[kind](proto.name("o/n/d", 2), source=proto.name("o/n/s", 1))
    group = Group([Peer(node.port), Peer(node.port)])
    peer = group.peers[0]
    peer.send(without(msg, member, field))
    assert group.collect(0) == [[], []], "the stream still works, in both directions"
    peer.stream.half_close()
    assert peer.conn.wait(lambda: peer.stream.ended)
    assert peer.stream.grpc_status == 0


@pytest.mark.ours_only("grpc-status 0 whatever happened")
@pytest.mark.parametrize(
    "data, statuses",
    [
        pytest.param(b"\x00\x00\x00\x00\x02\xff\xff", {3, 13}, id="not protobuf"),
        pytest.param(b"\x00\x00\x00\x00\x07\x0a\x05\x0a\x03\x22\x01\xff", {3, 13}, id="invalid UTF-8"),
        pytest.param(b"\x00\x00\x40\x00\x01", {8, 11}, id="more than 4 MiB"),
        pytest.param(b"\x01\x00\x00\x00\x00", {12, 13}, id="compressed"),
    ],
)
def test_silent_close_reason(node, data, statuses):
    """Who is disconnected learns why."""
    with Peer(node.port) as peer:
        peer.stream.send_data([data])
        assert peer.stream.wait_over()
        assert peer.stream.grpc_status in statuses
        assert peer.stream.trailer("grpc-message")


@pytest.mark.ours_only("incoming_conn is added to a message that was just small enough")
def test_messages_growing_past_4_mib(node):
    """A message of exactly 4 MiB does not become one that kills its receiver."""
    limit = 4194304
    receiver, sender = Peer(node.port, window=2**23), Peer(node.port)
    group = Group([receiver, sender])
    receiver.send(proto.subscribe(proto.name("o/n/a", 1)))
    assert group.collect(0) is not None
    source, destination = proto.name("o/n/b", 2), proto.name("o/n/a", 1)
    overhead = len(proto.publish(source, destination, payload=b"x" * 4000000)) - 4000000
    msg = proto.publish(source, destination, payload=b"x" * (limit - overhead))
    assert len(msg) == limit
    sender.send(msg)
    after = proto.publish(source, destination, payload=b"after")
    sender.send(after)
    got = receiver.stream.take_until(lambda m: proto.payload_of(m) == b"after", 30)
    assert got is not None
    assert all(len(m) <= limit for m in got)


@pytest.mark.ours_only("ids are not in the log of the test node")
def test_immediate_id_reuse(node):
    """A connection that ends does not hand its id to the next one."""
    for _ in range(5):
        with Peer(node.port) as peer:
            peer.stream.half_close()
            assert peer.conn.wait(lambda: peer.stream.ended)
    pattern = r"connection closed by peer.*conn_index=(\d+)"
    assert wait_until(lambda: len(re.findall(pattern, node.log_text())) >= 5), "each closed connection is logged"
    ids = re.findall(pattern, node.log_text())
    assert len(set(ids)) == len(ids)


@pytest.mark.ours_only("the successor of the excluded slot gets a double share")
def test_anycast_bias(node):
    """The sender holds the name too: the two others get equal shares."""
    peers = [Peer(node.port) for _ in range(3)]
    group = Group(peers)
    for index, peer in enumerate(peers):
        peer.send(proto.subscribe(proto.name(NAME, index)))
        assert group.collect(index) is not None
    count = 600
    for _ in range(count):
        peers[0].send(anycast(0))
    shares = [len(messages) for messages in group.collect(0)]
    assert shares[0] == 0 and sum(shares) == count
    assert 225 <= shares[1] <= 375, f"{shares}: 300 each, 6 standard deviations are 74"


@pytest.mark.ours_only("the slot below a removed one is never chosen")
def test_anycast_lost_subscribers(node):
    """With the subscriber of the last slot gone, the one before it still gets messages."""
    peers = [Peer(node.port) for _ in range(4)]
    group = Group(peers[:2] + peers[3:])
    for index, peer in enumerate(peers[:3]):
        peer.send(proto.subscribe(proto.name(NAME, index)))
        if index < 2:
            assert group.collect(index) is not None
    peers[2].send(proto.unsubscribe(proto.name(NAME, 2)))
    peers[2].stream.half_close()
    assert peers[2].conn.wait(lambda: peers[2].stream.ended)
    for _ in range(30):
        peers[0].send(anycast(0))
    assert [len(messages) for messages in group.collect(0)] == [0, 30, 0]


def test_a_closed_connection_is_no_candidate(node):
    """However a subscriber leaves, anycast goes to those who stayed."""
    group = Group([Peer(node.port), Peer(node.port)])
    sender, stays = group.peers
    stays.send(proto.subscribe(proto.name(NAME, 1)))
    assert group.collect(1) is not None
    for leave in ("half-close", "reset", "tcp"):
        with Peer(node.port) as leaver:
            both = Group([sender, leaver])
            leaver.send(proto.subscribe(proto.name(NAME, 2)))
            assert both.collect(1) is not None
            sender.stream.taken = len(sender.stream.messages)
            if leave == "half-close":
                leaver.stream.half_close()
                assert leaver.conn.wait(lambda: leaver.stream.ended)
            elif leave == "reset":
                leaver.stream.send_reset()
        # Nobody tells us when the node has noticed; from some message on, all go to the one who stayed.
        def all_arrive():
            for _ in range(10):
                sender.send(anycast(0))
            return len([m for m in group.collect(0)[1] if proto.payload_of(m) == b"x"]) == 10

        assert wait_until(all_arrive, 5), leave


@pytest.mark.ours_only("a target that is closing aborts the rest")
def test_multicast_aborted_at_the_first_failing_target(node):
    """Receivers that vanish in the middle cost the others nothing."""
    receivers = [Peer(node.port) for _ in range(20)]
    sender = Peer(node.port)
    group = Group([sender, *receivers])
    for index, peer in enumerate(receivers):
        peer.send(proto.subscribe(proto.name(NAME, index)))
        assert group.mark(index + 1, 0) is not None
    count = 400
    vanish = receivers[::2]
    for number in range(count):
        msg = proto.publish(proto.name("o/n/s", 1), proto.name(NAME), fanout=proto.ALL, payload=b"%d" % number)
        sender.send(msg)
        if number % 30 == 15 and vanish:
            gone = vanish.pop()
            gone.conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.conn.sock.shutdown(socket.SHUT_RD)
            gone.conn.close()  # with RST
    for index, peer in enumerate(receivers):
        if index % 2 == 1:
            got = [proto.payload_of(m) for m in group.mark(0, index + 1)]
            assert got == [b"%d" % number for number in range(count)], f"receiver {index}"


# ------------------------------------------------------------------------------------------------- Nagle, delayed ACKs


def slow_rounds(group, rounds, pause):
    """Rounds of two small messages from peer 1 to peer 0 and an answer, in which the second took more than 25 ms.

    Traffic in both directions matters: the kernel delays ACKs only for peers that talk to each other."""
    receiver, sender = group.peers
    there = proto.publish(proto.name("o/n/s", 1), proto.name(NAME, 1))
    back = proto.publish(proto.name(NAME, 1), proto.name("o/n/s", 1))
    slow = 0
    for _ in range(rounds):
        begin = time.monotonic()
        sender.send(there)
        time.sleep(pause)
        sender.send(there)
        assert len(receiver.take(2)) == 2
        slow += time.monotonic() - begin > 0.025
        receiver.send(back)
        assert len(sender.take(1)) == 1
    return slow


def pair_that_talks(node):
    """Two peers without credit frames of their own between the messages, subscribed to each other's name."""
    receiver, sender = (Peer(node.port, auto_credit=False, window=2**24) for _ in range(2))
    group = Group([receiver, sender])
    receiver.send(proto.subscribe(proto.name(NAME, 1)))
    sender.send(proto.subscribe(proto.name("o/n/s", 1)))
    assert group.collect(0) is not None and group.collect(1) is not None
    return group


@pytest.mark.ours_only("Nagle is on")
def test_nagle(node):
    """The node sends a second small message without waiting for the ACK of the first."""
    group = pair_that_talks(node)
    slow_rounds(group, 20, 0.002)  # the kernel acknowledges the first packets of a connection at once
    assert slow_rounds(group, 40, 0.002) <= 20, "most of the pairs were 40 ms apart"


@pytest.mark.ours_only("ACKs are delayed")
def test_delayed_ack(node):
    """A client that leaves Nagle on, as the real ones do, does not wait 40 ms for the ACK of the node."""
    group = pair_that_talks(node)
    group.peers[1].conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    slow_rounds(group, 20, 0)
    assert slow_rounds(group, 40, 0) <= 20, "most of the pairs were 40 ms apart"


# ------------------------------------------------------------------------------------------- the node as a client


@pytest.fixture
def ours(make_node, node_kind):
    if node_kind != "ours":
        pytest.skip("the reference node of the tests is a server only")
    return make_node


def end_stream(stream, how):
    if how == "trailers":
        stream.conn.respond(stream, [("grpc-status", "0")], end_stream=True)
    elif how == "trailers with an error":
        stream.conn.respond(stream, [("grpc-status", "14"), ("grpc-message", "gone")], end_stream=True)
    elif how == "reset":
        stream.conn.send(frame(RST_STREAM, 0, stream.id, struct.pack(">I", 8)))
    elif how == "goaway and close":
        stream.conn.send(frame(GOAWAY, 0, 0, struct.pack(">II", stream.id, 0)))
        stream.conn.close()
    else:
        stream.conn.close()


@pytest.mark.parametrize("how", ["trailers", "trailers with an error", "reset", "goaway and close", "close"])
def test_reconnects_however_the_stream_ended(ours, how):
    with Server() as server:
        ours(clients=[server.port])
        stream = server.wait_stream()
        assert stream is not None, "the node did not connect"
        end_stream(stream, how)
        again = server.wait_stream(2)
        assert again is not None and again is not stream


def reset_on_accept(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return False


def test_giving_up_after_a_failed_reconnect(ours):
    """A peer that is just starting, and resets what it accepts, is tried again until it is up."""
    with Server(on_accept=lambda sock, count: count not in (2, 3, 4) or reset_on_accept(sock)) as server:
        node = ours(clients=[server.port])
        stream = server.wait_stream()
        assert stream is not None
        stream.conn.close()
        assert server.wait_stream(2, 20) is not None, "no further attempt"
        assert len(server.accept_times) >= 5
        assert node.is_alive


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([(":status", "401")], id="401 without grpc-status"),
        pytest.param([(":status", "200"), ("content-type", "application/grpc")], id="accepted and ended at once"),
    ],
)
def test_hot_reconnect_loop(ours, answer):
    """A server that turns us away again and again is asked a few times per second, not hundreds of times."""
    requests = []

    def on_request(conn, stream):
        requests.append(time.monotonic())
        if len(requests) == 1:
            conn.respond(stream)
        else:
            conn.respond(stream, answer, end_stream=answer[0][1] == "401")
            if answer[0][1] == "200":
                conn.respond(stream, [("grpc-status", "0")], end_stream=True)

    with Server(on_request=on_request) as server:
        node = ours(clients=[server.port])
        stream = server.wait_stream()
        assert stream is not None
        end_stream(stream, "trailers")
        time.sleep(3)
        assert len(requests) <= 40, "a few per second"
        assert node.is_alive


# --------------------------------------------------------------------------------------- one reader and all the others


@pytest.mark.ours_only("every sender waits for the slowest reader")
def test_a_reader_that_stops_blocks_everybody(node):
    """A sender to a reader that stopped still reaches another reader, and others still reach theirs."""
    stopped, reader, sender, other = peers = [Peer(node.port, rcvbuf=65536) for _ in range(4)]
    group = Group(peers)
    stopped.send(proto.subscribe(proto.name("o/n/stopped", 1)))
    reader.send(proto.subscribe(proto.name("o/n/reader", 1)))
    assert group.collect(0) is not None and group.collect(1) is not None
    stopped.conn.pause()
    flood = proto.publish(proto.name("o/n/s", 1), proto.name("o/n/stopped", 1), payload=b"x" * 16000)
    to_reader = proto.publish(proto.name("o/n/s", 1), proto.name("o/n/reader", 1), payload=b"between")
    sent = threading.Event()

    def send_all():
        for number in range(1000):
            sender.send(flood)
            if number % 100 == 99:
                sender.send(to_reader)
        sent.set()

    threading.Thread(target=send_all, daemon=True).start()
    for _ in range(20):
        other.send(to_reader)
    assert len(reader.take(30, 30)) == 30, "the reader got all of both senders"
    assert sent.wait(30), "the sender got rid of everything"
    stopped.conn.resume()
    stopped.close()


def test_the_streams_end_well_when_the_node_is_stopped(ours):
    """SIGTERM: every stream gets trailers with status 0, and the exit status is 0."""
    node = ours()
    peers = [Peer(node.port) for _ in range(3)]
    status = node.stop()
    assert status == 0
    assert all(peer.stream.wait_over() and peer.stream.grpc_status == 0 for peer in peers)


@pytest.mark.ours_only("connections close before the listener does")
def test_clients_give_up_when_the_node_is_killed(make_node):
    """A client that connects again the moment it loses a killed node is refused, and so tries again.

    If the dying node still accepted it, the connect would be reset, and the clients of the reference give up for good."""
    node = make_node()
    # The others take the time to close that makes the difference: the kernel closes what was opened last first.
    others = [socket.create_connection(("127.0.0.1", node.port), 10) for _ in range(400)]
    peers = [socket.create_connection(("127.0.0.1", node.port), 10) for _ in range(8)]
    results = []

    def connect_again(sock):
        try:
            sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            while sock.recv(4096):
                pass
        except ConnectionError:
            pass  # a reset tells the same
        try:
            socket.create_connection(("127.0.0.1", node.port), 10).close()
            results.append("accepted")
        except ConnectionError:
            results.append("refused")

    threads = [threading.Thread(target=connect_again, args=(peer,)) for peer in peers]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    node.kill()
    for thread in threads:
        thread.join(10)
    for sock in others + peers:
        sock.close()
    assert results == ["refused"] * len(peers)
