"""Options and fixtures of the interop and system tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.node import REFERENCES, Node, peer_python, slim_bin  # noqa: E402


def pytest_addoption(parser):
    parser.addoption(
        "--node",
        default="ours",
        choices=["ours", *REFERENCES],
        help="the node under test: ours, or a reference release, to see whether a failure is ours",
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "ours_only(why): holds for our node only; the reference is known to fail it")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--node") == "ours":
        return
    for item in items:
        marker = item.get_closest_marker("ours_only")
        if marker:
            item.add_marker(pytest.mark.xfail(reason="; ".join(map(str, marker.args)), strict=False))


@pytest.fixture(scope="session")
def node_kind(request):
    kind = request.config.getoption("--node")
    program = slim_bin() if kind == "ours" else peer_python(kind)
    if not program.exists():
        pytest.fail(f"{program} is missing: build it first", pytrace=False)
    return kind


@pytest.fixture
def node(node_kind):
    """A fresh node."""
    with Node(node_kind) as running:
        yield running
        check_end(running)


def check_end(running):
    """The node is still there, and goes when it is asked to; a build with sanitizers then reports what it leaked."""
    status = running.process.poll()
    assert status is None, f"the node died with status {status}:\n{running.log_text()[-4000:]}"
    if running.is_ours:
        status = running.stop()
        assert status == 0, f"the node ended with status {status}:\n{running.log_text()[-4000:]}"


@pytest.fixture
def make_node(node_kind):
    """Start nodes with options of their own; all are stopped after the test, and none may have died by itself."""
    nodes = []

    def make(**options):
        nodes.append(Node(options.pop("kind", node_kind), **options))
        return nodes[-1]

    yield make
    try:
        for running in nodes:
            if running.process.poll() not in (0, -9):  # the test itself stopped or killed the others
                check_end(running)
    finally:
        for running in nodes:
            running.close()
