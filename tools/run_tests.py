"""Run the tests and count them. Called by tools/test and tools/check, which build first.

Every TAP line of a unit test, every program of the suite "program" and every pytest case counts as one. A test program that dies, or that ran fewer tests than it
announced, counts as one failure more. A missing environment or an empty run is a failure too: silence is not success.

--second-chance (for CI): up to three cases of a suite with the reference's clients that failed are run once more, alone, and are named if they pass then.
Those clients lose messages and answers by themselves now and then; whatever fails twice has failed.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ("1.0.0", "1.0.1", "1.4.1")
# Each suite with the environment below build/venv that runs it: tests/python runs in the one that has our package.
PYTEST_SUITES = {"tests/tools": "py", "tests/interop": "py", "tests/system": "py", "tests/python": "package"}
WITH_REFERENCE = ("tests/interop", "tests/python")
SECOND_CHANCES = 3  # cases of a suite; more are no accident
PACKAGE_PYTHON = ROOT / "build" / "venv" / "package" / "bin" / "python"
TAP_LINE = re.compile(r"^(not )?ok\b\s*(\d+)?\s*-?\s*([^#]*?)\s*(?:#\s*(\w+).*)?$")
TAP_PLAN = re.compile(r"^1\.\.(\d+)")


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def say(text):
    print(text, flush=True)


# ---- unit and vector tests


def count_tap(text):
    """Count the claims of one test program; the second value is the number announced (None: nothing was)."""
    count, planned = Count(), None
    for line in text.splitlines():
        plan = TAP_PLAN.match(line)
        if plan:
            planned = (planned or 0) + int(plan.group(1))
            continue
        claim = TAP_LINE.match(line)
        if not claim:
            continue
        is_bad, directive = claim.group(1), (claim.group(4) or "").upper()
        if directive in ("SKIP", "TODO"):
            count.skipped += 1
        elif is_bad:
            count.failed += 1
        else:
            count.passed += 1
    return count, planned


def count_unit_test(result):
    """Count one entry of Meson's testlog.json; the second value says what was wrong with it, if anything."""
    count, planned = count_tap(result.get("stdout", ""))
    outcome = result["result"]
    if count.failed:
        return count, f"{count.failed} claims failed"
    # cmocka writes "not ok # SKIP" for a claim that skips itself, which Meson takes for a failure.
    is_only_skipped = outcome == "FAIL" and count.skipped > 0 and result.get("returncode") == 0
    if outcome not in ("OK", "EXPECTEDFAIL", "SKIP") and not is_only_skipped:
        count.failed += 1
        return count, f"ended with {outcome} (status {result.get('returncode')})"
    if re.match(r"[^/]*:program\b", result.get("name", "")):  # "slim:program / mls_vectors"
        count.passed += 1  # a program whose status is its only claim: the examples, the vector runner
        return count, None
    if planned is None and outcome != "SKIP":
        count.failed += 1
        return count, "printed no TAP plan"
    ran = count.passed + count.skipped
    if planned is not None and ran < planned:
        count.failed += 1
        return count, f"announced {planned} claims, ran {ran}"
    return count, None


def meson_tests(build_dir):
    """Names of the registered tests, as `meson test` takes them, with the folder of their program: (name, unit/MODULE/NAME)."""
    listed = json.loads(subprocess.check_output(["meson", "introspect", "--tests", build_dir], cwd=ROOT))
    found = []
    for test in listed:
        folder = pathlib.PurePath(test["cmd"][0]).parent
        where = os.path.relpath(folder, ROOT / build_dir / "tests") if folder.is_absolute() else folder
        found.append((test["name"], f"{where}/{test['name']}"))
    return found


def run_unit(build_dir, only, patience):
    log = ROOT / build_dir / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", build_dir, "--no-rebuild", "--print-errorlogs",
               "--timeout-multiplier", str(patience)]
    if only:
        names = [name for name, path in meson_tests(build_dir) if only in path]
        if not names:
            return Count()
        command += names
    subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    if not log.exists():
        say("unit: Meson ran no test")
        return Count(failed=1)
    total = Count()
    for line in log.read_text(encoding="utf-8").splitlines():
        result = json.loads(line)
        count, wrong = count_unit_test(result)
        if wrong:
            say(f"unit: {result['name']}: {wrong}")
        total.add(count)
    say(f"unit: {total}")
    return total


# ---- pytest


def pytest_environment(build_dir):
    environment = dict(os.environ)
    environment["SLIM_BIN"] = str(ROOT / build_dir / "cmd" / "slim" / "slim")
    environment["SLIM_BUILD_DIR"] = str(ROOT / build_dir)
    for peer in PEERS:
        variable = "PEER_" + peer.replace(".", "_")
        environment.setdefault(variable, str(ROOT / "build" / "venv" / peer / "bin" / "python"))
    environment.setdefault("PEER_wheel", str(PACKAGE_PYTHON))  # our package as one more peer
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment


def missing_for_pytest(environment, python):
    needed = [environment["SLIM_BIN"], str(python)]
    needed += [environment["PEER_" + peer.replace(".", "_")] for peer in (*PEERS, "wheel")]
    return [path for path in needed if not os.access(path, os.X_OK)]


def count_junit(path):
    count = Count()
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        tests = int(suite.get("tests", 0))
        skipped = int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        count.add(Count(passed=max(0, tests - skipped - failed), failed=failed, skipped=skipped))
    return count


def failed_cases(path):
    """Node ids of a report, for a second run: "tests/interop/test_a.py::test_b[c]"."""
    found = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            found.append(f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}")
    return found


def second_chance(command, report, environment, count):
    """Run the few cases that failed once more; those that pass now are counted as passed, and named."""
    cases = failed_cases(report)
    if not 0 < len(cases) <= SECOND_CHANCES or len(cases) != count.failed:
        return count
    say(f"once more: {' '.join(cases)}")
    again = report.with_suffix(".again.xml")
    again.unlink(missing_ok=True)
    subprocess.run([*command, f"--junit-xml={again}", *cases], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    passed = count_junit(again).passed if again.exists() else 0
    if passed:
        say(f"unsteady, {passed} passed at the second time: {' '.join(set(cases) - set(failed_cases(again)))}")
    return Count(count.passed + passed, count.failed - passed, count.skipped)


def run_pytest(suite, build_dir, only, has_second_chance=False):
    report = ROOT / build_dir / "meson-logs" / f"pytest-{suite.replace('/', '-')}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    environment = pytest_environment(build_dir)
    python = ROOT / "build" / "venv" / PYTEST_SUITES[suite] / "bin" / "python"
    missing = missing_for_pytest(environment, python)
    if missing:
        say(f"{suite}: missing: {', '.join(missing)} (tools/setup test and make provide them)")
        return Count(failed=1)
    base = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-ra"]
    command = [*base, suite, f"--junit-xml={report}"]
    if only:
        command += ["-k", only]
    status = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL).returncode
    nothing_collected = 5
    if status == nothing_collected and only:
        return Count()
    if not report.exists():
        say(f"{suite}: pytest ended with {status} and wrote no report")
        return Count(failed=1)
    count = count_junit(report)
    if status != 0 and count.failed == 0:
        say(f"{suite}: pytest ended with {status}")
        count.failed += 1
    elif has_second_chance and suite in WITH_REFERENCE:
        count = second_chance(base, report, environment, count)
    say(f"{suite}: {count}")
    return count


def has_tests(suite):
    return any((ROOT / suite).glob("**/test_*.py"))


def main():
    parser = argparse.ArgumentParser(prog="tools/test")
    parser.add_argument("--build-dir", default="build")
    parser.add_argument("--only", metavar="PATTERN")
    parser.add_argument("--unit", action="store_true", help="no pytest")
    parser.add_argument("--no-unit", action="store_true", help="only pytest")
    parser.add_argument("--patience", type=int, default=1, help="multiply the time limits, for slow builds")
    parser.add_argument("--second-chance", action="store_true", help="cases with the reference's clients may fail once")
    options = parser.parse_args()

    started = time.monotonic()
    total = Count() if options.no_unit else run_unit(options.build_dir, options.only, options.patience)
    if not options.unit:
        for suite in PYTEST_SUITES:
            if has_tests(suite):
                say(f"== {suite}")
                total.add(run_pytest(suite, options.build_dir, options.only, options.second_chance))
    if total.passed + total.failed + total.skipped == 0:
        say("no test was run")
        total.failed = 1
    say(f"in {time.monotonic() - started:.0f} s")
    say(str(total))
    return 1 if total.failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    sys.exit(main())
