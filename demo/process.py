"""A real process whose every line is printed with its name in front, and can be waited for.

Two kinds: services talk through a pipe; chat programs get a terminal of their own (a pty), as a person would give them.
"""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
CREATED_APP = re.compile(r"(\d+)\s+Created app")
NAME_COLUMN = 11
STOP_SECONDS = 5

_print_lock = threading.Lock()


class DemoError(Exception):
    """What should have happened and did not."""


def show(name, line):
    with _print_lock:
        print(f"{name:<{NAME_COLUMN}}| {line}", flush=True)


class Process:
    """One child process. `lines` holds what it printed so far, without colours and carriage returns.

    local   for a chat program: the name it was started with. Its prompt is that name with the application's id behind it. A
            prompt that a message interrupts counts as a line of its own, so that each line of the transcript says one thing.
    """

    def __init__(self, name, command, *, local=None):
        self.name = name
        self.local = local
        self.lines = []
        self.status = None
        self._prompt = None
        self._prompt_count = 0
        self._typed = []
        self._partial = ""
        self._ended = threading.Event()
        self._changed = threading.Condition()
        self._child, self._fd = self._start(command, has_terminal=local is not None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @staticmethod
    def _start(command, has_terminal):
        environment = dict(os.environ, NO_COLOR="1", PYTHONUNBUFFERED="1", TERM="dumb")
        if not has_terminal:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     env=environment, start_new_session=True)
            return child, child.stdout.fileno()
        ours, theirs = pty.openpty()
        rows, columns = 50, 200
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        modes = termios.tcgetattr(theirs)
        modes[3] &= ~termios.ECHO # the program shows what is typed; the terminal shall not show it once more
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
                                 start_new_session=True)
        os.close(theirs)
        return child, ours

    # ---- reading

    def _read(self):
        pending = b""
        while True:
            try:
                chunk = os.read(self._fd, 65536)
            except OSError: # a terminal reports its last writer's end as an error
                chunk = b""
            if not chunk:
                break
            pending += chunk
            whole = self._whole_characters(pending)
            self._take(ANSI.sub("", pending[:whole].decode(errors="replace")).replace("\r", ""))
            pending = pending[whole:]
        self._take("\n" if self._partial else "")
        status = self._child.wait()
        with self._changed:
            self.status = status
            self._ended.set()
            self._changed.notify_all()

    @staticmethod
    def _whole_characters(data):
        """Where to cut so that neither an escape sequence nor a UTF-8 character is torn."""
        escape = data.rfind(b"\x1b")
        if escape >= 0 and not ANSI.match(data[escape:].decode(errors="replace")):
            return escape
        for back in range(1, min(4, len(data)) + 1):
            byte = data[-back]
            if byte < 0x80:
                break
            if byte >= 0xC0:
                needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                return len(data) - back if back < needed else len(data)
        return len(data)

    def _take(self, text):
        with self._changed:
            *whole, self._partial = (self._partial + text).split("\n")
            for line in whole:
                self._add(line)
            self._changed.notify_all()

    def _add(self, line):
        if self._prompt and line.startswith(self._prompt):
            self._prompt_count += 1
            behind = line[len(self._prompt):].rstrip()
            if behind and behind not in self._typed:
                self._put(self._prompt)
                line = behind
        self._put(line)
        created = CREATED_APP.fullmatch(line.rstrip())
        if created and self.local:
            self._prompt = f"{self.local}/{int(created.group(1)):x} > "

    def _put(self, line):
        if line.strip():
            self.lines.append(line.rstrip())
            show(self.name, line.rstrip())

    def _prompts_shown(self):
        """Prompts in finished lines, and the one that stands in the last, unfinished line."""
        is_shown = self._prompt is not None and self._partial.startswith(self._prompt)
        return self._prompt_count + (1 if is_shown else 0)

    # ---- waiting

    def _wait(self, is_done, seconds):
        with self._changed:
            return self._changed.wait_for(is_done, timeout=seconds)

    def expect(self, pattern, seconds=30, count=1):
        """Wait until `count` lines match the regular expression in full; returns the last one's match."""
        wanted = re.compile(pattern)

        def matches():
            return [found for found in map(wanted.fullmatch, self.lines) if found]

        self._wait(lambda: len(matches()) >= count or self._ended.is_set(), seconds)
        found = matches()
        if len(found) < count:
            how = f"it ended with status {self.status}" if self._ended.is_set() else f"not within {seconds} s"
            raise DemoError(f"{self.name} did not print {pattern!r} ({how})")
        return found[count - 1]

    def type(self, text, seconds=30):
        """Type a line, once the program waits for one."""
        if not self._wait(lambda: self._prompts_shown() > len(self._typed), seconds):
            raise DemoError(f"{self.name} showed no prompt within {seconds} s")
        self._typed.append(text)
        os.write(self._fd, text.encode() + b"\r")

    def wait_for_prompt(self, seconds=30):
        """Wait until the program has done what the last typed line asked for, and its prompt stands in the last row."""
        if not self._wait(lambda: self._prompt is not None and self._partial.startswith(self._prompt), seconds):
            raise DemoError(f"{self.name} was not done with {self._typed[-1]!r} within {seconds} s")

    def count(self, pattern):
        with self._changed:
            return sum(1 for line in self.lines if re.fullmatch(pattern, line))

    def expect_end(self, seconds=30):
        """Wait until it ends by itself, with status 0."""
        if not self._ended.wait(seconds):
            raise DemoError(f"{self.name} still runs after {seconds} s")
        if self.status != 0:
            raise DemoError(f"{self.name} ended with status {self.status}")

    # ---- ending

    def terminate(self):
        if not self._ended.is_set():
            self._signal(signal.SIGTERM)

    def stop(self):
        """Make sure it is gone."""
        self.terminate()
        if not self._ended.wait(STOP_SECONDS):
            self._signal(signal.SIGKILL)
            self._ended.wait(STOP_SECONDS)

    def _signal(self, number):
        try:
            self._child.send_signal(number)
        except ProcessLookupError:
            pass

