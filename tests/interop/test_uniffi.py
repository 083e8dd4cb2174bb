"""libslim_bindings.so: the reference's own generated Python file, unmodified, over our library (docs/bindings.md).

The package of a release is copied beside our library for the occasion; its own library stays where it is.
"""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from clients import ClientError
from harness.node import ROOT, peer_python
from test_groups import check_everyone_got, publish_from_all, settle

BUILD = Path(os.environ.get("SLIM_BUILD_DIR", ROOT / "build"))
LIBRARY = BUILD / "bindings" / "uniffi" / "libslim_bindings.so"
DRIVERS = Path(__file__).resolve().parent / "drivers"
SECRET = "demo-secret-key-for-examples012345"
CHANNEL = "org/ns/uniffi-channel"
PATIENCE_S = 120
RELEASES = ("1.0.0", "1.0.1")


def site_packages(release):
    found = list((peer_python(release).parent.parent / "lib").glob("python3*/site-packages/slim_bindings"))
    assert found, f"{peer_python(release)} has no slim_bindings"
    return found[0].parent


def preload():
    """A library built for the address sanitizer wants it in the process first."""
    needed = subprocess.run(["readelf", "-d", LIBRARY], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\[(libasan\.so[^]]*)\]", needed)
    if not found:
        return {}
    path = subprocess.run(["gcc", f"-print-file-name={found[1]}"], check=True, capture_output=True, text=True).stdout.strip()
    return {"LD_PRELOAD": path, "ASAN_OPTIONS": "detect_leaks=0"}


@pytest.fixture(scope="session")
def sites(tmp_path_factory):
    """{release: folder with the generated package of that release over our library}."""
    assert LIBRARY.exists(), f"{LIBRARY} is missing: build it (-Duniffi=true)"
    made = {}
    for release in RELEASES:
        folder = made[release] = tmp_path_factory.mktemp(f"uniffi-{release}")
        package = folder / "slim_bindings"
        package.mkdir()
        for file in (site_packages(release) / "slim_bindings").glob("*.py"):
            shutil.copy(file, package)
        shutil.copy(LIBRARY, package)
    return made


@pytest.fixture(scope="session")
def pythons(sites):
    """{release: an interpreter that finds that package}."""
    made = {}
    for release, site in sites.items():
        program = made[release] = site / "python"
        settings = "".join(f"export {key}='{value}'\n" for key, value in {"PYTHONPATH": site, **preload()}.items())
        program.write_text(f'#!/bin/sh\n{settings}exec "{peer_python(release)}" "$@"\n')
        program.chmod(0o755)
    return made


@pytest.fixture
def uniffi(pythons, monkeypatch):
    """The clients of version "uniffi" are those of release 1.0.0 over our library."""
    monkeypatch.setenv("PEER_uniffi", str(pythons["1.0.0"]))


def run(python, *arguments, **options):
    done = subprocess.run([python, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False, **options)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


# ---- what is shown


def test_the_library_shows_what_generated_files_call_and_nothing_else(sites):
    listed = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], check=True, capture_output=True, text=True).stdout
    shown = {line.split()[2] for line in listed.splitlines()}
    promised = set(re.findall(r"^    (\w+);", (ROOT / "bindings/uniffi/exports.map").read_text(), re.MULTILINE))
    assert shown == promised
    for site in sites.values():
        text = (site / "slim_bindings" / "slim_bindings.py").read_text()
        called = set(re.findall(r"\blib\.(\w+)\(\)", text)) | set(re.findall(r"_UniffiLib\.(\w+)", text))
        assert called == promised


CHECK = """
import slim_bindings.slim_bindings as sb
sb._uniffi_check_contract_api_version(sb._UniffiLib)
sb._uniffi_check_api_checksums(sb._UniffiLib)
print(sb.get_version())
"""


@pytest.mark.parametrize("release", RELEASES)
def test_contract_and_checksums_are_those_of_the_generated_file(pythons, release):
    assert run(pythons[release], "-c", CHECK) == "1.0.0\n"


def test_every_function_is_called_once_at_least(node, pythons, tmp_path):
    out = run(pythons["1.0.0"], DRIVERS / "every_call.py", f"http://127.0.0.1:{node.port}", tmp_path)
    assert out.splitlines()[-1] == "fine"


def test_a_reader_that_gives_up_again_and_again_loses_nothing(pythons):
    assert run(pythons["1.0.0"], DRIVERS / "give_up.py", "1000") == "1000 in order\n"


def test_one_usable_processor_is_enough(node, pythons, tmp_path):
    # the reference's own library hangs here
    run("taskset", "-c", str(min(os.sched_getaffinity(0))), pythons["1.0.0"], DRIVERS / "give_up.py", "50")


# ---- beside real clients


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
@pytest.mark.parametrize(
    ("sender", "receiver"),
    [("uniffi", "uniffi"), ("uniffi", "1.0.1"), ("1.0.1", "uniffi"), ("uniffi", "1.4.1"), ("1.4.1", "uniffi")],
)
def test_pairs_talk_in_both_directions_and_close(node, make_clients, uniffi, sender, receiver, mls):
    first, second = make_clients(node, [sender, receiver])
    first.call("route", name=second.short_name)
    key = first.call("session", kind="p2p", name=second.short_name, mls=mls)["session"]
    answer_key = second.wait_session()
    there = [f"there {i}" for i in range(20)]
    first.call("publish", session=key, texts=there)
    assert second.wait_texts(20) == there
    back = [f"back {i}" for i in range(20)]
    second.call("publish", session=answer_key, texts=back)
    assert first.wait_texts(20) == back
    first.call("delete", session=key)
    assert second.wait_closed()


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
@pytest.mark.parametrize(
    "versions",
    [["uniffi", "1.0.1", "1.4.1", "uniffi"], ["1.0.1", "uniffi", "1.4.1", "uniffi"], ["1.4.1", "uniffi", "1.0.1", "uniffi"]],
    ids=lambda versions: "-".join(versions),
)
def test_groups_invite_publish_remove_close(node, make_clients, uniffi, versions, mls):
    clients = make_clients(node, versions)
    moderator, *members = clients
    key = moderator.call("session", kind="group", name=CHANNEL, mls=mls)["session"]
    for member in members:
        moderator.call("route", name=member.short_name)
        moderator.call("invite", session=key, name=member.short_name)
    sessions = [key, *(member.wait_session() for member in members)]
    settle(clients, sessions)
    check_everyone_got(clients, publish_from_all(clients, sessions, "first"), "first")
    removed = members[0]
    moderator.call("remove", session=key, name=removed.short_name)
    assert removed.wait_closed()
    moderator.call("delete", session=key)
    for member in members[1:]:
        assert member.wait_closed(), f"{member.short_name}: the close did not arrive"


def test_errors_have_the_texts_that_programs_look_for(node, make_clients, uniffi):
    (client,) = make_clients(node, ["uniffi"])
    client.call("route", name="org/ns/nobody")
    with pytest.raises(ClientError, match=r"^SessionError: message='failed to add participant to session"):
        client.call("session", kind="p2p", name="org/ns/nobody", retries=1)


# ---- the example programs of release 1.0.1, unmodified


def example(python, site, module, *arguments):
    shutil.copytree(site_packages("1.0.1") / "examples", site / "examples", dirs_exist_ok=True)
    return subprocess.Popen([python, "-u", "-m", f"examples.{module}", *arguments, "--shared-secret", SECRET],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=site)


def wait_line(process, part):
    """The next line with this part in it; who says nothing for too long is ended, and its output with it."""
    limit = threading.Timer(PATIENCE_S, process.kill)
    limit.start()
    try:
        for line in process.stdout:
            if part in line:
                return line
    finally:
        limit.cancel()
    raise AssertionError(f"no line with {part!r}")


def test_the_point_to_point_example_runs_unmodified(node, pythons, sites):
    url = f"http://127.0.0.1:{node.port}"
    python, site = pythons["1.0.1"], sites["1.0.1"]
    alice = example(python, site, "point_to_point", "--local", "agntcy/ns/alice", "--slim", url)
    try:
        wait_line(alice, "waiting for new session")
        bob = example(python, site, "point_to_point", "--local", "agntcy/ns/bob", "--slim", url, "--remote", "agntcy/ns/alice",
                      "--message", "hey there", "--iterations", "2", "--enable-mls")
        out, _ = bob.communicate(timeout=PATIENCE_S)
        assert bob.returncode == 0, out
        assert len(re.findall(r"received \(from session \d+\): hey there from \d+", out)) == 2, out
    finally:
        alice.kill()
        alice.communicate()


def test_the_group_example_runs_unmodified(node, pythons, sites):
    url = f"http://127.0.0.1:{node.port}"
    python, site = pythons["1.0.1"], sites["1.0.1"]
    member = example(python, site, "group", "--local", "agntcy/ns/client-1", "--slim", url)
    moderator = None
    try:
        wait_line(member, "Waiting for session...")
        moderator = example(python, site, "group", "--local", "agntcy/ns/moderator", "--slim", url, "--remote", "agntcy/ns/chat",
                            "--invites", "agntcy/ns/client-1", "--enable-mls")
        wait_line(member, "Welcome to the group")
        wait_line(moderator, "Welcome to the group")
        moderator.stdin.write("hello from the moderator\n")
        moderator.stdin.flush()
        wait_line(member, "hello from the moderator")
        wait_line(moderator, "message received by agntcy/ns/client-1/")
        moderator.stdin.write("exit\n")
        moderator.stdin.flush()
        assert moderator.wait(PATIENCE_S) == 0
        assert member.wait(PATIENCE_S) == 0
    finally:
        for process in filter(None, (member, moderator)):
            process.kill()
            process.communicate()
