"""The load generator notices what it is there to notice: it runs here against a node of Python that loses, repeats, swaps or
damages one message."""

import json
import subprocess
import threading

import pytest
from harness import proto
from harness.h2raw import Server
from harness.node import slim_load

COUNT = 50


class Relay:
    """Gives every Publish to every other stream, after `fault` had its way with the list of data messages so far."""

    def __init__(self, fault):
        self.fault = fault
        self.number = 0
        self.kept = None
        self.server = Server()
        self.is_over = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while not self.is_over:
            for conn in list(self.server.conns):
                for stream in list(conn.streams.values()):
                    for msg in stream.take(1, 0.002):
                        self._handle(stream, msg)

    def _handle(self, source, msg):
        if proto.kind_of(msg) != "publish":
            return
        is_probe = len(proto.payload_of(msg)) == 32
        out = [msg]
        if not is_probe:
            self.number += 1
            out = self.fault(self, msg)
        for conn in list(self.server.conns):
            for stream in list(conn.streams.values()):
                if stream is not source:
                    for each in out:
                        stream.send_message(each)


def swap(relay, msg):
    if relay.number == 10:
        relay.kept = msg
        return []
    if relay.number == 11:
        return [msg, relay.kept]
    return [msg]


def damage(relay, msg):
    if relay.number != 10:
        return [msg]
    at = len(msg) - 60  # in the payload, before the trailer
    return [msg[:at] + bytes([msg[at] ^ 1]) + msg[at + 1 :]]


FAULTS = {
    "nothing": (lambda relay, msg: [msg], {"missing": 0, "again": 0, "damaged": 0}),
    "one is lost": (lambda relay, msg: [] if relay.number == 10 else [msg], {"missing": 1, "again": 0, "damaged": 0}),
    "the last is lost": (lambda relay, msg: [] if relay.number == COUNT else [msg],
                         {"missing": 1, "again": 0, "damaged": 0}),
    "one comes twice": (lambda relay, msg: [msg] * (2 if relay.number == 10 else 1),
                        {"missing": 0, "again": 1, "damaged": 0}),
    "two are swapped": (swap, {"missing": 1, "again": 1, "damaged": 0}),
    "one byte is damaged": (damage, {"missing": 0, "again": 0, "damaged": 1}),
    "one trailer is damaged": (lambda relay, msg: [msg[:-1] + b"\xff"] if relay.number == 10 else [msg],
                               {"missing": 1, "again": 0, "damaged": 1}),
}


@pytest.mark.parametrize("fault, expected", FAULTS.values(), ids=FAULTS.keys())
def test_what_is_wrong_is_counted(fault, expected):
    if not slim_load().exists():
        pytest.fail(f"{slim_load()} is missing: build it first", pytrace=False)
    relay = Relay(fault)
    command = [str(slim_load()), "--port", str(relay.server.port), "--count", str(COUNT), "--payload", "256",
               "--frame-per-message", "--verify", "--drain", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    relay.is_over = True
    relay.server.close()
    report = json.loads(done.stdout)
    assert {key: report[key] for key in expected} == expected
    assert done.returncode == (0 if not any(expected.values()) else 1)
