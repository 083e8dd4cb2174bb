"""The three programs: flags and lines of the reference's, on pipes and on a terminal, through our node."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from harness.node import free_port, is_listening, peer_python, wait_until

import slim_bindings as sb

BIN = Path(sys.executable).parent
SECRET = "demo-secret-key-for-examples012345"
PATIENCE_S = 60.0
PROGRAMS = ("slim-bindings-group", "slim-bindings-p2p", "slim-bindings-server")


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SLIM_")}
    return {**kept, "TERM": "xterm", **more}


class Program:
    """One of them on pipes; or on a terminal."""

    def __init__(self, name, *arguments, has_terminal=False, **options):
        own, theirs = pty.openpty() if has_terminal else os.pipe()
        self.text = b""
        self.has_terminal = has_terminal
        self.process = subprocess.Popen(
            [BIN / name, *arguments],
            stdin=theirs if has_terminal else subprocess.PIPE,
            stdout=theirs,
            stderr=subprocess.STDOUT if has_terminal else subprocess.PIPE,
            env=options.pop("env", environment()),
            **options,
        )
        os.close(theirs)
        self.output = own

    def read(self, wait_s):
        if select.select([self.output], [], [], wait_s)[0]:
            try:
                self.text += os.read(self.output, 65536)
            except OSError:  # a terminal that nobody has open
                pass

    def expect(self, text, count=1):
        """Wait until it has written that, `count` times."""
        end = time.monotonic() + PATIENCE_S
        while self.text.count(text.encode()) < count and time.monotonic() < end:
            self.read(0.1)
        assert self.text.count(text.encode()) >= count, f"no {text!r} in {self.text.decode()}"

    def type(self, line):
        if self.has_terminal:
            os.write(self.output, line.encode() + b"\r")
        else:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def end(self):
        """Its status, when it has ended by itself."""
        limit = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < limit:
            self.read(0.1)
        return self.process.wait(1)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stderr):
            if stream:
                stream.close()
        os.close(self.output)


@pytest.fixture
def start():
    made = []

    def run(*arguments, **options):
        made.append(Program(*arguments, **options))
        return made[-1]

    yield run
    for program in made:
        program.close()


def flags(python, name):
    done = subprocess.run([python.parent / name, "--help"], capture_output=True, text=True, check=True, env=environment())
    return set(re.findall(r"^ +(?:-\w(?: [A-Z]+)?, )?(--[a-z-]+)", done.stdout, re.MULTILINE))


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_flag_of_the_reference_is_there(name):
    theirs = flags(peer_python("1.0.1"), name)
    assert len(theirs) >= 3 and theirs == flags(Path(sys.executable), name)


def common(node, name):
    return ["--local", f"agntcy/ns/{name}", "--slim", f"http://127.0.0.1:{node.port}", "--shared-secret", SECRET]


@pytest.mark.parametrize("mls", [[], ["--enable-mls"]], ids=["plain", "mls"])
def test_the_group_of_the_tutorial(node, start, mls):
    group = "slim-bindings-group"
    members = [start(group, *common(node, f"client-{i}")) for i in (1, 2, 3)]
    for member in members:
        member.expect("Waiting for session...")
    invites = ["--remote", "agntcy/ns/chat", "--invites", "agntcy/ns/client-1", "--invites", "agntcy/ns/client-2"]
    moderator = start(group, *common(node, "moderator"), *invites, *mls)
    moderator.expect("agntcy/ns/moderator -> add agntcy/ns/client-2/ffffffffffffffff to the group")
    for member in (moderator, *members[:2]):
        member.expect("Welcome to the group agntcy/ns/chat/ffffffffffffffff!")
        member.expect("  - 'exit' or 'quit' to leave the group")
    moderator.type("hello, group")
    for member in members[:2]:
        member.expect("> hello, group")
    moderator.expect("> message received by agntcy/ns/client-", count=2)
    members[0].type("esc\x1b[2Jape")
    moderator.expect("> esc\N{REPLACEMENT CHARACTER}[2Jape")
    moderator.type("invite agntcy/ns/client-3")  # a name that it has no route to
    members[2].expect("Welcome to the group")
    members[2].type("me too")
    members[0].expect("> me too")
    moderator.type("invite agntcy/ns/client-3")
    moderator.expect("Error: Participant agntcy/ns/client-3 is already in the group.")
    moderator.type("remove agntcy/ns/nobody")
    moderator.expect("Error: Participant agntcy/ns/nobody is not in the group.")
    moderator.type("remove agntcy/ns/client-1")
    assert members[0].end() == 0
    members[1].type("exit")
    assert members[1].end() == 0
    moderator.type("exit")
    assert moderator.end() == 0 and members[2].end() == 0


def test_on_a_terminal_there_is_a_prompt(node, start):
    member = start("slim-bindings-group", *common(node, "client-1"), has_terminal=True)
    member.expect("Waiting for session...")
    invites = ["--remote", "agntcy/ns/chat", "--invites", "agntcy/ns/client-1"]
    moderator = start("slim-bindings-group", *common(node, "moderator"), *invites)
    member.expect("Welcome to the group")
    wait_until(lambda: member.read(0.1) or re.search(rb"agntcy/ns/client-1/[0-9a-f]+ > ", member.text), PATIENCE_S)
    member.type("typed on a terminal")
    moderator.expect("> typed on a terminal")
    moderator.type("from a pipe")
    member.expect("> \x1b[0mfrom a pipe")  # the name has a colour, and it ends there
    member.type("quit")
    assert member.end() == 0


def test_the_pair_of_the_tutorial(node, start):
    alice = start("slim-bindings-p2p", *common(node, "alice"))
    alice.expect("waiting for new session to be established")
    given = environment(SLIM_MESSAGE="hey there")  # a setting out of the environment
    bob = start(
        "slim-bindings-p2p", *common(node, "bob"), "--remote", "agntcy/ns/alice", "--iterations", "2", "--enable-mls", env=given
    )
    assert bob.end() == 0
    assert re.search(rb"Sent message hey there - 2/2", bob.text)
    assert re.search(rb"received \(from session \d+\): hey there from \d+", bob.text)
    alice.expect("received: hey there", count=2)


def test_what_a_peer_writes_commands_no_terminal_and_may_be_any_bytes(node, start):
    alice = start("slim-bindings-p2p", *common(node, "alice"))
    alice.expect("waiting for new session to be established")
    service = sb.Service("bob")
    link = service.connect(sb.new_insecure_client_config(f"http://127.0.0.1:{node.port}"))
    app = service.create_app_with_secret(sb.Name("agntcy", "ns", "bob"), SECRET)
    app.subscribe(app.name(), link)
    app.set_route(peer := sb.Name("agntcy", "ns", "alice"), link)
    config = sb.SessionConfig(session_type=sb.SessionType.POINT_TO_POINT, max_retries=5, interval=timedelta(seconds=5))
    session = app.create_session_and_wait(config, peer)
    session.publish_and_wait(b"esc\x1b[2Jape \xff")
    answer = session.get_message(timedelta(seconds=PATIENCE_S)).payload.decode()
    assert answer.startswith("esc\N{REPLACEMENT CHARACTER}[2Jape \N{REPLACEMENT CHARACTER} from ")
    assert b"\x1b" not in alice.text
    app.delete_session_and_wait(session)
    service.shutdown()


def test_settings_out_of_a_dotenv_file(node, start, tmp_path):
    alice = start("slim-bindings-p2p", *common(node, "alice"))
    alice.expect("waiting for new session")
    (tmp_path / ".env").write_text("# settings\nexport SLIM_MESSAGE='from a file'\nSLIM_REMOTE=agntcy/ns/alice\n")
    bob = start("slim-bindings-p2p", *common(node, "bob"), "--iterations", "1", cwd=tmp_path)
    assert bob.end() == 0 and b"from a file from " in bob.text


def test_the_server_serves_until_it_is_interrupted(start):
    port = free_port()
    server = start("slim-bindings-server", "--slim", f"127.0.0.1:{port}")
    server.expect(f"Slim server started on 127.0.0.1:{port}")
    assert is_listening(port)
    server.process.send_signal(signal.SIGINT)
    assert server.end() == 0
    server.expect(f"Server stopped at 127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--local", "a/b"], 1, b"IDs must be in the format"),
        (["--local", "a/b/c", "--jwt", "/nowhere"], 1, b"Configuration error: File not found: /nowhere"),
        ([], 2, b"--local"),
    ],
)
def test_mistakes_are_said_in_a_line(node, start, arguments, status, text):
    program = start("slim-bindings-group", "--slim", f"http://127.0.0.1:{node.port}", *arguments)
    assert program.end() == status
    assert text in program.text + program.process.stderr.read()


def test_the_short_secret_of_the_reference_is_refused_with_its_reason(node, start):
    program = start("slim-bindings-group", "--slim", f"http://127.0.0.1:{node.port}", "--local", "a/b/c")
    assert program.end() == 1 and b"hmac key is too short" in program.process.stderr.read()
