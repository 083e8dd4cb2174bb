"""asyncio over queues of libslim: one queue, and so one descriptor, for each event loop.

What a coroutine waits for is told to the queue of its loop; the loop finds the descriptor readable, takes the keys of what has ended, and
wakes the coroutines. Coroutines are only told to look again: they take messages themselves, so one that was cancelled has taken none.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import weakref
from collections.abc import Callable
from datetime import timedelta

from . import _slim

NS_PER_S = 10**9
_numbers = itertools.count(1)
_local = threading.local()
_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopQueue] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


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
    return None if timeout is None else time.monotonic_ns() + nanoseconds(timeout)


class LoopQueue:
    """What one event loop waits for. Used by the thread of that loop only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = weakref.ref(loop)
        self.queue = _slim.Queue()
        self.parked: dict[int, list[asyncio.Future]] = {}
        loop.add_reader(self.queue.fileno(), self._on_readable)

    def _on_readable(self) -> None:
        for key in self.queue.take():
            for future in self.parked.pop(key, ()):
                if not future.done():
                    future.set_result(True)

    async def park(self, key: int, begin: Callable[[], _slim.Op], deadline: int | None = None) -> bool:
        """Sleep until the operation that `begin` returns has ended; False: not by the deadline (ns).

        One operation serves all who wait for the same key. It stays when they have gone, for those who come next.
        """
        loop = self.loop()
        assert loop is not None
        future = loop.create_future()
        waiting = self.parked.get(key)
        if waiting is None:
            self.parked[key] = [future]
            op = begin()
            if not op.notify(self.queue, key):
                del self.parked[key]
                if op.poll():
                    return True
                return await self._poll(op, deadline)
        else:
            waiting.append(future)
        timer = None
        if deadline is not None:
            delay = max(0, deadline - time.monotonic_ns()) / NS_PER_S
            timer = loop.call_later(delay, _expire, future)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            waiting = self.parked.get(key)
            if waiting is not None and future in waiting:
                waiting.remove(future)

    async def _poll(self, op: _slim.Op, deadline: int | None) -> bool:
        """For an operation that another loop waits for already: rare, and looked at every 5 ms."""
        while not op.poll():
            if deadline is not None and time.monotonic_ns() >= deadline:
                return False
            await asyncio.sleep(0.005)
        return True


def _expire(future: asyncio.Future) -> None:
    if not future.done():
        future.set_result(False)


def current() -> LoopQueue:
    """That of the running loop. RuntimeError: none runs."""
    loop = asyncio.get_running_loop()
    cached = getattr(_local, "queue", None)
    if cached is not None and cached.loop() is loop:
        return cached
    with _lock:
        found = _loops.get(loop)
        if found is None:
            found = _loops[loop] = LoopQueue(loop)
    _local.queue = found
    return found


async def finish(op: _slim.Op) -> None:
    """Wait for the end of an operation; raises _slim.Error when it failed."""
    while not op.poll():
        await current().park(new_key(), lambda: op)
