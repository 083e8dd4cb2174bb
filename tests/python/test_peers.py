"""Our package and real ones of other releases, over a node in this process: identities by JWT, and sessions with 1.0.0."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from harness.node import peer_python

import slim_bindings as sb

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).parent / "drivers" / "pair.py"
SECRET = "a shared secret of at least 32 bytes"
COUNT = 5
TIMEOUT_S = 60


@pytest.fixture
def node():
    """Its URL."""
    service = sb.Service("node")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{probe.getsockname()[1]}"
    service.run_server(sb.new_insecure_server_config(endpoint))
    yield f"http://{endpoint}"
    service.shutdown()


def start(version, settings, **more):
    environment = {key: value for key, value in os.environ.items() if version == "ours" or key != "PYTHONPATH"}
    return subprocess.Popen(
        [sys.executable if version == "ours" else peer_python(version), str(DRIVER), json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, **more},
    )


def result_of(process):
    out, err = process.communicate(timeout=TIMEOUT_S)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    assert lines, err
    return json.loads(lines[-1])


def wait_until_ready(process):
    """It prints that, perhaps behind lines of its log."""
    for line in process.stdout:
        if line.strip() == "ready":
            return
    raise AssertionError(process.communicate(timeout=TIMEOUT_S))


def talk(sender, receiver, first, second, **more):
    """What the two ends say."""
    come = start(receiver, second, **more)
    try:
        wait_until_ready(come)
        out = start(sender, first, **more)
        try:
            return result_of(out), result_of(come)
        finally:
            out.kill()
    finally:
        come.kill()
        come.wait()


def check_talk(out, come):
    assert out == {"answers": [f"re: message {number}" for number in range(COUNT)]}
    assert come["texts"] == [f"message {number}" for number in range(COUNT)]
    assert "session closed" in come["end"]


def settings(node, name, **more):
    return {"server": node, "name": name, "secret": SECRET, **more}


@pytest.mark.parametrize(
    ("sender", "receiver"), [("ours", "1.0.0"), ("1.0.0", "ours"), ("ours", "ours")], ids=lambda version: version
)
def test_sessions_with_mls_of_1_0_0_when_plaintext_is_allowed(node, sender, receiver):
    first = settings(node, "org/ns/a", peer="org/ns/b", mls=True, count=COUNT)
    check_talk(*talk(sender, receiver, first, settings(node, "org/ns/b"), SLIM_ALLOW_PLAINTEXT="1"))


def test_plaintext_of_1_0_0_is_not_shown_unless_it_is_allowed(node):
    first = settings(node, "org/ns/a", peer="org/ns/b", mls=True, count=1)
    come = start("ours", settings(node, "org/ns/b"))
    try:
        wait_until_ready(come)
        assert "error" in result_of(start("1.0.0", first))
        come.kill()
        assert "message 0" not in come.communicate(timeout=TIMEOUT_S)[0]
    finally:
        come.kill()
        come.wait()


CURVES = {"ES256": "P-256", "ES384": "P-384"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Paths of a private and a public key for each algorithm."""
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for algorithm, curve in CURVES.items():
        private, public = folder / f"{algorithm}.pem", folder / f"{algorithm}-public.pem"
        generate = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", private]
        subprocess.run(generate, check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
        made[algorithm] = (str(private), str(public))
    return made


def jwt(keys, own, peer, audience="tests"):
    return {
        "own": {"algorithm": own, "file": keys[own][0]},
        "peer": {"algorithm": peer, "file": keys[peer][1]},
        "audience": [audience],
    }


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
@pytest.mark.parametrize(
    ("sender", "receiver"), [("ours", "1.0.1"), ("1.4.1", "ours"), ("ours", "ours")], ids=lambda version: version
)
def test_identities_by_jwt(node, keys, sender, receiver, mls):
    # under MLS every member checks all credentials, its own too: one key for both
    other = "ES256" if mls else "ES384"
    first = settings(node, "org/ns/a", peer="org/ns/b", mls=mls, count=COUNT, jwt=jwt(keys, "ES256", other))
    second = settings(node, "org/ns/b", jwt=jwt(keys, other, "ES256"))
    check_talk(*talk(sender, receiver, first, second))


def test_an_identity_for_somebody_else_is_refused(node, keys):
    first = settings(node, "org/ns/a", peer="org/ns/b", mls=False, count=1, jwt=jwt(keys, "ES256", "ES384"))
    second = settings(node, "org/ns/b", jwt=jwt(keys, "ES384", "ES256", audience="others"))
    come = start("ours", second)
    try:
        wait_until_ready(come)
        assert result_of(start("ours", first))["error"].startswith("SessionError")
    finally:
        come.kill()
        come.wait()


AGENT = """
import sys
sys.path.insert(0, sys.argv[1])
import spiffe_agent
agents = [spiffe_agent.Agent(path) for path in sys.argv[2:]]
for number, agent in enumerate(agents):
    agent.home, agent.partner = agents[0].home, agents[0].partner
    agent.rotate_svid(f"/application-{number}")
print("ready", flush=True)
sys.stdin.read()
for agent in agents:
    agent.stop()
"""


@pytest.fixture
def agents(tmp_path):
    """Paths of the sockets of two stand-ins for SPIFFE agents of one trust domain, from the tests of the nodes."""
    paths = [str(tmp_path / f"agent{number}.sock") for number in range(2)]
    process = subprocess.Popen(
        [peer_python("py"), "-c", AGENT, str(ROOT / "tests" / "interop"), *paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until_ready(process)
    yield paths
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_identities_by_spiffe(agents, mls):
    def identity(socket_path):
        spire = sb.SpireConfig(
            socket_path=f"unix://{socket_path}", target_spiffe_id=None, jwt_audiences=["slim"], trust_domains=[]
        )
        return sb.IdentityProviderConfig.SPIRE(config=spire), sb.IdentityVerifierConfig.SPIRE(config=spire)

    service = sb.Service("spiffe")
    first, second = sb.Name("spiffe", "ns", "a"), sb.Name("spiffe", "ns", "b")

    async def main():
        sender = await service.create_app_async(first, *identity(agents[0]))
        receiver = await service.create_app_async(second, *identity(agents[1]))
        config = sb.SessionConfig(
            session_type=sb.SessionType.POINT_TO_POINT, enable_mls=mls, max_retries=5, interval=timedelta(seconds=1)
        )
        out = await sender.create_session_and_wait_async(config, second)
        come = await receiver.listen_for_session_async(timedelta(seconds=20))
        await out.publish_and_wait_async(b"hello")
        assert (await come.get_message_async(timedelta(seconds=20))).payload == b"hello"
        await sender.delete_session_and_wait_async(out)

    asyncio.run(asyncio.wait_for(main(), TIMEOUT_S))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Paths of a self-signed certificate for 127.0.0.1 and its key, twice: ours and a stranger's."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("own", "other"):
        make = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]
        more = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"]
        subprocess.run([*make, *more, *files], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("kind", ["FILE", "PEM"])
def test_links_with_tls(certificates, kind):
    def given(name):
        path = certificates / name
        return path.read_text() if kind == "PEM" else str(path)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{probe.getsockname()[1]}"
    source = getattr(sb.TlsSource, kind)(given("own.crt"), given("own.key"))
    node, service = sb.Service("node"), sb.Service("guest")
    node.run_server(sb.new_secure_server_config(endpoint, source))
    link = sb.new_secure_client_config(f"https://{endpoint}")
    link.backoff = sb.BackoffConfig.FIXED_INTERVAL(
        config=sb.FixedIntervalBackoff(interval=timedelta(milliseconds=10), max_attempts=1)
    )
    link.tls.include_system_ca_certs_pool = False
    link.tls.ca_source = getattr(sb.CaSource, kind)(given("other.crt"))
    with pytest.raises(sb.SlimError.ServiceError, match="self-signed certificate|certificate verify failed"):
        service.connect(link)
    link.tls.ca_source = getattr(sb.CaSource, kind)(given("own.crt"))
    assert service.connect(link) is not None
    node.shutdown()
