"""The demo passes with MLS and notices when there is none; it leaves nothing behind when it is interrupted."""

import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUEST = pathlib.Path(os.environ["PEER_1_0_1"]).parent / "slim-bindings-group"
COMMAND = [sys.executable, str(ROOT / "demo/demo.py"), "--node", os.environ["SLIM_BIN"], "--guest", str(GUEST)]
SECONDS = 180


def children_of(pid):
    """Processes that have `pid` as their parent, by /proc."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_tutorial_is_seen_from_beginning_to_end():
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    names = {line.split("|")[0].strip() for line in done.stdout.splitlines()}
    assert names == {"demo", "node", "relay", "moderator", "client-1", "client-2", "client-3"}


def test_a_group_without_mls_is_noticed():
    done = subprocess.run([*COMMAND, "--without-mls"], capture_output=True, text=True, timeout=SECONDS,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "LEAK: the payload" in done.stdout and "FAILED: relay" in done.stdout


def test_interrupted_it_stops_what_it_started():
    demo = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, start_new_session=True)
    for line in demo.stdout:
        if "Waiting for session" in line:
            break
    # Now the next participant is about to be started: the worst moment.
    started = children_of(demo.pid)
    assert len(started) >= 3 # node, relay, one participant
    demo.send_signal(signal.SIGINT)
    rest, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130 and "interrupted" in rest
    deadline = time.monotonic() + 10
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in started if is_running(pid)] == []
