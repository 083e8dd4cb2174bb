"""Floods against the process: each ends with a reason in the log, memory and descriptors come back, and others go on."""

import re
import resource
import select
import socket
import ssl
import struct
import time

import pytest
from harness import h2raw, proto
from harness.certs import Authority
from harness.h2raw import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, Conn, frame,
)
from harness.node import wait_until
from peers import Group, Peer

MIB = 1024 * 1024
KEPT_MAX = 64 * MIB
ENHANCE_YOUR_CALM = 11
PADDED = 8
LINES_MAX = 10  # SLIM_LOG_LIMIT_LINES: of each kind in ten seconds


@pytest.fixture(autouse=True)
def many_descriptors():
    """The tests need more of them than they have by default; the node raises its own limit by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def ours(make_node, node_kind):
    if node_kind != "ours":
        pytest.skip("the limits of our node")
    return make_node


def block(path=h2raw.PATH, **changes):
    headers = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "a", "te": "trailers",
               "content-type": "application/grpc", **changes}
    return h2raw.literal_block(headers.items())


def connect(port, hello=PREFACE + frame(SETTINGS, 0, 0)):
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.sendall(hello)
    return sock


def read_frames(data):
    at = 0
    while len(data) - at >= 9:
        size = int.from_bytes(data[at : at + 3], "big")
        yield data[at + 3], data[at + 9 : at + 9 + size]
        at += 9 + size


def flood(port, pieces, limit_s=60.0, reads=True):
    """Send the pieces until they are over or the node hangs up. Returns the code of its GOAWAY, and whether it hung up."""
    sock = connect(port)
    sock.setblocking(False)
    got = bytearray()
    is_closed = False
    pieces = iter(pieces)
    waiting = b""
    end = time.monotonic() + limit_s
    is_over = False
    while not is_closed and time.monotonic() < end:
        if not waiting:
            waiting = next(pieces, b"")
            if not waiting:
                if not is_over:
                    end = min(end, time.monotonic() + 5)
                is_over = True
        readable, writable, _ = select.select([sock] if reads or is_over else [], [sock] if waiting else [], [], 1)
        try:
            if readable:
                new = sock.recv(MIB)
                is_closed = not new
                got += new
            if writable:
                waiting = waiting[sock.send(waiting) :]
        except OSError:
            is_closed = True
    sock.close()
    codes = [struct.unpack(">I", payload[4:8])[0] for kind, payload in read_frames(got) if kind == GOAWAY]
    return (codes[0] if codes else None), is_closed


def repeat(data, count):
    """`count` times the same frames, in writes of a sensible size."""
    step = max(1, 65536 // len(data))
    for at in range(0, count, step):
        yield data * min(step, count - at)


def per_stream(make, count, head=b""):
    """make(stream id) for new streams, in writes of a sensible size."""
    out = bytearray(head)
    for i in range(count):
        out += make(1 + 2 * i)
        if len(out) > 65536:
            yield bytes(out)
            out.clear()
    yield bytes(out)


def u32(number):
    return struct.pack(">I", number)


OPEN = frame(HEADERS, END_HEADERS, 1, block())


def opened(frames):
    yield OPEN
    yield from frames


def rapid_resets():
    request = block()
    return per_stream(lambda i: frame(HEADERS, END_HEADERS, i, request) + frame(RST_STREAM, 0, i, u32(8)), 50_000)


def resets_of_ours():
    """Each request breaks a rule of HTTP, and makes us reset it."""
    request = block(connection="close")
    return per_stream(lambda i: frame(HEADERS, END_HEADERS, i, request), 50_000)


def requests():
    request = block(path="/")
    return per_stream(lambda i: frame(HEADERS, END_HEADERS | END_STREAM, i, request), 100_000)


def endless_header():
    yield frame(HEADERS, 0, 1, block())
    yield from repeat(frame(CONTINUATION, 0, 1, b"\x00\x01a\x7f" + b"b" * 127), 100_000)


def empty_continuations():
    yield frame(HEADERS, 0, 1, b"")
    yield from repeat(frame(CONTINUATION, 0, 1), 1_000_000)


FLOODS = [
    ("rapid resets", "stream resets", rapid_resets),
    ("requests that make us reset them", "stream resets", resets_of_ours),
    ("requests that are refused", "requests|stream resets", requests),
    ("a header that does not end", "CONTINUATION", endless_header),
    ("empty CONTINUATION", "CONTINUATION", empty_continuations),
    ("SETTINGS", "SETTINGS", lambda: repeat(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70000)), 100_000)),
    ("PING", "PING|ask for an answer", lambda: repeat(frame(PING, 0, 0, b"12345678"), 2_000_000)),
    ("PRIORITY", "PRIORITY", lambda: repeat(frame(PRIORITY, 0, 1, b"\0\0\0\0\1"), 500_000)),
    ("empty DATA", "empty DATA", lambda: opened(repeat(frame(DATA, 0, 1), 500_000))),
    ("padding", "empty DATA", lambda: opened(repeat(frame(DATA, PADDED, 1, b"\0"), 500_000))),
    ("credit", "WINDOW_UPDATE", lambda: repeat(frame(WINDOW_UPDATE, 0, 0, u32(1)), 1_000_000)),
]


@pytest.mark.parametrize("why, make", [pytest.param(w, m, id=n) for n, w, m in FLOODS])
def test_a_flood_is_ended_with_its_reason(ours, why, make):
    node = ours()
    others = Group([Peer(node.port), Peer(node.port)])
    descriptors = node.fd_count()
    code, is_closed = flood(node.port, make())
    assert is_closed, "the node hangs up"
    assert code == ENHANCE_YOUR_CALM
    line = re.compile(r"WARN.*socket closed.*flood of.*(" + why + ")")
    assert wait_until(lambda: line.search(node.log_text()), 10), node.log_text()[-2000:]
    check_calm(node, others, descriptors)


def does_a_fresh_pair_work(node):
    with Peer(node.port) as one, Peer(node.port) as two:
        return Group([one, two]).collect(0) is not None


def check_calm(node, others, descriptors, seconds=20):
    """Everything is back to what it was, and a fresh pair works, as the old one does."""
    assert others.collect(1) is not None, "others go on"
    assert does_a_fresh_pair_work(node)
    assert wait_until(lambda: node.fd_count() <= descriptors + 2, seconds), "descriptors come back"
    if not node.is_sanitized():
        assert wait_until(lambda: node.rss_bytes() < KEPT_MAX, seconds), f"{node.rss_bytes()} bytes kept"
    for line in re.findall(r"WARN .*", node.log_text()):
        assert "panic" not in line
    assert len(re.findall(r"WARN .*socket closed", node.log_text())) <= 2 * LINES_MAX
    node.stop()


def test_answers_that_nobody_reads_are_bounded(ours):
    node = ours()
    others = Group([Peer(node.port), Peer(node.port)])
    descriptors = node.fd_count()
    flood(node.port, repeat(frame(PING, 0, 0, b"12345678"), 15_000), reads=False)
    flood(node.port, repeat(frame(SETTINGS, 0, 0), 90), reads=False)
    check_calm(node, others, descriptors)


def test_ten_thousand_streams(ours):
    """Ten connections of a thousand streams, each with a name; what they took comes back when they are gone."""
    node = ours()
    others = Group([Peer(node.port), Peer(node.port)])
    descriptors = node.fd_count()
    request = block()
    conns = []
    for number in range(10):
        conn = Conn.connect(node.port)
        conns.append(conn)
        out = bytearray()
        for i in range(1000):
            name = proto.name(f"flood/flood/s{number}x{i}", 1)
            out += frame(HEADERS, END_HEADERS, 1 + 2 * i, request)
            out += frame(DATA, 0, 1 + 2 * i, h2raw.grpc(proto.subscribe(name)))
        last = h2raw.Stream(conn, 1999)
        with conn.changed:
            conn.streams[1999] = last
        conn.send(bytes(out))
        assert conn.wait(lambda s=last: s.headers is not None, 30), "the last stream is open"
    others.peers[0].send(proto.publish(proto.name("o/n/s"), proto.name("flood/flood/s9x999", 1), payload=b"to one of them"))
    assert last.take(1, 30), "streams of the flood work"
    assert others.collect(1) is not None, "others go on meanwhile"
    for conn in conns:
        conn.close()
    check_calm(node, others, descriptors)


def test_more_streams_than_allowed_cost_their_connection_only(ours):
    node = ours()
    others = Group([Peer(node.port), Peer(node.port)])
    descriptors = node.fd_count()
    request = block()
    flood(node.port, per_stream(lambda i: frame(HEADERS, END_HEADERS, i, request), 10_000), limit_s=10)
    check_calm(node, others, descriptors)


HALF_OPEN = [
    ("says nothing", b""),
    ("half a preface", PREFACE[:12]),
    ("a preface and no SETTINGS", PREFACE),
    ("half a SETTINGS frame", PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70000))[:12]),
    ("the head of a frame", PREFACE + frame(SETTINGS, 0, 0, b"x" * 6)[:9]),
]


def test_half_open_connections_are_closed(ours):
    """Thousands of connections that never get to HTTP/2 are gone after ten seconds; others connect meanwhile."""
    node = ours()
    others = Group([Peer(node.port), Peer(node.port)])
    descriptors = node.fd_count()
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200
    socks = [connect(node.port, HALF_OPEN[i % len(HALF_OPEN)][1]) for i in range(min(10_000, room))]
    assert does_a_fresh_pair_work(node), "meanwhile"
    assert wait_until(lambda: node.fd_count() <= descriptors + 8, 40), f"{node.fd_count()} descriptors"
    assert re.search(r"WARN.*socket closed.*no HTTP/2 preface and SETTINGS in time", node.log_text())
    for sock in socks:
        sock.close()
    check_calm(node, others, descriptors)


def test_out_of_descriptors(ours):
    """Accepting rests and does not spin; who is connected goes on; and it is taken up again when there are descriptors."""
    node = ours(open_files=128)
    others = Group([Peer(node.port), Peer(node.port)])
    descriptors = node.fd_count()
    socks = [connect(node.port) for _ in range(300)]
    assert wait_until(lambda: node.fd_count() >= 120, 10), node.fd_count()
    before = node.cpu_s()
    time.sleep(2)
    assert node.cpu_s() - before < 0.5, "it does not spin"
    assert others.collect(1) is not None, "others go on"
    assert re.search(r"WARN.*accepting rests", node.log_text())
    assert does_a_fresh_pair_work(node), "those who have no stream make room"
    for sock in socks:
        sock.close()
    check_calm(node, others, descriptors)


def test_the_limit_of_descriptors_is_raised(ours):
    node = ours(soft_open_files=64)
    limits = open(f"/proc/{node.pid}/limits").read()
    soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits).groups()
    assert soft == hard
    node.stop()


def test_connections_without_a_stream_do_not_keep_others_out(ours):
    """Idle connections up to memory_max: the oldest make room for new ones."""
    limit = 48 * MIB
    node = ours(runtime={"memory_max": limit})
    others = Group([Peer(node.port), Peer(node.port)])
    descriptors = node.fd_count()
    socks = []
    for _ in range(16):
        socks += [connect(node.port) for _ in range(500)]
        assert does_a_fresh_pair_work(node)
        assert node.is_sanitized() or node.rss_bytes() < 1.25 * limit
    assert others.collect(1) is not None, "others go on"
    if not node.is_sanitized():
        assert re.search(r"WARN.*socket without a stream closed to make room", node.log_text())
    for sock in socks:
        sock.close()
    check_calm(node, others, descriptors)


def test_half_a_tls_handshake_counts_as_memory(ours, tmp_path):
    """OpenSSL takes 44 KiB for a handshake: connections that never end it stay below memory_max, and the oldest make room."""
    limit = 48 * MIB
    authority = Authority(tmp_path)
    pair = authority.pair("server")
    node = ours(runtime={"memory_max": limit}, tls={"cert": pair.cert, "key": pair.key})
    context = ssl.create_default_context(cafile=authority.path)
    context.set_alpn_protocols(["h2"])

    def does_tls_work():
        with context.wrap_socket(socket.create_connection(("127.0.0.1", node.port), 10), server_hostname="localhost") as sock:
            sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
            return len(sock.recv(9)) > 0

    assert does_tls_work()
    descriptors = node.fd_count()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)  # the head of a ClientHello
    socks = []
    for _ in range(6):
        socks += [connect(node.port, hello) for _ in range(500)]
        assert does_tls_work()
    assert node.is_sanitized() or node.peak_rss_bytes() < 1.25 * limit
    assert re.search(r"WARN.*socket without a stream closed to make room", node.log_text())
    for sock in socks:
        sock.close()
    assert wait_until(lambda: node.fd_count() <= descriptors, 20), f"{node.fd_count()} descriptors"
    assert does_tls_work()
