"""Paths of the interop tests' helpers, and their fixtures."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))

import clients as real
import pytest


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
