"""Everything that the reference's package has is found in ours: the same program looks at both, each in its own interpreter."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness.node import peer_python

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).with_name("probe.py")
# Of 1.4.1, and not ours: docs/python.md says why.
NOT_OF_141 = {"_slim_bindings"}
# Second names of classes: theirs are classes of their own, ours the same class again.
SECOND = re.compile(r".*(Protocol|Impl)$")


def probe(python, *arguments, environment=None):
    """What the package of that interpreter has."""
    environment = dict(os.environ if environment is None else environment)
    for name in ("SLIM_ALLOW_PLAINTEXT", "RUST_LOG"):
        environment.pop(name, None)
    done = subprocess.run(
        [python, str(PROBE), *arguments], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def reference(version, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return probe(peer_python(version), *arguments, environment=environment)


@pytest.fixture(scope="module")
def ours():
    return probe(sys.executable, "texts")


@pytest.fixture(scope="module")
def theirs():
    return reference("1.0.0", "texts")


def compare_parameters(path, theirs, ours):
    """Every call that theirs takes is taken: same names in the same places, and nothing more has to be given."""
    if theirs is None or theirs["names"][-1:] == ["**kwargs"]:
        return
    positional = [name for name in theirs["names"] if name not in theirs["keyword_only"]]
    assert ours["names"][: len(positional)] == positional, path
    assert set(theirs["names"]) <= set(ours["names"]), path
    assert set(ours["required"]) <= set(theirs["required"]), path
    assert set(ours["keyword_only"]) & set(theirs["names"]) <= set(theirs["keyword_only"]), path


def compare_class(path, theirs, ours, has_module=True):
    keys = ["qualname", "is_exception", "members", *(["module"] if has_module else [])]
    assert {key: theirs.get(key) for key in keys} == {key: ours.get(key) for key in keys}, path
    # theirs has each variant twice in its bases
    own_name = theirs["qualname"].split(".")[-1]
    bases = {base for base in theirs["bases"] if base != own_name and not SECOND.match(base)}
    assert bases <= set(ours["bases"]), path
    if "members" in theirs:
        return
    compare_parameters(f"{path}()", theirs["init"], ours["init"])
    for name, method in theirs["methods"].items():
        assert name in ours["methods"], f"{path}.{name} is missing"
        mine = ours["methods"][name]
        assert (method["form"], method["is_async"]) == (mine["form"], mine["is_async"]), f"{path}.{name}"
        compare_parameters(f"{path}.{name}", method["parameters"], mine["parameters"])
    for name, nested in theirs["nested"].items():
        assert name in ours["nested"], f"{path}.{name} is missing"
        compare_class(f"{path}.{name}", nested, ours["nested"][name], has_module)


def compare_name(name, theirs, ours, has_module=True):
    assert theirs["kind"] == ours["kind"], name
    if theirs["kind"] == "class":
        compare_class(name, theirs, ours, has_module)
    elif theirs["kind"] == "function":
        assert theirs["is_async"] == ours["is_async"], name
        compare_parameters(name, theirs["parameters"], ours["parameters"])


def test_every_public_name_and_signature_of_1_0_0_is_ours(theirs, ours):
    assert len(theirs["names"]) > 60
    for name, found in theirs["names"].items():
        assert name in ours["names"], f"{name} is missing"
        compare_name(name, found, ours["names"][name])


def test_the_submodule_has_the_names_of_1_0_0(theirs, ours):
    assert len(theirs["all"]) == 67
    assert set(theirs["all"]) <= set(ours["all"])
    assert set(theirs["module"]) <= set(ours["module"])


def test_records_print_as_in_1_0_0(theirs, ours):
    assert len(theirs["str"]) > 30
    assert ours["str"] == theirs["str"]


def without_numbers(text):
    text = re.sub(r"session_id=\d+, message_id=\d+", "session_id=N, message_id=N", text)
    return re.sub(r"\bid=\d+", "id=N", re.sub(r" object at 0x[0-9a-f]+>", ">", text))


def is_as_good(theirs, ours):
    """The same text, perhaps with what to do behind it; and whoever catches theirs catches ours."""
    if ("raised" in theirs) != ("raised" in ours):
        return False
    if "result" in theirs:
        return without_numbers(ours["result"]) == without_numbers(theirs["result"])
    wanted, given = without_numbers(theirs["str"]), without_numbers(ours["str"])
    # message='...': what follows stands in front of the last quote
    is_longer = given.startswith(wanted.removesuffix("'") + "\\n  -> ") and given.endswith("'")
    return set(theirs["raised"]) <= set(ours["raised"]) and (given == wanted or is_longer)


def test_calls_that_fail_do_it_with_the_class_and_the_text_of_1_0_0(theirs, ours):
    assert len(theirs["outcomes"]) > 70
    assert set(theirs["outcomes"]) == set(ours["outcomes"])
    different = {
        label: {"theirs": outcome, "ours": ours["outcomes"][label]}
        for label, outcome in theirs["outcomes"].items()
        if not is_as_good(outcome, ours["outcomes"][label])
    }
    assert different == {}


def test_what_was_a_panic_is_the_fitting_slim_error_too(theirs, ours):
    panics = [
        label for label, outcome in theirs["outcomes"].items() if outcome.get("raised", [""])[0] == "InternalError"
    ]
    assert len(panics) >= 4
    for label in panics:
        raised = ours["outcomes"][label]["raised"]
        assert "SlimError" in raised and any(name.startswith("SlimError.") for name in raised), label
        assert ours["outcomes"][label]["str"] == theirs["outcomes"][label]["str"], label


def missing_by_the_page():
    """Names that docs/python.md lists as missing of 1.4."""
    page = (ROOT / "docs" / "python.md").read_text()
    return set(re.findall(r"`(\w+)`", page.split("## Missing")[1]))


def test_every_name_of_1_4_1_is_ours_or_documented(ours):
    theirs = reference("1.4.1")
    assert len(theirs["names"]) > 100
    allowed = NOT_OF_141 | missing_by_the_page()
    for name, found in theirs["names"].items():
        if name not in ours["names"]:
            assert name in allowed, f"{name} is neither there nor in docs/python.md"
        elif not SECOND.match(name):
            compare_name(name, found, ours["names"][name], has_module=False)
