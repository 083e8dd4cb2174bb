"""Our MLS in groups of real clients: as a member among them, and as their moderator, see mls_driver.c."""

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

ENCRYPTING = ["1.0.1", "1.4.1"]  # 1.0.0 makes MLS groups, and publishes in clear
_names = itertools.count(1)


def driver_program():
    folder = Path(os.environ.get("SLIM_BUILD_DIR") or slim_bin().parents[2])
    return folder / "tests" / "mls-driver"


class Driver(real.Client):
    """Our program, with the commands and events of a real client."""

    def __init__(self, node, **start_options):
        self.version = "ours"
        self.short_name = f"org/ns/driver-{next(_names)}"
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
        return [json.dumps(event) for event in list(self.events) if event["event"] in ("failure", "opened")]

    def close(self):
        """Ends by itself when its input does: a build with sanitizers then reports what it leaked."""
        self.process.stdin.close()
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def make_driver(node):
    made = []

    def make(**options):
        made.append(driver := Driver(node, **options))
        return driver.ready()

    yield make
    statuses = [driver.close() for driver in made]
    assert statuses == [0] * len(made)


def talk(clients, sessions, prefix):
    """Messages of everybody, opened by everybody else."""
    check_everyone_got(clients, publish_from_all(clients, sessions, prefix), prefix)


def invite_again(moderator, member, session, count=2):
    moderator.call("invite", session=session, name=member.short_name)
    return member.wait_session(count)


def check_is_shut_out(removed, after, clients, sessions, prefix):
    """A removed driver that stays on the channel receives what the others say, and opens none of it."""
    seen = len(removed.all("unreadable"))
    talk(clients, sessions, prefix)
    want = seen + after
    assert removed.wait(lambda: len(removed.all("unreadable")) >= want, 30), "it did not even receive them"
    assert not removed.all("opened")
    assert not any(text.startswith(prefix) for text in removed.texts())


@pytest.mark.parametrize("version", ENCRYPTING)
def test_a_member_of_a_group_of_a_real_moderator(node, make_clients, make_driver, version):
    """Also through commits that blank the leaf beside ours and fill it again."""
    moderator, other = make_clients(node, [version] * 2)
    driver = make_driver(linger=True)
    everybody = [moderator, other, driver]
    sessions = open_group(moderator, [other, driver])
    key, _, ours = sessions
    assert driver.call("mls", session=ours)["leaf"] == 2
    talk(everybody, sessions, "first")

    moderator.call("remove", session=key, name=other.short_name)
    assert other.wait_closed()
    assert driver.call("mls", session=ours)["leaves"][:3] == [True, False, True], "a blank leaf"
    talk([moderator, driver], [key, ours], "without the other")
    assert not any(text.startswith("without") for text in other.texts())

    again = invite_again(moderator, other, key)
    settle(everybody, [key, again, ours])
    assert driver.call("mls", session=ours)["leaves"][:3] == [True, True, True], "filled again"
    talk(everybody, [key, again, ours], "again")
    assert not driver.failures()

    moderator.call("remove", session=key, name=driver.short_name)
    assert driver.wait_closed()
    check_is_shut_out(driver, 10, [moderator, other], [key, again], "shut out")


@pytest.mark.parametrize("version", ENCRYPTING)
def test_a_member_that_fills_a_blank_leaf_of_a_real_moderator(node, make_clients, make_driver, version):
    moderator, other = make_clients(node, [version] * 2)
    driver = make_driver(linger=True)
    everybody = [moderator, driver, other]
    key, ours, theirs = open_group(moderator, [driver, other])
    talk(everybody, [key, ours, theirs], "first")

    moderator.call("remove", session=key, name=driver.short_name)
    assert driver.wait_closed()
    check_is_shut_out(driver, 10, [moderator, other], [key, theirs], "away")

    assert invite_again(moderator, driver, key) == ours
    settle(everybody, [key, ours, theirs])
    mls = driver.call("mls", session=ours)
    assert (mls["leaf"], mls["leaves"][:3]) == (1, [True, True, True]), "the leaf that was blank"
    talk(everybody, [key, ours, theirs], "back")

    moderator.call("remove", session=key, name=driver.short_name)
    assert driver.wait(lambda: len(driver.all("closed")) == 2, 30)
    check_is_shut_out(driver, 10, [moderator, other], [key, theirs], "gone")
    assert not driver.failures()


@pytest.mark.parametrize("version", ENCRYPTING)
def test_a_member_that_wakes_to_repeated_requests(node, make_clients, make_driver, version):
    """A real moderator dies of surplus answers: each request is answered once, however often it came."""
    moderator, other = make_clients(node, [version] * 2)
    driver = make_driver()
    key, theirs = open_group(moderator, [other])
    driver.freeze()
    moderator.call("route", name=driver.short_name)
    number = moderator.begin("invite", session=key, name=driver.short_name)
    time.sleep(3.5)  # three repetitions
    driver.thaw()
    moderator.finish(number)
    everybody, sessions = [moderator, other, driver], [key, theirs, driver.wait_session()]
    settle(everybody, sessions)
    talk(everybody, sessions, "awake")

    driver.freeze()
    number = moderator.begin("remove", session=key, name=other.short_name)
    time.sleep(3.5)
    driver.thaw()
    moderator.finish(number)
    assert other.wait_closed()
    assert driver.call("mls", session=sessions[2])["leaves"][:3] == [True, False, True]
    talk([moderator, driver], [key, sessions[2]], "two left")
    assert not driver.failures()


@pytest.mark.parametrize("plain_adds", [False, True], ids=["adds with path", "adds without path"])
@pytest.mark.parametrize("versions", [[v] * 2 for v in ENCRYPTING] + [ENCRYPTING], ids=" and ".join)
def test_moderator_of_real_members(node, make_clients, make_driver, versions, plain_adds):
    first, second = make_clients(node, versions)
    driver = make_driver(plain_adds=plain_adds)
    everybody = [driver, first, second]
    key, at_first, at_second = sessions = open_group(driver, [first, second])
    talk(everybody, sessions, "first")

    driver.call("remove", session=key, name=first.short_name)
    assert first.wait_closed()
    assert driver.call("mls", session=key)["leaves"][:3] == [True, False, True], "a blank leaf"
    talk([driver, second], [key, at_second], "without the first")
    assert not any(text.startswith("without") for text in first.texts())

    at_first = invite_again(driver, first, key)
    settle(everybody, [key, at_first, at_second])
    assert driver.call("mls", session=key)["leaves"][:3] == [True, True, True], "filled again"
    talk(everybody, [key, at_first, at_second], "again")

    epoch = driver.call("mls", session=key)["epoch"]
    driver.call("refresh", session=key)
    assert driver.call("mls", session=key)["epoch"] == epoch + 1
    talk(everybody, [key, at_first, at_second], "refreshed")

    driver.call("remove", session=key, name=second.short_name)
    assert second.wait_closed()
    talk([driver, first], [key, at_first], "without the second")
    assert not any(text.startswith("without the second") for text in second.texts())

    driver.call("delete", session=key)
    assert first.wait(lambda: len(first.all("closed")) == 2, 30), "the close did not arrive"
    assert not driver.failures()


@pytest.mark.parametrize("version", ENCRYPTING)
def test_whom_our_moderator_removes_can_open_nothing_later(node, make_clients, make_driver, version):
    """The removed one is ours too, as a real client does not try."""
    first, second = make_clients(node, [version] * 2)
    driver, removed = make_driver(), make_driver(linger=True)
    everybody = [driver, first, removed, second]
    key, at_first, ours, at_second = sessions = open_group(driver, [first, removed, second])
    talk(everybody, sessions, "first")
    driver.call("remove", session=key, name=removed.short_name)
    assert removed.wait_closed(ours)
    check_is_shut_out(removed, 15, [driver, first, second], [key, at_first, at_second], "shut out")
    assert not driver.failures() and not removed.failures()
