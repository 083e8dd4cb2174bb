"""A network that delivers several copies of every request, some of them late, and our answers later than they are waited for.

Surplus answers end the session of a reference moderator (session.md 18, defect 1). The network makes none of them here, and neither may we."""

import heapq
import time

import pytest
from harness import proto
from harness.lossy import Direction, Faults, Lossy
from test_groups import open_group
from test_sessions import Driver

LIMIT_S = 60
COPIES_S = (0, 0, 0.002, 0.05, 3)  # after the first
SLOW_S = 0.7  # more than the interval


class Copies(Lossy):
    """What comes down is copied, what goes up is slow."""

    def direction(self, name, seed):
        return Copier(self, seed) if name == "down" else super().direction(name, seed)


class Copier(Direction):
    def put(self, message):
        delays = (0, *COPIES_S) if proto.kind_of(message) == "publish" and self.relay.is_copying else (0,)
        with self.changed:
            for delay in delays:
                heapq.heappush(self.waiting, (time.monotonic() + delay, next(self.order), message))
            self.changed.notify()


@pytest.fixture
def ours(node):
    made, relays = [], []
    for seed in (1, 2):
        relays.append(relay := Copies(node.port, Faults(), seed))
        relay.is_copying = False
        made.append(driver := Driver(relay))
        driver.ready()
    for relay in relays:
        relay.is_copying = True
        relay.faults = Faults(delay=SLOW_S)
    yield made
    statuses = [driver.close() for driver in made]
    for relay in relays:
        relay.close()
    assert statuses == [0] * len(statuses)


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
@pytest.mark.parametrize("moderator", ["1.0.1", "1.4.1"])
def test_reference_moderators_survive_copies_of_their_requests(node, ours, make_clients, moderator, mls):
    theirs, = make_clients(node, [moderator])
    sessions = open_group(theirs, ours, mls=mls, retries=20, interval=0.5)
    texts = [str(i) for i in range(5)]
    theirs.call("publish", session=sessions[0], texts=texts, timeout=LIMIT_S)
    for receiver in ours:
        assert receiver.wait(lambda r=receiver: r.texts() == texts, LIMIT_S)
    time.sleep(4)  # the late copies come
    theirs.call("remove", session=sessions[0], name=ours[1].short_name, timeout=LIMIT_S)
    assert ours[1].wait_closed(sessions[2], timeout=LIMIT_S)
    time.sleep(4)
    theirs.call("invite", session=sessions[0], name=ours[1].short_name, timeout=LIMIT_S)
    sessions[2] = ours[1].wait_session(2, LIMIT_S)
    theirs.call("publish", session=sessions[0], texts=["still there"], timeout=LIMIT_S)
    for receiver in ours:
        assert receiver.wait(lambda r=receiver: "still there" in r.texts(), LIMIT_S)
    assert not theirs.all("closed")
