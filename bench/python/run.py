"""bench/python/pair.py with several interpreters in turns, through one node of ours: run.py ROUNDS NAME=PYTHON..."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE = os.environ.get("SLIM_BIN") or str(ROOT / "build" / "cmd" / "slim" / "slim")
PAIR = str(Path(__file__).resolve().parent / "pair.py")
CASES = {  # name: (arguments for ours, arguments for the reference): it is too slow for as many
    "100 B": ("send 40000 100 512", "send 3000 100 512"),
    "64 KiB": ("send 4000 65536 32", "send 60 65536 16"),
    "round trip": ("ping 2000", "ping 200"),
}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def node(port):
    config = f"/tmp/slim-bench-{port}.yaml"
    Path(config).write_text(
        "tracing: {log_level: error}\nruntime: {n_cores: 1}\nservices:\n  slim/0:\n    dataplane:\n"
        f'      servers: [{{endpoint: "127.0.0.1:{port}", tls: {{insecure: true}}}}]\n'
    )
    process = subprocess.Popen([NODE, "--config", config], stdout=subprocess.DEVNULL)
    while True:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)


def measure(python, arguments):
    """One case: a fresh node, a fresh receiver, a fresh sender."""
    port = free_port()
    running = node(port)
    quiet = {"stderr": subprocess.DEVNULL, "text": True}
    receiver = subprocess.Popen([python, PAIR, "receive", str(port)], stdout=subprocess.PIPE, **quiet)
    try:
        receiver.stdout.readline()
        role, *numbers = arguments.split()
        line = subprocess.run(
            [python, PAIR, role, str(port), *numbers], stdout=subprocess.PIPE, timeout=300, check=True, **quiet
        ).stdout
        return json.loads(line)
    finally:
        for process in (receiver, running):
            process.kill()
            process.wait()


def main():
    rounds, pythons = int(sys.argv[1]), dict(entry.split("=", 1) for entry in sys.argv[2:])
    found = {}
    for turn in range(rounds):
        for case, (ours, theirs) in CASES.items():
            for name, python in pythons.items():
                result = measure(python, ours if name == "ours" else theirs)
                print(turn, case, name, result, flush=True)
                for key, value in result.items():
                    found.setdefault((case, name, key), []).append(value)
    print("\n| case | package | figure | median | lowest | highest |\n|---|---|---|---|---|---|")
    for (case, name, key), values in found.items():
        print(f"| {case} | {name} | {key} | {statistics.median(values):g} | {min(values):g} | {max(values):g} |")


main()
