"""What an operator sees: the page for Prometheus, the exports to a collector, the health service, systemd's notifications."""

import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent import futures

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # its handlers break programs that are started while a server of it runs

import grpc  # noqa: E402
import pytest  # noqa: E402
from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from harness import proto  # noqa: E402
from harness.h2raw import ACK, DATA, PING, PREFACE, PRIORITY, SETTINGS, Conn, Server, frame  # noqa: E402
from harness.node import ROOT, Node, free_port, slim_bin, wait_until  # noqa: E402
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc  # noqa: E402
from peers import Group, Peer  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

SERVICE = "dataplane.proto.v1.DataPlaneService"
NAME = "o/n/target"

CONFIG = """\
tracing:
  log_level: info
{tracing}runtime:
  thread_name: "slim-data-plane"
  drain_timeout: 10s
services:
  slim/0:
    dataplane:
      servers:
        - endpoint: "127.0.0.1:{port}"
          tls: {tls}
          auth: {auth}
      clients: [{clients}]
{telemetry}"""
PLAIN = {"tls": "{insecure: true}", "auth": "{type: none}"}

OTLP = """\
  opentelemetry:
    enabled: true
    service_name: the-name
    service_version: v9
    environment: testing
    metrics_interval_secs: 1
    grpc: {{endpoint: "http://127.0.0.1:{port}", tls: {{insecure: true}}}}
"""


class Observed(Node):
    """Our node with its page for Prometheus, and a collector when `collector` is a port."""

    def __init__(self, collector=None, has_page=True, auth=PLAIN["auth"], **kwargs):
        self.auth = auth
        self.page_port = free_port()
        self.collector = collector
        self.has_page = has_page
        super().__init__("ours", **kwargs)

    def _command(self):
        clients = ", ".join(
            f'{{endpoint: "http://127.0.0.1:{port}", tls: {{insecure: true}}, '
            "backoff: {type: fixed_interval, interval: 100ms, max_attempts: 3}}"
            for port in self.clients
        )
        page = f'telemetry:\n  prometheus: "127.0.0.1:{self.page_port}"\n' if self.has_page else ""
        tracing = OTLP.format(port=self.collector) if self.collector else ""
        config = self.folder / "config.yaml"
        config.write_text(CONFIG.format(port=self.port, clients=clients, telemetry=page, tracing=tracing, **{**PLAIN, "auth": self.auth}))
        return [*os.environ.get("SLIM_BIN_WRAPPER", "").split(), str(slim_bin()), "--config", str(config)]

    def page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page_port}/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            return answer.read().decode()

    def samples(self):
        """{(name, labels as a frozen set of pairs): value}, as prometheus_client reads the page."""
        found = {}
        for family in text_string_to_metric_families(self.page()):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in found, f"twice: {key}"
                found[key] = sample.value
        return found

    def value(self, name, **labels):
        """The sum over all samples of this name that have these labels."""
        matching = [value for (n, pairs), value in self.samples().items() if n == name and set(labels.items()) <= pairs]
        assert matching, f"no {name} {labels}"
        return sum(matching)

    def reaches(self, wanted, name, **labels):
        """A page is at most 100 ms old, so look until the value is there."""
        return wait_until(lambda: self.value(name, **labels) >= wanted, 10, 0.05)


@pytest.fixture
def observe(node_kind):
    if node_kind != "ours":
        pytest.skip("the reference shows nothing")
    nodes = []

    def make(**options):
        nodes.append(Observed(**options))
        return nodes[-1]

    yield make
    for node in nodes:
        status = node.process.poll()
        text = node.log_text()[-4000:]
        if status is None:
            status = node.stop()
        node.close()
        assert status == 0, f"the node ended with status {status}:\n{text}"


# ---------------------------------------------------------------------------------------------------- the page


def test_prometheus_reads_the_page_and_its_numbers_are_right(observe):
    node = observe()
    group = Group([Peer(node.port), Peer(node.port)])
    receiver, sender = group.peers
    receiver.send(proto.subscribe(proto.name(NAME, 1)))
    assert group.collect(0) is not None
    before = node.samples()
    time.sleep(0.15)
    msg = proto.publish(proto.name("o/n/s", 1), proto.name(NAME, 1), payload=b"x" * 1000)
    for _ in range(100):
        sender.send(msg)
    assert len(receiver.take(100)) == 100
    service = {"service": "slim/0"}

    def grown(name, **labels):
        key = (name, frozenset({**service, **labels}.items()))
        return node.samples()[key] - before[key]

    assert node.reaches(before[("slim_messages_received_total", frozenset(service.items()))] + 100, "slim_messages_received_total")
    time.sleep(0.15)
    assert grown("slim_messages_received_total") == 100
    assert grown("slim_messages_delivered_total") == 100
    assert grown("slim_messages_by_type_total", type="publish") == 100
    assert grown("slim_message_received_bytes_total") == 100 * len(msg)
    assert grown("slim_message_delivered_bytes_total") == 100 * len(msg)
    assert grown("slim_connection_messages_received_total", conn="1") == 100
    assert grown("slim_connection_messages_delivered_total", conn="0") == 100
    assert node.value("slim_connections", kind="server") == 2
    assert node.value("slim_connection_info", kind="server") == 2
    assert node.value("slim_subscriptions") == 3
    assert node.value("slim_serving") == 1
    assert node.value("slim_process_cpu_seconds_total") > 0
    families = list(text_string_to_metric_families(node.page()))
    assert all(family.type in ("counter", "gauge") and family.documentation for family in families)
    assert all(family.name.startswith("slim_") for family in families)


def test_every_metric_and_every_reason_is_documented(observe):
    node = observe(collector=free_port())
    text = (ROOT / "docs" / "operations.md").read_text()
    words = set(re.findall(r"[A-Za-z0-9_]+", " ".join(re.findall(r"`([^`\n]*)`", text))))
    with Peer(node.port):
        shown = node.samples()
    missing = {name for name, _ in shown if name not in words}
    for name, pairs in shown:
        missing |= {f"{name}: {value}" for key, value in pairs
                    if key in ("reason", "type", "event", "result", "state", "kind", "method") and value not in words}
    assert len(shown) > 100 and not missing


@pytest.mark.parametrize("path, status", [("/", 404), ("/metrics/x", 404), ("/health", 404)])
def test_nothing_else_is_served(observe, path, status):
    node = observe()
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"http://127.0.0.1:{node.page_port}{path}", timeout=10)
    assert error.value.code == status


def test_scrapers_that_never_read_cost_nothing(observe):
    """More of them than may be connected, each with a request under way: messages go on, and so does a real scrape later."""
    node = observe()
    idle = [socket.create_connection(("127.0.0.1", node.page_port)) for _ in range(40)]
    for sock in idle[:20]:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
    group = Group([Peer(node.port), Peer(node.port)])
    assert group.collect(0) is not None
    for sock in idle:
        sock.close()
    assert wait_until(lambda: can_scrape(node), 15)


def can_scrape(node):
    try:
        return "slim_build_info" in node.page()
    except OSError:
        return False


def test_a_taken_address_is_an_error_of_the_start(observe):
    node = observe()
    config = node.folder / "other.yaml"
    config.write_text(CONFIG.format(port=free_port(), clients="", tracing="", **PLAIN,
                                    telemetry=f'telemetry:\n  prometheus: "127.0.0.1:{node.page_port}"\n'))
    done = subprocess.run([str(slim_bin()), "--config", str(config)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr == (
        "Error: failed to start service\n\nCaused by:\n    0: telemetry error\n    1: bind error\n"
        f"    2: Address already in use (os error 98)\n    3: telemetry.prometheus: 127.0.0.1:{node.page_port}\n"
    )


def test_without_the_section_nothing_listens_and_the_library_is_not_loaded(observe):
    node = observe(has_page=False)
    with open(f"/proc/{node.pid}/maps") as maps:
        assert "microhttpd" not in maps.read()


# ---------------------------------------------------------------------------------------------------- reasons


def publish(name=NAME, id=99, **kwargs):
    return proto.publish(proto.name("o/n/source", 1), proto.name(name, id), **kwargs)


def say(*messages):
    def provoke(node):
        with Peer(node.port) as peer:
            for msg in messages:
                peer.send(msg)
            peer.stream.half_close()
            assert peer.stream.wait_over()

    return provoke


def say_raw(data, ends=True, half_close=False):
    def provoke(node):
        with Peer(node.port) as peer:
            peer.stream.send_data([data], end_stream=half_close)
            assert not ends or peer.stream.wait_over()

    return provoke


def call(**kwargs):
    def provoke(node):
        with Conn.connect(node.port) as conn:
            stream = conn.open_stream(**kwargs)
            assert stream.wait_over()

    return provoke


def send_frames(make, count=1):
    """Frames on a connection with one open stream, until the node closes it."""

    def provoke(node):
        with Peer(node.port) as peer:
            data = b"".join(make(i) for i in range(count))
            peer.conn.send(data)
            assert peer.conn.wait(lambda: peer.conn.is_closed, 20)

    return provoke


def speak_http1(node):
    with socket.create_connection(("127.0.0.1", node.port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + b" " * 100)
        sock.settimeout(10)
        while sock.recv(4096):
            pass


def reset_socket(node):
    sock = socket.create_connection(("127.0.0.1", node.port))
    sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
    assert sock.recv(9)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def close_socket(node):
    Peer(node.port).close()


def unsubscribe_unknown(node):
    say(proto.unsubscribe(proto.name("o/n/nobody", 5), subscription_id=7))(node)


def many_streams(node):
    """More streams than one connection may have."""
    with Conn.connect(node.port) as conn:
        for _ in range(1100):
            conn.open_stream()
        assert conn.wait(lambda: conn.is_closed or any(s.reset is not None for s in conn.streams.values()), 20)


def health(node):
    with grpc.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)


def stop_reading(node):
    """A receiver whose window closes: 5 s later it is disconnected."""
    with Peer(node.port, window=65535, auto_credit=False) as receiver, Peer(node.port) as sender:
        receiver.send(proto.subscribe(proto.name(NAME, 5)))
        assert wait_until(lambda: node.value("slim_subscriptions") == 1)
        for _ in range(20):
            sender.send(publish(id=5, payload=b"x" * 10000))
        assert receiver.stream.wait_over(15)


BASIC = {"auth": '{type: basic, username: "u", password: "p"}'}
WRONG_NAME = proto.blob(1, proto.blob(1, b""))  # a Subscribe whose header is empty

REASONS = {
    "no_match": (say(publish()), "slim_messages_dropped_total", {"reason": "no_match"}),
    "malformed": (say_raw(b"\x00\x00\x00\x00\x02\xff\xff"), "slim_messages_dropped_total", {"reason": "malformed"}),
    "undecodable": (say_raw(b"\x00\x00\x00\x00\x02\xff\xff"), "slim_connections_closed_total", {"reason": "undecodable"}),
    "invalid": (say(WRONG_NAME), "slim_messages_dropped_total", {"reason": "invalid"}),
    "link_negotiation": (say(proto.link("no-uuid")), "slim_messages_dropped_total", {"reason": "link_negotiation"}),
    "private_fields": (say(publish(recv_from=3)), "slim_private_fields_ignored_total", {}),
    "unknown": (unsubscribe_unknown, "slim_subscriptions_refused_total", {"reason": "unknown"}),
    "ended": (say(publish()), "slim_connections_closed_total", {"reason": "ended"}),
    "lost": (close_socket, "slim_connections_closed_total", {"reason": "lost"}),
    "broken": (say_raw(b"\x01\x00\x00\x00\x00"), "slim_connections_closed_total", {"reason": "broken"}),
    "too_long": (say_raw(b"\x00\x7f\x00\x00\x00"), "slim_streams_broken_total", {"reason": "too_long"}),
    "compressed": (say_raw(b"\x01\x00\x00\x00\x00"), "slim_streams_broken_total", {"reason": "compressed"}),
    "cut_off": (say_raw(b"\x00\x00\x00", half_close=True), "slim_streams_broken_total", {"reason": "cut_off"}),
    "unknown_path": (call(path="/some.Service/Method"), "slim_calls_refused_total", {"reason": "unknown_path"}),
    "encoding": (call(extra=[("grpc-encoding", "gzip")]), "slim_calls_refused_total", {"reason": "encoding"}),
    "not_http2": (speak_http1, "slim_http2_errors_total", {"reason": "not_http2"}),
    "closed_http2": (speak_http1, "slim_sockets_closed_total", {"reason": "http2"}),
    "reset": (reset_socket, "slim_sockets_closed_total", {"reason": "reset"}),
    "by_peer": (close_socket, "slim_sockets_closed_total", {"reason": "by_peer"}),
    "protocol": (send_frames(lambda i: frame(DATA, 0, 0, b"x")), "slim_http2_errors_total", {"reason": "protocol"}),
    "flood_pings": (send_frames(lambda i: frame(PING, ACK, 0, b"12345678"), 50000), "slim_http2_errors_total", {"reason": "flood_pings"}),
    "unread": (send_frames(lambda i: frame(PING, 0, 0, b"12345678"), 50000), "slim_http2_errors_total", {"reason": "unread"}),
    "closed_flood": (send_frames(lambda i: frame(SETTINGS, 0, 0), 2000), "slim_sockets_closed_total", {"reason": "flood"}),
    "flood_settings": (send_frames(lambda i: frame(SETTINGS, 0, 0), 2000), "slim_http2_errors_total", {"reason": "flood_settings"}),
    "flood_priorities": (send_frames(lambda i: frame(PRIORITY, 0, 1, b"\x00\x00\x00\x00\x00"), 20000), "slim_http2_errors_total",
                         {"reason": "flood_priorities"}),
    "flood_empty_data": (send_frames(lambda i: frame(DATA, 0, 1), 20000), "slim_http2_errors_total", {"reason": "flood_empty_data"}),
    "headers_too_long": (call(extra=[(f"x{i:03}", "y" * 50) for i in range(200)]), "slim_http2_errors_total", {"reason": "headers_too_long"}),
    "streams": (many_streams, "slim_http2_errors_total", {}),
    "slow_stalled": (stop_reading, "slim_connections_closed_total", {"reason": "slow_stalled"}),
    "discarded": (stop_reading, "slim_discarded_bytes_total", {}),
    "auth_missing": (call(), "slim_calls_refused_total", {"reason": "auth_missing"}, BASIC),
    "auth_password": (call(extra=[("authorization", "Basic dTp4")]), "slim_calls_refused_total", {"reason": "auth_password"}, BASIC),
    "health without authentication": (health, "slim_health_checks_total", {"method": "Check"}, BASIC),
    "health": (health, "slim_health_checks_total", {"method": "Check"}),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_provoked_is_counted_with_its_reason(observe, reason):
    provoke, name, labels, *more = REASONS[reason]
    options = more[0] if more else {}
    node = observe(**options)
    # the probe that saw it listen is a socket too, and may have ended in any way
    assert wait_until(lambda: node.value("slim_sockets") == 0 and node.value("slim_sockets_accepted_total") > 0)
    before = node.value(name, **labels)
    provoke(node)
    assert node.reaches(before + 1, name, **labels), node.page()


def test_a_link_that_is_lost_and_found_is_counted(observe):
    with Server() as server:
        node = observe(clients=[server.port])
        stream = server.wait_stream()
        assert node.value("slim_connections", kind="link") == 1
        time.sleep(1.1)  # a link that lived so long was a good one
        stream.conn.close()
        assert node.reaches(1, "slim_link_events_total", event="lost")
        assert server.wait_stream(2)
        assert node.reaches(1, "slim_link_events_total", event="reconnected")
        assert node.value("slim_connections_closed_total") == 0, "the connection of a link outlives its stream"


# ---------------------------------------------------------------------------------------------------- health


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health_check_says_serving(observe, service):
    node = observe()
    with grpc.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_an_unknown_service_is_not_found(observe):
    node = observe()
    with grpc.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.Check(health_pb2.HealthCheckRequest(service="x.Y"), timeout=10)
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="x.Y"), timeout=10)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()


def test_health_watch_tells_when_the_drain_begins(observe):
    node = observe()
    with grpc.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watches = [stub.Watch(health_pb2.HealthCheckRequest(service=s), timeout=30) for s in ("", SERVICE)]
        for watch in watches:
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        # it goes on although grpcio ended its direction with the request
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status == health_pb2.HealthCheckResponse.SERVING
        assert not watches[0].done()
        node.process.send_signal(signal.SIGTERM)
        for watch in watches:
            assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
            with pytest.raises(grpc.RpcError) as error:
                next(watch)
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert node.process.wait(10) == 0


@pytest.mark.parametrize("data, status", [
    pytest.param(b"\x00\x00\x00\x00\x02\xff\xff", 3, id="not protobuf"),
    pytest.param(b"\x00\x00\x00\x00\x00" * 2, 3, id="two requests"),
])
def test_bad_health_requests_end_their_call_only(observe, data, status):
    node = observe()
    with Conn.connect(node.port) as conn:
        stream = conn.open_stream(path="/grpc.health.v1.Health/Watch")
        stream.send_data([data])
        assert stream.wait_over() and stream.grpc_status == status
        other = conn.open_stream()
        assert conn.wait(lambda: other.headers is not None)


def test_watchers_that_leave_leave_nothing_behind(observe):
    node = observe()
    with Conn.connect(node.port) as conn:
        for _ in range(200):
            stream = conn.open_stream(path="/grpc.health.v1.Health/Watch")
            stream.send_data([b"\x00\x00\x00\x00\x00"])
            assert stream.take(1) == [b"\x08\x01"]
            stream.send_reset()
        assert node.reaches(200, "slim_health_checks_total", method="Watch")
    assert node.value("slim_connections", kind="server") == 0
    assert wait_until(lambda: node.value("slim_sockets") == 0)


# ---------------------------------------------------------------------------------------------------- OpenTelemetry


class Collector(metrics_service_pb2_grpc.MetricsServiceServicer, trace_service_pb2_grpc.TraceServiceServicer):
    """A stand-in for the OpenTelemetry collector that keeps what it is given."""

    def __init__(self, port):
        self.exports = []
        self.spans = []
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(self, self.server)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self.server)
        assert self.server.add_insecure_port(f"127.0.0.1:{port}") == port
        self.server.start()

    def Export(self, request, context):
        if isinstance(request, trace_service_pb2.ExportTraceServiceRequest):
            for group in request.resource_spans:
                for scope in group.scope_spans:
                    self.spans.extend(scope.spans)
            return trace_service_pb2.ExportTraceServiceResponse()
        self.exports.append(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()

    def metric(self, name):
        """{attributes as a frozen set of pairs: number} of the last export."""
        found = {}
        for metric in self.exports[-1].resource_metrics[0].scope_metrics[0].metrics:
            if metric.name == name:
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    assert point.start_time_unix_nano <= point.time_unix_nano
                    found[frozenset((a.key, a.value.string_value) for a in point.attributes)] = point.as_int
        return found

    def has(self, name, value, *attribute):
        return self.exports and self.metric(name).get(frozenset([attribute] if attribute else [])) == value

    def stop(self):
        self.server.stop(None).wait()


def test_a_collector_gets_metrics_and_spans(observe):
    port = free_port()
    collector = Collector(port)
    try:
        node = observe(collector=port)
        with Peer(node.port) as peer:
            peer.send(proto.subscribe(proto.name(NAME, 1)))
            for _ in range(5):
                peer.send(publish())
            assert wait_until(lambda: collector.has("num_messages_by_type", 5, "method", "publish"), 10)
            assert collector.has("num_messages_by_type", 1, "message_type", "subscribe")
            assert collector.has("num_processed_messages", 6)
            assert collector.has("num_message_process_errors", 5)
            assert collector.has("num_active_connections", 1)
        resource = {a.key: a.value.string_value for a in collector.exports[-1].resource_metrics[0].resource.attributes}
        assert resource["service.name"] == "the-name" and resource["service.version"] == "v9"
        assert resource["deployment.environment.name"] == "testing"
        for metric in collector.exports[-1].resource_metrics[0].scope_metrics[0].metrics:
            if metric.WhichOneof("data") == "sum":
                assert metric.sum.aggregation_temporality == 2, "cumulative"
                assert metric.sum.is_monotonic == (metric.name != "num_active_connections"), metric.name
        assert wait_until(lambda: {"slim.start", "slim.connection"} <= {span.name for span in collector.spans}, 10)
        span = next(span for span in collector.spans if span.name == "slim.connection")
        attributes = {a.key: a.value.int_value or a.value.string_value for a in span.attributes}
        assert attributes["slim.messages.received"] == 6
        assert len(span.trace_id) == 16 and len(span.span_id) == 8
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
        assert node.value("slim_telemetry_exports_total", result="failed") == 0

        before = len(collector.spans)
        with Peer(node.port):
            assert node.stop() == 0, "what ends with the drain is exported too"
        assert any(span.name == "slim.connection" for span in collector.spans[before:])
    finally:
        collector.stop()


def test_a_dead_collector_costs_one_line_until_it_is_back(observe):
    port = free_port()
    node = observe(collector=port)
    lost = "collector does not take exports"
    assert wait_until(lambda: lost in node.log_text(), 10)
    group = Group([Peer(node.port), Peer(node.port)])
    assert group.collect(0) is not None
    assert node.reaches(2, "slim_telemetry_exports_total", result="failed")
    assert node.log_text().count(lost) == 1
    collector = Collector(port)
    try:
        assert wait_until(lambda: collector.exports, 20)
        assert wait_until(lambda: "takes exports again" in node.log_text(), 10)
        assert node.log_text().count(lost) == 1
    finally:
        collector.stop()


def test_a_dead_collector_does_not_delay_the_end(observe):
    node = observe(collector=free_port())
    started = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - started < 5, "the drain of nothing takes no time; 5 s are for a slow machine"


def test_a_collector_that_never_answers_does_not_stop_messages(observe):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []
        threading.Thread(target=lambda: taken.append(listener.accept()), daemon=True).start()
        node = observe(collector=listener.getsockname()[1])
        assert wait_until(lambda: taken, 10)
        group = Group([Peer(node.port), Peer(node.port)])
        assert group.collect(0) is not None
        assert node.stop() == 0
        taken[0][0].close()


def test_an_endpoint_that_makes_no_sense_is_an_error_of_the_start(tmp_path, monkeypatch):
    config = tmp_path / "config.yaml"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
    tracing = "  opentelemetry: {enabled: true}\n"
    config.write_text(CONFIG.format(port=free_port(), clients="", tracing=tracing, telemetry="", **PLAIN))
    done = subprocess.run([str(slim_bin()), "--config", str(config)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "invalid endpoint scheme" in done.stderr and "collector:4317" in done.stderr


# ---------------------------------------------------------------------------------------------------- systemd


def notified(sock, wanted, timeout=10.0):
    """Datagrams until one has this line; all of them."""
    found = []
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        sock.settimeout(max(0.01, end - time.monotonic()))
        try:
            found.append(sock.recv(4096).decode())
        except TimeoutError:
            break
        if wanted in found[-1].split("\n"):
            return found
    pytest.fail(f"{wanted} did not come: {found}", pytrace=False)


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told(observe, tmp_path, monkeypatch, is_abstract):
    path = f"@slim-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + path[1:] if is_abstract else path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        node = observe()
        notified(sock, "READY=1")
        notified(sock, "WATCHDOG=1")
        notified(sock, "WATCHDOG=1")
        node.process.send_signal(signal.SIGHUP)
        reloading = notified(sock, "RELOADING=1")[-1]
        assert re.search(r"^MONOTONIC_USEC=\d+$", reloading, re.M)
        notified(sock, "READY=1")
        node.process.send_signal(signal.SIGTERM)
        notified(sock, "STOPPING=1")
        assert node.process.wait(10) == 0


def test_systemd_is_told_that_it_is_ready_only_when_clients_are_connected(observe, tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    port = free_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        node = observe(clients=[port], wait=True)
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(4096)
        with Server(port=port):
            notified(sock, "READY=1")
            assert node.stop() == 0
