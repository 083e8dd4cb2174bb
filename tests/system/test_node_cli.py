"""The command line of the node, its start and stop lines, its exit statuses: the real program (node.md 1, 2, 8)."""

import os
import pty
import re
import signal
import socket
import subprocess
import time

import pytest
from harness import proto
from harness.h2raw import Conn
from harness.node import free_port, is_listening, slim_bin, wait_until
from peers import Peer

USAGE = "\nUsage: slim --config <FILE> --version\n\nFor more information, try '--help'.\n"
LINE = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (?P<level>TRACE|DEBUG| INFO| WARN|ERROR) +(?P<thread>\S+) "
    r"ThreadId\((?P<id>\d\d)\) (?P<span>application_lifecycle: )?(?P<target>[a-z_:]+): \d+: (?P<message>.*)$"
)
STOP_LIMIT_S = 10

# The tutorial's file, but for the address: the tests bind 127.0.0.1 on a free port.
TUTORIAL = """\
tracing:
  log_level: info
  display_thread_names: true
  display_thread_ids: true
runtime:
  n_cores: 0
  thread_name: "slim-data-plane"
  drain_timeout: 10s
services:
  slim/0:
    dataplane:
      servers:
        - endpoint: "127.0.0.1:{port}"
          tls:
            insecure: true
      clients: []
    controller:
      servers: []
"""
CLIENT_FILE = """\
runtime: {{drain_timeout: 10s}}
tracing: {{display_thread_ids: true}}
services:
  slim/0:
    dataplane:
      clients: [{{endpoint: "http://127.0.0.1:{port}", tls: {{insecure: true}}, backoff: {backoff}}}]
"""


@pytest.fixture(autouse=True)
def ours_only(node_kind):
    if node_kind != "ours":
        pytest.skip("the program of this repository is tested")


@pytest.fixture
def config(tmp_path):
    """Write a configuration file; its path."""

    def write(text, name="config.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def environment(**more):
    clean = {key: value for key, value in os.environ.items() if key not in ("CONFIG", "RUST_LOG", "NO_COLOR")}
    return {**clean, **more}


def slim(*arguments, **variables):
    """Run to the end."""
    return subprocess.run(
        [slim_bin(), *arguments],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STOP_LIMIT_S,
    )


class Running:
    """A node that was started, and its lines so far."""

    def __init__(self, path, folder, **variables):
        self.out_path = folder / "out"
        self.err_path = folder / "err"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                [slim_bin(), "--config", path],
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def out(self):
        return self.out_path.read_text()

    def err(self):
        return self.err_path.read_text()

    def lines(self):
        return [LINE.match(line) or pytest.fail(f"not a log line: {line!r}") for line in self.out().splitlines()]

    def messages(self):
        return [f"{line['target']}: {line['message']}" for line in self.lines()]

    def wait_for(self, text):
        assert wait_until(lambda: text in self.out() or self.process.poll() is not None), self.out()
        assert text in self.out(), self.out() + self.err()

    def stop(self, number=signal.SIGTERM):
        """Send the signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_LIMIT_S)


@pytest.fixture
def start(tmp_path, config):
    nodes = []

    def run(text, **variables):
        folder = tmp_path / f"run-{len(nodes)}"
        folder.mkdir()
        nodes.append(Running(config(text), folder, **variables))
        return nodes[-1]

    yield run
    for node in nodes:
        if node.process.poll() is None:
            node.process.kill()
        node.process.wait()


# ---- arguments


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_version_is_four_labelled_lines(flag):
    done = slim(flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"Version:\t(slim-v\S+)?\nBuild Date:\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\nGit SHA:\t[0-9a-f]*\n"
        r"Profile:\t(release|debug)\n",
        done.stdout,
    )


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("value", [None, "/etc/slim.yaml"])
def test_help_is_that_of_the_reference(flag, value):
    done = slim(flag, **({"CONFIG": value} if value else {}))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "The main SLIM executable.\n\nUsage: slim --config <FILE> --version\n\nOptions:\n"
        f"  -c, --config <FILE>  Sets a custom config file [env: CONFIG={value or ''}]\n"
        "  -v, --version        Print version\n  -h, --help           Print help\n"
    )


@pytest.mark.parametrize(
    "arguments, variables, text",
    [
        ([], {}, "error: the following required arguments were not provided:\n  --config <FILE>\n  --version\n" + USAGE),
        (["-V"], {}, "error: unexpected argument '-V' found\n" + USAGE),
        (["--bogus"], {}, "error: unexpected argument '--bogus' found\n" + USAGE),
        (["foo"], {}, "error: unexpected argument 'foo' found\n" + USAGE),
        (
            ["--config"],
            {},
            "error: a value is required for '--config <FILE>' but none was supplied\n\n"
            "For more information, try '--help'.\n",
        ),
        (
            ["--config", "a", "--version"],
            {},
            "error: the argument '--config <FILE>' cannot be used with '--version'\n" + USAGE,
        ),
        (
            ["-v"],
            {"CONFIG": "x"},
            "error: the argument '--version' cannot be used with '--config <FILE>'\n" + USAGE,
        ),
    ],
)
def test_usage_errors_exit_2(arguments, variables, text):
    done = slim(*arguments, **variables)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", text)


# ---- configurations that are refused


def chain(context, *causes):
    return f"Error: {context}\n\nCaused by:\n" + "".join(f"    {i}: {cause}\n" for i, cause in enumerate(causes))


def test_missing_file_is_told_as_the_reference_does():
    done = slim("-c", "/nonexistent.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        chain("failed to load configuration", "io error", "No such file or directory (os error 2)")
    )


def test_directory_is_no_file(tmp_path):
    done = slim("-c", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(chain("failed to load configuration", "io error", "Is a directory (os error 21)"))


def test_file_errors_come_before_the_first_line(config):
    done = slim(CONFIG=config("foo: 1\nservices: {}\n"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        chain("failed to load configuration", "invalid configuration - key foo not valid") + "    1: "
    )
    assert "config.yaml:1:1: the file is a map with the keys tracing, runtime, telemetry and services" in done.stderr


@pytest.mark.parametrize(
    "text, context, causes",
    [
        ("services: {}\n", "error loading services", ["invalid configuration - missing services"]),
        (
            'services: {slim/0: {dataplane: {servers: [{endpoint: "127.0.0.1:1", tls: {insecure: "true"}}]}}}\n',
            "error loading services",
            ["yaml parse error", 'invalid type: string "true", expected a boolean'],
        ),
        ("services: {slim/0: {}}\n", "failed to start service", ["no server or client configured"]),
        (
            'services: {slim/0: {dataplane: {servers: [{endpoint: "localhost:1", tls: {insecure: true}}]}}}\n',
            "failed to start service",
            ["datapath error", "configuration error", "endpoint parse error", "invalid socket address syntax"],
        ),
    ],
)
def test_service_errors_come_behind_runtime_started(config, text, context, causes):
    done = slim("--config", config(text))
    assert done.returncode == 1
    assert re.fullmatch(r"\S+  INFO main application_lifecycle: slim: \d+: Runtime started\n", done.stdout)
    assert done.stderr.startswith(chain(context, *causes))


def test_port_in_use_is_a_bind_error(config):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = slim("--config", config(TUTORIAL.format(port=port)))
    assert done.returncode == 1
    assert done.stderr == chain(
        "failed to start service",
        "datapath error",
        "configuration error",
        "bind error",
        "Address already in use (os error 98)",
        f"service slim/0: server 127.0.0.1:{port}",
    )


def test_check_reports_everything_at_once_and_starts_nothing(config):
    path = config(
        "runtime: {n_cores: many, typo: 1}\nservices:\n  slim: {}\n"
        '  slim/1: {dataplane: {servers: [{endpoint: "localhost:1", tls: {insecure: true}}]}}\n'
    )
    done = slim("--check", "--config", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("Error: ") == 3
    assert "invalid type: string \"many\", expected u32" in done.stderr
    assert "key id cannot be empty not valid" in done.stderr
    assert "invalid socket address syntax" in done.stderr
    assert "warning: " in done.stderr and "runtime.typo: unknown key, ignored" in done.stderr
    assert done.stderr.endswith("config.yaml: 3 problems\n")


def test_check_of_a_good_file_exits_0(config):
    port = free_port()
    path = config(TUTORIAL.format(port=port))
    done = slim("--check", "--config", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: no problems\n"
    assert not is_listening(port)


# ---- start and stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_tutorial_lines_come_in_order(start, number):
    port = free_port()
    node = start(TUTORIAL.format(port=port))
    node.wait_for("service started")
    assert is_listening(port)
    assert node.messages() == [
        "slim: Runtime started",
        f"slim_service::service: dataplane server started endpoint=127.0.0.1:{port}",
        "slim_service::service: no controller configuration provided, skipping controller startup",
        "slim: service started service=slim/0",
    ]
    assert node.stop(number) == 0
    assert node.messages()[4:] == [
        f"slim::signal: received signal, starting shutdown signal={number.name}",
        "slim: stopping service service=slim/0",
        f"slim_service::service: stopping server endpoint=127.0.0.1:{port}",
    ]
    assert all(
        line["level"] == " INFO" and line["thread"] == "main" and line["id"] == "01" and line["span"]
        for line in node.lines()
    )
    assert node.err() == ""
    assert not is_listening(port)


def test_the_engine_logs_from_its_own_thread(start):
    port = free_port()
    node = start(TUTORIAL.format(port=port))
    node.wait_for("service started")
    with Peer(port):
        pass
    node.wait_for("connection closed by peer")
    line = node.lines()[-1]
    assert (line["thread"], line["id"], line["span"]) == ("slim-data-plane", "02", None)
    assert line["target"] == "slim_datapath::message_processing"
    assert line["message"] == "connection closed by peer conn_index=0"
    names = {
        open(f"/proc/{node.process.pid}/task/{task}/comm").read().strip()
        for task in os.listdir(f"/proc/{node.process.pid}/task")
    }
    assert names == {"slim", "slim-data-plane"}
    assert node.stop() == 0
    assert "            main ThreadId(01) application_lifecycle: slim::signal: " in node.out()


def test_open_streams_are_drained(start):
    port = free_port()
    node = start(TUTORIAL.format(port=port))
    node.wait_for("service started")
    with Peer(port):
        assert node.stop() == 0
    assert "slim_datapath::message_processing: shutting down stream on drain conn_index=0" in node.messages()


def send_until_seen(sender, receiver, destination, payload):
    """Publish until `receiver` gets it: then all that `sender` sent before was handled too."""
    for _ in range(50):
        sender.send(proto.publish(proto.name("o/n/sender"), destination, payload=payload))
        if receiver.stream.take_until(lambda msg: proto.payload_of(msg) == payload, 0.2) is not None:
            return
    pytest.fail(f"{payload} did not arrive")


def test_drain_that_takes_too_long_exits_1(start):
    port = free_port()
    node = start(TUTORIAL.format(port=port).replace("drain_timeout: 10s", "drain_timeout: 250ms"))
    node.wait_for("service started")
    slow_name, other_name = proto.name("o/n/slow"), proto.name("o/n/other")
    with Peer(port, rcvbuf=4096, window=2**25) as slow, Peer(port) as other, Peer(port) as sender:
        other.send(proto.subscribe(other_name))
        slow.send(proto.subscribe(slow_name))
        send_until_seen(slow, other, other_name, b"slow has subscribed")
        slow.conn.pause()
        for _ in range(4):
            sender.send(proto.publish(proto.name("o/n/sender"), slow_name, payload=bytes(3 * 1024 * 1024)))
        send_until_seen(sender, other, other_name, b"slow has something to read")
        assert node.stop() == 1  # the sockets between us hold less
    assert node.messages()[-1] == "slim: Service shutdown timed out timeout=250ms"
    assert node.err() == "Error: Service shutdown timed out after 250ms\n"


def test_clients_connect_before_the_service_is_started(start):
    port = free_port()
    server = start(TUTORIAL.format(port=port))
    server.wait_for("service started")
    node = start(CLIENT_FILE.format(port=port, backoff="{type: fixed_interval, interval: 50ms}"))
    node.wait_for("service started")
    assert node.messages() == [
        "slim: Runtime started",
        f"slim_service::service: client connected endpoint=http://127.0.0.1:{port} conn_id=0",
        "slim_service::service: no controller configuration provided, skipping controller startup",
        "slim: service started service=slim/0",
    ]
    assert node.stop() == 0
    assert node.messages()[4:] == [
        "slim::signal: received signal, starting shutdown signal=SIGTERM",
        "slim: stopping service service=slim/0",
        f"slim_service::service: disconnecting client endpoint=http://127.0.0.1:{port} conn_id=0",
    ]
    server.wait_for("connection closed by peer conn_index=0")


def test_client_waits_for_its_server(start):
    port = free_port()
    node = start(CLIENT_FILE.format(port=port, backoff="{type: fixed_interval, interval: 50ms}"))
    node.wait_for("Transport error encountered. Retrying...")
    server = start(TUTORIAL.format(port=port))
    server.wait_for("service started")
    node.wait_for("service started")
    assert node.stop() == 0
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_while_a_client_is_still_being_retried_exits_0(start, number):
    """The reference is killed by the signal (node.md 2)."""
    node = start(CLIENT_FILE.format(port=free_port(), backoff="{type: fixed_interval, interval: 1h}"))
    node.wait_for("Transport error encountered. Retrying...")
    before = time.monotonic()
    assert node.stop(number) == 0
    assert time.monotonic() - before < STOP_LIMIT_S / 2  # the hour is not waited for
    assert f"slim::signal: received signal, starting shutdown signal={number.name}" in node.messages()
    assert not any("service started" in message for message in node.messages())


def test_client_that_gives_up_ends_the_start(start):
    port = free_port()
    node = start(CLIENT_FILE.format(port=port, backoff="{type: fixed_interval, interval: 10ms, max_attempts: 2}"))
    assert node.process.wait(STOP_LIMIT_S) == 1
    retries = [message for message in node.messages() if "Transport error encountered. Retrying..." in message]
    assert len(retries) == 3
    assert node.err().startswith(
        chain("failed to start service", "datapath error", "configuration error", "transport error")
    )
    assert f"service slim/0: client http://127.0.0.1:{port}" in node.err()


def test_unknown_keys_are_warned_of(start):
    port = free_port()
    settings = "tracing: {display_thread_ids: true}\n"
    node = start(settings + TUTORIAL[TUTORIAL.index("runtime:") :].format(port=port) + "    bogus: 1\n")
    node.wait_for("service started")
    warnings = [line["message"] for line in node.lines() if line["level"] == " WARN"]
    assert len(warnings) == 1
    assert "config.yaml:16:5: services.slim/0.bogus: unknown key, ignored" in warnings[0]


# ---- log


def test_limits_of_a_server_are_announced(start):
    """max_frame_size counts MiB; the numbers on the left are those of SETTINGS."""
    port = free_port()
    limits = "max_concurrent_streams: 7, max_frame_size: 2, max_header_list_size: 20000"
    node = start(f"services: {{slim/0: {{dataplane: {{servers: [{{endpoint: '127.0.0.1:{port}', "
                 f"tls: {{insecure: true}}, {limits}}}]}}}}}}")
    node.wait_for("service started")
    with Conn.connect(port) as conn:
        assert conn.wait(lambda: conn.peer_settings)
        assert {key: conn.peer_settings.get(key) for key in (3, 5, 6)} == {3: 7, 5: 2 * 2**20, 6: 20000}


@pytest.mark.parametrize(
    "value, shown",
    [
        ("slim=debug", {"slim", "slim_service::service", "slim::signal"}),
        ("slim_service=info", {"slim_service::service"}),
        ("bogus", set()),
        ("", set()),
        ("off", set()),
    ],
)
def test_rust_log_wins_over_the_file(start, value, shown):
    port = free_port()
    node = start(TUTORIAL.format(port=port), RUST_LOG=value)
    assert wait_until(lambda: is_listening(port))
    assert node.stop() == 0
    assert {line["target"] for line in node.lines()} - {"slim_datapath::message_processing"} == shown


def test_the_span_is_silenced_with_its_target(start):
    port = free_port()
    text = TUTORIAL.replace("log_level: info", "log_level: info\n  filters: [slim_service]").format(port=port)
    node = start(text)
    node.wait_for("skipping controller startup")
    assert [line["span"] for line in node.lines()] == [None, None]
    assert node.stop() == 0


def read_terminal(path, **variables):
    """What the node prints on a terminal, until its service has started."""
    main, worker = pty.openpty()
    process = subprocess.Popen(
        [slim_bin(), "--config", path],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=worker,
        stderr=worker,
    )
    os.close(worker)
    text = b""
    try:
        while b"slim/0" not in text:
            text += os.read(main, 4096)
    finally:
        process.terminate()
        process.wait(STOP_LIMIT_S)
        os.close(main)
    return text.decode()


def test_colours_are_for_terminals_and_change_no_text(config):
    path = config(TUTORIAL.format(port=free_port()))
    coloured = read_terminal(path)
    assert coloured.startswith("\x1b[2m20")
    assert (
        "\x1b[0m \x1b[32m INFO\x1b[0m main ThreadId(01) \x1b[1mapplication_lifecycle\x1b[0m\x1b[2m:\x1b[0m "
        "\x1b[2mslim\x1b[0m\x1b[2m:\x1b[0m \x1b[2m" in coloured
    )
    for line in re.sub(r"\x1b\[\d+m", "", coloured).splitlines():
        assert LINE.match(line), line
    assert "\x1b" not in read_terminal(path, NO_COLOR="1")
