"""Chains of nodes, ours and the reference's in all positions: sessions and MLS groups of real clients from end to end.

There is no routing protocol (spec wire.md 7.7): who has the engine inside, a controller or a program, sets up the routes. In a chain of
three that is either the middle, which opens links to both ends, or both ends, which open links to the middle.

    hub     client - END <----link---- RELAY ----link----> END - client
    spokes  client - RELAY ---link---> MIDDLE <---link--- RELAY - client

A relay of ours is tests/interop/relay.c; END and MIDDLE are `slim`, or a node of the reference."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from harness import proto
from harness.h2raw import Conn
from harness.node import CONFIG, Node, free_port, is_listening, peer_python, slim_bin, wait_until
from test_groups import check_everyone_got, open_group, publish_from_all
from test_point_to_point import open_session

OURS = "ours"
OLD, NEW = "1.0.0", "1.4.1"
COUNT = 5
LIMIT_S = 60
CHANNEL = "org/ns/channel"
CLIENT = '{{endpoint: "http://127.0.0.1:{port}", tls: {{insecure: true}}, backoff: {{type: fixed_interval, interval: 200ms}}}}'


@pytest.fixture(autouse=True)
def ours_only(node_kind):
    if node_kind != OURS:
        pytest.skip("each chain says what its nodes are")


class Relay:
    """A process with an engine that links to `ports`, and sets up routes."""

    def __init__(self, kind, ports):
        self.kind = kind
        self.ports = ports
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="slim-relay-"))
        self.orders = []
        self.start()

    def _command(self):
        if self.kind != OURS:
            return [str(peer_python(self.kind)), str(Path(__file__).parent / "drivers" / "relay.py"),
                    f"127.0.0.1:{self.port}", *(f"http://127.0.0.1:{port}" for port in self.ports)]
        config = self.folder / "config.yaml"
        config.write_text(CONFIG.format(port=self.port, log_level="info", n_cores=1, drain_timeout="1s", runtime="", server="",
                                        tls="{insecure: true}",
                                        clients=", ".join(CLIENT.format(port=port) for port in self.ports)))
        folder = Path(os.environ.get("SLIM_BUILD_DIR") or slim_bin().parents[2])
        return [*os.environ.get("SLIM_BIN_WRAPPER", "").split(), str(folder / "tests" / "relay"), str(config)]

    def start(self):
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, bufsize=1)
        threading.Thread(target=self._read, args=[self.process], daemon=True).start()
        self.expect("ready")
        orders, self.orders = self.orders, []
        for order in orders:
            self.tell(*order)

    def _read(self, process):
        for line in process.stdout:
            with self.changed:
                self.lines.append(line.strip())
                self.changed.notify_all()

    def expect(self, answer):
        with self.changed:
            assert self.changed.wait_for(lambda: self.lines, LIMIT_S), f"relay {self.kind}: no answer"
            got = self.lines.pop(0)
            assert got == answer, f"relay {self.kind}: {got}"

    def tell(self, command, name, link):
        """What was told is told again after a restart: a controller would."""
        self.orders.append((command, name, link))
        self.process.stdin.write(f"{command} {name} {link}\n")
        self.process.stdin.flush()
        self.expect("ok")

    def kill(self):
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not is_listening(self.port), 5)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Hub:
    """A relay in the middle, with a link to each end."""

    def __init__(self, kinds):
        left, middle, right = kinds
        self.nodes = [Node(left), Node(right)]
        self.relays = [Relay(middle, [node.port for node in self.nodes])]
        self.ends = self.nodes
        self.middle = self.relays[0]

    def reach(self, name, side):
        """What is for `name` gets to that end (0 left, 1 right) from the other."""
        self.middle.tell("route", name, side)
        self.middle.tell("announce", name, 1 - side)


class Spokes:
    """A node in the middle, and a relay at each end with a link to it."""

    def __init__(self, kinds):
        left, middle, right = kinds
        self.nodes = [Node(middle)]
        self.relays = [Relay(left, [self.nodes[0].port]), Relay(right, [self.nodes[0].port])]
        self.ends = self.relays
        self.middle = self.nodes[0]

    def reach(self, name, side):
        self.relays[side].tell("announce", name, 0)
        self.relays[1 - side].tell("route", name, 0)


def reach(chain, client, side):
    """By its name, and as the instance it is: 1.4.1 takes no entry for a name when an instance is asked for."""
    chain.reach(client.short_name, side)
    chain.reach(client.name, side)


@pytest.fixture
def make_chain():
    chains = []

    def make(shape, kinds):
        chains.append(shape(kinds))
        return chains[-1]

    yield make
    for chain in chains:
        for part in chain.relays + chain.nodes:
            part.close()


CHAINS = [
    ("three of ours, linked by the middle", Hub, [OURS, OURS, OURS]),
    ("three of ours, linked by the ends", Spokes, [OURS, OURS, OURS]),
    ("ours between 1.0.0", Spokes, [OLD, OURS, OLD]),
    ("ours between 1.4.1", Spokes, [NEW, OURS, NEW]),
    ("ours between 1.0.0 and 1.4.1, linked by ours", Hub, [OLD, OURS, NEW]),
    ("1.0.0 between ours", Spokes, [OURS, OLD, OURS]),
    ("1.4.1 between ours", Spokes, [OURS, NEW, OURS]),
    ("1.0.0 between ours, linked by 1.0.0", Hub, [OURS, OLD, OURS]),
    ("1.4.1 between ours, linked by 1.4.1", Hub, [OURS, NEW, OURS]),
    ("ours at one end", Spokes, [OURS, OURS, NEW]),
]
each_chain = pytest.mark.parametrize("shape, kinds", [pytest.param(s, k, id=why) for why, s, k in CHAINS])


@each_chain
@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_a_session_crosses(make_chain, make_clients, shape, kinds, mls):
    chain = make_chain(shape, kinds)
    (left,), (right,) = [make_clients(end, ["1.0.1"]) for end in chain.ends]
    reach(chain, left, 0)
    reach(chain, right, 1)
    ours, theirs = open_session(left, right, mls)
    texts = [f"there {i}" for i in range(COUNT)]
    left.call("publish", session=ours, texts=texts)
    assert right.wait_texts(COUNT) == texts
    texts = [f"back {i}" for i in range(COUNT)]
    right.call("publish", session=theirs, texts=texts)
    assert left.wait_texts(COUNT) == texts


@each_chain
def test_an_mls_group_crosses(make_chain, make_clients, shape, kinds):
    """Two members at each end; one that is removed hears nothing more."""
    chain = make_chain(shape, kinds)
    sides = [make_clients(end, ["1.0.1", "1.4.1"]) for end in chain.ends]
    for side, found in enumerate(sides):
        chain.reach(CHANNEL, side)
        for client in found:
            reach(chain, client, side)
    clients = [sides[0][0], sides[1][0], sides[0][1], sides[1][1]]
    sessions = open_group(clients[0], clients[1:])
    check_everyone_got(clients, publish_from_all(clients, sessions, "first"), "first")
    clients[0].call("remove", session=sessions[0], name=clients[3].short_name)
    assert clients[3].wait_closed()
    stay = clients[:3]
    check_everyone_got(stay, publish_from_all(stay, sessions[:3], "second"), "second")
    assert not any(text.startswith("second") for text in clients[3].texts())


RESTARTS = [CHAINS[i] for i in (0, 1, 2, 3, 5, 6)]


@pytest.mark.parametrize("shape, kinds", [pytest.param(s, k, id=why) for why, s, k in RESTARTS])
def test_the_middle_is_killed_and_comes_back(make_chain, make_clients, shape, kinds):
    """Sessions go on; links reconnect by themselves, and what they announced is there again."""
    chain = make_chain(shape, kinds)
    (left,), (right,) = [make_clients(end, ["1.0.1"]) for end in chain.ends]
    reach(chain, left, 0)
    reach(chain, right, 1)
    ours, theirs = open_session(left, right, False, retries=6, interval=5)
    left.call("publish", session=ours, texts=["before"])
    for turn in range(2):
        chain.middle.kill()
        time.sleep(0.5)
        chain.middle.start()
        time.sleep(3)  # longer than the back-off of the links
        left.call("publish", session=ours, texts=[f"there {turn}"], timeout=LIMIT_S)
        right.call("publish", session=theirs, texts=[f"back {turn}"], timeout=LIMIT_S)
    assert right.wait_texts(3) == ["before", "there 0", "there 1"]
    assert left.wait_texts(2) == ["back 0", "back 1"]


class Probe:
    """A raw peer at a node, which sees what reaches a name and can publish to any."""

    def __init__(self, port):
        self.conn = Conn.connect(port)
        self.stream = self.conn.open_stream()
        assert self.conn.wait(lambda: self.stream.headers is not None)

    def subscribe(self, name):
        self.stream.send_message(proto.subscribe(proto.name(name)))

    def publish(self, name, payload):
        self.stream.send_message(proto.publish(proto.name("o/n/probe", 1), proto.name(name), payload=payload))

    def got(self, payload, timeout):
        return self.conn.wait(lambda: any(proto.payload_of(m) == payload for m in self.stream.messages), timeout)


def arrives(sender, receiver, name, payload):
    """Sent until it arrives: nobody says when a subscription has crossed."""
    for attempt in range(50):
        sender.publish(name, payload)
        if receiver.got(payload, 0.2):
            return True
    return False


@pytest.mark.parametrize("middle", [OURS, OLD, NEW])
def test_what_was_withdrawn_while_the_middle_was_down_does_not_come_back(make_chain, middle):
    """Two names are announced; the middle dies, one is withdrawn, the middle comes back: one is there, the other is not."""
    chain = make_chain(Spokes, [OURS, middle, OURS])
    left, right = chain.relays
    receiver = Probe(right.port)
    for name in ("o/n/kept", "o/n/gone"):
        receiver.subscribe(name)
        chain.reach(name, 1)
    sender = Probe(left.port)
    assert arrives(sender, receiver, "o/n/kept", b"kept, before") and arrives(sender, receiver, "o/n/gone", b"gone, before")
    chain.middle.kill()
    right.process.send_signal(signal.SIGCONT)  # it is awake: the link is noticed as lost
    time.sleep(0.5)
    right.tell("withdraw", "o/n/gone", 0)
    chain.middle.start()
    assert arrives(sender, receiver, "o/n/kept", b"kept, after")
    at_middle = Probe(chain.middle.port)
    sender.publish("o/n/gone", b"gone, after")
    at_middle.publish("o/n/gone", b"gone, from the middle")
    assert arrives(sender, receiver, "o/n/kept", b"kept, behind it") and arrives(at_middle, receiver, "o/n/kept", b"kept, behind that")
    assert not receiver.got(b"gone, after", 0) and not receiver.got(b"gone, from the middle", 0)
