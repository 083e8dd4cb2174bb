#!/usr/bin/env python3
"""What an application costs, over our node: ours (bench/client) beside the reference package, in one run.

    bench/client.py [--build DIR] [--save]        --save writes bench/results/DATE-client.md

PEER_1_0_1 (an interpreter with slim-bindings 1.0.1) as for the tests. CPU is that of the whole process, per message.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from harness.node import Node, peer_python  # noqa: E402

REFERENCE = '''
import asyncio, datetime, json, sys, time
import slim_bindings as slim
slim.initialize_with_defaults()
role, endpoint, me, peer, count, mls = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), sys.argv[6] == "1"
WINDOW = 256
def name(text): return slim.Name(*text.split("/"))
async def main():
    service = slim.Service("bench")
    link = await service.connect_async(slim.new_insecure_client_config(endpoint))
    app = service.create_app_with_secret(name(me), "a shared secret of at least 32 bytes")
    await app.subscribe_async(app.name(), link)
    if role in ("recv", "echo"):
        print(json.dumps({"ready": True}), flush=True)
        session = await app.listen_for_session_async(None)
        await session.get_message_async(None)
        cpu, began = time.process_time(), time.monotonic()
        for _ in range(count - 1):
            message = await session.get_message_async(None)
        print(json.dumps({"per_s": (count - 1) / (time.monotonic() - began), "cpu_us": (time.process_time() - cpu) * 1e6 / (count - 1)}), flush=True)
        await asyncio.sleep(1)
        return
    await app.set_route_async(name(peer), link)
    config = slim.SessionConfig(session_type=slim.SessionType.POINT_TO_POINT, enable_mls=mls, max_retries=10, interval=datetime.timedelta(seconds=1), metadata={})
    context = await app.create_session_async(config, name(peer))
    await context.completion.wait_async()
    session = context.session
    cpu, began = time.process_time(), time.monotonic()
    for start in range(0, count, WINDOW):
        handles = [await session.publish_async(b"x" * 100, None, None) for _ in range(min(WINDOW, count - start))]
        for handle in handles:
            await handle.wait_async()
    print(json.dumps({"per_s": count / (time.monotonic() - began), "cpu_us": (time.process_time() - cpu) * 1e6 / count}), flush=True)
asyncio.run(main())
'''


def start(command):
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def pair(receiver, sender):
    """Both, the receiver first; what each prints last."""
    there = start(receiver)
    while not there.stdout.readline().startswith("{"):  # the reference logs to its standard output
        assert there.poll() is None
    sent = subprocess.run(list(map(str, sender)), check=True, capture_output=True, text=True, timeout=300).stdout
    got, _ = there.communicate(timeout=60)
    return tuple(json.loads([line for line in text.splitlines() if line.startswith("{")][-1]) for text in (sent, got))


def one_way(command, endpoint, tag, count, mls):
    me, peer = f"org/bench/s{tag}{mls}", f"org/bench/r{tag}{mls}"
    if command[0] == "ours":
        return pair([command[1], "recv", endpoint, peer, count], [command[1], "send", endpoint, me, peer, count, mls])
    return pair([command[1], "-c", REFERENCE, "recv", endpoint, peer, "-", count, mls],
                [command[1], "-c", REFERENCE, "send", endpoint, me, peer, count, mls])


def measure(client, turns):
    lines = ["| What | Sender: messages/s | CPU us | Receiver: CPU us |", "|---|---|---|---|"]
    figures = {}
    with Node() as node:
        endpoint = f"http://127.0.0.1:{node.port}"
        for turn in range(turns):
            for kind, command, counts in (("ours", client, (300_000, 60_000)), ("reference 1.0.1", peer_python("1.0.1"), (10_000, 5_000))):
                for mls in (0, 1):
                    sent, got = one_way((kind.split()[0], command), endpoint, f"{turn}{kind[0]}", counts[mls], mls)
                    figures.setdefault((kind, mls), []).append((sent["per_s"], sent["cpu_us"], got["cpu_us"]))
        for (kind, mls), rows in figures.items():
            per_s, send_us, receive_us = (statistics.median(column) for column in zip(*rows))
            lines.append(f"| {kind}, {'MLS' if mls else 'no MLS'} | {per_s:,.0f} | {send_us:.1f} | {receive_us:.1f} |")
        echo = start([client, "echo", endpoint, "org/bench/echo", 5000])
        echo.stdout.readline()
        ping = json.loads(subprocess.run([client, "ping", endpoint, "org/bench/ping", "org/bench/echo", "5000", "0"], check=True,
                                         capture_output=True, text=True).stdout)
        echo.communicate(timeout=60)
        members = start([client, "member", endpoint, "org/bench/m", 31])
        members.stdout.readline()
        grow = json.loads(subprocess.run([client, "grow", endpoint, "org/bench/g", "org/bench/m", "31", "1"], check=True,
                                         capture_output=True, text=True).stdout)
        members.communicate(timeout=60)
        idle = json.loads(subprocess.run([client, "idle", endpoint, "org/bench/idle", "5"], check=True, capture_output=True,
                                         text=True).stdout)
    invites = grow["invite_ms"]
    lines += ["", "| Ours | |", "|---|---|",
              f"| round trip, p50 / p99 | {ping['p50_us'] / 1000:.3f} / {ping['p99_us'] / 1000:.3f} ms |",
              f"| growth to 32 members with MLS: median invitation | {statistics.median(invites):.1f} ms |",
              f"| median of the last eight | {statistics.median(invites[-8:]):.1f} ms |",
              f"| idle client: wakes per second | {idle['wakes_per_s']:.1f} |",
              f"| idle client: RSS (our program, linked statically) | {idle['rss_kb'] / 1024:.1f} MB |"]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    lines = measure(options.build / "bench/client", options.turns)
    date = datetime.date.today().isoformat()
    head = [f"# What an application costs, {date}", "",
            f"`bench/client.py --turns {options.turns}`: medians. {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}; load of the machine "
            f"before {before:.1f}, after {os.getloadavg()[0]:.1f}. Reliable point-to-point, 100 B, a window of messages, over our node; sender, "
            "receiver and node are three processes. In growth, moderator, the members (one process, a thread each) and the node share the cores.", ""]
    print("\n".join(head + lines))
    if options.save:
        (ROOT / f"bench/results/{date}-client.md").write_text("\n".join(head + lines) + "\n")


if __name__ == "__main__":
    main()
