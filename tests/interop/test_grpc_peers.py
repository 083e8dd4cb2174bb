"""Other people's gRPC as peers: grpcio as client and as server of OpenChannel. Messages are bytes to it, as they are to a node."""

import concurrent.futures
import queue
import threading

import grpc
import pytest
from harness import proto
from harness.node import Node, free_port, wait_until

METHOD = "/dataplane.proto.v1.DataPlaneService/OpenChannel"
COUNT = 200
LIMIT_S = 20


class GrpcioPeer:
    """A stream of a grpcio client."""

    def __init__(self, port):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.out = queue.SimpleQueue()
        self.messages = []
        self.code = None
        self.changed = threading.Condition()
        self.call = self.channel.stream_stream(METHOD)(iter(self.out.get, None))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for message in self.call:
                with self.changed:
                    self.messages.append(message)
                    self.changed.notify_all()
            code = self.call.code()
        except grpc.RpcError as error:
            code = error.code()
        with self.changed:
            self.code = code
            self.changed.notify_all()

    def send(self, msg):
        self.out.put(msg)

    def wait(self, condition, timeout=LIMIT_S):
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def payloads(self):
        return [proto.payload_of(message) for message in self.messages]

    def half_close(self):
        self.out.put(None)

    def close(self):
        self.out.put(None)
        self.call.cancel()
        self.channel.close()


@pytest.fixture
def make_peer():
    peers = []

    def make(port):
        peers.append(GrpcioPeer(port))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


def test_grpcio_clients_exchange_messages(node, make_peer):
    """Small and large messages, in order, and more of them than fit into the windows."""
    sender, receiver = make_peer(node.port), make_peer(node.port)
    receiver.send(proto.subscribe(proto.name("o/n/receiver", 1), subscription_id=1))
    assert receiver.wait(lambda: receiver.messages) if node.is_ours else wait_until(lambda: True)
    payloads = [b"%d " % i + bytes(i % 7 * 20_000) for i in range(COUNT)]
    for payload in payloads:
        sender.send(proto.publish(proto.name("o/n/sender", 1), proto.name("o/n/receiver", 1), payload=payload))
    assert receiver.wait(lambda: len(receiver.messages) > COUNT)
    assert receiver.payloads()[1:] == payloads


def test_a_half_close_of_grpcio_ends_the_call_with_ok(node, make_peer):
    peer = make_peer(node.port)
    peer.half_close()
    assert peer.wait(lambda: peer.code is not None)
    assert peer.code == grpc.StatusCode.OK


def test_grpcio_is_told_what_is_wrong(node, node_kind, make_peer):
    if node_kind != "ours":
        pytest.skip("the reference says OK to everything")
    peer = make_peer(node.port)
    peer.send(b"\xff\xff")
    assert peer.wait(lambda: peer.code is not None)
    assert peer.code not in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN)
    channel = grpc.insecure_channel(f"127.0.0.1:{node.port}")
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/a.b.C/D")(b"", timeout=LIMIT_S)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
    channel.close()


def test_a_drain_ends_the_calls_of_grpcio_with_ok(make_node, make_peer):
    node = make_node()
    peer = make_peer(node.port)
    peer.send(proto.subscribe(proto.name("o/n/receiver", 1), subscription_id=1))
    if node.is_ours:
        assert peer.wait(lambda: peer.messages)
        assert node.stop() == 0
        assert peer.wait(lambda: peer.code is not None)
        assert peer.code == grpc.StatusCode.OK


class Service(grpc.GenericRpcHandler):
    """A server of OpenChannel, which subscribes a name on each stream and keeps what comes."""

    def __init__(self):
        self.messages = queue.SimpleQueue()
        self.streams = []

    def service(self, details):
        return grpc.stream_stream_rpc_method_handler(self.open) if details.method == METHOD else None

    def open(self, requests, context):
        context.send_initial_metadata(())
        out = queue.SimpleQueue()
        self.streams.append(out)
        threading.Thread(target=self._read, args=[requests, out], daemon=True).start()
        yield proto.subscribe(proto.name("o/n/behind", 1))
        yield from iter(out.get, None)

    def _read(self, requests, out):
        try:
            for message in requests:
                self.messages.put(message)
        except grpc.RpcError:
            pass  # the node hung up
        out.put(None)


def test_a_link_to_a_grpcio_server(make_node, make_peer):
    """A node links to a server that is grpcio, gets its subscription, and sends what is for it."""
    port = free_port()
    service = Service()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[service])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    node = make_node(clients=[port])
    if not node.is_ours:
        pytest.skip("the reference node of the tests is a server only")
    sender = make_peer(node.port)
    found = []
    for attempt in range(100):
        sender.send(proto.publish(proto.name("o/n/sender", 1), proto.name("o/n/behind", 1), payload=b"over the link"))
        try:
            found.append(proto.payload_of(service.messages.get(timeout=0.1)))
            break
        except queue.Empty:
            continue
    assert found == [b"over the link"]
    server.stop(0).wait()
    assert wait_until(lambda: "connection lost with remote endpoint" in node.log_text(), LIMIT_S)
    assert isinstance(node, Node)
