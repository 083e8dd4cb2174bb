"""One session that serves many calls: its messages are read in one place and given to the calls they are of."""

from __future__ import annotations

import asyncio
import collections
import logging
import time
from typing import Any

from . import _records as r
from . import _slim
from ._errors import SlimError
from ._loop import NS_PER_S, turn
from ._names import parts_of
from ._rpc_types import RpcError, error
from ._session import Session

MESSAGES_PER_TURN = 64  # after so many the loop gets a turn
INBOX_BYTES_MAX = 64 * 1024 * 1024  # of one call that nobody reads; more ends it with RESOURCE_EXHAUSTED
logger = logging.getLogger("slim_bindings.rpc")


class Inbox:
    """Items of one call, in the order they came. Used by the thread of its loop only."""

    __slots__ = ("_bytes", "_items", "_waiters", "is_closed")

    def __init__(self) -> None:
        self._items: collections.deque[tuple[Any, int]] = collections.deque()
        self._bytes = 0
        self._waiters: list[asyncio.Future] = []
        self.is_closed = False

    def put(self, item: Any, size: int = 0) -> bool:
        """False: that would be too much. Nothing is taken after close()."""
        if self._bytes + size > INBOX_BYTES_MAX:
            return False
        if not self.is_closed:
            self._items.append((item, size))
            self._bytes += size
            self._wake()
        return True

    def close(self) -> None:
        """What is in it can still be taken; then there is None, again and again."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        for future in self._waiters:
            if not future.done():
                future.set_result(None)
        self._waiters.clear()

    @property
    def is_ready(self) -> bool:
        """take() would not wait."""
        return bool(self._items) or self.is_closed

    def get(self) -> Any:
        """The next item; None: there are no more. Only when it is ready."""
        if not self._items:
            return None
        item, size = self._items.popleft()
        self._bytes -= size
        return item

    async def take(self) -> Any:
        """As get(), and waits. Whoever is cancelled has taken nothing."""
        while not self.is_ready:
            future = asyncio.get_running_loop().create_future()
            self._waiters.append(future)
            await future
        return self.get()


class Mux:
    """Reads a session from start() until it is over or stop(). Used by the thread of its loop only."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.is_group = session._info[1] != 0
        self.is_over = False
        self.loop = asyncio.get_running_loop()
        self.task: asyncio.Task | None = None

    def start(self) -> None:
        """Begin to read."""
        self.task = self.loop.create_task(self._read())
        # A program may close its loop without ending tasks, and did not start this one: no complaint about it then.
        self.task._log_destroy_pending = False  # type: ignore[attr-defined]

    def on_message(self, source: tuple, metadata: dict[str, str], payload: bytes) -> None:
        """Give it to its call."""
        raise NotImplementedError

    def on_end(self) -> None:
        """The session is over; once."""
        raise NotImplementedError

    def _give(self, message: r.ReceivedMessage) -> None:
        context = message.context
        try:
            self.on_message(parts_of(context.source_name), context.metadata, message.payload)
        except Exception:
            logger.exception("a message of slimrpc was left out")

    async def _read(self) -> None:
        count = 0
        try:
            while not self.is_over:
                self._give(await self.session.get_message_async(None))
                count += 1
                if count % MESSAGES_PER_TURN == 0:
                    await turn()
        except SlimError:
            pass  # the session is over, or has lost a message: some call would go on without it
        finally:
            self.end()

    def end(self) -> None:
        """Calls end; the session is given up. A second time it does nothing."""
        if not self.is_over:
            self.is_over = True
            self.session._n.delete()
            self.on_end()

    def pump(self, inbox: Inbox, deadline: float) -> bool:
        """Read here and now, for a caller that does not let the loop run, until the inbox is ready. False: not by `deadline` (monotonic, s)."""
        while not inbox.is_ready:
            try:
                message = self.session._n.receive(int(deadline * NS_PER_S))
            except _slim.Error:
                self.end()
                return inbox.is_ready
            if message is None:
                return False
            self._give(self.session._message(message))
        return True

    async def stop(self) -> None:
        """End it, and wait until the session has ended; raises SlimError."""
        if self.task is not None:
            self.task.cancel()
        self.end()
        await self.session.__aexit__()


def left_s(deadline: float) -> float:
    """Seconds until a time of time.monotonic(), at least 0."""
    return max(0.0, deadline - time.monotonic())


def closed(what: str) -> RpcError:
    """The other side has gone."""
    return error("UNAVAILABLE", f"the session ended before {what}")
