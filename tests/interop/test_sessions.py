"""Our sessions with real clients, in both roles, through the node under test: see session_driver.c."""

import itertools
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import clients as real
import pytest
from harness.node import slim_bin
from test_groups import check_everyone_got, open_group, publish_from_all, settle
from test_point_to_point import open_session

OURS = "ours"
REAL = ["1.0.0", "1.0.1", "1.4.1"]
ENCRYPTING = ["1.0.1", "1.4.1"]  # 1.0.0 makes MLS groups, and publishes in clear
COUNT = 40
_names = itertools.count(1)


def driver_program():
    folder = Path(os.environ.get("SLIM_BUILD_DIR") or slim_bin().parents[2])
    return folder / "tests" / "session-driver"


class Driver(real.Client):
    """Our program, with the commands and events of a real client."""

    def __init__(self, node, **start_options):
        self.version = OURS
        self.short_name = f"org/ns/ours-{next(_names)}"
        self.events = []
        self.answers = {}
        self.changed = threading.Condition()
        self.is_over = False
        self.process = subprocess.Popen([str(driver_program())], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        threading.Thread(target=self._read, daemon=True).start()
        self.started = self.begin("start", server=f"http://127.0.0.1:{node.port}", name=self.short_name,
                                  secret=real.SECRET, **start_options)

    def failures(self):
        return [json.dumps(event) for event in list(self.events) if event["event"] == "failure"]

    def close(self):
        """Ends by itself when its input does: a build with sanitizers then reports what it leaked."""
        self.process.stdin.close()
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def start(node, make_clients):
    """Start clients of these versions; "ours" is our driver."""
    made = []

    def start_all(versions, **driver_options):
        others = iter(make_clients(node, [version for version in versions if version != OURS]))
        found = []
        for version in versions:
            if version == OURS:
                made.append(driver := Driver(node, **driver_options))
                found.append(driver.ready())
            else:
                found.append(next(others))
        return found

    yield start_all
    statuses = [driver.close() for driver in made]
    assert statuses == [0] * len(made)


def talk(clients, sessions, prefix):
    """Messages of everybody, read by everybody else, once and in order."""
    check_everyone_got(clients, publish_from_all(clients, sessions, prefix), prefix)


def p2p_pairs():
    for mls in (False, True):
        for other in [OURS, *(ENCRYPTING if mls else REAL)]:
            for a, b in ([OURS, other], [other, OURS])[: 1 if other == OURS else 2]:
                yield pytest.param(a, b, mls, id=f"{a}-to-{b}-{'mls' if mls else 'plain'}")


@pytest.mark.parametrize("a, b, mls", list(p2p_pairs()))
def test_point_to_point_every_message_once_and_in_order(start, a, b, mls):
    initiator, responder = start([a, b])
    ours, theirs = open_session(initiator, responder, mls)
    there = [f"there {i}" for i in range(COUNT)]
    back = [f"back {i}" for i in range(COUNT)]
    sent = [(initiator, initiator.begin("publish", session=ours, texts=there)),
            (responder, responder.begin("publish", session=theirs, texts=back))]
    for client, number in sent:
        client.finish(number)
    assert responder.wait_texts(COUNT, timeout=10) == there
    assert initiator.wait_texts(COUNT, timeout=10) == back
    initiator.call("delete", session=ours)
    assert responder.wait_closed(theirs, 20)


@pytest.mark.parametrize("a, b, mls", list(p2p_pairs()))
def test_point_to_point_closed_by_the_responder(start, a, b, mls):
    initiator, responder = start([a, b])
    ours, theirs = open_session(initiator, responder, mls)
    responder.call("publish", session=theirs, texts=["last"])
    responder.call("delete", session=theirs)
    assert initiator.wait_closed(ours, 20)
    assert initiator.texts() == ["last"]
    told = [event["error"] for event in initiator.all("failure")]
    assert any("participant disconnected" in text for text in told), told


@pytest.mark.parametrize("other", [OURS, *REAL])
def test_point_to_point_unreliable(start, other):
    initiator, responder = start([OURS, other])
    ours, _ = open_session(initiator, responder, False, retries=None, interval=None)
    texts = [f"unreliable {i}" for i in range(COUNT)]
    initiator.call("publish", session=ours, texts=texts)
    assert responder.wait_texts(COUNT, timeout=10) == texts


def test_point_to_point_with_nobody_there_fails_with_a_reason(start):
    initiator, = start([OURS])
    with pytest.raises(real.ClientError, match="failed to add participant to session"):
        initiator.call("session", kind="p2p", name="org/ns/nobody", retries=1, interval=0.2)


GROUPS = {
    "ours": [OURS] * 5,
    "ours among 1.0.0": ["1.0.0", OURS, "1.0.0", OURS, "1.0.0"],
    "ours among 1.0.1": ["1.0.1", OURS, "1.0.1", OURS, "1.0.1"],
    "ours among 1.4.1": ["1.4.1", OURS, "1.4.1", OURS, "1.4.1"],
    "ours moderates 1.0.0": [OURS, "1.0.0", "1.0.0", OURS, "1.0.0"],
    "ours moderates 1.0.1": [OURS, "1.0.1", "1.0.1", OURS, "1.0.1"],
    "ours moderates 1.4.1": [OURS, "1.4.1", "1.4.1", OURS, "1.4.1"],
    "ours moderates a mixture": [OURS, "1.0.1", "1.4.1", OURS, "1.0.1"],
}


def groups():
    for name, versions in GROUPS.items():
        for mls in (False, True):
            if not (mls and "1.0.0" in versions):
                yield pytest.param(versions, mls, id=f"{name}-{'mls' if mls else 'plain'}")


@pytest.mark.parametrize("versions, mls", list(groups()))
def test_group_of_five_from_the_first_invitation_to_the_close(start, versions, mls):
    """Remove, late join, leave and re-invite, close; after each change everybody talks."""
    clients = start(versions)
    moderator, *members = clients
    early, late = members[:3], members[3]
    sessions = open_group(moderator, early, mls=mls)
    key = sessions[0]
    talk([moderator, *early], sessions, "early")

    moderator.call("route", name=late.short_name)
    moderator.call("invite", session=key, name=late.short_name)
    sessions.append(late.wait_session())
    settle(clients, sessions)
    talk(clients, sessions, "late")
    assert not any(text.startswith("early") for text in late.texts())

    removed = early[1]
    moderator.call("remove", session=key, name=removed.short_name)
    assert removed.wait_closed()
    stay = [client for client in clients if client is not removed]
    stay_sessions = [session for client, session in zip(clients, sessions, strict=True) if client is not removed]
    talk(stay, stay_sessions, "removed")
    assert not any(text.startswith("removed") for text in removed.texts()), "a removed member reads nothing"

    moderator.call("invite", session=key, name=removed.short_name)
    sessions[clients.index(removed)] = removed.wait_session(2)
    settle(clients, sessions)
    talk(clients, sessions, "again")

    moderator.call("delete", session=key)
    for client, session in list(zip(clients, sessions, strict=True))[1:]:
        assert client.wait(lambda c=client, s=session: c.all("closed", s), 30), f"{client.short_name}: no close"


@pytest.mark.parametrize("versions", [[OURS] * 4, [OURS, "1.0.1", OURS, "1.4.1"], [OURS, OURS, "1.4.1", "1.0.1"]],
                         ids=["ours", "mixed", "mixed 2"])
def test_our_participant_leaves_and_is_invited_again(start, versions):
    clients = start(versions)
    moderator, *members = clients
    leaver = next(member for member in members if member.version == OURS)
    sessions = open_group(moderator, members)
    talk(clients, sessions, "all")
    at = clients.index(leaver)
    leaver.call("delete", session=sessions[at])
    stay = [client for client in clients if client is not leaver]
    stay_sessions = [session for client, session in zip(clients, sessions, strict=True) if client is not leaver]
    end = time.monotonic() + 30
    while len(moderator.call("participants", session=sessions[0])["names"]) > len(stay):
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(0.5)
    talk(stay, stay_sessions, "without")
    moderator.call("invite", session=sessions[0], name=leaver.short_name)
    sessions[at] = leaver.wait_session(2)
    settle(clients, sessions)
    talk(clients, sessions, "again")


@pytest.mark.parametrize("versions", [["1.0.1", OURS, "1.0.1"], ["1.4.1", OURS, "1.4.1"]], ids=["1.0.1", "1.4.1"])
def test_our_participant_leaves_a_real_moderator(start, versions):
    clients = start(versions)
    sessions = open_group(clients[0], clients[1:])
    clients[1].call("delete", session=sessions[1])
    assert clients[0].wait(lambda: any("participant disconnected" in e["error"] for e in clients[0].all("failure")), 20)
    time.sleep(0.5)
    talk([clients[0], clients[2]], [sessions[0], sessions[2]], "without")


def test_unreliable_group_of_ours(start):
    clients = start([OURS] * 4)
    sessions = open_group(clients[0], clients[1:], mls=True, retries=None)
    texts = [f"unreliable {i}" for i in range(COUNT)]
    clients[1].call("publish", session=sessions[1], texts=texts)
    for receiver in (clients[0], *clients[2:]):
        assert receiver.wait_texts(COUNT, clients[1], 10) == texts


@pytest.mark.parametrize("moderator", [OURS, "1.0.0"])
def test_mls_session_with_1_0_0_needs_the_plaintext_option(start, moderator):
    """1.0.0 publishes in clear in MLS sessions: shown only when asked for (mls.md 9)."""
    versions = [moderator, "1.0.0" if moderator == OURS else OURS, "1.0.0"]
    clients = start(versions, plaintext=True)
    sessions = open_group(clients[0], clients[1:], mls=True)
    talk(clients, sessions, "clear")

    clients = start(versions)
    sessions = open_group(clients[0], clients[1:], mls=True)
    strict = next(client for client in clients if client.version == OURS)
    speaker = clients[2]
    speaker.call("publish", session=sessions[2], texts=["in clear"], wait=False)
    assert strict.wait(lambda: strict.call("stats")["refused_plaintext"] > 0, 20)
    assert not strict.texts()


@pytest.mark.parametrize("versions", [[OURS, "1.0.1", "1.4.1"], ["1.4.1", OURS, "1.0.1"]], ids=["ours", "1.4.1"])
def test_publish_to_one_member(start, versions):
    clients = start(versions)
    sessions = open_group(clients[0], clients[1:])
    ours = next(client for client in clients if client.version == OURS)
    target, other = [client for client in clients if client is not ours]
    ours.call("publish_to", session=sessions[clients.index(ours)], name=target.name, texts=["to you alone"])
    assert target.wait_texts(1, ours, 10) == ["to you alone"]
    talk(clients, sessions, "all")
    assert "to you alone" not in other.texts()


@pytest.mark.parametrize("versions", [[OURS] * 3, [OURS, "1.0.1", OURS]], ids=["ours", "mixed"])
def test_many_messages_fill_the_window(start, versions):
    clients = start(versions)
    sessions = open_group(clients[0], clients[1:])
    texts = [f"many {i}" for i in range(3000)]
    clients[0].call("publish", session=sessions[0], texts=texts, timeout=120)
    for receiver in clients[1:]:
        assert receiver.wait_texts(len(texts), clients[0], 60) == texts


def test_inviting_who_is_there_and_removing_who_is_not(start):
    moderator, member = start([OURS, OURS])
    key = open_group(moderator, [member])[0]
    with pytest.raises(real.ClientError, match="participant already in group: " + member.short_name):
        moderator.call("invite", session=key, name=member.short_name)
    with pytest.raises(real.ClientError, match="participant not found in group: org/ns/nobody"):
        moderator.call("remove", session=key, name="org/ns/nobody")
    with pytest.raises(real.ClientError, match="only initiator can modify participants"):
        member.call("invite", session=member.wait_session(), name="org/ns/nobody")
    talk([moderator, member], [key, member.wait_session()], "still")


def test_metadata_of_the_session_reaches_every_member(start):
    moderator, ours, other = start([OURS, OURS, "1.4.1"])
    sessions = open_group(moderator, [ours, other], metadata={"purpose": "demo", "lang": "en"})
    assert ours.call("look", session=sessions[1])["metadata"] == {"purpose": "demo", "lang": "en"}


def test_keys_that_invitations_did_not_renew_are_renewed_after_a_minute(start):
    """Real members follow the refresh: a GROUP_ADD of nobody. Nothing shortens our timers, so this takes its minute."""
    clients = start([OURS, "1.0.1", OURS, "1.4.1"])
    sessions = open_group(clients[0], clients[1:])
    ours = [(client, session) for client, session in zip(clients, sessions, strict=True) if client.version == OURS]
    end = time.monotonic() + 120
    while any(client.call("look", session=session)["epoch"] != len(clients) for client, session in ours):
        assert time.monotonic() < end
        time.sleep(0.5)
    talk(clients, sessions, "renewed")
    clients[0].call("remove", session=sessions[0], name=clients[2].short_name)  # real members take the commit after it
    stay = [0, 1, 3]
    settle([clients[i] for i in stay], [sessions[i] for i in stay])
    talk([clients[i] for i in stay], [sessions[i] for i in stay], "removed")
