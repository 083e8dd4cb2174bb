"""Somebody who holds the shared secret, and talks to a node without any library of ours or of the reference: messages as he likes them."""

import base64
import hashlib
import hmac
import itertools
import os
import queue
import random
import threading
import time

import grpc
from harness import proto
from harness.lossy import PATH, identity

(MSG, MSG_ACK, RTX_REQUEST, RTX_REPLY, DISCOVERY_REQUEST, DISCOVERY_REPLY, JOIN_REQUEST, JOIN_REPLY, LEAVE_REQUEST, LEAVE_REPLY, GROUP_ADD, GROUP_REMOVE,
 GROUP_WELCOME, GROUP_CLOSE, GROUP_PROPOSAL, GROUP_ACK, GROUP_NACK, PING) = TYPES = range(1, 19)
COMMAND_FIELDS = {kind: kind - 4 for kind in (DISCOVERY_REQUEST, DISCOVERY_REPLY, JOIN_REQUEST, JOIN_REPLY, LEAVE_REQUEST, LEAVE_REPLY)}
COMMAND_FIELDS |= {GROUP_ADD: 7, GROUP_REMOVE: 8, GROUP_WELCOME: 9, GROUP_CLOSE: 10, GROUP_PROPOSAL: 11, GROUP_ACK: 12, GROUP_NACK: 13, PING: 14}
POINT_TO_POINT, GROUP = 1, 2
WINDOW = 500


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(secret, subject):
    """A token of a shared secret (spec auth.md 2.2): whoever holds it can make one for any subject."""
    head = f"{subject}:{int(time.time())}:{base64url(os.urandom(12))}:"
    return head + ":" + base64url(hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest())


def rotate(value, count):
    return (value << count | value >> (64 - count)) & proto.MASK


def siphash13(data):
    """SipHash-1-3 with both keys 0: the id of an application is that of its subject and a byte 0xff."""
    v0, v1, v2, v3 = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573

    def mix():
        nonlocal v0, v1, v2, v3
        v0, v2 = v0 + v1 & proto.MASK, v2 + v3 & proto.MASK
        v1, v3 = rotate(v1, 13) ^ v0, rotate(v3, 16) ^ v2
        v0 = rotate(v0, 32)
        v2, v0 = v2 + v1 & proto.MASK, v0 + v3 & proto.MASK
        v1, v3 = rotate(v1, 17) ^ v2, rotate(v3, 21) ^ v0
        v2 = rotate(v2, 32)

    whole = len(data) // 8 * 8
    words = [data[at : at + 8] for at in range(0, whole, 8)]
    words.append(data[whole:].ljust(7, b"\0") + bytes([len(data) & 0xFF]))
    for word in words:
        number = int.from_bytes(word, "little")
        v3 ^= number
        mix()
        v0 ^= number
    v2 ^= 0xFF
    for _ in range(3):
        mix()
    return v0 ^ v1 ^ v2 ^ v3


def message(kind, session, source, destination, who, number=None, fanout=1, session_type=GROUP, payload=None, metadata=None, error=False):
    """A Publish. payload: of the command, or (payload type, blob)."""
    header = proto.header(source, destination, fanout, identity=who)
    header += proto.number(8, 1) if error else b""
    number = random.getrandbits(32) if number is None else number
    head = proto.number(1, session_type) + proto.number(2, kind) + proto.number(3, session) + proto.number(4, number)
    if kind in COMMAND_FIELDS:
        content = proto.blob(2, proto.blob(COMMAND_FIELDS[kind], payload or b""))
    else:
        type_, data = payload or ("", b"")
        content = proto.blob(1, proto.blob(1, type_) + proto.blob(2, data))
    out = proto.blob(3, proto.blob(1, header) + proto.blob(2, head) + proto.blob(3, content))
    for key, value in (metadata or {}).items():
        out += proto.blob(4, proto.blob(1, key) + proto.blob(2, value))
    return out


class Stream:
    """One OpenChannel call; `received` is every Publish that came in."""

    def __init__(self, node):
        self.received = []
        self.answer = None  # called with each message that comes in; answers what to send
        self.outgoing = queue.Queue()
        self.changed = threading.Condition()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{node.port}")
        self.call = self.channel.stream_stream(PATH, identity, identity)(iter(self.outgoing.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for data in self.call:
                if proto.kind_of(data) != "publish":
                    continue
                with self.changed:
                    self.received.append(data)
                    self.changed.notify_all()
                for out in self.answer(data) if self.answer else ():
                    self.send(out)
        except grpc.RpcError:
            pass  # it is closed

    def send(self, data):
        self.outgoing.put(data)

    def wait(self, condition, timeout=30):
        with self.changed:
            return bool(self.changed.wait_for(lambda: any(condition(m) for m in self.received[-WINDOW:]), timeout))

    def close(self):
        self.outgoing.put(None)
        self.call.cancel()
        self.channel.close()


class Hostile(Stream):
    """An application of its own on a node."""

    def __init__(self, node, local, secret):
        super().__init__(node)
        self.local = local
        self.subject = f"{local}/ffffffffffffffff_{base64url(os.urandom(6))}"
        self.id = siphash13(self.subject.encode() + b"\xff")
        self.name = proto.name(local, self.id)
        self.token = token(secret, self.subject)
        self.listen(self.name)
        self.probe = Stream(node)
        self.probe_name = proto.name("hostile/side/door", 1)
        self.probe.send(proto.subscribe(self.probe_name))
        self.numbers = itertools.count(1)
        self.wait_sent()

    def listen(self, name):
        self.send(proto.subscribe(name, source=self.name, identity=self.token))

    def wait_sent(self, timeout=120):
        """Until the node has handed on everything: the last message comes out at the side door."""
        number = next(self.numbers)
        end = time.monotonic() + timeout
        while not self.probe.wait(lambda m: number_of(m) == number, 1):
            assert time.monotonic() < end
            self.send(message(MSG, 1, self.name, self.probe_name, "", number=number))  # again: the side door may not be open yet

    def close(self):
        self.probe.close()
        super().close()


def kind_of(data):
    return proto.get(data, 3, 2, 2)


def session_of(data):
    return proto.get(data, 3, 2, 3)


def number_of(data):
    return proto.get(data, 3, 2, 4)


def source_of(data):
    return proto.get(data, 3, 1, 1)


def token_of(data):
    return proto.get(data, 3, 1, 4).decode()


def full_name(data):
    """A Name as text, without its id, and the id."""
    return "/".join(proto.get(data, 2, i).decode() for i in (1, 2, 3)), proto.get(data, 1, 4)
