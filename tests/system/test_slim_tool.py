"""slim-tool against the node under test."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from harness.node import slim_bin

SECRET = "a shared secret for tests, long enough"


def part(number, data):
    """A field of bytes, shorter than 128."""
    return bytes([number << 3 | 2, len(data)]) + data


HEADER = part(4, b"eyJsecret.x")
SESSION = bytes([8, 2, 16, 1, 24, 7, 32, 9])
CONTENT = part(1, part(1, b"msg") + part(2, b"hello you"))
PUBLISH = part(3, part(1, HEADER) + part(2, SESSION) + part(3, CONTENT)).hex()


def command(*words):
    folder = Path(os.environ.get("SLIM_BUILD_DIR") or slim_bin().parents[2])
    return [str(folder / "cmd/slim-tool/slim-tool"), *words]


def run(*words, status=0):
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=60, env={})
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture
def flags(node):
    return ["--slim", f"http://127.0.0.1:{node.port}", "--shared-secret", SECRET]


@pytest.fixture
def listen(flags):
    made = []

    def start(*words):
        made.append(listener := subprocess.Popen(command("sub", "--local", "org/ns/sub", *flags, *words), stdout=subprocess.PIPE,
                                                 stderr=subprocess.STDOUT, text=True))
        return listener

    yield start
    for listener in made:
        listener.kill()
        listener.wait()
        listener.stdout.close()


def send(flags, *words):
    """The listener may not be there yet."""
    for _ in range(20):
        done = subprocess.run(command("pub", "org/ns/sub", *words, *flags), capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            return
    raise AssertionError(done.stderr)


@pytest.mark.parametrize("more", [[], ["--enable-mls"]], ids=["plain", "mls"])
def test_what_is_sent_is_shown(flags, listen, more):
    listener = listen("--count", "2")
    send(flags, "first", *more)
    send(flags, "second", "--local", "org/ns/me", *more)
    assert listener.wait(20) == 0
    first, second = listener.stdout.read().splitlines()
    assert re.fullmatch(r"slim/tool/\d+/[0-9a-f]+ > first", first) and re.fullmatch(r"org/ns/me/[0-9a-f]+ > second", second)


def test_round_trips_are_measured(flags, listen):
    listen()
    send(flags, "are you there")
    line = run("ping", "org/ns/sub", *flags, "--count", "50")
    found = re.fullmatch(r"50 messages of 100 bytes acknowledged: min ([\d.]+) ms, p50 ([\d.]+) ms, p99 ([\d.]+) ms, max ([\d.]+) ms\n", line)
    times = [float(text) for text in found.groups()]
    assert times == sorted(times) and times[0] > 0


@pytest.mark.parametrize("more", [[], ["--enable-mls"], ["--unreliable"]], ids=["plain", "mls", "unreliable"])
def test_load_is_carried_whole(flags, more):
    line = run("bench", *flags[:2], "--count", "2000", *more)
    assert re.match(r"2000 of 2000 messages of 100 bytes.* in [\d.]+ s: \d+ messages/s, [\d.]+ us CPU a message", line)


def test_a_message_is_decoded_and_its_token_is_not_shown(tmp_path):
    raw = bytes.fromhex(PUBLISH)
    framed = tmp_path / "framed"
    framed.write_bytes(b"\0" + len(raw).to_bytes(4, "big") + raw)
    texts = [run("decode", PUBLISH), run("decode", str(framed))]
    assert texts[0] == texts[1]
    for line in ("publish", "    identity: a token of 11 bytes, not shown", "    session_type: multicast", "    session_message_type: msg",
                 "    session_id: 7", "    message_id: 9", '      payload_type: "msg"', "      blob: 9 bytes 68656c6c6f20796f75"):
        assert line in texts[0].splitlines(), texts[0]
    assert "eyJ" not in texts[0]


@pytest.mark.parametrize("words, sentence", [
    (["decode", "zz"], "no file, and not hexadecimal"), (["decode", PUBLISH[:-2]], "ends too early"), (["decode", "/dev/null/x"], "no file"),
    ([], "a command is needed"), (["pub", "a/b/c", "text"], "--shared-secret is needed"),
    (["ping", "a/b/c", "--shared-secret", SECRET, "--count", "0"], "--count"), (["--nonsense"], "unknown argument")])
def test_misuse_gets_a_sentence(words, sentence):
    assert sentence in run(*words, status=1)
