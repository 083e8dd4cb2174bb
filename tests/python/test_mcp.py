"""slim-mcp, which is written for the reference's release 1.4, over our package and our node, and with the reference at one end.

Wants mcp and slim-mcp (requirements.txt) in the interpreters PEER_wheel and PEER_mcp_1_4_1; the first has our package, the second
slim-bindings 1.4.1.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from harness.node import peer_python

DRIVER = Path(__file__).resolve().parent / "drivers" / "mcp_peer.py"
LIMIT_S = 120
COUNT = 4


def has_mcp(python):
    return python.exists() and subprocess.run([python, "-c", "import mcp, slim_mcp"], capture_output=True).returncode == 0


def command(version, *arguments):
    python = peer_python(version)
    if not has_mcp(python):
        pytest.skip(f"no mcp and slim-mcp in {python}")
    return [str(python), str(DRIVER), *arguments]


@pytest.fixture
def serve(node):
    """Start a server; it is stopped when the test is over."""
    processes = []

    def start(version):
        process = subprocess.Popen(
            command(version, "server", f"http://127.0.0.1:{node.port}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        processes.append(process)
        # the reference logs to stdout
        assert any(line.startswith("ready") for line in process.stdout), "the server did not start"

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def call(version, node, count):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLIM_")}
    done = subprocess.run(
        command(version, "client", f"http://127.0.0.1:{node.port}", str(count)),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("[{")][-1])


@pytest.mark.parametrize(
    ("server", "client"),
    [("wheel", "wheel"), ("wheel", "mcp_1.4.1"), ("mcp_1.4.1", "wheel")],
    ids=["ours-ours", "ours-1.4.1", "1.4.1-ours"],
)
def test_sessions_initialise_list_tools_and_call_them(node, serve, server, client):
    serve(server)
    for _ in range(2):  # the server stays when clients have gone
        assert call(client, node, COUNT) == [
            {
                "server": "calculator",
                "tools": ["add", "repeat"],
                "sum": str(40 + number),
                "long": 300_000,
                "wrong": [True, "no tool subtract"],
            }
            for number in range(COUNT)
        ]
