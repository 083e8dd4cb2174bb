"""Two real clients, one reliable point-to-point session through the node under test."""

import pytest

VERSIONS = ["1.0.0", "1.0.1", "1.4.1"]
ALL_PAIRS = [(a, b) for a in VERSIONS for b in VERSIONS]
# 1.0.0 never encrypts the data of an MLS session and later releases always do: under MLS it talks to itself only.
MLS_PAIRS = [(a, b) for a, b in ALL_PAIRS if (a == "1.0.0") == (b == "1.0.0")]
COUNT = 40


def pairs():
    for mls, chosen in ((False, ALL_PAIRS), (True, MLS_PAIRS)):
        for a, b in chosen:
            yield pytest.param(a, b, mls, id=f"{a}-to-{b}-{'mls' if mls else 'plain'}")


def open_session(initiator, responder, mls, **options):
    initiator.call("route", name=responder.short_name)
    ours = initiator.call("session", kind="p2p", name=responder.short_name, mls=mls, **options)["session"]
    return ours, responder.wait_session()


@pytest.mark.parametrize("a, b, mls", list(pairs()))
def test_every_message_once_and_in_order_both_ways(node, make_clients, a, b, mls):
    initiator, responder = make_clients(node, [a, b])
    ours, theirs = open_session(initiator, responder, mls)
    there = [f"there {i}" for i in range(COUNT)]
    back = [f"back {i}" for i in range(COUNT)]
    sent = [(initiator, initiator.begin("publish", session=ours, texts=there)),
            (responder, responder.begin("publish", session=theirs, texts=back))]
    for client, number in sent:
        client.finish(number)
    assert responder.wait_texts(COUNT, timeout=10) == there
    assert initiator.wait_texts(COUNT, timeout=10) == back


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_close_by_the_initiator_reaches_the_other(node, make_clients, version, mls):
    initiator, responder = make_clients(node, [version, version])
    ours, theirs = open_session(initiator, responder, mls)
    initiator.call("publish", session=ours, texts=["last"])
    initiator.call("delete", session=ours)
    assert responder.wait_closed(theirs)
    assert responder.texts() == ["last"]


@pytest.mark.parametrize("version", VERSIONS)
def test_large_messages(node, make_clients, version):
    """Messages of many DATA frames, larger than the stream window of the node."""
    initiator, responder = make_clients(node, [version, version])
    ours, _ = open_session(initiator, responder, False)
    texts = [f"{i} " + "x" * size for i, size in enumerate([65536, 300000, 1500000])]
    initiator.call("publish", session=ours, texts=texts)
    assert responder.wait_texts(len(texts)) == texts


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_reads_nothing_stops_nobody(node, make_clients, version):
    """One process is frozen, with a session that is being published to; another session of the same sender goes on."""
    sender, frozen, reader = make_clients(node, [version] * 3)
    to_frozen, _ = open_session(sender, frozen, False, retries=3)
    to_reader, _ = open_session(sender, reader, False)
    frozen.freeze()
    sender.begin("publish", session=to_frozen, texts=["x" * 100000] * 30)
    texts = [f"{i}" for i in range(COUNT)]
    sender.call("publish", session=to_reader, texts=texts)
    assert reader.wait_texts(COUNT) == texts
