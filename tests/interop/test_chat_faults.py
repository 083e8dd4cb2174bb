"""Four slim-group programs when somebody is stopped or killed, a link is cut, or the node dies."""

import os
import re
import signal
import time

import pytest
from chat import Chat
from harness.lossy import Faults, Lossy
from test_chat import moderate, say, waiting

COUNT = 60
PATIENT = ["--interval", "0.5", "--max-retries", "60"]


@pytest.fixture
def relay(node):
    relay = Lossy(node.port, Faults())
    yield relay
    relay.close()


@pytest.fixture
def four(node, relay):
    """A moderator and three participants, the second of them behind the relay. With MLS."""
    chats = []

    def start_one(which, local, more=(), **options):
        chats.append(Chat(which, local, relay if local.endswith("client-2") else node, more=more, **options))
        return chats[-1]

    members = [waiting(start_one, f"client-{i}") for i in (1, 2, 3)]
    moderator = moderate(start_one, members, more=PATIENT)
    yield [moderator, *members]
    for chat in chats:
        chat.close()


def speak(chats, prefix):
    for i in range(COUNT):
        for chat in chats:
            chat.type(f"{prefix} {i}")


def check_heard(chats, speakers, prefix, timeout=60):
    """Everything of every other one, once and in order."""
    for chat in chats:
        for speaker in speakers:
            if speaker is not chat:
                pattern = re.escape(f"{speaker.full_name} > {prefix} ") + r"(\d+)"
                chat.expect(pattern, timeout=timeout, count=COUNT)
                assert [int(found.group(1)) for found in chat.find(pattern)] == list(range(COUNT)), (chat.local, speaker.local)


def test_one_is_stopped_for_ten_seconds_and_killed_later(four):
    *living, one = four
    one.process.send_signal(signal.SIGSTOP)
    speak(living, "stopped")
    check_heard(living, living, "stopped")
    time.sleep(10)
    one.process.send_signal(signal.SIGCONT)
    check_heard(four, living, "stopped")
    say(one, "here again", living)

    os.kill(one.process.pid, signal.SIGKILL)
    speak(living, "without it")
    check_heard(living, living, "without it")
    living[0].expect(rf".*participant disconnected: {one.full_name}.*", timeout=60)
    say(living[0], "three are left", living[1:])
    living[1].type("exit")
    assert living[1].end(20) == 0
    say(living[0], "two are left", [living[2]])


def test_a_link_is_cut_for_three_seconds(four, relay):
    relay.is_cut = True
    speak(four, "cut")
    time.sleep(3)
    relay.is_cut = False
    check_heard(four, four, "cut")
    say(four[2], "here again", [four[0], four[1], four[3]])


def test_the_node_is_killed_and_started_again(four, node):
    speak(four, "before")
    node.kill()
    time.sleep(1)
    node.start()
    check_heard(four, four, "before")
    speak(four, "after")
    check_heard(four, four, "after")
