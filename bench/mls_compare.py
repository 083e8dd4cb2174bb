"""bench/run --mls: bench/mls_group beside mls-rs and OpenMLS, on the same work in one run.

In each turn the three programs run one after the other for each size, so that they meet the same neighbours. A program gives the
median of several runs; the lowest of the turns is shown, as whatever else the machine does only adds. The crate of bench/mls-rs is built when cargo is there; without it the
columns of the others are empty.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CRATE = ROOT / "bench" / "mls-rs"
SIZES = (2, 32, 256, 1000)
# figure of the programs, how it is called in the table, unit
FIGURES = [
    ("create", "create", "us"),
    ("add", "add the n-th member", "us"),
    ("add+path", "the same with a path", "us"),
    ("join", "join (with a path)", "us"),
    ("process", "process that commit", "us"),
    ("process+path", "the same with a path", "us"),
    ("encrypt", "encrypt 1 KiB", "us"),
    ("decrypt", "decrypt 1 KiB", "us"),
    ("state", "stored group", "bytes"),
]
# the budgets of the design: of mls-rs' time, or microseconds
RATIO_BUDGET = {(32, "add"), (32, "add+path"), (32, "process"), (32, "process+path")}
TIME_BUDGET = {"encrypt": 28, "decrypt": 66}


def version_of(crate):
    return re.search(rf'^{crate} = "=([0-9.]+)"', (CRATE / "Cargo.toml").read_text(), re.MULTILINE).group(1)


def programs():
    """{name: command} of what is there."""
    ours = Path(os.environ.get("MLS_GROUP") or ROOT / "build" / "bench" / "mls_group")
    if not ours.exists():
        build = ours.parents[1]
        if not (build / "build.ninja").exists():
            sys.exit(f"bench/run: {ours} is missing; `make` sets up the folder that it is built in")
        subprocess.run(["ninja", "-C", str(build), "bench/mls_group"], check=True, stdout=sys.stderr)
    found = {"ours": [str(ours)]}
    if shutil.which("cargo"):
        subprocess.run(["cargo", "build", "--release"], cwd=CRATE, check=True, stdout=sys.stderr)
        release = Path(os.environ.get("CARGO_TARGET_DIR") or CRATE / "target") / "release"
        found[f"mls-rs {version_of('mls-rs')}"] = [str(release / "mls-rs-bench")]
        found[f"OpenMLS {version_of('openmls')}"] = [str(release / "openmls")]
    else:
        print("no cargo: ours alone", file=sys.stderr)
    return found


def run_one(command, size):
    done = subprocess.run([*command, str(size)], check=True, capture_output=True, text=True, timeout=900)
    words = done.stdout.split()
    if words[0] != str(size):
        raise ValueError(f"{command[0]}: {done.stdout}")
    return {name: float(value) for name, value in zip(words[1::2], words[2::2])}


def growth(command):
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    return next(line for line in done.stdout.splitlines() if line.startswith("growth"))


def number(value, unit):
    if not value:
        return "-"
    return f"{value:.0f}" if unit == "bytes" or value >= 1000 else f"{value:.1f}"


def verdict(size, figure, ours, other):
    if (size, figure) in RATIO_BUDGET and other:
        return "ok" if ours <= other else "over"
    if figure in TIME_BUDGET:
        return "ok" if ours <= TIME_BUDGET[figure] else "over"
    return ""


def run(options, machine):
    """The lines of the report."""
    commands = programs()
    found = {}
    for turn in range(options.turns):
        for size in SIZES:
            order = list(commands) if turn % 2 == 0 else list(commands)[::-1]
            for name in order:
                for figure, value in run_one(commands[name], size).items():
                    found.setdefault((size, figure, name), []).append(value)
            print(f"turn {turn + 1}: {size} members", file=sys.stderr, flush=True)
    names = list(commands)
    lines = [f"| n | what | {' | '.join(names)} | ours / mls-rs | unit | budget |", "|---" * (len(names) + 5) + "|"]
    for size in SIZES:
        for figure, text, unit in FIGURES:
            best = [min(found.get((size, figure, name), [0])) for name in names]
            if not best[0]:
                continue
            other = best[1] if len(best) > 1 else 0
            ratio = f"{best[0] / other:.2f}" if other else "-"
            lines.append(f"| {size} | {text} | {' | '.join(number(value, unit) for value in best)} | {ratio} | {unit} | "
                         f"{verdict(size, figure, best[0], other)} |")
    lines += ["", growth(commands["ours"])]
    return [f"{machine}; load average at the start {options.load_average:.2f}; the lowest of {options.turns} turns; "
            f"microseconds of CPU", "", *lines]
