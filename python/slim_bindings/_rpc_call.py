"""One call of slimrpc, at its caller's: from the first request to the end of the answers, over the session of a channel."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from . import _rpc_wire as wire
from . import _slim
from ._errors import SlimError
from ._names import Name, check_text
from ._rpc_loop import is_home, wait
from ._rpc_mux import INBOX_BYTES_MAX, Inbox, Mux, closed, left_s
from ._rpc_types import RpcCode, RpcError, error
from ._session import Session

if TYPE_CHECKING:
    from ._rpc_channel import Channel

WATCH_S = 0.25  # how often we look for requests that nobody acknowledged


def nameless(parts: tuple) -> Name:
    """The name without the id."""
    return Name(*parts[:3])


class Link(Mux):
    """The session of a channel in one event loop, and the calls that wait for answers."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.calls: dict[str, Call] = {}
        self.is_watched = False

    @property
    def is_alive(self) -> bool:
        return not self.is_over and not self.session._n.is_over()

    def add(self, call: Call) -> None:
        """Answers with its id are for this call."""
        self.calls[call.id] = call
        if not self.is_watched:
            self.is_watched = True
            self.loop.call_later(WATCH_S, self._watch)

    def _watch(self) -> None:
        """A request that failed says so in its operation, which nobody waits for."""
        for call in list(self.calls.values()):
            call.check_sent()
        self.is_watched = bool(self.calls)
        if self.is_watched:
            self.loop.call_later(WATCH_S, self._watch)

    def on_message(self, source: tuple, metadata: dict[str, str], payload: bytes) -> None:
        call = self.calls.get(metadata.get(wire.ID, ""))
        if call is not None:
            call.on_response(source, wire.code_of(metadata), payload)

    def on_end(self) -> None:
        for call in list(self.calls.values()):
            call.on_closed()


class Call:
    """One call, from its first request to the end of its answers. Everything but the constructor runs in its loop.

    What is in the inbox: (source, bytes), or an RpcError.
    """

    def __init__(
        self,
        channel: Channel,
        loop: asyncio.AbstractEventLoop,
        service: str,
        method: str,
        timeout: timedelta | None,
        metadata: dict[str, str] | None,
    ) -> None:
        seconds = wire.seconds_of(timeout)
        for key, value in (metadata or {}).items():
            check_text(key)
            check_text(value)
        self.channel = channel
        self.loop = loop
        self.id = wire.new_id()
        self.deadline = time.monotonic() + seconds
        self.method = f"{check_text(service)}/{check_text(method)}"
        self.inbox = Inbox()
        self.failure: RpcError | None = None
        self.is_over = False
        self.is_closed = False  # no more requests
        self._first: dict[str, str] | None = wire.first(metadata, service, method, self.id, time.time() + seconds)
        self._pending = {parts: False for parts in channel._members}
        self._sent: list[Any] = []
        self._link: Link | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task | None = None
        self._unsent: list[bytes | None] = []  # until there is a session; None: the end

    # ---- beginning

    def begin(self) -> None:
        """Let it be opened, from any thread."""
        if is_home(self.loop):
            self._begin_here()
        else:
            self.loop.call_soon_threadsafe(self._begin_here)

    def _begin_here(self) -> None:
        self._opening = self.loop.create_task(self.open())

    async def open(self) -> None:
        """Get a session, and be known to it. What goes wrong is in the inbox."""
        left = left_s(self.deadline)
        self._timer = self.loop.call_later(left, self.expire)
        try:
            link = await self.channel._link_here(left)
        except RpcError as failure:
            self.fail(failure)
            return
        if self.is_over:
            return
        self._link = link
        link.add(self)
        unsent, self._unsent = self._unsent, []
        try:
            for data in unsent:
                self._publish(data)
        except RpcError:
            pass  # it is in the inbox

    async def _opened(self) -> None:
        if self._link is None and not self.is_over:
            while self._opening is None:  # its begin is on the way to this loop
                await asyncio.sleep(0)
            await asyncio.shield(self._opening)

    # ---- requests

    async def send(self, data: bytes) -> None:
        """A request, when there is room for it. Raises why the call has failed."""
        await self._opened()
        if self._link is not None and not self.is_over:
            await self._link.session._admit_async(data)
        self.put(data)

    def put(self, data: bytes | None) -> None:
        """A request, at once; None: there are no more. Raises why the call has failed; one that has its answers needs no requests."""
        wire.check_size(data or b"")
        self.is_closed = self.is_closed or data is None
        if self.failure is not None and data is not None:
            raise self.failure
        if self._link is None and not self.is_over:
            self._unsent.append(data)
        elif not self.is_over:
            self._publish(data)

    def _publish(self, data: bytes | None) -> None:
        metadata, self._first = self._first or wire.request(self.id), None
        if data is None:
            metadata = {**wire.response(self.id), **metadata}
        assert self._link is not None
        try:
            handle = self._link.session._publish(data or b"", wire.PAYLOAD_TYPE, metadata)
        except SlimError:
            self.on_closed()
            assert self.failure is not None
            raise self.failure from None
        self._sent.append(handle._op)

    def check_sent(self) -> None:
        """Fail when a request was not acknowledged. A server that does not answer may be there again under another id: a new session."""
        try:
            self._sent = [op for op in self._sent if not op.poll()]
        except _slim.Error as failure:
            link = self._link
            self.fail(error("UNAVAILABLE", f"{self.method}: a request did not arrive: {failure.args[1]}"))
            if link is not None and not self.channel._is_group:
                link.end()

    # ---- answers

    def on_response(self, source: tuple, code: RpcCode, payload: bytes) -> None:
        """A response, the end of one side's, or an error, which is an end too."""
        if code is RpcCode.OK and payload:
            if not self.inbox.put((source, payload), len(payload)):
                self._say_cancelled("the caller does not read")
                self.fail(
                    error("RESOURCE_EXHAUSTED", f"{self.method}: more than {INBOX_BYTES_MAX} bytes were not read")
                )
            return
        if code is not RpcCode.OK:
            text = payload.decode(errors="replace")
            if self.channel._is_group:
                self.inbox.put(RpcError.MulticastRpc(str(nameless(source)), code, text))
            else:
                self.inbox.put(RpcError.Rpc(code, text))
        key = source[:3] if self.channel._is_group else next(iter(self._pending))
        if key in self._pending:
            self._pending[key] = True
        if all(self._pending.values()):
            if code is not RpcCode.OK and not self.channel._is_group:
                self.failure = RpcError.Rpc(code, text)
            self._finish()

    def on_closed(self) -> None:
        """The session is over."""
        if not self.channel._is_group:
            self.fail(closed(f"{self.method} was answered"))
            return
        received: list[str] = []
        missing: list[str] = []
        for parts, is_done in self._pending.items():
            (received if is_done else missing).append(str(nameless(parts)))
        total = len(self._pending)
        self.fail(RpcError.MulticastSessionClosed(len(received), total, received, missing))

    def expire(self) -> None:
        """The time is up."""
        if not self.is_over:
            self._say_cancelled("the caller's time is up")
            self.fail(error("DEADLINE_EXCEEDED", f"{self.method} was not answered in time"))

    def abandon(self) -> None:
        """Nobody wants the answers."""
        if not self.is_over:
            self._say_cancelled("the caller gave up")
            self._finish()

    def _say_cancelled(self, why: str) -> None:
        """So that the server need not finish it. Servers of the reference read it as the error of a stream, and leave it out else."""
        if self._link is not None and self._link.is_alive and self._first is None:
            metadata = {**wire.response(self.id, RpcCode.CANCELLED), **wire.request(self.id)}
            try:
                self._link.session._publish(why.encode(), wire.PAYLOAD_TYPE, metadata)
            except SlimError:
                pass  # nobody is there to be told

    def fail(self, failure: RpcError) -> None:
        """End with an error; the first one counts."""
        if not self.is_over:
            self.failure = failure
            self.inbox.put(failure)
            self._finish()

    def _finish(self) -> None:
        self.is_over = True
        self.inbox.close()
        self._sent.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._link is not None:
            self._link.calls.pop(self.id, None)

    # ---- for readers

    async def take(self) -> Any:
        """What the inbox gives."""
        return await self.inbox.take()

    def take_blocking(self, instead: str) -> Any:
        """As take(), from a thread. In the thread of its loop it reads the session itself, when there is one already."""
        if not is_home(self.loop):
            return wait(self.loop, self.take(), instead)
        if not self.inbox.is_ready:
            if self._link is None:
                return wait(self.loop, self.take(), instead)
            if not self._link.pump(self.inbox, self.deadline):
                self.expire()
        return self.inbox.get()

    async def only_response(self) -> bytes:
        """The response of a call that has one. None came and nothing is wrong: it was empty. What comes after it is of no interest."""
        try:
            item = await self.take()
        except asyncio.CancelledError:
            self.abandon()
            raise
        if isinstance(item, RpcError):
            raise item
        if not self.is_over:
            self._finish()
        return b"" if item is None else item[1]

    def give_up_soon(self) -> None:
        """abandon(), from any thread."""
        if not self.is_over and not self.loop.is_closed():
            try:
                self.loop.call_soon_threadsafe(self.abandon)
            except RuntimeError:
                pass  # closed just now
