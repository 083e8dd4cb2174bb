"""Chat programs as a user or a script drives them: ours on pipes or terminals, and the example programs of the reference's packages."""

import os
import pty
import re
import signal
import subprocess
import threading
from pathlib import Path

from harness.node import peer_python, slim_bin

OURS = "ours"
SECRET = "demo-secret-key-for-examples012345"
CREATED = re.compile(r"^(\d+)\s+Created app$")
ANSI = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]")
# The packages' own programs need libraries that only the environment of 1.0.1 has: appended, so that they shadow nothing.
RUN_EXAMPLE = "import sys; sys.path.append(sys.argv.pop(1)); from examples.{module} import main; main()"


def program(name):
    folder = Path(os.environ.get("SLIM_BUILD_DIR") or slim_bin().parents[2])
    return folder / "cmd" / name / name


def command_of(kind, which):
    """which: "group" or "p2p"."""
    if kind == OURS:
        return [str(program("slim-group" if which == "group" else "slim-p2p"))]
    libraries = next(peer_python("1.0.1").parents[1].glob("lib/python3*/site-packages"))
    module = "group" if which == "group" else "point_to_point"
    return [str(peer_python(kind)), "-c", RUN_EXAMPLE.format(module=module), str(libraries)]


class Chat:
    """A running program; `lines` is what it printed, without colours."""

    def __init__(self, which, local, node, kind=OURS, secret=SECRET, more=(), has_terminal=False, url=None, environment=None, folder=None):
        self.kind = kind
        self.local = local
        self.lines = []
        self.raw = b""
        self.changed = threading.Condition()
        self.is_over = False
        command = [*command_of(kind, which), "--slim", url or f"http://127.0.0.1:{node.port}"]
        command += ["--local", local] if local else []
        command += ["--shared-secret", secret] if secret else []
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SLIM_")}
        clean.update(PYTHONUNBUFFERED="1", **(environment or {}))
        clean["TERM"] = "xterm"  # the packages' programs draw their prompt otherwise on terminals that they do not know
        self.terminal = None
        if has_terminal:
            self.terminal, theirs = pty.openpty()
            clean.setdefault("TERM", "xterm")
            self.process = subprocess.Popen([*command, *more], stdin=theirs, stdout=theirs, stderr=theirs, env=clean, cwd=folder,
                                            start_new_session=True)
            os.close(theirs)
            self.fd = self.terminal
        else:
            self.process = subprocess.Popen([*command, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                            env=clean, cwd=folder)
            self.fd = self.process.stdout.fileno()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while True:
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:
                chunk = b""
            if not chunk:
                break
            self.raw += chunk
            *whole, rest = (rest + chunk).split(b"\n")
            with self.changed:
                self.lines += [self._plain(line) for line in whole]
                self.changed.notify_all()
        with self.changed:
            self.lines += [self._plain(rest)] if rest else []
            self.is_over = True
            self.changed.notify_all()

    def _plain(self, line):
        """What is left to see on a terminal: behind the last carriage return that something follows."""
        text = ANSI.sub(b"", line).decode(errors="replace").rstrip("\r")
        text = text.split("\r")[-1].rstrip()
        return text if self.kind == OURS else text.lstrip() # the library of the examples indents on a pipe

    # ---- waiting

    def wait(self, condition, timeout=30.0):
        with self.changed:
            return bool(self.changed.wait_for(condition, timeout))

    def find(self, pattern):
        return [found for found in (re.fullmatch(pattern, line) for line in list(self.lines)) if found]

    def expect(self, pattern, timeout=30.0, count=1):
        found = self.wait(lambda: len(self.find(pattern)) >= count or self.is_over, timeout)
        matches = self.find(pattern)
        assert len(matches) >= count, f"{self.local} ({self.kind}): no {pattern!r} ({found}) in\n" + "\n".join(self.lines[-40:])
        return matches[count - 1]

    def ready(self, last):
        """Wait until it is connected and has printed `last`; its full name is known then."""
        app_id = int(self.expect(r"(\d+)\s+Created app").group(1))
        self.id = app_id
        self.full_name = f"{self.local}/{app_id:x}"
        self.expect(last)
        return self

    def type(self, text):
        data = text.encode()
        if self.terminal is not None:
            os.write(self.terminal, data + b"\r")
        else:
            self.process.stdin.write(data + b"\n")
            self.process.stdin.flush()

    def end(self, timeout=30.0):
        """The status of a program that ends by itself."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.local} ({self.kind}) still runs:\n" + "\n".join(self.lines[-40:])) from None
        self.wait(lambda: self.is_over, 5)
        return status

    def got(self, sender, text):
        return self.find(re.escape(f"{sender.full_name} > {text}"))

    def rss_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M).group(1))

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass
        if self.terminal is not None:
            try:
                os.close(self.terminal)
            except OSError:
                pass


