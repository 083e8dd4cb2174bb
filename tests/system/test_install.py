"""What `make install` puts down is enough for a C program: headers, libraries, pkg-config. The examples and docs/c-api.md work with it."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from harness.node import Node

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SLIM_BUILD_DIR", ROOT / "build"))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    destdir = tmp_path_factory.mktemp("install")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", destdir], check=True, capture_output=True)
    pc = next(destdir.rglob("slim.pc"))
    return destdir, pc.parent


def pkg_config(prefix, *options):
    destdir, folder = prefix
    env = dict(os.environ, PKG_CONFIG_PATH=str(folder), PKG_CONFIG_SYSROOT_DIR=str(destdir))
    return subprocess.run(["pkg-config", *options, "slim"], env=env, check=True, capture_output=True, text=True).stdout.split()


def run_example(program, env=None):
    shown = subprocess.run([program], env=env, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "alice" in shown.lower(), shown
    return shown


@pytest.mark.parametrize("compiler", [["cc", "-std=c99"], ["c++", "-x", "c++"]], ids=["C99", "C++"])
def test_the_header_compiles_in_other_languages(prefix, tmp_path, compiler):
    source = tmp_path / "header.c"
    source.write_text("#include <slim/mls.h>\n#include <slim/slim.h>\n"
                      "int main(void) { return slim_mls_status_text(SLIM_MLS_OK) == 0 || slim_version() == 0; }\n")
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-pedantic", *pkg_config(prefix, "--cflags"), "-c", source, "-o",
                    tmp_path / "header.o"], check=True)


def test_the_example_builds_against_the_shared_library(prefix, tmp_path):
    program = tmp_path / "mls_group"
    subprocess.run(["cc", "-Wall", "-Werror", ROOT / "examples/mls_group.c", "-o", program, *pkg_config(prefix, "--cflags", "--libs")],
                   check=True)
    needed = subprocess.run(["readelf", "-d", program], check=True, capture_output=True, text=True).stdout
    assert "libslim.so.1" in needed
    library = next(prefix[0].rglob("libslim.so.1"))
    run_example(program, dict(os.environ, LD_LIBRARY_PATH=str(library.parent)))


def test_the_example_builds_against_the_static_library(prefix, tmp_path):
    program = tmp_path / "mls_group"
    archive = next(prefix[0].rglob("libslim.a"))
    flags = [flag for flag in pkg_config(prefix, "--cflags", "--libs", "--static") if flag != "-lslim"]
    subprocess.run(["cc", "-Wall", "-Werror", ROOT / "examples/mls_group.c", archive, "-o", program, *flags], check=True)
    run_example(program)


def test_only_public_names_are_exported(prefix):
    library = next(prefix[0].rglob("libslim.so.1"))
    names = [line.split()[-1] for line in subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout.splitlines()]
    headers = "".join(header.read_text() for header in (ROOT / "include/slim").glob("*.h"))
    assert [name for name in names if f"{name}(" not in headers] == []
    assert sorted(names) == (ROOT / "tests/system/libslim.symbols").read_text().split(), "the ABI is a promise: change the list on purpose"


# ---- the examples, against the installed library


@pytest.fixture(scope="module")
def environment(prefix):
    library = next(prefix[0].rglob("libslim.so.1"))
    return dict(os.environ, LD_LIBRARY_PATH=str(library.parent), PKG_CONFIG_PATH=str(prefix[1]), PKG_CONFIG_SYSROOT_DIR=str(prefix[0]))


@pytest.fixture(scope="module")
def examples(prefix, tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    for name in ["hello", "group_chat", "poll_loop", "request_reply", "send_file"]:
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-pthread", ROOT / f"examples/{name}.c", "-o", folder / name,
                        *pkg_config(prefix, "--cflags", "--libs")], check=True)
    return folder


class Started:
    """A program that runs beside others; its input is a pipe."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(list(map(str, command)), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def rest(self):
        shown, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return shown.splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def run(command, environment):
    return subprocess.run(list(map(str, command)), env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


def test_hello_says_hello(examples, environment):
    with Node() as node:
        shown = run([examples / "hello", f"http://127.0.0.1:{node.port}"], environment)
        assert re.fullmatch(r"org/ns/bob/[0-9a-f]+ > hello \[encrypted\]\n", shown)


def test_a_group_chats(examples, environment):
    with Node() as node:
        chat = [examples / "group_chat", f"http://127.0.0.1:{node.port}"]
        with Started([*chat, "org/ns/bob"], environment) as bob, Started([*chat, "org/ns/carol"], environment) as carol:
            assert (bob.line(), carol.line()) == ("* waiting", "* waiting")
            with Started([*chat, "org/ns/alice", "org/ns/bob", "org/ns/carol"], environment) as alice:
                assert [alice.line(), alice.line()] == ["* org/ns/bob is in", "* org/ns/carol is in"]
                alice.say("hello, all")
                assert (bob.line(), carol.line()) == ("alice > hello, all",) * 2
                bob.say("hello, alice")
                assert (alice.line(), carol.line()) == ("bob > hello, alice",) * 2
                assert alice.rest() == ["* the group is over"]
            assert (bob.rest(), carol.rest()) == (["* the group is over"],) * 2


def test_one_loop_serves_input_and_messages(examples, environment):
    with Node() as node:
        loop = [examples / "poll_loop", f"http://127.0.0.1:{node.port}"]
        with Started([*loop, "org/ns/bob"], environment) as bob:
            assert bob.line() == "* waiting"
            with Started([*loop, "org/ns/alice", "org/ns/bob"], environment) as alice:
                alice.say("ping")
                assert bob.line() == "> ping"
                bob.say("pong")
                assert alice.line() == "> pong"
                assert alice.rest() in ([], ["* over"])
            assert bob.rest() == ["* over"]


def test_questions_are_answered(examples, environment):
    with Node() as node:
        program = [examples / "request_reply", f"http://127.0.0.1:{node.port}"]
        with Started([*program, "serve", "org/ns/upper"], environment) as server:
            assert server.line() == "serving"
            for _ in range(2):
                assert run([*program, "ask", "org/ns/me", "org/ns/upper", "one", "two"], environment) == "0: ONE\n1: TWO\n"


def test_a_file_arrives_whole(examples, environment, tmp_path):
    data = os.urandom(20_000_000)
    (tmp_path / "sent").write_bytes(data)
    with Node() as node:
        program = [examples / "send_file", f"http://127.0.0.1:{node.port}"]
        with Started([*program, "receive", "org/ns/bob", tmp_path / "received"], environment) as bob:
            assert bob.line() == "waiting"
            run([*program, "send", "org/ns/alice", "org/ns/bob", tmp_path / "sent"], environment)
            bob.rest()
    assert (tmp_path / "received").read_bytes() == data


# ---- docs/c-api.md, as a newcomer follows it


def test_the_page_for_newcomers_works(prefix, environment, tmp_path):
    blocks = re.findall(r"```(\w*)\n(.*?)```", (ROOT / "docs/c-api.md").read_text(), re.S)
    assert "dataplane" in next(text for kind, text in blocks if kind == "yaml")
    commands = [line for kind, text in blocks if kind == "" for line in text.splitlines()]
    with Node() as node:
        program = next(text for kind, text in blocks if kind == "c")
        assert program.count("127.0.0.1:46357") == 1
        (tmp_path / "group.c").write_text(program.replace("127.0.0.1:46357", f"127.0.0.1:{node.port}"))
        for command in (line for line in commands if line.startswith("cc ")):
            library = f"-L{next(prefix[0].rglob('libslim.a')).parent}"
            subprocess.run(command.replace("-l:", f"{library} -l:"), shell=True, cwd=tmp_path, env=environment, check=True)
        bob, carol, alice = ([tmp_path / line.split()[0], *line.split()[1:]] for line in commands if line.startswith("./group "))
        with Started(bob, environment) as bob, Started([tmp_path / "group-static", *carol[1:]], None) as carol:
            assert (bob.line(), carol.line()) == ("waiting", "waiting")
            assert run(alice, environment) == "said hello\n"
            shown = "waiting\nalice says: hello, all [encrypted]\nsession closed\n"
            assert f"```\n{shown}```" in (ROOT / "docs/c-api.md").read_text()
            assert [bob.rest(), carol.rest()] == [shown.splitlines()[1:]] * 2
