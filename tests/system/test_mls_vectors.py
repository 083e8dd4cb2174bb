"""The published vectors of RFC 9420, where they lie beside the repository: they are not ours to ship."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SLIM_BUILD_DIR", ROOT / "build"))
PUBLISHED = ROOT.parent / "shared/spec/vectors/mls/rfc9420"
FILES = sorted(PUBLISHED.glob("*.json"))


@pytest.mark.skipif(not FILES, reason="the published RFC 9420 vectors are not here")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_published_case_passes(path):
    run = subprocess.run([BUILD / "tests/mls-vectors", path], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    passed, total = run.stdout.split()[-1].split("/")
    assert passed == total and int(total) > 0


def test_a_wrong_vector_fails(tmp_path):
    """The runner can fail: one changed digit of a recorded group."""
    text = (ROOT / "tests/vectors/mls/mls-rs-group-walk.json").read_text()
    at = text.rindex('"tree_hash": "') + len('"tree_hash": "')
    digit = "0" if text[at] != "0" else "1"
    wrong = tmp_path / "mls-rs-group-walk.json"
    wrong.write_text(text[:at] + digit + text[at + 1 :])
    run = subprocess.run([BUILD / "tests/mls-vectors", wrong], capture_output=True, text=True, timeout=300)
    assert run.returncode != 0, run.stdout
