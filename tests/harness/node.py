"""Nodes as processes: ours, and the reference's out of its Python packages."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HARNESS = Path(__file__).resolve().parent
REFERENCES = ("1.0.0", "1.0.1", "1.4.1")
START_LIMIT_S = 20.0


def peer_python(version):
    """The interpreter that has slim-bindings of this version."""
    variable = "PEER_" + version.replace(".", "_")
    return Path(os.environ.get(variable) or ROOT / "build" / "venv" / version / "bin" / "python")


def slim_bin():
    return Path(os.environ.get("SLIM_BIN") or ROOT / "build" / "cmd" / "slim" / "slim")


def slim_load():
    return Path(os.environ.get("SLIM_LOAD") or slim_bin().parents[2] / "bench" / "slim-load")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def is_listening(port):
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition, timeout=10.0, interval=0.02):
    """True as soon as condition() is; False when it was not in time."""
    end = time.monotonic() + timeout
    while True:
        if condition():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(interval)


CONFIG = """\
tracing:
  log_level: {log_level}
  display_thread_names: true
  display_thread_ids: true
runtime:
  n_cores: {n_cores}
  thread_name: "slim-data-plane"
  drain_timeout: {drain_timeout}
{runtime}services:
  slim/0:
    dataplane:
      servers:
        - endpoint: "127.0.0.1:{port}"
          tls: {tls}
{server}      clients: [{clients}]
"""

CLIENT = '{{endpoint: "http://127.0.0.1:{port}", tls: {{insecure: true}}{backoff}}}'


def server_tls(tls):
    """As YAML."""
    if not tls:
        return "{insecure: true}"
    if isinstance(tls, str):
        return tls
    text = f'source: {{type: file, cert: "{tls["cert"]}", key: "{tls["key"]}"}}'
    text += f', tls_version: {tls.get("version", "tls1.3")}'
    if "client_ca" in tls:
        text += f', client_ca: {{type: file, path: "{tls["client_ca"]}"}}'
    return "{" + text + "}"


class Node:
    """A running node. kind: "ours" or a version of the reference.

    open_files, soft_open_files: hard and soft limit of its descriptors. server: more keys of its server, as YAML."""

    def __init__(self, kind="ours", port=None, clients=(), runtime=None, log_level="info", n_cores=1, backoff=None,
                 wait=True, open_files=None, soft_open_files=None, server=None, tls=None, drain_timeout="10s"):
        """tls: of the server: cert, key, client_ca (paths), version; or YAML; None: plain.
        clients: ports to connect to in plain text, or whole entries as YAML."""
        self.kind = kind
        self.port = port or free_port()
        self.log_level = log_level
        self.n_cores = n_cores
        self.clients = clients
        self.runtime = runtime or {}
        self.backoff = backoff
        self.open_files = open_files
        self.soft_open_files = soft_open_files
        self.server = server or ""
        self.drain_timeout = drain_timeout
        self.tls = {key: str(value) for key, value in tls.items()} if isinstance(tls, dict) else tls
        self.folder = Path(tempfile.mkdtemp(prefix="slim-node-"))
        self.process = None
        self.start(wait)

    @property
    def is_ours(self):
        return self.kind == "ours"

    def _command(self):
        if not self.is_ours:
            assert not self.clients, "the reference node of the tests is a server only"
            return [str(peer_python(self.kind)), str(HARNESS / "ref_node.py"), f"127.0.0.1:{self.port}",
                    json.dumps(self.tls)]
        backoff = f", backoff: {self.backoff}" if self.backoff else ""
        config = self.folder / "config.yaml"
        config.write_text(
            CONFIG.format(
                port=self.port,
                log_level=self.log_level,
                n_cores=self.n_cores,
                drain_timeout=self.drain_timeout,
                server="".join(f"          {line}\n" for line in self.server.splitlines()),
                runtime="".join(f"  {key}: {value}\n" for key, value in self.runtime.items()),
                tls=server_tls(self.tls),
                clients=", ".join(client if isinstance(client, str) else CLIENT.format(port=client, backoff=backoff)
                                  for client in self.clients),
            )
        )
        return [*os.environ.get("SLIM_BIN_WRAPPER", "").split(), str(slim_bin()), "--config", str(config)]

    def start(self, wait=True):
        self.log = open(self.folder / "node.log", "ab")
        # a function before exec makes Python fork for real, and then grpcio's threads disturb the child
        limits = self._limit_files if self.open_files or self.soft_open_files else None
        self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        preexec_fn=limits)
        started = time.monotonic()
        while wait and not is_listening(self.port):
            if self.process.poll() is not None or time.monotonic() - started > START_LIMIT_S:
                raise RuntimeError(f"node {self.kind} did not start:\n{self.log_text()[-4000:]}")
            time.sleep(0.01)

    def _limit_files(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        hard = self.open_files or hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.soft_open_files or min(soft, hard), hard))

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_alive(self):
        return self.process.poll() is None

    def log_text(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", (self.folder / "node.log").read_text(errors="replace"))

    def kill(self):
        """SIGKILL, as a crash."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self, timeout=15.0):
        """SIGTERM; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
        self.log.close()
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- figures out of /proc

    def _status_kib(self, key):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{key}:\s+(\d+) kB", status, re.M).group(1))

    def rss_bytes(self):
        return self._status_kib("VmRSS") * 1024

    def is_sanitized(self):
        """A build for the address or the thread sanitizer: its memory says nothing."""
        maps = Path(f"/proc/{self.pid}/maps").read_text()
        return "libasan" in maps or "libtsan" in maps

    def peak_rss_bytes(self):
        return self._status_kib("VmHWM") * 1024

    def cpu_s(self):
        """CPU time so far, all threads."""
        return time.clock_gettime(~self.pid << 3 | 2)  # CPUCLOCK_SCHED of a process, as clock_getcpuclockid makes it

    def fd_count(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))
