"""slim-mcp, which is written for the reference's release 1.4, over our package and our node, and with the reference at one end.

Wants mcp and slim-mcp in the interpreters PEER_wheel and PEER_mcp_1_4_1; the first has our package, the second slim-bindings 1.4.1.
"""

import subprocess

import pytest
from harness.node import peer_python
from peers import Servers, command, found_by

COUNT = 4


@pytest.fixture
def servers():
    made = Servers()
    yield made
    made.stop()


def need_mcp(version):
    python = peer_python(version)
    if not python.exists() or subprocess.run([python, "-c", "import mcp, slim_mcp"], capture_output=True).returncode:
        pytest.fail(f"no mcp and slim-mcp in {python}")


@pytest.mark.parametrize(
    ("server", "client"),
    [("wheel", "wheel"), ("wheel", "mcp_1.4.1"), ("mcp_1.4.1", "wheel")],
    ids=["ours-ours", "ours-1.4.1", "1.4.1-ours"],
)
def test_sessions_initialise_list_tools_and_call_them(node, servers, server, client):
    need_mcp(server)
    need_mcp(client)
    url = f"http://127.0.0.1:{node.port}"
    servers.start(command("mcp_peer.py", server, "server", url))
    for _ in range(2):  # the server stays when clients have gone
        assert found_by(command("mcp_peer.py", client, "client", url, str(COUNT))) == [
            {
                "server": "calculator",
                "tools": ["add", "repeat"],
                "sum": str(40 + number),
                "long": 300_000,
                "wrong": [True, "no tool subtract"],
            }
            for number in range(COUNT)
        ]
