"""Configuration files: what the reference said about each (node.md 8), what --check says, and lines as JSON."""

import json
import re
from pathlib import Path

import pytest
from harness.certs import Authority
from harness.node import free_port
from test_node_cli import TUTORIAL, chain, config, ours_only, slim, start  # noqa: F401  (fixtures among them)

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "control"

# What ours does otherwise, on purpose.
OTHERWISE = {
    "badruntime.yaml": "1.3.0 and later refuse it as we do; 1.0.0 runs with defaults and says nothing",
    "badtracing.yaml": "as badruntime.yaml",
    "badlevel.yaml": "one warning instead of a line for each of its modules",
    "dup.yaml": "found before the first of the two connects",
    "portinuse.yaml": "needs a busy port: test_port_in_use_is_a_bind_error",
    "clbackoff.yaml": "needs a dead server: test_client_that_gives_up_ends_the_start",
    "httpsplain.yaml": "needs a dead server, too",
}


def read_cases(name):
    """(name, file, output, exit status) of each recorded case."""
    parts = re.split(r"^### (\S+)\n", (VECTORS / name).read_text(), flags=re.M)[1:]
    for case, body in zip(parts[::2], parts[1::2], strict=True):
        text, rest = body.split("--- output\n")
        output, status = re.fullmatch(r"(.*)--- exit (\d+)\s*", rest, re.S).groups()
        yield pytest.param(text, output, int(status), id=case)


CASES = [
    case
    for name in ("node-bad-configs.txt", "node-extra-cases.txt")
    for case in read_cases(name)
    if case.id not in OTHERWISE
]


def read_chain(text):
    """Context and causes of an `Error: ...` block."""
    lines = text[text.index("Error: ") :].splitlines()
    causes = [re.sub(r"^ +(\d+: )?", "", line) for line in lines[3:] if line.strip()]
    return lines[0].removeprefix("Error: "), causes


def on_free_ports(text):
    """The file with a free port for each recorded one of a server, the same for the same."""
    ports = {}
    return re.sub(r"(?<=127\.0\.0\.1:)57\d\d\d\b", lambda at: str(ports.setdefault(at[0], free_port())), text), ports


def test_all_recorded_cases_are_here():
    assert len(CASES) + len(OTHERWISE) == 64


@pytest.mark.parametrize("text, output, status", [case for case in CASES if case.values[2] == 1])
def test_refused_as_the_reference_does(config, text, output, status):  # noqa: F811
    text, ports = on_free_ports(text)
    done = slim("--config", config(text))
    assert done.returncode == status
    context, causes = read_chain(output)
    for recorded, port in ports.items():
        causes = [cause.replace(recorded, str(port)) for cause in causes]
    assert read_chain(done.stderr)[0] == context
    assert read_chain(done.stderr)[1][:-1] == causes
    assert "config.yaml" in read_chain(done.stderr)[1][-1]
    assert ("Runtime started" in done.stdout) == ("Runtime started" in output)


@pytest.mark.parametrize("text, output, status", [case for case in CASES if case.values[2] != 1])
def test_accepted_as_the_reference_does(start, text, output, status):  # noqa: F811
    assert status == 0
    text, _ = on_free_ports(text)
    node = start(text)
    has_none = "skipping controller startup" in output
    node.wait_for("skipping controller startup" if has_none else "does not act on the controller")
    assert node.stop() == 0
    part = re.compile(r"^\S+ +INFO.*slim_service::service: \d+: (dataplane server started|stopping server)", re.M)
    assert part.findall(node.out()) == part.findall(output)


# ---- --check


def test_check_looks_at_the_files_that_are_named(config, tmp_path):  # noqa: F811
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    path = config(
        "services: {slim/0: {dataplane: {servers: [{endpoint: '127.0.0.1:1', "
        f"tls: {{source: {{type: file, cert: {cert}, key: {key}}}}}}}]}}}}}}\n"
    )
    missing = chain(
        "failed to start service",
        "datapath error",
        "configuration error",
        "TLS config error",
        "invalid pem format",
        "I/O error: No such file or directory (os error 2)",
    )
    done = slim("--check", "--config", path)
    assert done.returncode == 1 and done.stderr.count(missing) == 2
    assert "tls.source.cert: the file cannot be read" in done.stderr
    assert "tls.source.key: the file cannot be read" in done.stderr
    cert.write_text("-----BEGIN CERTIFICATE-----\n")
    key.write_text("something else\n")
    done = slim("--check", "--config", path)
    assert done.returncode == 1 and done.stderr.endswith("config.yaml: 1 problem\n")
    assert "invalid pem format\n    4: no items found\n" in done.stderr
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    done = slim("--check", "--config", path)
    assert done.returncode == 1 and "no certificate, or a broken one" in done.stderr
    authority = Authority(tmp_path)
    one, other = authority.pair("one"), authority.pair("other")
    cert.write_bytes(one.cert.read_bytes())
    key.write_bytes(other.key.read_bytes())
    done = slim("--check", "--config", path)
    assert done.returncode == 1 and done.stderr.endswith("config.yaml: 1 problem\n")
    assert "3: the key does not belong to the certificate\n    4: service slim/0: server 127.0.0.1:1\n" in done.stderr
    key.write_bytes(one.key.read_bytes())
    done = slim("--check", "--config", path)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_looks_at_the_certificates_of_clients(config, tmp_path):  # noqa: F811
    authority = Authority(tmp_path)
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    def check(endpoint, ca):
        return slim("--check", "--config", config(
            f"services: {{slim/0: {{dataplane: {{clients: [{{endpoint: '{endpoint}', "
            f"tls: {{ca_source: {{type: file, path: {ca}}}}}}}]}}}}}}\n"))

    done = check("https://h:1", rubbish)
    assert done.returncode == 1 and "no CA certificate, or a broken one" in done.stderr
    assert "service slim/0: client https://h:1" in done.stderr
    assert check("https://h:1", authority.path).returncode == 0
    assert check("http://h:1", rubbish).returncode == 0, "plain whatever tls says"


def test_check_prints_warnings_of_a_good_file(config):  # noqa: F811
    old = "insecure: true\n            cert_file: /x"
    path = config(TUTORIAL.replace("insecure: true", old).format(port=free_port()))
    done = slim("--check", "--config", path)
    assert done.returncode == 0 and done.stdout.endswith("no problems\n")
    assert done.stderr.startswith("warning: ") and done.stderr.count("\n") == 1
    assert "config.yaml:16:13: " in done.stderr
    assert ".tls.cert_file: key of older releases, ignored; write source: {type: file" in done.stderr


def test_secrets_are_never_shown(config):  # noqa: F811
    path = config(
        "services: {slim/0: {dataplane: {servers: [{endpoint: '${env:ADDRESS}', tls: {insecure: '${env:SECRET}'}, "
        "auth: {type: basic, username: 1, password: 918273645}}], clients: [{endpoint: '${env:SECRET}', "
        "headers: {a: \"hunter2\\n\"}, proxy: {url: 'socks5://u:hunter2@p', password: [hunter2]}, "
        "auth: {type: jwt, key: {type: decoding, algorithm: '${env:SECRET}', format: pem, key: {data: hunter2}}}}]}, "
        "controller: {token_provider: {type: shared_secret, id: a, data: hunter2}}}}\n"
    )
    done = slim("--check", "--config", path, SECRET="hunter2", ADDRESS="127.0.0.1:1")
    assert done.returncode == 1 and done.stderr.count("Error: ") >= 7
    assert "hunter2" not in done.stderr + done.stdout and "918273645" not in done.stderr + done.stdout


EVERY_SECTION = """\
tracing: {x: 1, opentelemetry: {x: 1, grpc: {endpoint: "http://a:1"}}}
runtime: {x: 1}
telemetry: {x: 1}
services:
  slim/0:
    x: 1
    dataplane:
      x: 1
      servers:
      - {endpoint: "127.0.0.1:1", x: 1, tls: {x: 1, insecure: true}, keepalive: {x: 1}, auth: {x: 1, type: none}}
      - {endpoint: "127.0.0.1:2", tls: {insecure: true, source: {type: spire, x: 1}}}
      clients:
      - {endpoint: "http://a:1", x: 1, tls: {x: 1}, keepalive: {x: 1}, proxy: {x: 1}}
      - {endpoint: "http://a:2", auth: {type: basic, username: a, password: b, x: 1}}
      - {endpoint: "http://a:3", backoff: {type: exponential, x: 1}}
      - {endpoint: "http://a:4", backoff: {type: fixed_interval, x: 1}}
      - endpoint: "http://a:5"
        auth:
          type: jwt
          x: 1
          claims: {x: 1}
          key: {type: encoding, algorithm: HS256, format: pem, key: {data: x}, x: 1}
    controller:
      x: 1
      token_provider: {type: shared_secret, id: a, data: 0123456789abcdef0123456789abcdef, x: 1}
"""


def test_man_page_names_every_key(config):  # noqa: F811
    done = slim("--check", "--config", config(EVERY_SECTION))
    known = [line.split("known are: ")[1] for line in done.stderr.splitlines() if ".x: " in line]
    assert done.returncode == 0 and len(known) == EVERY_SECTION.count("x: 1")
    page = (Path(__file__).resolve().parents[2] / "man" / "slim.yaml.5").read_text().replace("\\-", "-")
    words = set(re.findall(r"[a-z0-9_]+", page))
    assert {key for line in known for key in line.split(", ")} - words == set()


# ---- the log


def test_json_lines_are_objects(start):  # noqa: F811
    port = free_port()
    node = start(TUTORIAL.replace("log_level: info", "log_level: info\n  format: json").format(port=port))
    node.wait_for("skipping controller startup")
    assert node.stop() == 0
    lines = [json.loads(line) for line in node.out().splitlines()]
    assert {"timestamp", "level", "target", "line_number", "threadName", "threadId", "fields"} <= set(lines[0])
    assert lines[0]["fields"] == {"message": "Runtime started"} and lines[0]["target"] == "slim"
    assert lines[0]["span"] == {"name": "application_lifecycle"} and lines[0]["threadId"] == "ThreadId(1)"
    started = [line for line in lines if line["fields"]["message"] == "dataplane server started"]
    assert [line["fields"]["endpoint"] for line in started] == [f"127.0.0.1:{port}"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"]) for line in lines)


def test_a_controller_is_said_to_wait_for_the_control_plane(start):  # noqa: F811
    clients = "servers: []\n      clients: [{{endpoint: 'http://127.0.0.1:1'}}]\n"
    node = start(TUTORIAL.replace("servers: []\n", clients).format(port=free_port()))
    node.wait_for("service started")
    warnings = [line["message"] for line in node.lines() if line["level"] == " WARN"]
    assert warnings == ["this version does not act on the controller configuration service=slim/0 servers=0 clients=1"]
    assert "skipping controller startup" not in node.out()
    assert node.stop() == 0
