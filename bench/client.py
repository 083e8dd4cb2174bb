#!/usr/bin/env python3
"""What an application costs, over our node: ours (bench/client) beside the reference package (bench/client_reference.py), in one run.

    bench/client.py [--build DIR] [--static DIR] [--turns N] [--save]        --save writes bench/results/DATE-client.md

PEER_1_0_1 (an interpreter with slim-bindings 1.0.1) as for the tests. CPU is that of the whole process, per message. --static: a build with
-Dprefer_static=true (libraries linked statically), for its memory.
"""

import argparse
import ctypes
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from harness.certs import Authority  # noqa: E402
from harness.node import Node, peer_python  # noqa: E402

MEMBERS, IDLE_S = 31, 20
REFERENCE = [peer_python("1.0.1"), ROOT / "bench/client_reference.py"]


def start(command):
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def await_ready(process):
    while not process.stdout.readline().startswith("{"):  # the reference logs to its standard output
        assert process.poll() is None
    return process


def told(text):
    return json.loads([line for line in text.splitlines() if line.startswith("{")][-1])


def run(command):
    return told(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, timeout=300).stdout)


def stop(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        process.communicate(timeout=60)


class Ours:
    def __init__(self, build):
        self.client = build / "bench/client"

    def near(self, role, endpoint, me, peer, count, mls):
        return [self.client, role, endpoint, me, peer, count, mls]

    def far(self, role, endpoint, me, count):
        return [self.client, role, endpoint, me, count]

    def members(self, endpoint, me, processes):
        if processes == 1:
            return [[self.client, "member", endpoint, me, MEMBERS]]
        return [[self.client, "member", endpoint, me, 1, i] for i in range(MEMBERS)]


class Reference:
    def near(self, role, endpoint, me, peer, count, mls):
        return [*REFERENCE, role, endpoint, me, peer, count, mls]

    def far(self, role, endpoint, me, count):
        return [*REFERENCE, role, endpoint, me, "-", count, 0]

    def members(self, endpoint, me, processes):
        return [[*REFERENCE, "member", endpoint, me, i, 1, 1] for i in range(MEMBERS)]


def pair(kind, far, near, endpoint, tag, count, mls):
    """The far side first; what near and far print last."""
    there = await_ready(start(kind.far(far, endpoint, f"org/bench/far{tag}", count)))
    got = run(kind.near(near, endpoint, f"org/bench/near{tag}", f"org/bench/far{tag}", count, mls))
    return got, told(there.communicate(timeout=60)[0])


def grow(moderator, members, endpoint, tag, processes=1, turns=1):
    """Medians of the invitations and of the last eight, of the best of `turns` groups."""
    rows = []
    there = []
    for turn in range(turns):
        if not there or isinstance(members, Ours):  # those of the reference serve one group after the other
            there = [start(command) for command in members.members(endpoint, f"org/bench/m{tag}{turn}x", processes)]
            names = f"org/bench/m{tag}{turn}x"
            for process in there:
                await_ready(process)
            time.sleep(0.5)
        ms = run(moderator.near("grow", endpoint, f"org/bench/g{tag}{turn}", names, MEMBERS, 1))["invite_ms"]
        rows.append((statistics.median(ms), statistics.median(ms[-8:])))
        if isinstance(members, Ours):
            for process in there:
                process.communicate(timeout=60)
    if isinstance(members, Reference):
        stop(there)
    return min(rows), (statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows))


def verify_us():
    """A verification of Ed25519 by libsodium, now: what most of the CPU of MLS is."""
    sodium = ctypes.CDLL("libsodium.so.23")
    sodium.sodium_init()
    public, secret, signature, text = (ctypes.create_string_buffer(size) for size in (32, 64, 64, 600))
    sodium.crypto_sign_keypair(public, secret)
    sodium.crypto_sign_detached(signature, None, text, ctypes.c_ulonglong(600), secret)
    cpu = time.process_time()
    for _ in range(500):
        assert sodium.crypto_sign_verify_detached(signature, text, ctypes.c_ulonglong(600), public) == 0
    return (time.process_time() - cpu) * 1e6 / 500


def one_way(kinds, endpoint, turns):
    figures = {}
    for turn in range(turns):
        for label, kind, counts in kinds:
            for mls in (0, 1):
                sent, got = pair(kind, "recv", "send", endpoint, f"{turn}{label[0]}{mls}", counts[mls], mls)
                figures.setdefault((label, mls), []).append((sent["per_s"], sent["cpu_us"], got["cpu_us"]))
    lines = ["| One way, 100 B, a window | Sender: messages/s | CPU us | Receiver: CPU us |", "|---|---|---|---|",
             "| budget, no MLS | 100,000 | 5 | 5 |", "| budget, MLS | | 35 | 75 |"]
    for (label, mls), rows in figures.items():
        per_s, send_us, receive_us = (statistics.median(column) for column in zip(*rows))
        lines.append(f"| {label}, {'MLS' if mls else 'no MLS'} | {per_s:,.0f} | {send_us:.1f} | {receive_us:.1f} |")
    return lines


def growth(ours, reference, endpoint, turns):
    rows = (("ours, one process with a thread each", ours, ours, 1, "<= 5 / 8"), ("ours, a process each", ours, ours, MEMBERS, ""),
            ("reference, a process each", ours, reference, MEMBERS, "<= 15"), ("reference, a process each", reference, reference, MEMBERS, ""))
    lines = ["", f"| Growth to {MEMBERS + 1} members with MLS: members | Moderator | best of {turns}: median / last eight, ms | median of {turns} | Budget |",
             "|---|---|---|---|---|"]
    for i, (text, moderator, members, processes, budget) in enumerate(rows):
        best, middle = grow(moderator, members, endpoint, i, processes, turns)
        lines.append(f"| {text} | {'ours' if moderator is ours else 'reference'} | {best[0]:.1f} / {best[1]:.1f} | {middle[0]:.1f} / {middle[1]:.1f} | {budget} |")
    return lines


def megabytes(*figures):
    return f"{max(row['rss_kb'] for row in figures) / 1024:.1f} ({max(row['own_kb'] for row in figures) / 1024:.1f})"


def quiet(ours, static, reference, folder):
    lines = []
    authority = Authority(folder, "bench")
    cert = authority.pair("node")
    secure = {"cert": cert.cert, "key": cert.key}
    with Node() as plain, Node(tls=secure) as tls:
        entry = f'{{endpoint: "https://127.0.0.1:{tls.port}", tls: {{ca_source: {{type: file, path: "{authority.path}"}}%s}}}}'
        endpoints = (f"http://127.0.0.1:{plain.port}", entry % "", entry % ", include_system_ca_certs_pool: false")
        mine = [pair(ours, "wait", "quiet", endpoints[i], f"q{i}", IDLE_S, min(i, 1)) for i in range(3)]
        alone = run(ours.far("idle", endpoints[0], "org/bench/idle", IDLE_S))
        theirs = [pair(reference, "wait", "quiet", endpoints[0], f"r{mls}", IDLE_S, mls) for mls in (0, 1)]
        group = ours.client.parents[1] / "cmd/slim-group/slim-group"
        talked = [chat(group, f"http://127.0.0.1:{plain.port}", folder, [], authority.path),
                  chat(group, f"https://127.0.0.1:{tls.port}", folder, ["--enable-mls"], authority.path)]
        linked = [pair(static, "wait", "quiet", endpoints[i], f"s{i}", 2, min(i, 1)) for i in range(3)] if static else None
    theirs.append(())
    kinds = (("no MLS, no TLS", 4.5), ("MLS and TLS", 8), ("MLS and TLS, but without the system's roots", 8))
    for i, (text, budget) in enumerate(kinds):
        static_text = megabytes(*linked[i]) if linked else "-"
        their_text = ("", ", without TLS", "-")[i]
        their_text = megabytes(*theirs[i]) + their_text if theirs[i] else their_text
        lines.append(f"| RSS after 100 messages each way (not of files), MB: {text} | {megabytes(*mine[i])} | {static_text} | {their_text} | <= {budget} |")
    for (text, budget), figures in zip(kinds, talked):
        lines.append(f"| the same of slim-group, which gives the loader's tables back after its start: {text} | {megabytes(*figures)} | | | <= {budget} |")
    lines.append(f"| wakes per second, all threads, {IDLE_S} s, a session open | {max(row['wakes_per_s'] for one in mine for row in one):.2f} | "
                 f"| {max(row['wakes_per_s'] for row in theirs[0] + theirs[1]):.2f} | <= 1 |")
    lines.append(f"| the same without a session, and its RSS, MB | {alone['wakes_per_s']:.2f}, {megabytes(alone)} | | | |")
    return lines


def resident(process):
    """RSS and what of it is of no file, as bench/client says it."""
    rows = dict(line.split(":") for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:])
    return {"rss_kb": int(rows["Rss"].split()[0]), "own_kb": int(rows["Anonymous"].split()[0])}


def await_text(path, text):
    while text not in path.read_text():
        time.sleep(0.02)


def chat(program, url, folder, options, roots):
    """Two slim-group programs that have said 100 lines each: their memory. `roots`: the file of the only root they know."""
    environment = {**os.environ, "SSL_CERT_FILE": str(roots)}
    secret = "a shared secret of at least 32 bytes"
    told = {"a": folder / "a", "b": folder / "b"}
    both = {}
    for name, more in (("a", []), ("b", ["--remote", "org/bench/room", "--invites", "org/bench/a", *options])):
        command = [program, "--slim", url, "--shared-secret", secret, "--local", f"org/bench/{name}", *more]
        with told[name].open("w") as output:
            both[name] = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=output, stderr=output, text=True, env=environment)
        await_text(told[name], "client connected" if name == "a" else "Welcome")
    for i in range(100):
        for process in both.values():
            process.stdin.write(f"line {i}\n")
            process.stdin.flush()
    for path in told.values():
        await_text(path, "> line 99\n")
    figures = [resident(process) for process in both.values()]
    stop(both.values())
    return figures


def measure(ours, static, turns, folder):
    reference = Reference()
    with Node() as node:
        endpoint = f"http://127.0.0.1:{node.port}"
        lines = one_way((("ours", ours, (300_000, 60_000)), ("reference 1.0.1", reference, (10_000, 5_000))), endpoint, turns)
        rounds = [pair(kind, "echo", "ping", endpoint, f"e{label}", count, 0)[0] for label, kind, count in (("o", ours, 5000), ("r", reference, 2000))]
        lines += growth(ours, reference, endpoint, turns)
    p50, p99 = ([f"{row[key] / 1000:.3f}" for row in rounds] for key in ("p50_us", "p99_us"))
    lines += ["", "| | Ours | Libraries linked statically | Reference (Python) | Budget |", "|---|---|---|---|---|",
              f"| round trip, p50 / p99, ms | {p50[0]} / {p99[0]} | | {p50[1]} / {p99[1]} | <= 0.25 |"]
    return lines + quiet(ours, static, reference, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--static", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    load, cost = os.getloadavg()[0], verify_us()
    with tempfile.TemporaryDirectory() as folder:
        lines = measure(Ours(options.build), options.static and Ours(options.static), options.turns, Path(folder))
    date = datetime.date.today().isoformat()
    head = [f"# What an application costs, {date}", "",
            f"`bench/client.py --turns {options.turns}{' --static DIR' if options.static else ''}`: medians. {platform.machine()}, {os.cpu_count()} cores, "
            f"Linux {platform.release()}; load of the machine before {load:.1f}, after {os.getloadavg()[0]:.1f}; one verification of Ed25519 (libsodium) "
            f"before {cost:.0f}, after {verify_us():.0f} us. Reliable point-to-point over our node; sender, receiver and node are three processes. In growth, moderator, "
            "members and node share the cores.", ""]
    print("\n".join(head + lines))
    if options.save:
        (ROOT / f"bench/results/{date}-client.md").write_text("\n".join(head + lines) + "\n")


if __name__ == "__main__":
    main()
