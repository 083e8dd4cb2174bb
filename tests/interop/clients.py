"""Handles on real clients in processes of their own, see drivers/client.py."""

import itertools
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from harness.node import peer_python

DRIVER = Path(__file__).resolve().parent / "drivers" / "client.py"
SECRET = "a shared secret for tests, long enough"
_numbers = itertools.count(1)


class ClientError(Exception):
    """The client answered a command with an error."""


class Client:
    def __init__(self, version, node, name=None, server=None, **start_options):
        self.version = version
        self.short_name = name or f"org/ns/client-{next(_numbers)}"
        self.events = []
        self.answers = {}
        self.changed = threading.Condition()
        self.is_over = False
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SLIM_")}
        self.process = subprocess.Popen(
            [str(peer_python(version)), str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=environment, text=True, bufsize=1,
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.started = self.begin("start", server=server or f"http://127.0.0.1:{node.port}", name=self.short_name,
                                  secret=SECRET, **start_options)

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            event["time"] = time.monotonic()
            with self.changed:
                if "id" in event:
                    self.answers[event["id"]] = event
                else:
                    self.events.append(event)
                self.changed.notify_all()
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def begin(self, op, **arguments):
        """Send a command; its number is for finish."""
        number = next(_numbers)
        self.process.stdin.write(json.dumps({"id": number, "op": op, **arguments}) + "\n")
        self.process.stdin.flush()
        return number

    def finish(self, number, timeout=60.0):
        if not self.wait(lambda: number in self.answers or self.is_over, timeout) or number not in self.answers:
            raise TimeoutError(f"{self.short_name} ({self.version}): no answer in {timeout} s")
        answer = self.answers.pop(number)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer

    def call(self, op, timeout=60.0, **arguments):
        return self.finish(self.begin(op, **arguments), timeout)

    def ready(self, timeout=60.0):
        self.name = self.finish(self.started, timeout)["name"]
        return self

    def wait(self, condition, timeout):
        with self.changed:
            return bool(self.changed.wait_for(condition, timeout))

    def all(self, kind, session=None):
        return [e for e in list(self.events) if e["event"] == kind and session in (None, e["session"])]

    def wait_session(self, count=1, timeout=60.0):
        assert self.wait(lambda: len(self.all("session")) >= count, timeout), f"{self.short_name}: no session"
        return self.all("session")[count - 1]["session"]

    def wait_closed(self, session=None, timeout=60.0):
        return self.wait(lambda: self.all("closed", session), timeout)

    def texts(self, source=None):
        """What came in, in order, from one sender or all."""
        return [e["text"] for e in self.all("message") if source is None or e["source"] == source.name]

    def wait_texts(self, count, source=None, timeout=60.0):
        self.wait(lambda: len(self.texts(source)) >= count, timeout)
        return self.texts(source)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.process.kill()  # also when frozen
        self.process.wait()


def start(node, versions, names=None, **options):
    """Start clients of these versions at once, and wait until each is connected and subscribed."""
    clients = [Client(version, node, name=names[i] if names else None, **options)
               for i, version in enumerate(versions)]
    return [client.ready() for client in clients]
