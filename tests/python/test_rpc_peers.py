"""slimrpc of our package and of the reference's release 1.4.1, in both roles, through our node."""

from datetime import timedelta

import pytest
import slim_bindings as sb
from peers import Servers, command, found_by

SECRET = "a shared secret for tests, long enough"
SERVER = "org/ns/server"
MIXED = [("wheel", "wheel"), ("wheel", "1.4.1"), ("1.4.1", "wheel")]  # server, client
IDS = ["ours-ours", "ours-1.4.1", "1.4.1-ours"]


@pytest.fixture
def servers():
    made = Servers()
    yield made
    made.stop()


@pytest.fixture
def run(node, servers):
    url = f"http://127.0.0.1:{node.port}"

    def run(server, client, scenario):
        servers.start(command("rpc_peer.py", server, "server", url, SERVER))
        return found_by(command("rpc_peer.py", client, "client", url, scenario, SERVER))

    return run


@pytest.mark.parametrize(("server", "client"), MIXED, ids=IDS)
def test_all_four_kinds_of_calls_give_what_they_should(run, server, client):
    assert run(server, client, "kinds") == {
        "unary": "echo hello",
        "color": "blue",
        "method": "tests.Peer/Metadata",
        "left": True,
        "counted": ["0", "1", "2", "3", "4"],
        "joined": "joined a,b,c",
        "empty": "joined ",
        "both": ["echo one", "echo two"],
        "rest": [],
    }


@pytest.mark.parametrize(("server", "client"), MIXED, ids=IDS)
def test_errors_cross_with_their_codes_and_the_channel_stays(run, server, client):
    assert run(server, client, "errors") == {
        "raised": ["NOT_FOUND", "no such thing: it"],
        "unknown": "UNIMPLEMENTED",
        "counted": ["0", "1", ["OUT_OF_RANGE", "that was all"]],
        "late": "DEADLINE_EXCEEDED",
        "in_time": True,
        "after": "echo still here",
    }


@pytest.mark.parametrize(("server", "client"), MIXED, ids=IDS)
def test_a_megabyte_crosses_in_both_directions(run, server, client):
    assert run(server, client, "large") == {"same": True}


@pytest.mark.parametrize(("server", "client"), MIXED, ids=IDS)
def test_a_hundred_calls_at_once_and_a_thousand_responses(run, server, client):
    assert run(server, client, "many") == {"same": True, "counted": True}


@pytest.mark.parametrize(("server", "client"), MIXED, ids=IDS)
def test_a_call_that_is_cancelled_leaves_the_others_alone(run, server, client):
    assert run(server, client, "cancel") == {"cancelled": True, "after": "echo x"}


def test_an_empty_response_arrives_and_an_exception_is_said(run):
    assert run("wheel", "wheel", "nothing") == {
        "empty": "",
        "broken": ["INTERNAL", "could not convert string to float: b'not a number'"],
    }


def test_a_server_that_died_is_found_again_when_it_is_back(node, servers):
    url = f"http://127.0.0.1:{node.port}"
    start = command("rpc_peer.py", "wheel", "server", url, SERVER)
    service = sb.Service("caller")
    link = service.connect(sb.new_insecure_client_config(url))
    app = service.create_app_with_secret(sb.Name("org", "ns", "caller"), SECRET)
    app.subscribe(app.name(), link)
    channel = sb.Channel.new_with_connection(app, sb.Name(*SERVER.split("/")), link)
    servers.start(start)
    assert channel.call_unary("tests.Peer", "Echo", b"x") == b"echo x"
    servers.kill()
    with pytest.raises(sb.RpcError) as caught:
        channel.call_unary("tests.Peer", "Echo", b"x", timedelta(seconds=60))
    assert caught.value.code is sb.RpcCode.UNAVAILABLE
    servers.start(start)
    assert channel.call_unary("tests.Peer", "Echo", b"x") == b"echo x"
    channel.close(timedelta(seconds=1))
    service.shutdown()


@pytest.mark.parametrize(
    ("members", "client"),
    [
        (["wheel", "wheel"], "wheel"),
        (["wheel", "wheel"], "1.4.1"),
        (["wheel", "1.4.1", "wheel"], "wheel"),
        (["1.4.1", "1.4.1"], "wheel"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_group_of_servers_answers_every_kind_of_call(node, servers, members, client):
    url = f"http://127.0.0.1:{node.port}"
    names = [f"org/ns/server-{number}" for number in range(len(members))]
    for version, name in zip(members, names, strict=True):
        servers.start(command("rpc_peer.py", version, "server", url, name))
    assert found_by(command("rpc_peer.py", client, "client", url, "group", ",".join(names))) == {
        "echoed": [[name, "echo all"] for name in names],
        "counted": [[name, str(number)] for name in names for number in range(3)],
        "joined": [[name, "joined a,b"] for name in names],
        "streamed": [[name, "echo x"] for name in names],
        "failed": [[f"{name}/ffffffffffffffff", "NOT_FOUND", "no such thing: it"] for name in names],
    }
