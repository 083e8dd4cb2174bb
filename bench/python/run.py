"""bench/python/pair.py with several interpreters in turns, through one node of ours.

run.py ROUNDS ours=PYTHON NAME=PYTHON...      all cases with each; CASES=NAME,NAME in the environment: only these
run.py memory PYTHON COUNT                    resident memory of both ends at every tenth of COUNT messages of 100 bytes
"""

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE = os.environ.get("SLIM_BIN") or str(ROOT / "build" / "cmd" / "slim" / "slim")
PAIR = str(Path(__file__).resolve().parent / "pair.py")
MEMBERS = [f"member{number}" for number in range(7)]  # and the sender: a group of eight
CASES = {  # name: (arguments for ours, arguments for the reference): it is too slow for as many
    "100 B": ("send 40000 100 512", "send 3000 100 512"),
    "64 KiB": ("send 4000 65536 16", "send 60 65536 16"),
    "group of 8": ("group 8000 100 128", "group 400 100 128"),
    "round trip": ("ping 2000", "ping 200"),
    "import": ("import", "import"),
}
IMPORTS = 9
CHOSEN = [name for name in os.environ.get("CASES", "").split(";") if name]


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


QUIET = {"stderr": subprocess.DEVNULL, "text": True}


def start_receiver(python, port, name="receiver"):
    receiver = subprocess.Popen([python, PAIR, "receive", str(port), name], stdout=subprocess.PIPE, **QUIET)
    receiver.stdout.readline()
    return receiver


def measure(python, arguments):
    """One case: a fresh node, fresh receivers, a fresh sender."""
    if arguments == "import":
        return measure_import(python)
    role, *numbers = arguments.split()
    port = free_port()
    running = [node(port)]
    try:
        names = MEMBERS if role == "group" else ["receiver"]
        running += [start_receiver(python, port, name) for name in names]
        if role == "group":
            numbers += names
        done = subprocess.run(
            [python, PAIR, role, str(port), *numbers], stdout=subprocess.PIPE, timeout=300, check=True, **QUIET
        )
        return json.loads(done.stdout)
    finally:
        stop(running)


def stop(running):
    for process in running:
        process.kill()
        process.wait()


def measure_import(python):
    """The best of some: what is to be measured is the import, not what else the machine does."""

    def spent_ms(code):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([python, "-c", code], check=True, **QUIET)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3

    code = "import time; t = time.perf_counter(); import slim_bindings; print((time.perf_counter() - t) * 1e3)"
    wall = min(
        float(subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, **QUIET).stdout)
        for _ in range(IMPORTS)
    )
    bare = min(spent_ms("pass") for _ in range(IMPORTS))
    cpu = min(spent_ms("import slim_bindings") for _ in range(IMPORTS)) - bare
    code = "import slim_bindings; print(next(l.split()[1] for l in open('/proc/self/status') if l[:5] == 'VmRSS'))"
    rss = int(subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, **QUIET).stdout)
    return {"wall_ms": round(wall, 1), "cpu_ms": round(cpu, 1), "rss_kib": rss}


def memory(python, count):
    """A table of resident memory at both ends."""
    os.environ["RSS_EVERY"] = str(count // 10)
    port = free_port()
    running = [node(port)]
    try:
        running.append(start_receiver(python, port))
        line = subprocess.run(
            [python, PAIR, "send", str(port), str(count), "100", "512"], stdout=subprocess.PIPE, check=True, **QUIET
        ).stdout
        found = json.loads(line)
        received = [running[1].stdout.readline().split() for _ in range(10)]
    finally:
        stop(running)
    print("| messages | sender KiB | receiver KiB |\n|---|---|---|")
    for (number, there), here in zip(received, found.pop("rss_kib_at"), strict=True):
        print(f"| {number} | {here} | {there} |")
    print(found)


# what is charted: (case, figure, budget, unit, what); rates as the time that a message takes; the group's budget is a tenth of the reference's
CHARTED = [
    ("100 B", "messages_per_s", 1e6 / 20_000, "us", "100 B: time per message"),
    ("100 B", "cpu_us", 20, "us", "100 B: CPU per message, sender"),
    ("64 KiB", "messages_per_s", 1e6 / 2000, "us", "64 KiB: time per message"),
    ("64 KiB", "rss_kib", 30 * 1024, "KiB", "64 KiB: memory, sender"),
    ("group of 8", "messages_per_s", None, "us", "group of 8, 100 B: time per message"),
    ("round trip", "p50_ms", 0.5, "ms", "round trip, median"),
    ("import", "wall_ms", 60, "ms", "import"),
]


def chart(found, other):
    sys.path.insert(0, str(ROOT / "bench"))
    import plot

    rows = []
    for case, figure, budget, unit, what in CHARTED:
        pair = [found.get((case, name, figure)) for name in ("ours", other)]
        if None in pair:
            continue
        pair = [statistics.median(values) for values in pair]
        if figure == "messages_per_s":
            pair = [1e6 / value for value in pair]
        rows.append((what, *pair, budget or pair[1] / 10, unit))
    Path(os.environ["PLOT"]).write_text(plot.bars(rows))


def main():
    if sys.argv[1] == "memory":
        return memory(sys.argv[2], int(sys.argv[3]))
    rounds, pythons = int(sys.argv[1]), dict(entry.split("=", 1) for entry in sys.argv[2:])
    found = {}
    for turn in range(rounds):
        for case, (ours, theirs) in CASES.items():
            if CHOSEN and case not in CHOSEN:
                continue
            for name, python in pythons.items():
                result = measure(python, ours if name == "ours" else theirs)
                print(turn, case, name, result, flush=True)
                for key, value in result.items():
                    found.setdefault((case, name, key), []).append(value)
    print("\n| case | package | figure | median | lowest | highest |\n|---|---|---|---|---|---|")
    if os.environ.get("PLOT"):
        chart(found, next(name for name in pythons if name != "ours"))
    for (case, name, key), values in found.items():
        print(f"| {case} | {name} | {key} | {statistics.median(values):g} | {min(values):g} | {max(values):g} |")


main()
