"""Paths of the interop tests' helpers, and their fixtures. Without the package nothing here may pass."""

import importlib.util
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))

import clients as real
import pytest
from harness.node import peer_python

if importlib.util.find_spec("slim_bindings") is None:
    raise RuntimeError(f"{sys.executable} has no package slim_bindings: tools/wheel --test puts it into build/venv/package")
os.environ.setdefault("PEER_wheel", sys.executable)
os.environ.setdefault("PEER_mcp_1_4_1", str(peer_python("1.4.1")))


@pytest.fixture
def make_clients():
    """Start drivers of these versions at a node; stopped when the test is over."""
    made = []

    def make(node, versions, **options):
        made.extend(found := real.start(node, versions, **options))
        return found

    yield make
    for client in made:
        client.close()
