"""tools/test counts what ran, and takes silence for failure."""

import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("run_tests", ROOT / "tools/run_tests.py")
run_tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_tests)

ROWS = (
    ("all well", "1..2\nok 1 - a\nok 2 - b\n", "OK", (2, 0, 0)),
    ("one claim failed", "1..2\nnot ok 1 - a\nok 2 - b\n", "FAIL", (1, 1, 0)),
    ("a skipped claim is no success", "1..2\nok 1 - a # SKIP no disk\nok 2 - b\n", "OK", (1, 0, 1)),
    ("cmocka's way to say skipped", "1..2\nok 1 - a\nnot ok 2 # SKIP b\n", "FAIL", (1, 0, 1)),
    ("it died in the middle", "1..3\nok 1 - a\n", "ERROR", (1, 1, 0)),
    ("it announced more than it ran", "1..3\nok 1 - a\nok 2 - b\n", "OK", (2, 1, 0)),
    ("it said nothing", "", "OK", (0, 1, 0)),
    ("it took too long", "1..1\n", "TIMEOUT", (0, 1, 0)),
    ("all claims passed, then the leak check ended it", "1..1\nok 1 - a\n", "FAIL", (1, 1, 0)),
    ("two groups in one program", "1..1\nok 1 - a\n1..2\nok 1 - b\nok 2 - c\n", "OK", (3, 0, 0)),
    ("other output between the claims", "1..1\nokay then\n# ok 1\nok 1 - a\n", "OK", (1, 0, 0)),
)


@pytest.mark.parametrize("why,text,outcome,want", ROWS, ids=[row[0] for row in ROWS])
def test_claims_of_a_program(why, text, outcome, want):
    count, wrong = run_tests.count_unit_test({"name": "x", "stdout": text, "result": outcome, "returncode": 0})
    assert (count.passed, count.failed, count.skipped) == want, why
    assert bool(wrong) == bool(want[1])


@pytest.mark.parametrize("outcome,want", [("OK", (1, 0, 0)), ("FAIL", (0, 1, 0)), ("TIMEOUT", (0, 1, 0))])
def test_programs_without_claims_count_by_their_status(outcome, want):
    result = {"name": "slim:program / mls_vectors", "stdout": "a file 3/3", "result": outcome, "returncode": outcome != "OK"}
    count, _ = run_tests.count_unit_test(result)
    assert (count.passed, count.failed, count.skipped) == want


def test_report_of_pytest(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>')
    count = run_tests.count_junit(report)
    assert str(count) == "3 passed, 3 failed, 3 skipped"


def test_missing_node_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(run_tests, "ROOT", tmp_path)
    assert run_tests.run_pytest("tests/interop", "build", None).failed == 1


UNSTEADY = """import pathlib

def test_steady():
    pass

def test_unsteady():
    mark = pathlib.Path(__file__).with_name("mark")
    assert mark.exists() or mark.touch()

def test_broken():
    assert BROKEN
"""


@pytest.mark.parametrize("broken,want", [("1", (3, 0, 0)), ("0", (2, 1, 0))], ids=["it passes then", "it fails again"])
def test_a_second_chance_is_for_what_passes_then(tmp_path, monkeypatch, broken, want):
    suite = tmp_path / "tests" / "interop"
    suite.mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (suite / "test_it.py").write_text(UNSTEADY.replace("BROKEN", broken))
    python = tmp_path / "build" / "venv" / "py" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nexec {sys.executable} \"$@\"\n")
    python.chmod(0o755)
    monkeypatch.setattr(run_tests, "ROOT", tmp_path)
    monkeypatch.setattr(run_tests, "missing_for_pytest", lambda *_: [])
    count = run_tests.run_pytest("tests/interop", "build", None, has_second_chance=True)
    assert (count.passed, count.failed, count.skipped) == want


def test_many_failures_have_no_second_chance(tmp_path):
    report = tmp_path / "report.xml"
    cases = "".join(f'<testcase classname="a.b" name="{i}"><failure/></testcase>' for i in range(4))
    report.write_text(f'<testsuite tests="4" failures="4">{cases}</testsuite>')
    many = run_tests.Count(passed=0, failed=4)
    assert run_tests.second_chance(["false"], report, {}, many) is many
