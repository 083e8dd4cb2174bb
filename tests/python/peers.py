"""Servers and clients of tests in processes of their own: drivers/*.py in an interpreter with our package, or with the reference's."""

import json
import os
import subprocess
from pathlib import Path

from harness.node import peer_python

DRIVERS = Path(__file__).resolve().parent / "drivers"
CLIENT_LIMIT_S = 150


def command(driver, version, *arguments):
    return [str(peer_python(version)), str(DRIVERS / driver), *arguments]


def environment():
    return {key: value for key, value in os.environ.items() if not key.startswith("SLIM_")}


class Servers:
    """Those of one test. stop() when it is over."""

    def __init__(self):
        self.processes = []

    def start(self, arguments):
        """Start one, and wait until it says that it is ready."""
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment()
        )
        self.processes.append(process)
        # lines of the log come on the same way
        assert any(line.startswith("ready") for line in process.stdout), f"{arguments} did not start"

    def kill(self):
        """As crashes."""
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
        self.processes.clear()

    stop = kill


def found_by(arguments):
    """What a client found: its line of JSON."""
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=CLIENT_LIMIT_S, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith('{"found": ')]
    return json.loads(line)["found"]
