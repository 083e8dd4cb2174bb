"""Real clients and real nodes over TLS: ours as server, ours as client, refusals that both ends understand, and renewal."""

import socket
import ssl

import grpc
import pytest
from clients import Client, ClientError
from harness import proto
from harness.certs import Authority
from harness.node import Node, wait_until

VERSIONS = ["1.0.0", "1.0.1", "1.4.1"]
COUNT = 20


class World:
    """What the tests of this file share."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = Authority(folder)
        self.inter = Authority(folder, "inter", self.ca)
        self.other = Authority(folder, "other")
        self.server = self.ca.pair("server")
        self.chained = self.inter.pair("chained")
        self.client = self.ca.pair("client", names=(), client=True)
        self.stranger = self.other.pair("stranger", names=(), client=True)

    def served(self, pair=None, **more):
        pair = pair or self.server
        return {"cert": pair.cert, "key": pair.key, **more}

    def trusting(self, pair=None, **more):
        tls = {"ca": str(self.ca.path), **more}
        if pair:
            tls |= {"cert": str(pair.cert), "key": str(pair.key)}
        return tls


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def make_client(request):
    made = []

    def make(version, port, tls, host="localhost", scheme="https"):
        made.append(client := Client(version, None, server=f"{scheme}://{host}:{port}", tls=tls))
        return client

    yield make
    for client in made:
        client.close()


def talk(initiator, responder, count=COUNT):
    """A session, `count` messages each way."""
    initiator.call("route", name=responder.short_name)
    ours = initiator.call("session", kind="p2p", name=responder.short_name, mls=False)["session"]
    theirs = responder.wait_session()
    texts = [f"message {i}" for i in range(count)]
    initiator.call("publish", session=ours, texts=texts)
    responder.call("publish", session=theirs, texts=texts)
    assert responder.wait_texts(count, timeout=10) == texts
    assert initiator.wait_texts(count, timeout=10) == texts
    return ours, theirs


def why(client):
    """What a client that cannot connect says, in time."""
    with pytest.raises(ClientError) as error:
        client.ready(10)
    return str(error.value)


def has_line(node, *parts):
    return wait_until(lambda: any(all(part in line for part in parts) for line in node.log_text().splitlines()))


def client_entry(port, tls, host="localhost", more=""):
    """An entry of dataplane.clients. tls: as for real clients."""
    text = f'ca_source: {{type: file, path: "{tls["ca"]}"}}, include_system_ca_certs_pool: false'
    text += f', tls_version: {tls.get("version", "tls1.3")}'
    if "cert" in tls:
        text += f', source: {{type: file, cert: "{tls["cert"]}", key: "{tls["key"]}"}}'
    return f'{{endpoint: "https://{host}:{port}", tls: {{{text}}}{more}}}'


# ---------------------------------------------------------------------------- our server, their clients


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tls_version", ["tls1.2", "tls1.3"])
@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mtls"])
def test_real_clients_talk_over_our_node(world, make_client, version, tls_version, mutual):
    more = {"client_ca": world.ca.path} if mutual else {}
    with Node(tls=world.served(version=tls_version, **more)) as node:
        tls = world.trusting(world.client if mutual else None, version=tls_version)
        a, b = [make_client(version, node.port, tls).ready() for _ in range(2)]
        talk(a, b)
        assert node.stop() == 0


def test_a_chain_reaches_clients_that_know_the_root_only(world, make_client):
    with Node(tls=world.served(world.chained)) as node:
        a = make_client("1.0.0", node.port, world.trusting(), host="127.0.0.1").ready()
        b = make_client("1.4.1", node.port, world.trusting()).ready()
        talk(a, b)


def test_a_megabyte_each_way(world, make_client):
    with Node(tls=world.served()) as node:
        a, b = [make_client(version, node.port, world.trusting()).ready() for version in ("1.0.1", "1.4.1")]
        ours, theirs = talk(a, b, 1)
        big = ["x" * 1000_000 + str(i) for i in range(3)]
        a.call("publish", session=ours, texts=big)
        b.call("publish", session=theirs, texts=big)
        assert b.wait_texts(4, timeout=30)[1:] == big
        assert a.wait_texts(4, timeout=30)[1:] == big


REFUSALS = [
    # id, what the server shows and wants, what the client has, in the node's log.
    # Where the client refuses, or finds no version, the reference retries for ever and only logs why: our log is what a person has then.
    ("unknown CA", {}, lambda w: {"ca": str(w.other.path)}, "it does not trust the CA of our certificate"),
    ("expired", {"days": (-9, -2)}, lambda w: w.trusting(), "our certificate has expired"),
    ("wrong name", {"names": ("elsewhere.test",)}, lambda w: w.trusting(), "the client refused us"),
    ("no client certificate", {"mutual": True}, lambda w: w.trusting(), "the client has shown no certificate"),
    ("client certificate of another CA", {"mutual": True}, lambda w: w.trusting(w.stranger),
     "the certificate of the client is refused: its CA is not trusted"),
    ("TLS 1.2 to 1.3", {}, lambda w: w.trusting(version="tls1.2"), "the client does not speak TLS 1.3"),
    ("TLS 1.3 to 1.2", {"version": "tls1.2"}, lambda w: w.trusting(), "the client does not speak TLS 1.2"),
    ("plain text", {}, lambda w: None, "the client does not speak TLS"),
]


@pytest.mark.parametrize("version", ["1.0.0", "1.4.1"])
@pytest.mark.parametrize("server, client, line", [pytest.param(*row[1:], id=row[0]) for row in REFUSALS])
def test_a_refused_client_knows_why_and_so_do_we(world, make_client, version, server, client, line):
    server = dict(server)
    mutual = {"client_ca": world.ca.path} if server.pop("mutual", False) else {}
    if "version" in server:
        mutual["version"] = server.pop("version")
    pair = world.ca.pair("refused", **server) if server else world.server
    tls = client(world)
    with Node(tls=world.served(pair, **mutual)) as node:
        refused = make_client(version, node.port, tls, scheme="https" if tls else "http")
        if mutual.get("client_ca") or not tls:
            # without the alert when its request was not on its way yet
            said = why(refused)
            assert any(text in said for text in ("received fatal alert", "operation was canceled", "broken pipe"))
        assert has_line(node, "WARN", "connection refused", line), node.log_text()
        refused.close()
        good = make_client(version, node.port, world.trusting(world.client, **(
            {"version": mutual["version"]} if "version" in mutual else {})))
        if not server:
            good.ready()
        assert node.stop() == 0


def test_grpcio_opens_a_channel(world):
    with Node(tls=world.served()) as node:
        credentials = grpc.ssl_channel_credentials(world.ca.pem.encode())
        with grpc.secure_channel(f"localhost:{node.port}", credentials) as channel:
            open_channel = channel.stream_stream("/dataplane.proto.v1.DataPlaneService/OpenChannel")
            name = proto.name("org/ns/grpcio", 7)
            messages = [proto.subscribe(name), proto.publish(name, name, payload=b"to myself")]
            call = open_channel(iter(messages))
            assert [key for key, _ in call.initial_metadata()] is not None
            assert call.code() == grpc.StatusCode.OK  # the half-close ends the stream


# ---------------------------------------------------------------------------- our node as client


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tls_version", ["tls1.2", "tls1.3"])
def test_our_node_links_to_a_reference_node(world, make_client, version, tls_version):
    """Client - our node - TLS with client certificates - reference node - TLS - client."""
    served = world.served(version=tls_version, client_ca=world.ca.path)
    with Node(version, tls=served) as theirs:
        entry = client_entry(theirs.port, world.trusting(world.client, version=tls_version))
        with Node(clients=[entry]) as ours:
            assert has_line(ours, "client connected")
            near = make_client("1.4.1", ours.port, None, host="127.0.0.1", scheme="http").ready()
            far = make_client(version, theirs.port, world.trusting(world.client, version=tls_version)).ready()
            assert near.name and far.name
            assert ours.stop() == 0


def test_our_node_links_to_our_node(world, make_client):
    with Node(tls=world.served(world.chained, client_ca=world.ca.path)) as far:
        entry = client_entry(far.port, world.trusting(world.client), host="127.0.0.1")
        with Node(clients=[entry]) as near:
            assert has_line(near, "client connected")
            far.kill()
            far.start()
            assert has_line(near, "connection re-established"), near.log_text()
            assert near.stop() == 0


NODE_REFUSALS = [
    ("unknown CA", {}, lambda w: {"ca": str(w.other.path)}, "localhost", "its CA is not trusted", ""),
    ("expired", {"days": (-9, -2)}, lambda w: w.trusting(), "localhost", "certificate has expired", ""),
    ("wrong name", {"names": ("elsewhere.test",)}, lambda w: w.trusting(), "localhost", 'it is not for "localhost"', ""),
    ("wrong address", {"names": ("localhost",)}, lambda w: w.trusting(), "127.0.0.1", 'it is not for "127.0.0.1"', ""),
    ("no client certificate", {"mutual": True}, lambda w: w.trusting(), "localhost", "client certificate",
     "the client has shown no certificate"),
    ("version", {}, lambda w: w.trusting(version="tls1.2"), "localhost", "it does not speak our TLS version (alert 70",
     "the client does not speak TLS 1.3"),
]


@pytest.mark.parametrize("kind", ["ours", "1.0.0"])
@pytest.mark.parametrize("server, client, host, text, line",
                         [pytest.param(*row[1:], id=row[0]) for row in NODE_REFUSALS])
def test_our_node_that_is_refused_ends_at_once_with_a_sentence(world, kind, server, client, host, text, line):
    server = dict(server)
    mutual = {"client_ca": world.ca.path} if server.pop("mutual", False) else {}
    pair = world.ca.pair("refused", **server) if server else world.server
    with Node(kind, tls=world.served(pair, **mutual)) as far:
        with Node(clients=[client_entry(far.port, client(world), host=host)], wait=False) as near:
            assert near.process.wait(10) == 1
            assert text in near.log_text() and "Error: failed to start service" in near.log_text()
        if far.is_ours:
            assert has_line(far, "WARN", "connection refused", line or "the client refused us")


def test_plain_and_insecure_clients_stay_plain(world):
    with Node() as far:
        entries = [f'{{endpoint: "https://127.0.0.1:{far.port}", tls: {{insecure: true}}}}',
                   f'{{endpoint: "http://127.0.0.1:{far.port}", tls: {{ca_source: {{type: file, path: "{world.ca.path}"}}}}}}']
        with Node(clients=entries) as near:
            assert wait_until(lambda: near.log_text().count("client connected") == 2), near.log_text()
            assert near.stop() == 0


def test_a_dead_tls_port_is_retried_and_a_silent_one_is_given_up(world):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        entry = client_entry(silent.getsockname()[1], world.trusting())
        with Node(clients=[entry], wait=False) as near:
            assert wait_until(lambda: "TLS handshake failed: it took too long" in near.log_text(), 20)
            assert near.is_alive
            near.stop()


# ---------------------------------------------------------------------------- renewal


def shown(port, ca):
    """The serial number of the certificate that a server shows now."""
    context = ssl.create_default_context(cafile=str(ca.path))
    with socket.create_connection(("127.0.0.1", port), 5) as plain, \
            context.wrap_socket(plain, server_hostname="localhost") as secure:
        return int(secure.getpeercert()["serialNumber"], 16)


def replace(path, text):
    """As careful people do: write beside it, then rename."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.rename(path)


def test_files_are_read_again_while_connections_live(world, make_client):
    pair = world.ca.pair("renewed")
    with Node(tls=world.served(pair)) as node:
        a, b = [make_client("1.4.1", node.port, world.trusting()).ready() for _ in range(2)]
        ours, _ = talk(a, b)
        assert shown(node.port, world.ca) == pair.serial
        fresh = world.ca.pair("fresh")
        replace(pair.cert, fresh.cert_pem)
        replace(pair.key, fresh.key_pem)
        assert wait_until(lambda: shown(node.port, world.ca) == fresh.serial, 10), node.log_text()
        assert "TLS certificates reloaded" in node.log_text()

        # rubbish changes nothing, and is told once
        replace(pair.key, "rubbish")
        assert has_line(node, "WARN", "TLS certificates not reloaded", str(pair.key)), node.log_text()
        assert shown(node.port, world.ca) == fresh.serial
        a.call("publish", session=ours, texts=["after all that"])
        assert b.wait_texts(COUNT + 1, timeout=10)[-1] == "after all that"

        # SIGHUP reads again, and ends nobody
        replace(pair.key, fresh.key_pem)
        before = node.log_text().count("TLS certificates reloaded")
        node.process.send_signal(1)
        assert wait_until(lambda: node.log_text().count("TLS certificates reloaded") > before)
        assert "SIGHUP" in node.log_text()
        assert node.stop() == 0


def test_a_folder_that_is_swapped_as_kubernetes_does(world, tmp_path):
    first, second = world.ca.pair("first"), world.ca.pair("second")
    for name, pair in (("..1", first), ("..2", second)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tls.crt").write_text(pair.cert_pem)
        (tmp_path / name / "tls.key").write_text(pair.key_pem)
    (tmp_path / "..data").symlink_to("..1")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    with Node(tls={"cert": tmp_path / "tls.crt", "key": tmp_path / "tls.key"}) as node:
        assert shown(node.port, world.ca) == first.serial
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        assert wait_until(lambda: shown(node.port, world.ca) == second.serial, 10), node.log_text()
        assert node.stop() == 0


def test_a_new_client_ca_counts_from_then_on(world, make_client):
    roots = world.folder / "roots.pem"
    roots.write_text(world.other.pem)
    with Node(tls=world.served(client_ca=roots)) as node:
        why(make_client("1.4.1", node.port, world.trusting(world.client)))
        assert has_line(node, "WARN", "its CA is not trusted")
        replace(roots, world.other.pem + world.ca.pem)
        assert has_line(node, "TLS certificates reloaded", str(roots))
        make_client("1.4.1", node.port, world.trusting(world.client)).ready()
        assert node.stop() == 0
