"""Links that authenticate, as configured in a node: real clients and nodes (1.0.0, 1.0.1, 1.4.1) at one end and our node at the other, keys
from files, from an OIDC server over HTTPS, and from a SPIFFE agent."""

import http.server
import json
import signal
import threading
import time

import pytest
from auth_probe import Probe
from harness import h2raw
from harness.node import REFERENCES, Node, free_port, is_listening, wait_until
from spiffe_agent import Agent
from test_auth_clients import RealApps, open_with
from test_auth_jwt import Keys
from test_auth_oidc import fetch, id_token, provider, tls  # noqa: F401  (fixtures)

BASIC = dict(type="basic", username="user1", password="pass:word")
CLAIMS = dict(audience=["slim-aud"], issuer="test-issuer")
INSECURE = {"insecure": True}
NEVER = {"type": "fixed_interval", "interval": "100ms", "max_attempts": 100}


class AuthNode(Node):
    """Our node with `auth` at its server, or as a client of `port` (its server is open then)."""

    def __init__(self, auth=None, port_of_server=None, backoff=NEVER, client=None, environment=None, **options):
        self.auth, self.to, self.retry, self.client = auth, port_of_server, backoff, client or {}
        self.environment = environment or {}
        super().__init__(**options)

    def _command(self):
        command = super()._command()
        server = {"endpoint": f"127.0.0.1:{self.port}", "tls": INSECURE}
        clients = []
        if self.to is None:
            server["auth"] = self.auth or {"type": "none"}
        else:
            clients = [{"endpoint": f"http://127.0.0.1:{self.to}", "tls": INSECURE, "backoff": self.retry,
                        **({"auth": self.auth} if self.auth else {}), **self.client}]
        dataplane = {"servers": [server], "clients": clients}
        (self.folder / "config.yaml").write_text(json.dumps({"services": {"slim/0": {"dataplane": dataplane}}}))
        return ["env", *(f"{name}={value}" for name, value in self.environment.items()), *command]

    def wait_log(self, text, count=1):
        assert wait_until(lambda: self.log_text().count(text) >= count), f"{text!r} is not in\n{self.log_text()}"

    def end(self):
        """The status of a node that ends by itself."""
        return self.process.wait(timeout=20)


@pytest.fixture
def start(node_kind):
    """Start nodes of ours; each must end well, unless it ended by itself."""
    if node_kind != "ours":
        pytest.skip("about our configuration")
    made = []

    def make(*args, **options):
        made.append(AuthNode(*args, **options))
        return made[-1]

    yield make
    try:
        for node in reversed(made):  # clients first
            status = node.process.poll()
            assert (node.stop() if status is None else status) in (0, 1), node.log_text()
    finally:
        for node in made:
            node.close()


@pytest.fixture(scope="module")
def keys():
    return Keys()


@pytest.fixture
def probe():
    made = Probe()
    yield made
    made.close()


@pytest.fixture(params=REFERENCES)
def apps(request):
    made = RealApps(request.param)
    yield made
    made.close()


def decoding(keys, alg="ES256", path=None):
    return {"type": "jwt", "claims": CLAIMS, "key": {
        "type": "decoding", "algorithm": alg, "format": "pem",
        "key": {"file": str(path)} if path else {"data": keys.verify_pem(alg)}}}


def encoding(keys, alg="ES256", path=None, **claims):
    return {"type": "jwt", "claims": {**CLAIMS, "subject": "org/ns/node", **claims}, "key": {
        "type": "encoding", "algorithm": alg, "format": "pem",
        "key": {"file": str(path)} if path else {"data": keys.sign_pem(alg)}}}


def token(probe, keys, alg="ES256", age=0, **claims):
    answer = probe.good("sign", alg=alg, key=keys.sign_pem(alg), duration=600, now=int(time.time()) - age,
                        **{"sub": "org/ns/x", "iss": "test-issuer", "aud": ["slim-aud"], **claims})
    return "Bearer " + answer["token"]


def ask(node, value=None, path=h2raw.PATH):
    """One call on a connection of its own; its stream, answered."""
    with h2raw.Conn.connect(node.port) as conn:
        stream = open_with(conn, value, path) if value is not None else open_with(conn, None, path)
        assert conn.wait(lambda: stream.headers is not None)
        return stream


def status_of(node, value=None):
    return ask(node, value).header(":status")


# ---- our node lets real clients in


def test_real_clients_with_the_right_password_are_let_in_and_others_told_at_once(start, apps):
    node = start(auth=BASIC)
    server = f"http://127.0.0.1:{node.port}"
    begin = time.monotonic()
    for auth in ({**BASIC, "password": "pass:wort"}, {**BASIC, "username": "user2"}, None):
        answer = apps.ask("connect", server=server, **({"auth": auth} if auth else {}))
        assert "error" in answer and "authentication credentials" in answer["error"], answer
    assert time.monotonic() - begin < 10
    assert node.log_text().count("wrong user name or password") == 2
    assert node.log_text().count("no authorization header") == 1
    assert "pass:wort" not in node.log_text() and "Basic" not in node.log_text()
    assert apps.ask("connect", server=server, auth=BASIC) == {}
    assert "name" in apps.ask("app", name="org/ns/app", secret="a shared secret for tests, long enough")


def test_real_clients_with_good_tokens_are_let_in_and_others_told_at_once(start, apps, keys):
    node = start(auth=decoding(keys))
    server = f"http://127.0.0.1:{node.port}"
    good = dict(type="jwt", alg="ES256", key=keys.sign_pem("ES256"), sub="link", iss="test-issuer", aud=["slim-aud"])
    for change, why in (({"aud": ["other"]}, "audience"), ({"iss": "other"}, "issuer"),
                        ({"key": Keys().sign_pem("ES256")}, "signature"),
                        ({"alg": "ES384", "key": keys.sign_pem("ES384")}, "algorithm")):
        answer = apps.ask("connect", server=server, auth={**good, **change})
        assert "authentication credentials" in answer.get("error", ""), (why, answer)
        assert why in node.log_text().splitlines()[-1]
    assert apps.ask("connect", server=server, auth=good) == {}
    assert "name" in apps.ask("app", name="org/ns/app", secret="a shared secret for tests, long enough")


def test_a_refusal_says_why_and_guessing_needs_many_connections(start, keys, probe):
    node = start(auth=decoding(keys))
    stream = ask(node)
    assert stream.header(":status") == "401" and stream.header("grpc-status") == "16"
    assert stream.header("www-authenticate") == "Bearer"
    assert stream.header("grpc-message") == "no%20authorization%20header"
    assert ask(node, path="/controller.proto.v1.ControllerService/OpenControlChannel").header(":status") == "401"
    assert ask(node, path="/grpc.health.v1.Health/Check").header(":status") == "200"  # probes have no password
    assert "expired" in ask(node, token(probe, keys, age=700)).header("grpc-message")
    assert status_of(node, "Basic dTpw") == "401"
    assert status_of(node, token(probe, keys)) == "200"
    assert status_of(node, token(probe, keys, aud=["slim-aud", "other"])) == "200"
    with h2raw.Conn.connect(node.port) as conn:
        for _ in range(8):
            stream = open_with(conn, "Bearer x")
            assert conn.wait(lambda: stream.headers is not None)  # noqa: B023
        assert conn.wait(lambda: conn.is_closed, timeout=10)


GOOD = "Basic dXNlcjE6cGFzczp3b3Jk"  # of BASIC


@pytest.mark.parametrize("value, why", [
    ([GOOD, "Basic eA=="], "several authorization headers"), (["Basic eA==", GOOD], "several authorization headers"),
    ([GOOD, GOOD], "several authorization headers"), ([GOOD, ""], "several authorization headers"),
    (GOOD + "A", "wrong user name or password"), (GOOD[:-1], "wrong user name or password"),
    (GOOD.upper(), "wrong user name or password"), (GOOD.replace(" ", "  "), "wrong user name or password"),
    ("Basic " + "A" * 12000, "wrong user name or password"), ("", "no authorization header"),
])
def test_games_with_the_header_are_refused(start, value, why):
    node = start(auth=BASIC)
    assert status_of(node, GOOD) == "200"
    stream = ask(node, value)
    assert stream.header(":status") == "401" and stream.header("grpc-message") == why.replace(" ", "%20")
    assert status_of(node, GOOD) == "200"


# ---- our node is let in by real nodes


@pytest.mark.parametrize("kind", ["basic", "jwt"])
def test_our_links_to_real_nodes(start, apps, keys, kind):
    port = free_port()
    if kind == "basic":
        auth, good, bad = BASIC, BASIC, {**BASIC, "password": "wrong"}
    else:
        auth = dict(type="jwt", alg="ES256", public=keys.verify_pem("ES256"), iss="test-issuer", aud=["slim-aud"])
        good, bad = encoding(keys), encoding(keys, audience=["other"])
    assert apps.ask("serve", endpoint=f"127.0.0.1:{port}", auth=auth) == {}
    assert wait_until(lambda: is_listening(port))
    node = start(good, port)
    node.wait_log("client connected")
    assert "Auth is enabled without TLS. This is not recommended." in node.log_text()
    refused = start(bad, port, wait=False)
    assert refused.end() == 1
    log = refused.log_text()
    assert "grpc error" in log and "status: 'The request does not have valid authentication credentials'" in log
    assert "wrong" not in log.replace("went wrong", "")


def test_our_own_links_and_why_they_fail(start, keys):
    node = start(auth=decoding(keys))
    for auth, why in ((encoding(keys, audience=["other"]), "audience"), (BASIC, "no Bearer token"), (None, "no authorization header")):
        refused = start(auth, node.port, wait=False)
        assert refused.end() == 1
        assert "valid authentication credentials" in refused.log_text() and why in refused.log_text()
        assert why in node.log_text()
    start(encoding(keys), node.port).wait_log("client connected")


@pytest.mark.parametrize("auth, why", [
    ({"type": "static_jwt", "file": "/nonexistent/token"}, "No such file or directory (os error 2)"),
    ({"type": "jwt", "key": {"type": "encoding", "algorithm": "ES256", "format": "pem", "key": {"data": "x"}}},
     "no unencrypted private key"),
    ({"type": "jwt", "key": {"type": "autoresolve"}}, "no private key available for signing"),
])
def test_what_cannot_work_ends_the_start_with_a_sentence(start, auth, why):
    node = start(auth, 1, wait=False)
    assert node.end() == 1
    assert "failed to start service" in node.log_text() and "auth" in node.log_text() and why in node.log_text()


# ---- files that change


def replace(path, text):
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def test_a_key_file_is_taken_over_when_it_changes_and_a_broken_one_changes_nothing(start, keys, probe, tmp_path):
    path, other = tmp_path / "key.pem", Keys()
    path.write_text(keys.verify_pem("ES256"))
    node = start(auth=decoding(keys, path=path))
    old, new = token(probe, keys), token(probe, other)
    with h2raw.Conn.connect(node.port) as conn:
        stream = open_with(conn, old)
        assert conn.wait(lambda: stream.headers is not None) and stream.header(":status") == "200"
        replace(path, "no key")
        node.wait_log("file not taken over, the old content stays in force")
        assert (status_of(node, old), status_of(node, new)) == ("200", "401")
        replace(path, other.verify_pem("ES256"))
        node.wait_log("file taken over")
        assert (status_of(node, old), status_of(node, new)) == ("401", "200")
        node.process.send_signal(signal.SIGHUP)
        node.wait_log("file taken over", 2)
        assert not stream.is_over  # open links go on


def test_a_link_whose_key_is_changed_on_both_sides_comes_back(start, keys, tmp_path):
    public, private, other = tmp_path / "public.pem", tmp_path / "private.pem", Keys()
    public.write_text(keys.verify_pem("ES256"))
    private.write_text(keys.sign_pem("ES256"))
    port = free_port()
    server = start(auth=decoding(keys, path=public), port=port)
    client = start(encoding(keys, path=private), port)
    client.wait_log("client connected")
    server.stop()
    public.write_text(other.verify_pem("ES256"))
    start(auth=decoding(keys, path=public), port=port)
    client.wait_log("the remote node refuses our credentials")
    replace(private, other.sign_pem("ES256"))
    client.wait_log("connection re-established successfully")


def test_a_token_file_must_be_good_at_the_start_and_is_followed(start, keys, probe, tmp_path):
    path = tmp_path / "token"
    path.write_text(token(probe, keys, age=700)[7:] + "\n")
    node = start(auth=decoding(keys))
    auth = {"type": "static_jwt", "file": str(path)}
    expired = start(auth, node.port, wait=False)
    assert expired.end() == 1 and "token file: the token has expired" in expired.log_text()
    path.write_text(token(probe, keys)[7:] + "\n")
    client = start(auth, node.port)
    client.wait_log("client connected")
    replace(path, token(probe, keys, sub="org/ns/y")[7:])
    client.wait_log("file taken over")


def test_token_files_of_real_clients(start, apps, keys, probe, tmp_path):
    path = tmp_path / "token"
    path.write_text(token(probe, keys)[7:])
    node = start(auth=decoding(keys))
    auth = {"type": "static_jwt", "file": str(path)}
    assert apps.ask("connect", server=f"http://127.0.0.1:{node.port}", auth=auth) == {}
    path.write_text(token(probe, keys, iss="other")[7:])
    answer = apps.ask("connect", server=f"http://127.0.0.1:{node.port}/", auth=auth)
    assert "authentication credentials" in answer["error"]


# ---- keys of an issuer


def autoresolve(url):
    return {"type": "jwt", "claims": {"issuer": url, "audience": ["slim-aud"]}, "key": {"type": "autoresolve"}}


@pytest.fixture(scope="module")
def root(tls):  # noqa: F811
    """What makes a process trust the servers."""
    return {"SSL_CERT_FILE": str(tls[1].ca_file)}


def test_keys_of_the_issuer_are_fetched_and_its_tokens_let_in(start, fetch, provider, root, keys, probe):  # noqa: F811
    node = start(auth=autoresolve(provider.url), environment=root)
    node.wait_log("keys of the issuer fetched")
    assert status_of(node, "Bearer " + id_token(fetch, provider.url)) == "200"
    assert status_of(node, token(probe, keys)) == "401"
    assert "issuer" in node.log_text().splitlines()[-1]


def test_without_an_issuer_nothing_is_fetched(start):
    node = start(auth={"type": "jwt", "key": {"type": "autoresolve"}}, wait=False)
    assert node.end() == 1
    assert "autoresolve" in node.log_text() and "issuer" in node.log_text()


def test_an_issuer_without_a_trusted_certificate_is_not_believed(start, provider, keys, probe):  # noqa: F811
    node = start(auth=autoresolve(provider.url))
    node.wait_log("keys of the issuer not fetched, trying again", 2)
    assert "certificate" in node.log_text()
    answer = ask(node, token(probe, keys, iss=provider.url))
    # the keys are being fetched again and again: the client may come back, or there is no key right now
    assert answer.header("grpc-status") in ("14", "16")


class Bad(http.server.BaseHTTPRequestHandler):
    """Redirects, endless answers, and none at all."""

    kind = "redirect"

    def do_GET(self):
        type(self).seen.append(self.path)
        if self.kind == "redirect":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 65536)
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("kind, why", [("redirect", "status_code: 302"), ("endless", "the answer is too long")])
def test_answers_of_an_issuer_are_bounded_and_not_followed(start, tls, root, kind, why):  # noqa: F811
    handler = type("Handler", (Bad,), {"kind": kind, "seen": []})
    issuer = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    issuer.socket = tls[0].wrap_socket(issuer.socket, server_side=True)
    threading.Thread(target=issuer.serve_forever, args=(0.05,), daemon=True).start()
    try:
        node = start(auth=autoresolve(f"https://127.0.0.1:{issuer.server_port}"), environment=root)
        node.wait_log("keys of the issuer not fetched, trying again")
        assert why in node.log_text()
        assert "/elsewhere" not in handler.seen
    finally:
        issuer.shutdown()
        issuer.server_close()


# ---- SPIFFE


@pytest.fixture
def agent(tmp_path):
    made = Agent(str(tmp_path / "agent.sock"))
    yield made
    made.stop()


def test_spiffe_links_come_up_with_the_agent_and_follow_its_keys(start, agent):
    auth = {"type": "spire", "socket_path": f"unix://{agent.path}"}
    agent.stop()
    server = start(auth=auth)
    client = start(auth, server.port)
    client.wait_log("No credentials for the link. Retrying...")
    client.wait_log("no connection to the SPIFFE agent, trying again")
    agent.start()
    client.wait_log("client connected")
    audience = agent.home.token("/bob", ["slim"])
    assert status_of(server, "Bearer " + audience) == "200"
    assert status_of(server, "Bearer " + agent.home.token("/bob", ["other"])) == "401"
    assert status_of(server, "Bearer " + agent.partner.token("/eve", ["slim"])) == "200"
    agent.rotate_keys("key2", drop=["key1"])
    assert wait_until(lambda: status_of(server, "Bearer " + audience) == "401")
    assert status_of(server, "Bearer " + agent.home.token("/bob", ["slim"])) == "200"
    calls = len(agent.calls)
    agent.stop()
    agent.start()
    assert wait_until(lambda: len(agent.calls) >= calls + 4)  # both are back
    assert status_of(server, "Bearer " + agent.home.token("/bob", ["slim"])) == "200"


def test_spiffe_links_of_the_reference_and_ours(start, agent):
    apps = RealApps("1.4.1")  # the first release that has them
    try:
        ours = {"type": "spire", "socket_path": f"unix://{agent.path}"}
        theirs = {"type": "spire", "path": f"unix://{agent.path}"}
        node = start(auth=ours)
        assert wait_until(lambda: status_of(node, "Bearer " + agent.home.token("/x", ["slim"])) == "200")
        assert apps.ask("connect", server=f"http://127.0.0.1:{node.port}", auth=theirs) == {}
        assert "name" in apps.ask("app", name="org/ns/app", secret="a shared secret for tests, long enough")
        port = free_port()
        assert apps.ask("serve", endpoint=f"127.0.0.1:{port}", auth=theirs) == {}
        start(ours, port).wait_log("client connected")
        agent.home.keys["key1"] = agent.partner.keys["key1"]  # the agent signs with a key that nobody knows
        refused = start(ours, port, wait=False)
        assert refused.end() == 1 and "valid authentication credentials" in refused.log_text()
    finally:
        apps.close()


# ---- what calls carry besides


def test_configured_headers_and_origin_are_sent_with_each_call(start):
    seen = []
    with h2raw.Server(on_request=lambda conn, stream: (seen.append(list(stream.requests)), conn.respond(stream))) as peer:
        start(BASIC, peer.port, client={"headers": {"X-Test": "a b", "authorization": "mine"},
                                        "origin": "http://elsewhere.test:1234"}).wait_log("client connected")
    headers = [tuple(header) for header in seen[0]]
    assert ("x-test", "a b") in headers
    assert (":authority", "elsewhere.test:1234") in headers
    assert [value for name, value in headers if name == "authorization"] == ["Basic dXNlcjE6cGFzczp3b3Jk"]


def test_calls_are_not_more_than_the_rate_limit(start):
    times = []

    def refuse(conn, stream):
        times.append(time.monotonic())
        conn.close()

    with h2raw.Server(on_request=refuse) as peer:
        start(None, peer.port, client={"rate_limit": "2/1"}, backoff={"type": "fixed_interval", "interval": "1ms"},
              wait=False)
        assert wait_until(lambda: len(times) >= 7, timeout=20)
    assert times[6] - times[0] > 2.5  # three periods of a second, two calls in each
