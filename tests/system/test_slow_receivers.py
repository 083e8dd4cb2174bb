"""Receivers that read slowly, or not at all, cost the others nothing and the node little.

The load comes from bench/slim-load, which checks what arrives: complete, once, in order.
"""

import json
import subprocess

import pytest
from harness import proto
from harness.node import slim_load, wait_until
from peers import Group, Peer

MIB = 1024 * 1024


class Load:
    """A run of slim-load. With --hold it stays connected after its report until finish()."""

    def __init__(self, node, *options):
        if not slim_load().exists():
            pytest.fail(f"{slim_load()} is missing: build it first", pytrace=False)
        self.process = subprocess.Popen(
            [str(slim_load()), "--port", str(node.port), *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def report(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def finish(self):
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


def run_load(node, *options):
    load = Load(node, *options)
    report = load.report()
    status, errors = load.finish()
    return status, report, errors


def reset_peak(node):
    with open(f"/proc/{node.pid}/clear_refs", "w") as file:
        file.write("5")


@pytest.mark.ours_only("every sender waits for the slowest receiver")
@pytest.mark.parametrize("payload, count", [(128, 200000), (4096, 30000), (65536, 2000)])
def test_one_of_eight_stops_and_the_other_seven_get_everything(node, payload, count):
    status, report, errors = run_load(node, "--receivers", 8, "--fanout", "all", "--stalled", 1, "--payload", payload,
                                      "--count", count, "--verify", "--rcvbuf", 65536)
    assert status == 0, (report, errors)
    assert report["received_least"] == report["received_most"] == count
    assert report["closed"] == 0


@pytest.mark.ours_only("every sender waits for the slowest receiver")
def test_the_one_that_stopped_is_disconnected_after_a_while(node):
    """It accepted no byte for five seconds with data waiting."""
    load = Load(node, "--receivers", 2, "--fanout", "all", "--stalled", 1, "--payload", 16384, "--count", 1000,
                "--rcvbuf", 65536, "--hold")
    report = load.report()
    assert report["received_least"] == 1000
    assert wait_until(lambda: "slow" in node.log_text() or "stall" in node.log_text(), 10), "one line in the log says so"
    load.finish()


@pytest.mark.parametrize("rcvbuf", [None, 131072, 16384])
def test_a_full_speed_sender_to_a_reader_of_2_mb_per_second(node, rcvbuf):
    """Unreliable, 64 KiB messages: the sender is paced, nothing is lost, nobody is disconnected, at most 8 MiB are held."""
    run_load(node, "--payload", 65536, "--count", 50)  # all code and pools have been used once
    before = node.rss_bytes()
    reset_peak(node)
    count = 320  # 20 MiB: more than what the kernel and the node may keep on the way
    small = ["--rcvbuf", rcvbuf] if rcvbuf else []  # a small buffer is acknowledged in large steps
    status, report, errors = run_load(node, "--payload", 65536, "--count", count, "--read-rate", 2000000,
                                      "--verify", "--drain", 10, *small)
    assert status == 0, (report, errors)
    assert report["delivered"] == count and report["closed"] == 0
    if node.is_ours:
        held = node.peak_rss_bytes() - before
        assert held <= 8 * MIB, f"{held / MIB:.1f} MiB held"


@pytest.mark.parametrize("stalled", [0, 1])
def test_a_sender_faster_than_all_members_is_paced(node, stalled):
    """Four members that read 40 MB/s each, and perhaps one that stopped: the four lose nothing and stay connected."""
    status, report, errors = run_load(node, "--receivers", 4 + stalled, "--stalled", stalled, "--fanout", "all", "--payload", 16384,
                                      "--count", 10000, "--read-rate", 40000000, "--drain", 10)
    assert status == 0, (report, errors)
    assert report["received_least"] == report["received_most"] == 10000
    assert report["closed"] == 0 and report["missing"] == 0


@pytest.mark.ours_only("every sender waits for the slowest receiver, and memory has no bound")
def test_500_connections_that_never_read(make_node):
    """While a flood runs: memory stays under memory_max, others are served, and afterwards the memory goes back."""
    memory_max = 64 * MIB
    node = make_node(runtime={"memory_max": memory_max})
    run_load(node, "--count", 1000)
    idle = node.rss_bytes()
    reset_peak(node)
    flood = Load(node, "--receivers", 501, "--stalled", 500, "--fanout", "all", "--payload", 16384, "--count", 8000,
                 "--rcvbuf", 4096, "--drain", 10, "--hold")
    group = Group([Peer(node.port), Peer(node.port)])
    name = proto.name("o/n/other", 1)
    group.peers[0].send(proto.subscribe(name))
    assert group.collect(0) is not None
    for number in range(200):
        group.peers[1].send(proto.publish(proto.name("o/n/s", 1), name, payload=b"%d" % number))
    got = [proto.payload_of(msg) for msg in group.peers[0].take(200, 30)]
    assert got == [b"%d" % number for number in range(200)], "others are served meanwhile"

    report = flood.report()
    assert report["received_least"] == 8000, "the one that reads got everything"
    assert report["closed"] == 0 and report["missing"] == 0
    peak = node.peak_rss_bytes()
    assert peak <= memory_max, f"{peak / MIB:.1f} MiB"
    assert flood.finish()[0] == 0
    assert group.collect(1) is not None
    assert wait_until(lambda: node.rss_bytes() <= idle + 8 * MIB, 15), f"{node.rss_bytes() / MIB:.1f} MiB afterwards"
