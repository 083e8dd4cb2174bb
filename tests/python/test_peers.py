"""Our package and real ones of other releases, over a node in this process: identities by JWT, and sessions with 1.0.0."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

sb = pytest.importorskip("slim_bindings")

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


def python_of(version):
    python = ROOT / "build" / "venv" / version / "bin" / "python"
    if version == "ours":
        return sys.executable
    if not python.exists():
        pytest.skip(f"build/venv/{version} is not there: tools/setup test")
    return str(python)


def start(version, settings, **more):
    environment = {key: value for key, value in os.environ.items() if version == "ours" or key != "PYTHONPATH"}
    return subprocess.Popen(
        [python_of(version), str(DRIVER), json.dumps(settings)],
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
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl makes the keys")
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
