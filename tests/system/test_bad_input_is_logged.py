"""Bad input costs its sender a stream, and leaves lines in the log that an operator sees but a flood cannot multiply."""

import re
import socket

import pytest
from harness.h2raw import Conn
from harness.node import wait_until
from peers import Group, Peer
from test_forwarding_vectors import request_headers

TIMES = 25
LINES_MAX = 10  # SLIM_LOG_LIMIT_LINES: of each kind in ten seconds


def send_data(node, data):
    with Peer(node.port) as peer:
        peer.stream.send_data([data])
        assert peer.stream.wait_over()


def open_stream(node, headers):
    with Conn.connect(node.port) as conn:
        stream = conn.open_stream(headers=headers)
        assert conn.wait(lambda: stream.is_over)


def say_http_1(node):
    with socket.create_connection(("127.0.0.1", node.port), 10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            while sock.recv(4096):
                pass
        except ConnectionResetError:
            pass  # closed with our request unread


def not_protobuf(node):
    send_data(node, b"\x00\x00\x00\x00\x02\xff\xff")


def invalid_utf8(node):
    send_data(node, b"\x00\x00\x00\x00\x07\x0a\x05\x0a\x03\x22\x01\xff")


CASES = [
    ("not protobuf", r"message is not decodable", not_protobuf),
    ("invalid UTF-8", r"message is not decodable", invalid_utf8),
    ("oversize", r"broken message.*too long", lambda n: send_data(n, b"\x00\x00\x40\x00\x01")),
    ("compressed", r"broken message.*compressed", lambda n: send_data(n, b"\x01\x00\x00\x00\x00")),
    ("path", r"call refused.*path", lambda n: open_stream(n, request_headers(__path="/a.b.C/OpenChannel"))),
    ("encoding", r"call refused.*encoding", lambda n: open_stream(n, request_headers(grpc_encoding="gzip"))),
    ("HTTP/1.1", r"socket closed.*HTTP/2", say_http_1),
]


@pytest.mark.parametrize("pattern, send", [pytest.param(p, s, id=why) for why, p, s in CASES])
def test_bad_input_is_one_kind_of_line_and_few_of_them(ours, pattern, send):
    node = ours()
    others = Group([Peer(node.port), Peer(node.port)])
    for _ in range(TIMES):
        send(node)
    line = re.compile(r"WARN.*" + pattern)
    assert wait_until(lambda: line.search(node.log_text()), 5), "an operator sees it"
    assert len(line.findall(node.log_text())) <= LINES_MAX
    assert others.collect(1) is not None, "the others go on"
    node.stop()


@pytest.fixture
def ours(make_node, node_kind):
    if node_kind != "ours":
        pytest.skip("the log of our node")
    return make_node
