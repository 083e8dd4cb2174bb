"""Identities and links of real applications (1.0.0, 1.0.1, 1.4.1) and ours: what one makes, the other accepts, and both refuse the same.

A scripted node stands between: it takes the application's Subscribe, which carries a token of the reference, and sends it a
DISCOVERY_REQUEST with a token of ours. An application that accepts the token replies; one that does not is silent."""

import itertools
import json
import subprocess
import time
from pathlib import Path

import pytest
from auth_probe import Probe
from harness import h2raw, proto
from harness.node import REFERENCES, free_port, is_listening, peer_python, wait_until
from test_auth_jwt import ALGS, Keys

DRIVER = Path(__file__).resolve().parent / "drivers" / "identity.py"
SECRET = "a shared secret for tests, long enough"
DISCOVERY_REQUEST, DISCOVERY_REPLY = 5, 6
SILENCE_S = 1.0  # how long no answer is waited for
MESSAGE_IDS = itertools.count(1)


class RealApps:
    def __init__(self, version):
        self.process = subprocess.Popen([str(peer_python(version)), str(DRIVER)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def ask(self, op, **arguments):
        self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        line = self.process.stdout.readline()
        assert line, f"the real application died over {op}"
        return json.loads(line)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def keys():
    return Keys()


@pytest.fixture
def probe():
    made = Probe()
    yield made
    made.close()


@pytest.fixture(scope="module", params=REFERENCES)
def peer(request):
    """A process with real applications, connected to a scripted node."""
    node = h2raw.Server()
    apps = RealApps(request.param)
    assert apps.ask("connect", server=f"http://127.0.0.1:{node.port}") == {}
    apps.stream = node.wait_stream()
    assert apps.stream is not None
    yield apps
    apps.close()
    node.close()


def subscribe(peer, probe, name, **identity):
    """Create a real application; its Name as it writes it, and its token."""
    seen = len(peer.stream.messages)
    answer = peer.ask("app", name=name, **identity)
    assert "error" not in answer, answer
    parts = name.split("/")

    def find():
        for message in peer.stream.messages[seen:]:
            if proto.kind_of(message) == "subscribe":
                destination = proto.get(message, 1, 1, 2)
                if [v.decode() for _, v, _ in proto.fields(proto.get(destination, 2))] == parts:
                    return destination, proto.get(message, 1, 1, 4).decode()
            if proto.kind_of(message) == "subscribe" and proto.get(message, 2):
                peer.stream.send_message(proto.blob(6, proto.number(1, proto.get(message, 2)) + proto.number(2, 1)))
        return None

    assert wait_until(lambda: find() is not None), "no Subscribe"
    return find()


def discover(peer, destination, token, timeout=10.0):
    """Ask the application to answer; the identity in its reply, or None when it keeps silent."""
    message_id = next(MESSAGE_IDS)
    session = proto.number(1, 1) + proto.number(2, DISCOVERY_REQUEST) + proto.number(3, 7) + proto.number(4, message_id)
    content = proto.blob(2, proto.blob(1, b""))
    header = proto.header(proto.name("org/ns/asker", 5), destination, identity=token)
    peer.stream.send_message(proto.blob(3, proto.blob(1, header) + proto.blob(2, session) + proto.blob(3, content)))

    def reply():
        for message in list(peer.stream.messages):
            if (proto.kind_of(message) == "publish" and proto.get(message, 3, 2, 2) == DISCOVERY_REPLY
                    and proto.get(message, 3, 2, 4) == message_id):
                return message
        return None

    wait_until(lambda: reply() is not None, timeout=timeout)
    found = reply()
    return None if found is None else proto.get(found, 3, 1, 4).decode()


def test_shared_secrets_are_accepted_both_ways(peer, probe):
    destination, theirs = subscribe(peer, probe, "org/ns/secret", secret=SECRET)
    probe.good("open", kind="secret", key=SECRET)
    seen = probe.verify(theirs, time.time())
    assert seen["check"] == "none" and seen["sub"].startswith("org/ns/secret/")
    mine = probe.good("secret", id="org/ns/asker", secret=SECRET, now=int(time.time()))["token"]
    answer = discover(peer, destination, mine)
    assert answer is not None and probe.verify(answer, time.time())["check"] == "none"
    pubkey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    mine = probe.good("secret", id="org/ns/asker", secret=SECRET, now=int(time.time()), pubkey=pubkey)["token"]
    assert discover(peer, destination, mine) is not None
    probe.good("open", kind="secret", key=SECRET + "!")
    assert probe.verify(theirs, time.time())["check"] == "signature"


def test_bad_tokens_of_a_shared_secret_get_no_answer(peer, probe):
    destination, _ = subscribe(peer, probe, "org/ns/strict", secret=SECRET)
    now = int(time.time())
    other = probe.good("secret", id="x", secret=SECRET + "?", now=now)["token"]
    old = probe.good("secret", id="x", secret=SECRET, now=now - 3700)["token"]
    for token in ("garbage", other, old, ""):
        assert discover(peer, destination, token, SILENCE_S) is None
    good = probe.good("secret", id="x", secret=SECRET, now=now)["token"]
    assert discover(peer, destination, good) is not None


@pytest.mark.parametrize("alg", ALGS)
def test_jwt_of_every_algorithm_are_accepted_both_ways(peer, probe, keys, alg):
    config = dict(alg=alg, iss="test-issuer", aud=["slim-aud"])
    name = f"org/ns/jwt-{alg}"
    destination, theirs = subscribe(peer, probe, name, key=keys.sign_pem(alg), public=keys.verify_pem(alg),
                                    sub=name, **config)
    probe.good("open", kind="jwt", alg=alg, key=keys.verify_pem(alg), iss=["test-issuer"], aud=["slim-aud"], sub=name)
    assert probe.verify(theirs, time.time())["sub"] == name
    mine = probe.good("sign", key=keys.sign_pem(alg), sub="org/ns/asker", custom='{"a":["b",{"c":1}]}', duration=60,
                      now=int(time.time()), **config)["token"]
    answer = discover(peer, destination, mine)
    assert answer is not None and probe.verify(answer, time.time())["check"] == "none"


# ---- links


def test_links_of_real_clients_are_let_in(peer, probe, keys):
    """The header a real client sends is good for our check."""
    headers = []
    with h2raw.Server(on_request=lambda conn, stream: (headers.append(dict(stream.requests)["authorization"]),
                                                       conn.respond(stream))) as node:
        server = f"http://127.0.0.1:{node.port}"
        basic = dict(type="basic", username="user1", password="pass:word")
        token = dict(alg="ES384", iss="test-issuer", aud=["slim-aud"])
        assert peer.ask("connect", server=server, auth=basic) == {}
        assert peer.ask("connect", server=server + "/", auth={
            "type": "jwt", "key": keys.sign_pem("ES384"), "sub": "link", **token}) == {}
        assert wait_until(lambda: len(headers) == 2), headers
    probe.good("link", username="user1", password="pass:word")
    assert probe.ask("admit", value=headers[0], now=int(time.time()))["status"] == 0
    assert probe.ask("admit", value=headers[1], now=int(time.time()))["status"] != 0
    probe.good("open", kind="jwt", alg="ES384", key=keys.verify_pem("ES384"), iss=["test-issuer"], aud=["slim-aud"])
    probe.good("link")
    assert probe.ask("admit", value=headers[1], now=int(time.time()))["status"] == 0
    for value in (headers[0], "", "Bearer ", "bearer " + headers[1][7:], headers[1] + "x", headers[1][7:]):
        assert probe.ask("admit", value=value, now=int(time.time()))["status"] != 0, value


@pytest.mark.parametrize("version", REFERENCES)
@pytest.mark.parametrize("kind", ["basic", "jwt"])
def test_real_servers_let_our_links_in(version, kind, probe, keys):
    apps = RealApps(version)
    try:
        port, now = free_port(), int(time.time())
        if kind == "basic":
            auth = dict(type="basic", username="user1", password="pass:word")
            good = probe.good("header", username="user1", password="pass:word")["value"]
            bad = probe.good("header", username="user1", password="pass:wort")["value"]
        else:
            claims = dict(iss="test-issuer", aud=["slim-aud"])
            auth = dict(type="jwt", alg="PS256", public=keys.verify_pem("PS256"), **claims)
            made = dict(alg="PS256", key=keys.sign_pem("PS256"), sub="link", now=now)
            good = "Bearer " + probe.good("sign", **made, **claims)["token"]
            bad = "Bearer " + probe.good("sign", **made, iss="test-issuer", aud=["other"])["token"]
        assert apps.ask("serve", endpoint=f"127.0.0.1:{port}", auth=auth) == {}
        assert wait_until(lambda: is_listening(port))
        with h2raw.Conn.connect(port) as conn:
            for value, status in ((good, "200"), (bad, "401"), (good, "200")):
                stream = open_with(conn, value)
                assert conn.wait(lambda: stream.headers is not None)
                assert stream.header(":status") == status
    finally:
        apps.close()


def literal(key, value):
    """One header without any table, whatever its length (RFC 7541, 6.2.2)."""
    return b"\x00" + b"".join(h2raw.hpack.hpack.encode_integer(len(text), 7) + text for text in (key, value))


def open_with(conn, value, path=h2raw.PATH):
    """A request with this authorization header (None: without; a list: several), longer than h2raw's own encoder likes."""
    headers = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "127.0.0.1"),
               ("te", "trailers"), ("content-type", "application/grpc")]
    values = value if isinstance(value, list) else [value]
    headers += [("authorization", one) for one in values if one is not None]
    block = b"".join(literal(key.encode(), value.encode()) for key, value in headers)
    stream = h2raw.Stream(conn, conn.next_id)
    with conn.changed:
        conn.streams[stream.id] = stream
        conn.next_id += 2
    conn.send(h2raw.frame(h2raw.HEADERS, h2raw.END_HEADERS, stream.id, block))
    return stream
