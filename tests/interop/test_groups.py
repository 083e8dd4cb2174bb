"""Groups of ten real clients with MLS through the node under test."""

import time

import pytest

TEN = {
    "1.0.0": ["1.0.0"] * 10,
    "1.0.1": ["1.0.1"] * 10,
    "1.4.1": ["1.4.1"] * 10,
    "mixed, moderated by 1.0.1": ["1.0.1", *["1.4.1", "1.0.1"] * 4, "1.4.1"],
    "mixed, moderated by 1.4.1": ["1.4.1", *["1.0.1", "1.4.1"] * 4, "1.0.1"],
}
CHANNEL = "org/ns/channel"
COUNT = 5


def open_group(moderator, members, mls=True, **options):
    """The sessions of all, the moderator's first."""
    key = moderator.call("session", kind="group", name=CHANNEL, mls=mls, **options)["session"]
    for member in members:
        moderator.call("route", name=member.short_name)
        moderator.call("invite", session=key, name=member.short_name)
    sessions = [key, *(member.wait_session() for member in members)]
    settle([moderator, *members], sessions)
    return sessions


def settle(clients, sessions):
    """Wait until every member knows every member.

    Before 1.3.0 an invite completes before the new member is ready; what is published in between reaches it late or, if
    it is the first message of its sender, not in order. That is a matter of the clients, not of the node."""
    end = time.monotonic() + 30
    for client, session in zip(clients, sessions, strict=True):
        while len(client.call("participants", session=session)["names"]) < len(clients):
            assert time.monotonic() < end, f"{client.short_name} does not know all members"
            time.sleep(0.1)
    time.sleep(0.5)  # the last welcome has no visible end at the moderator


def publish_from_all(clients, sessions, prefix):
    """Every member publishes COUNT messages at the same time, and waits for the acknowledgement of all the others."""
    texts = {client: [f"{prefix} {client.short_name} {i}" for i in range(COUNT)] for client in clients}
    numbers = [client.begin("publish", session=session, texts=texts[client])
               for client, session in zip(clients, sessions, strict=True)]
    for client, number in zip(clients, numbers, strict=True):
        client.finish(number, 120)
    return texts


def check_everyone_got(clients, texts, prefix, timeout=20):
    total = COUNT * (len(clients) - 1)
    for receiver in clients:
        receiver.wait(lambda r=receiver: sum(t.startswith(prefix) for t in r.texts()) >= total, timeout)
        for sender in clients:
            got = [text for text in receiver.texts(sender) if text.startswith(prefix)]
            want = [] if sender is receiver else texts[sender]
            assert got == want, f"{receiver.short_name} from {sender.short_name}"


@pytest.mark.parametrize("versions", TEN.values(), ids=TEN.keys())
def test_ten_members_invite_publish_remove_close(node, make_clients, versions):
    clients = make_clients(node, versions)
    moderator, *members = clients
    sessions = open_group(moderator, members)
    texts = publish_from_all(clients, sessions, "first")
    check_everyone_got(clients, texts, "first")

    removed = members[4]
    moderator.call("remove", session=sessions[0], name=removed.short_name)
    assert removed.wait_closed()
    stay = [client for client in clients if client is not removed]
    stay_sessions = [session for client, session in zip(clients, sessions, strict=True) if client is not removed]
    texts = publish_from_all(stay, stay_sessions, "second")
    check_everyone_got(stay, texts, "second")
    assert not any(text.startswith("second") for text in removed.texts()), "a removed member reads nothing"

    moderator.call("delete", session=sessions[0])
    for member in stay[1:]:
        assert member.wait_closed(), f"{member.short_name}: the close did not arrive"


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.4.1"])
def test_a_removed_member_can_be_invited_again(node, make_clients, version):
    clients = make_clients(node, [version] * 3)
    moderator, member, other = clients
    sessions = open_group(moderator, [member, other])
    moderator.call("remove", session=sessions[0], name=member.short_name)
    assert member.wait_closed()
    moderator.call("invite", session=sessions[0], name=member.short_name)
    again = member.wait_session(2)
    settle(clients, [sessions[0], again, sessions[2]])
    texts = publish_from_all(clients, [sessions[0], again, sessions[2]], "again")
    check_everyone_got(clients, texts, "again")


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.4.1"])
def test_a_member_whose_application_reads_nothing(node, make_clients, version):
    """Its messages wait in its own process; the others get theirs."""
    clients = make_clients(node, [version] * 4)
    lazy, = make_clients(node, [version], read=False)
    moderator, *members = clients
    sessions = open_group(moderator, [*members, lazy])
    texts = publish_from_all(clients, sessions[:4], "lazy")
    check_everyone_got(clients, texts, "lazy")


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.4.1"])
def test_a_member_whose_process_is_frozen(node, make_clients, version):
    """Nobody acknowledges for it, and still everybody else gets every message once and in order."""
    clients = make_clients(node, [version] * 5)
    sessions = open_group(clients[0], clients[1:])
    check_everyone_got(clients, publish_from_all(clients, sessions, "before"), "before")
    frozen, awake = clients[-1], clients[:-1]
    frozen.freeze()
    texts = {}
    for client, session in zip(awake, sessions, strict=False):
        texts[client] = [f"frozen {client.short_name} {i}" for i in range(COUNT)]
        client.call("publish", session=session, texts=texts[client], wait=False)
    check_everyone_got(awake, texts, "frozen")
    frozen.thaw()
    total = COUNT * len(awake)
    frozen.wait(lambda: sum(t.startswith("frozen") for t in frozen.texts()) >= total, 30)
    for sender in awake:
        got = [text for text in frozen.texts(sender) if text.startswith("frozen")]
        assert got == texts[sender], "it catches up when it wakes"
