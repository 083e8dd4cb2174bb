"""Somebody who holds the shared secret against our programs on real sockets: sessions go on, and memory stays flat.

What he cannot be kept from is to be a member's double: who knows the secret and the subject of a member (it is in each of its tokens) can mint that member's
token (docs/auth.md). Everything here is with tokens of his own, or with messages and tokens that were recorded."""

import random
import re
import time
from pathlib import Path

import clients as real
import hostile as h
import pytest
from chat import SECRET as CHAT_SECRET
from chat import Chat
from harness import proto
from harness.lossy import Faults, Lossy
from test_chat import CHANNEL as CHAT_CHANNEL
from test_chat import moderate, say, waiting
from test_groups import CHANNEL, check_everyone_got, open_group, publish_from_all
from test_sessions import Driver

TIMER = dict(retries=10, interval=0.5)
EVIL = "evil/ns/mallory"
ROUNDS = 4
GROWTH_MAX_KIB = 3 * 1024  # of one round to the last: what a leak of a few hundred bytes for each message would exceed


def rss_kib(process):
    return int(re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(), re.M).group(1))


def check_flat(node, before, after):
    grown = {who: after[who] - before[who] for who in before}
    print(before, after)
    assert node.is_sanitized() or max(grown.values()) <= GROWTH_MAX_KIB, (before, after)


@pytest.fixture
def mallory(node):
    made = h.Hostile(node, EVIL, real.SECRET)
    yield made
    made.close()


@pytest.fixture
def group(node):
    """Three of ours, each behind a relay that keeps what it hears."""
    relays = [Lossy(node.port, Faults()) for _ in range(3)]
    clients = [Driver(relay) for relay in relays]
    for client, relay in zip(clients, relays, strict=True):
        client.relay = relay
        client.ready()
    yield clients
    statuses = [client.close() for client in clients]
    for relay in relays:
        relay.close()
    assert statuses == [0] * len(clients)


def recorded(clients, *kinds):
    return [m for client in clients for m in list(client.relay.seen) if not kinds or h.kind_of(m) in kinds]


def names_of(clients):
    """The Name of each as it is on the wire."""
    found = {}
    for m in recorded(clients):
        source = h.source_of(m)
        found.setdefault(h.full_name(source)[0], source)
    return [found[client.short_name] for client in clients]


def payloads(kind, own, names, chooser):
    """What a command may carry: nothing, somebody's name, garbage in place of MLS."""
    garbage = chooser.randbytes(chooser.choice([0, 1, 40, 600]))
    mls = proto.number(1, chooser.choice([0, 1, 2, 3, 9, 2**31])) + proto.blob(2, chooser.choice([b"", b"\0\1\0\1", b"\0\1\0\3"]) + garbage)
    about = chooser.choice([own, *names])
    if kind in (h.GROUP_ADD, h.GROUP_REMOVE):
        return proto.blob(1, about) + b"".join(proto.blob(2, n) for n in names) + proto.blob(3, mls)
    if kind == h.GROUP_WELCOME:
        return proto.blob(1, own) + b"".join(proto.blob(1, n) for n in names) + proto.blob(2, mls)
    if kind == h.GROUP_CLOSE:
        return b"".join(proto.blob(1, n) for n in names)
    if kind == h.JOIN_REPLY:
        return proto.blob(1, garbage)
    if kind == h.JOIN_REQUEST:
        timer = proto.number(1, chooser.choice([0, 1, 1000, 2**32 - 1])) + proto.number(2, chooser.choice([0, 5, 2**32 - 1]))
        return proto.number(1, chooser.randrange(2)) + proto.blob(2, timer) + proto.blob(3, proto.name(CHANNEL))
    if kind in (h.MSG, h.MSG_ACK, h.RTX_REQUEST, h.RTX_REPLY):
        return "msg", chooser.choice([b"", b"\0\1\0\2"]) + garbage.hex().encode()  # the driver tells texts
    return b""


def forgeries(mallory, session, names, count, chooser, sources=None):
    """Every kind of message, to each and to all, of himself and in the name of others, with his own token."""
    for _ in range(count):
        kind = chooser.choice(h.TYPES)
        target, fanout = chooser.choice([(names[0], 1), (names[1], 1), (names[2], 1), (proto.name(CHANNEL), proto.ALL)])
        source = chooser.choice(sources or [mallory.name, mallory.name, *names])
        metadata = chooser.choice([{}, {}, {"LEAVING_SESSION": "TRUE"}, {"PUBLISH_TO": "TRUE"}, {"SLIM_C": "1"}, {"DELETE_GROUP": "TRUE"},
                                   {"DISCONNECTION_DETECTED": "TRUE"}])
        number = chooser.choice([chooser.randrange(50), chooser.getrandbits(32)])
        yield h.message(kind, session, source, target, mallory.token, number=number, fanout=fanout, metadata=metadata,
                        payload=payloads(kind, mallory.name, names, chooser), error=chooser.random() < 0.2)


def invitations(mallory, names, count, chooser):
    """New sessions that he never goes on with."""
    for _ in range(count):
        payload = payloads(h.JOIN_REQUEST, mallory.name, names, chooser)
        yield h.message(h.JOIN_REQUEST, chooser.getrandbits(31), mallory.name, chooser.choice(names), mallory.token, payload=payload,
                        metadata={"k": "v" * chooser.randrange(100)}, session_type=chooser.choice([h.GROUP, h.POINT_TO_POINT]))


def sealed_forgeries(known, names, session, count, chooser):
    """In an MLS session: messages of a member with a token that it really sent, and ciphertext that it did not make."""
    messages = [m for m in known if h.kind_of(m) == h.MSG and proto.payload_of(m)]
    for _ in range(count):
        old = chooser.choice(messages)
        source = h.source_of(old)
        blob = bytearray(proto.payload_of(old))
        blob[chooser.randrange(len(blob))] ^= 1 << chooser.randrange(8)
        target = chooser.choice([n for n in names if n != source])
        yield h.message(h.MSG, session, source, target, h.token_of(old), number=chooser.randrange(1, 200), payload=("msg", bytes(blob)))


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_a_group_outlives_forgeries_and_replays(node, group, mallory, mls):
    chooser = random.Random(4711)
    sessions = open_group(group[0], group[1:], mls=mls, **TIMER)
    check_everyone_got(group, publish_from_all(group, sessions, "before"), "before")
    session = h.session_of(recorded(group, h.MSG)[0])
    names = names_of(group)
    known = recorded(group)  # from before the first round, later from the first round too
    sizes = []
    for turn in range(ROUNDS):
        for data in forgeries(mallory, session, names, 2500, chooser):
            mallory.send(data)
        for data in invitations(mallory, names, 4000 if turn == 0 else 1000, chooser):
            mallory.send(data)
        for _ in range(1500):
            mallory.send(chooser.choice(known))
        if mls:
            for data in sealed_forgeries(known, names, session, 1000, chooser):
                mallory.send(data)
        mallory.wait_sent()
        texts = publish_from_all(group, sessions, f"round {turn}")
        check_everyone_got(group, texts, f"round {turn}")
        if turn == 0:
            known = recorded(group)
        for client in group:
            client.relay.seen.clear()
        for client, key in zip(group, sessions, strict=True):
            assert len(client.call("participants", session=key)["names"]) == 3
        sizes.append({client.short_name: rss_kib(client.process) for client in group})
    check_flat(node, sizes[1], sizes[-1])
    assert not any(client.all("closed", key) for client, key in zip(group, sessions, strict=True))
    group[0].call("delete", session=sessions[0])
    for client, key in zip(group[1:], sessions[1:], strict=True):
        assert client.wait_closed(key, 20)


def key_packages(clients, chooser):
    genuine = proto.get(recorded(clients, h.JOIN_REPLY)[0], 3, 3, 2, 4, 1)
    flipped = bytearray(genuine)
    flipped[chooser.randrange(4, len(flipped))] ^= 1 << chooser.randrange(8)
    return {
        "none": b"",
        "empty": proto.blob(1, b""),
        "garbage": proto.blob(1, chooser.randbytes(470)),
        "of another": proto.blob(1, genuine),
        "cut": proto.blob(1, genuine[: chooser.randrange(1, len(genuine))]),
        "with more behind it": proto.blob(1, genuine + b"\0"),
        "changed": proto.blob(1, bytes(flipped)),
        "too large": proto.blob(1, genuine + bytes(100_000)),
    }


def test_bad_key_packages_fail_their_invitation_alone(node, group, mallory):
    chooser = random.Random(1)
    sessions = open_group(group[0], group[1:], **TIMER)
    check_everyone_got(group, publish_from_all(group, sessions, "before"), "before")
    group[0].call("route", name=EVIL)
    reply = {}

    def answer(data):
        kind = h.kind_of(data)
        if kind in (h.DISCOVERY_REQUEST, h.JOIN_REQUEST):
            yield h.message(kind + 1, h.session_of(data), mallory.name, h.source_of(data), mallory.token, number=h.number_of(data),
                            payload=reply["package"] if kind == h.JOIN_REQUEST else b"")

    mallory.answer = answer
    sizes = []
    for turn in range(ROUNDS):
        for _ in range(8):
            for why, package in key_packages(group, chooser).items():
                reply["package"] = package
                with pytest.raises(real.ClientError, match="failed to add participant"):
                    group[0].call("invite", session=sessions[0], name=EVIL)
                    raise AssertionError(f"{why} was taken")
        check_everyone_got(group, publish_from_all(group, sessions, f"round {turn}"), f"round {turn}")
        assert len(group[0].call("participants", session=sessions[0])["names"]) == 3
        sizes.append({client.short_name: rss_kib(client.process) for client in group})
    check_flat(node, sizes[0], sizes[-1])


def test_a_hostile_member_hurts_nobody_else(node, group, mallory):
    """Invited, and from then on: numbers far ahead, acknowledgements and requests of nothing, questions and answers, commands of a moderator."""
    chooser = random.Random(2)
    sessions = open_group(group[0], group[1:], mls=False, **TIMER)
    check_everyone_got(group, publish_from_all(group, sessions, "before"), "before")

    def answer(data):
        kind = h.kind_of(data)
        answers = {h.DISCOVERY_REQUEST: h.DISCOVERY_REPLY, h.JOIN_REQUEST: h.JOIN_REPLY, h.GROUP_WELCOME: h.GROUP_ACK, h.GROUP_ADD: h.GROUP_ACK,
                   h.GROUP_REMOVE: h.GROUP_ACK, h.PING: h.PING, h.MSG: h.MSG_ACK, h.LEAVE_REQUEST: h.LEAVE_REPLY}
        if kind in answers:
            yield h.message(answers[kind], h.session_of(data), mallory.name, h.source_of(data), mallory.token, number=h.number_of(data))

    mallory.answer = answer
    mallory.listen(proto.name(CHANNEL))
    group[0].call("route", name=EVIL)
    group[0].call("invite", session=sessions[0], name=EVIL)
    session = h.session_of(recorded(group, h.MSG)[0])
    names = names_of(group)
    kinds = [h.MSG, h.MSG_ACK, h.RTX_REQUEST, h.RTX_REPLY]
    sizes = []
    for turn in range(ROUNDS):
        for _ in range(5000):
            kind = chooser.choice([*kinds, *kinds, *kinds, *h.TYPES])
            if kind in (h.LEAVE_REQUEST, h.GROUP_PROPOSAL):
                continue  # he may leave: that is the end of him
            number = chooser.choice([chooser.randrange(100), chooser.randrange(9000), chooser.getrandbits(32)])
            metadata = chooser.choice([{}, {"SLIM_C": str(chooser.randrange(200))}, {"SLIM_C": "1"}, {"PUBLISH_TO": "TRUE"}])
            mallory.send(h.message(kind, session, mallory.name, chooser.choice(names), mallory.token, number=number, metadata=metadata,
                                   payload=payloads(kind, mallory.name, names, chooser), error=chooser.random() < 0.3))
        mallory.wait_sent()
        check_everyone_got(group, publish_from_all(group, sessions, f"round {turn}"), f"round {turn}")
        sizes.append({client.short_name: rss_kib(client.process) for client in group})
    check_flat(node, sizes[1], sizes[-1])
    group[0].call("remove", session=sessions[0], name=EVIL)
    check_everyone_got(group, publish_from_all(group, sessions, "after"), "after")
    assert len(group[1].call("participants", session=sessions[1])["names"]) == 3


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_chats_go_on(node, mls):
    chats = []

    def start(which, local, **options):
        chats.append(Chat(which, local, node, **options))
        return chats[-1]

    mallory = h.Hostile(node, EVIL, CHAT_SECRET)
    chooser = random.Random(3)
    try:
        one, two = waiting(start, "client-1"), waiting(start, "client-2")
        mallory.listen(proto.name(CHAT_CHANNEL))  # nobody asks who listens
        moderator = moderate(start, [one, two], mls=mls)
        say(moderator, "before", [one, two])
        assert mallory.wait(lambda m: h.kind_of(m) == h.MSG)
        session = h.session_of(next(m for m in mallory.received if h.kind_of(m) == h.MSG))
        names = [proto.name(chat.local, chat.id) for chat in (moderator, one, two)]
        sizes = []
        for turn in range(ROUNDS):
            for data in forgeries(mallory, session, names, 2500, chooser):
                mallory.send(data)
            for data in invitations(mallory, names, 4000 if turn == 0 else 1000, chooser):
                mallory.send(data)
            heard = list(mallory.received)
            for _ in range(1000):
                mallory.send(chooser.choice(heard))
            mallory.wait_sent()
            say(moderator, f"moderator in round {turn}", [one, two])
            say(one, f"one in round {turn}", [moderator, two])
            sizes.append({chat.local: rss_kib(chat.process) for chat in chats})
        check_flat(node, sizes[1], sizes[-1])
        if mls:
            assert not any(b"in round" in m for m in mallory.received), "he reads what is said"
        moderator.type("exit")
        assert [chat.end(20) for chat in (moderator, one, two)] == [0, 0, 0]
    finally:
        mallory.close()
        for chat in chats:
            chat.close()
