"""asyncio over queues of libslim: one queue, and so one descriptor, for each event loop.

What a coroutine waits for is told to the queue of its loop; the loop finds the descriptor readable, takes the keys of what has ended, and
wakes the coroutines. Coroutines are only told to look again: they take messages themselves, so one that was cancelled has taken none.
"""

from __future__ import annotations

import collections
import itertools
import os
import sys
import threading
import time
import types
import weakref
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from . import _slim

if TYPE_CHECKING:  # importing asyncio takes longer than all the rest: whoever runs a loop has done it
    import asyncio
    from collections.abc import Callable, Generator

NS_PER_S = 10**9
POLL_S = 0.005
DEADLINE_MAX = 2**63 - 1  # in 292 years: never
_numbers = itertools.count(1)
_local = threading.local()
_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[LoopQueue]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def _forget_lock() -> None:
    """In a forked child: a thread of the parent may have had it."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_lock)


def new_key() -> int:
    """A number nobody else has in this process."""
    return next(_numbers)


def nanoseconds(duration: timedelta) -> int:
    """Of a duration that is not negative; with the texts of the reference."""
    seconds = duration.seconds + duration.days * 24 * 3600
    if seconds < 0:
        raise ValueError("Invalid duration, must be non-negative")
    return seconds * NS_PER_S + duration.microseconds * 1000


def deadline_of(timeout: timedelta | None) -> int | None:
    """In nanoseconds of time.monotonic_ns(), from now; None: never."""
    if timeout is None:
        return None
    deadline = time.monotonic_ns() + nanoseconds(timeout)
    return deadline if deadline <= DEADLINE_MAX else None


class _Line:
    """Those of one loop who wait for the same thing, first come first served.

    is_told: an operation is on its way whose end wakes the first. Otherwise one of them has been woken, or there are none.
    """

    __slots__ = ("futures", "is_told")

    def __init__(self) -> None:
        self.futures: collections.deque[asyncio.Future] = collections.deque()
        self.is_told = False

    def wake_first(self) -> None:
        if self.is_told:
            return
        for future in self.futures:
            if not future.done():
                if not future.get_loop().is_closed():  # else they are being collected
                    future.set_result(True)
                return
            if not future.cancelled() and future.result():
                return


class LoopQueue:
    """What one event loop waits for. Used by the thread of that loop only.

    Kept alive by the loop alone, which watches its descriptor: when the loop is closed or gone, so are this and what waits here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = weakref.ref(loop)
        self.queue = _slim.Queue()
        self.ends: dict[int, asyncio.Future] = {}
        self.lines: dict[int, _Line] = {}
        loop.add_reader(self.queue.fileno(), self._on_readable)

    def __del__(self, local: threading.local = _local) -> None:
        # A loop that is being closed may drop us first and forget the descriptor then: it must not be closed in between, by the thread
        # that ends the last operation, and be somebody else's by then. Whoever is next in this thread comes after that.
        local.last = getattr(self, "queue", None)

    def _on_readable(self) -> None:
        for key in self.queue.take():
            future = self.ends.pop(key, None)
            if future is not None:
                if not future.done():
                    future.set_result(True)
                continue
            line = self.lines.get(key)
            if line is not None:
                line.is_told = False
                line.wake_first()
                if not line.futures:
                    del self.lines[key]

    def _timer(self, future: asyncio.Future, deadline: int | None) -> asyncio.TimerHandle | None:
        if deadline is None:
            return None
        return future.get_loop().call_later(max(0, deadline - time.monotonic_ns()) / NS_PER_S, _expire, future)

    async def end(self, op: _slim.Op, key: int, deadline: int | None = None) -> bool:
        """Sleep until an operation has ended; False: not by the deadline (ns). One waits at a time, under the same key each time."""
        if key not in self.ends and not op.notify(self.queue, key):
            return await self._poll(op, deadline)
        loop = self.loop()
        assert loop is not None
        future = self.ends[key] = loop.create_future()
        timer = self._timer(future, deadline)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()

    async def take(
        self, key: int, look: Callable[[int], Any], begin: Callable[[], _slim.Op], deadline: int | None
    ) -> Any:
        """What look(0) gives when it is not None; None: nothing by the deadline (ns). The operation of `begin` ends when it is worth to look.

        All who wait under one key are served in the order of their calls. Who is cancelled has taken nothing, and the next is woken instead.
        """
        line = self.lines.setdefault(key, _Line())
        future = timer = None
        try:
            found = None if line.futures else look(0)
            if found is not None:
                return found
            future = self._stand(line, None)
            while True:
                self._tell(line, key, begin)
                timer = self._timer(future, deadline)
                is_in_time = await future
                if is_in_time or line.futures[0] is future:
                    found = look(0)
                if found is not None or not is_in_time:
                    return found
                if timer is not None:
                    timer.cancel()
                future = self._stand(line, future)
        finally:
            if timer is not None:
                timer.cancel()
            if future is not None:
                line.futures.remove(future)
            line.wake_first()
            if not line.futures and not line.is_told:
                del self.lines[key]

    def _stand(self, line: _Line, woken: asyncio.Future | None) -> asyncio.Future:
        """At the end of the line, or where that one stood, in vain."""
        loop = self.loop()
        assert loop is not None
        future = loop.create_future()
        if woken is None:
            line.futures.append(future)
        else:
            line.futures[line.futures.index(woken)] = future
        return future

    def _tell(self, line: _Line, key: int, begin: Callable[[], _slim.Op]) -> None:
        if not line.is_told:
            op = begin()
            line.is_told = op.notify(self.queue, key)
            if not line.is_told:
                op.poll()
                raise MemoryError("no memory for an operation")

    async def _poll(self, op: _slim.Op, deadline: int | None) -> bool:
        """For an operation that another loop waits for already: rare, and looked at every 5 ms."""
        loop = self.loop()
        assert loop is not None
        while not op.poll():
            if deadline is not None and time.monotonic_ns() >= deadline:
                return False
            future = loop.create_future()
            loop.call_later(POLL_S, _expire, future)
            await future
        return True


def _expire(future: asyncio.Future) -> None:
    if not future.done():
        future.set_result(False)


def running_loop() -> asyncio.AbstractEventLoop:
    """RuntimeError: none runs."""
    events = sys.modules.get("asyncio.events")
    if events is None:  # nobody has imported it
        raise RuntimeError("no running event loop")
    return events.get_running_loop()


def is_running() -> bool:
    """Does a loop run in this thread?"""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Let the loop do what else is ready."""
    yield


def current() -> LoopQueue:
    """That of the running loop. RuntimeError: none runs."""
    loop = running_loop()
    found: LoopQueue | None = getattr(_local, "queue", _nothing)()
    if found is not None and found.loop() is loop:
        return found
    with _lock:
        found = _loops.get(loop, _nothing)()
        if found is None:
            found = LoopQueue(loop)
            _loops[loop] = weakref.ref(found)
    _local.queue = weakref.ref(found)
    return found


def _nothing() -> None:
    return None


async def finish(op: _slim.Op) -> None:
    """Wait for the end of an operation; raises _slim.Error when it failed."""
    while not op.poll():
        await current().end(op, new_key())
