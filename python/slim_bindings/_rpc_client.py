"""The caller's side of slimrpc: channels, and the objects through which streams are read and written."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from . import _rpc_wire as wire
from . import _slim
from ._errors import SlimError
from ._loop import is_running, running_loop
from ._names import Name, check_number, check_text, parts_of
from ._objects import App, Session, _bytes, _NoConstructor
from ._records import SessionConfig
from ._rpc_loop import background, home, is_home, visit, wait
from ._rpc_mux import INBOX_BYTES_MAX, Inbox, Mux, closed, left_s
from ._rpc_types import (
    MulticastStreamMessage,
    RpcCode,
    RpcError,
    RpcMessageContext,
    RpcMulticastItem,
    StreamMessage,
    error,
)
from ._unions import MODULE, SessionType

INTERVAL = timedelta(seconds=1)  # what callers of the reference use: as many repetitions as here can be a slow server
MAX_RETRIES = 10
WATCH_S = 0.25  # how often we look for requests that nobody acknowledged
_AWAIT = "await the form that ends with _async"


def _nameless(parts: tuple) -> Name:
    """The name without the id."""
    return Name(*parts[:3])


class _Link(Mux):
    """The session of a channel in one event loop, and the calls that wait for answers."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.calls: dict[str, _Call] = {}
        self.is_watched = False

    @property
    def is_alive(self) -> bool:
        return not self.is_over and not self.session._n.is_over()

    def add(self, call: _Call) -> None:
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


class _Call:
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
        self._link: _Link | None = None
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
                self.inbox.put(RpcError.MulticastRpc(str(_nameless(source)), code, text))
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
            (received if is_done else missing).append(str(_nameless(parts)))
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


def _item(found: Any) -> StreamMessage:
    if found is None:
        return StreamMessage.END()
    return StreamMessage.ERROR(found) if isinstance(found, RpcError) else StreamMessage.DATA(found[1])


def _multicast_item(found: Any) -> MulticastStreamMessage:
    if found is None:
        return MulticastStreamMessage.END()
    if isinstance(found, RpcError):
        return MulticastStreamMessage.ERROR(found)
    context = RpcMessageContext(source=_nameless(found[0]))
    return MulticastStreamMessage.DATA(RpcMulticastItem(context=context, message=found[1]))


class _OfCall(_NoConstructor):
    """What people hold of a call. When they let go of it, the call is given up."""

    _call: _Call

    @classmethod
    def _of(cls, call: _Call) -> Any:
        made = cls.__new__(cls)
        made._call = call
        return made

    def __del__(self) -> None:
        call = getattr(self, "_call", None)
        if call is not None:
            call.give_up_soon()

    def __repr__(self) -> str:
        state = "over" if self._call.is_over else "open"
        return f"<{type(self).__name__} of {self._call.method}, {state}>"


class ResponseStreamReader(_OfCall):
    """The responses to one request. Also an async iterator of their bytes, which raises RpcError."""

    def next(self) -> StreamMessage:
        """The next response, the error, or the end."""
        return _item(self._call.take_blocking("await next_async()"))

    async def next_async(self) -> StreamMessage:
        """As next. When it is cancelled, the response stays for the next call."""
        return _item(await visit(self._call.loop, self._call.take()))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        found = await visit(self._call.loop, self._call.take())
        if found is None:
            raise StopAsyncIteration
        if isinstance(found, RpcError):
            raise found
        return found[1]


class MulticastResponseReader(_OfCall):
    """The responses of a group to one request. Also an async iterator of items: an error of one member does not end it."""

    def next(self) -> MulticastStreamMessage:
        """The next response, the error of a member, or the end of all."""
        return _multicast_item(self._call.take_blocking("await next_async()"))

    async def next_async(self) -> MulticastStreamMessage:
        """As next. When it is cancelled, the response stays for the next call."""
        return _multicast_item(await visit(self._call.loop, self._call.take()))

    def __aiter__(self) -> AsyncIterator[MulticastStreamMessage]:
        return self

    async def __anext__(self) -> MulticastStreamMessage:
        item = await self.next_async()
        if item.is_end():
            raise StopAsyncIteration
        return item


class _Writer(_OfCall):
    """What can send requests."""

    _ended = "Stream already closed"

    def _check_open(self) -> None:
        if self._call.is_closed:
            raise error("INTERNAL", self._ended)

    def send(self, data: bytes) -> None:
        """A request. Raises the RpcError that ended the call. In the thread of its event loop it does not wait for room."""
        self._check_open()
        data = _bytes(data)
        if is_home(self._call.loop):
            self._call.put(data)
        else:
            wait(self._call.loop, self._call.send(data), "await send_async()")

    async def send_async(self, data: bytes) -> None:
        """As send; waits while too much is on its way."""
        self._check_open()
        await visit(self._call.loop, self._call.send(_bytes(data)))


class RequestStreamWriter(_Writer):
    """Requests that have one response."""

    _ended = "Stream already finalized"

    async def _finalize(self) -> bytes:
        self._call.put(None)
        return await self._call.only_response()

    def finalize_stream(self) -> bytes:
        """No more requests: the response. Once."""
        self._check_open()
        return wait(self._call.loop, self._finalize(), "await finalize_stream_async()")

    async def finalize_stream_async(self) -> bytes:
        """As finalize_stream. When it is cancelled, the call is given up."""
        self._check_open()
        return await visit(self._call.loop, self._finalize())

    async def finalize_async(self) -> bytes:
        """The old name of finalize_stream_async."""
        return await self.finalize_stream_async()


class _Bidi(_Writer):
    def close_send(self) -> None:
        """No more requests. A second time it does nothing."""
        if is_home(self._call.loop):
            if not self._call.is_closed:
                self._call.put(None)
        else:
            wait(self._call.loop, self.close_send_async(), "await close_send_async()")

    async def close_send_async(self) -> None:
        """As close_send."""
        await visit(self._call.loop, self._close())

    async def _close(self) -> None:
        if not self._call.is_closed:
            self._call.put(None)


class BidiStreamHandler(_Bidi):
    """Requests and responses at once."""

    def recv(self) -> StreamMessage:
        """The next response, the error, or the end."""
        return _item(self._call.take_blocking("await recv_async()"))

    async def recv_async(self) -> StreamMessage:
        """As recv. When it is cancelled, the response stays for the next call."""
        return _item(await visit(self._call.loop, self._call.take()))

    __aiter__ = ResponseStreamReader.__aiter__
    __anext__ = ResponseStreamReader.__anext__


class MulticastBidiStreamHandler(_Bidi):
    """Requests to a group, and the responses of its members."""

    def recv(self) -> MulticastStreamMessage:
        """The next response, the error of a member, or the end of all."""
        return _multicast_item(self._call.take_blocking("await recv_async()"))

    async def recv_async(self) -> MulticastStreamMessage:
        """As recv. When it is cancelled, the response stays for the next call."""
        return _multicast_item(await visit(self._call.loop, self._call.take()))

    next_async = recv_async
    __aiter__ = MulticastResponseReader.__aiter__
    __anext__ = MulticastResponseReader.__anext__


class Channel:
    """Calls to one server, or to all servers of a group. From any thread and any event loop, any number at once.

    A channel has one session, with MLS, for each event loop that calls, made with the first call and again when it has ended; all forms
    without asyncio share one. timeout: of the whole call, None: 10 hours. metadata: goes to the handler's context.
    """

    def __init__(self, app: App, remote: Name) -> None:
        self._set(app, [remote], False, None)

    def _set(self, app: App, members: list[Name], is_group: bool, connection_id: int | None) -> None:
        if not isinstance(app, App):
            raise TypeError(f"Expected App instance, {type(app).__name__} found")
        if not members:
            raise error("INVALID_ARGUMENT", "a channel to a group needs at least one member")
        if connection_id is not None:
            check_number(connection_id)
        self._app = app
        self._is_group = is_group
        self._connection = connection_id
        self._names = {parts_of(name): name for name in members}
        self._members = {parts[:3] for parts in self._names}
        parts = app._n.name()
        self._remote = Name(parts[0], parts[1], wire.new_id()) if is_group else members[0]
        self._lock = threading.Lock()
        self._links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[_Link]] = (
            weakref.WeakKeyDictionary()
        )

    @classmethod
    def new_with_connection(cls, app: App, remote: Name, connection_id: int | None) -> Channel:
        """To a server that is reached by the connection connection_id (Service.connect)."""
        made = cls.__new__(cls)
        made._set(app, [remote], False, connection_id)
        return made

    @classmethod
    def new_group(cls, app: App, members: list[Name]) -> Channel:
        """To several servers: they are invited to a group, whose name is made up here. RpcError: no members."""
        return cls.new_group_with_connection(app, members, None)

    @classmethod
    def new_group_with_connection(cls, app: App, members: list[Name], connection_id: int | None) -> Channel:
        """As new_group, to servers that are reached by this connection."""
        made = cls.__new__(cls)
        made._set(app, list(members), True, connection_id)
        return made

    def __repr__(self) -> str:
        names = ", ".join(str(name) for name in self._names.values())
        return f"<Channel {'to the group of ' if self._is_group else 'to '}{names}>"

    # ---- sessions

    async def _link_here(self, left: float) -> _Link:
        """The session of the running loop, made when there is none. DEADLINE_EXCEEDED: not in so many seconds; it may still come."""
        loop = running_loop()
        with self._lock:
            task = self._links.get(loop)
            is_gone = (
                task is None or task.cancelled() or task.done() and (task.exception() or not task.result().is_alive)
            )
            if is_gone:
                self._drop_of_closed_loops()
                task = self._links[loop] = loop.create_task(self._new_link())
                task.add_done_callback(lambda task: task.cancelled() or task.exception())
        assert task is not None
        if task.done() and not task.cancelled():
            return task.result()
        done, _ = await asyncio.wait([task], timeout=left)
        if not done:
            raise error("DEADLINE_EXCEEDED", f"no session with {self._remote} in time")
        if task.cancelled():
            raise error("CANCELLED", "the channel was closed")
        return task.result()

    def _drop_of_closed_loops(self) -> None:
        for loop, task in list(self._links.items()):
            if loop.is_closed():
                del self._links[loop]
                if task.done() and not task.cancelled() and task.exception() is None:
                    task.result().session._n.delete()

    async def _new_link(self) -> _Link:
        app, kind = self._app, SessionType.GROUP if self._is_group else SessionType.POINT_TO_POINT
        config = SessionConfig(session_type=kind, enable_mls=True, max_retries=MAX_RETRIES, interval=INTERVAL)
        try:
            if self._connection is not None:
                for name in self._names.values():
                    await app.set_route_async(name, self._connection)
            made = app.create_session(config, self._remote)
            try:
                await made.completion.wait_async()
            except BaseException:
                made.session._n.delete()
                raise
        except SlimError as failure:
            raise error("UNAVAILABLE", f"no session with {self._remote}: {_text(failure)}") from None
        link = _Link(made.session)
        try:
            for name in self._names.values() if self._is_group else ():
                await made.session.invite_and_wait_async(name)
        except SlimError as failure:
            link.end()
            raise error("INTERNAL", f"{name} could not be invited: {_text(failure)}") from None
        except BaseException:
            link.end()
            raise
        link.start()
        return link

    async def _close_here(self, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        with self._lock:
            task = self._links.pop(loop, None)
        if task is None:
            return
        if not task.done():
            task.cancel()
            return
        if not task.cancelled() and task.exception() is None:
            try:
                await asyncio.wait_for(task.result().stop(), timeout)
            except (SlimError, asyncio.TimeoutError):
                pass  # it is given up on this side whatever the other one says

    async def close_async(self, timeout: timedelta | None = None) -> None:
        """End the sessions; calls under way fail. The next call makes a new one. timeout: how long to wait for the other side."""
        left = None if timeout is None else wire.seconds_of(timeout)
        for loop in list(self._links):
            if loop.is_closed():
                continue
            await visit(loop, self._close_here(loop, left))
        self._drop_of_closed_loops()

    def close(self, timeout: timedelta | None = None) -> None:
        """As close_async. In the thread of an event loop it does not wait for the session of that loop to end."""
        if is_running():
            with self._lock:
                task = self._links.pop(running_loop(), None)
            if task is not None and not task.done():
                task.cancel()
            elif task is not None and not task.cancelled() and task.exception() is None:
                task.result().end()
        wait(background(), self.close_async(timeout), "await close_async()")

    async def __aenter__(self) -> Channel:  # noqa: PYI034
        return self

    async def __aexit__(self, *unused: object) -> None:
        await self.close_async(None)

    def __del__(self) -> None:
        for task in list(getattr(self, "_links", {}).values()):
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().session._n.delete()  # its reader sees that it is over

    # ---- calls

    async def _begin(self, call: _Call, request: bytes) -> None:
        """One request, and no more. What goes wrong is in the inbox."""
        try:
            await call.open()
            await call.send(request)
            call.put(None)
        except RpcError as failure:
            call.fail(failure)
        except BaseException:
            call.abandon()
            raise

    async def _unary(self, call: _Call, request: bytes) -> bytes:
        await self._begin(call, request)
        return await call.only_response()

    def call_unary(
        self,
        service_name: str,
        method_name: str,
        request: bytes,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> bytes:
        """One request, one response. RpcError."""
        request = _bytes(request)
        call = _Call(self, background(), service_name, method_name, timeout, metadata)
        return wait(call.loop, self._unary(call, request), _AWAIT)

    async def call_unary_async(
        self,
        service_name: str,
        method_name: str,
        request: bytes,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> bytes:
        """As call_unary. When it is cancelled, the server is told."""
        request = _bytes(request)
        return await self._unary(_Call(self, running_loop(), service_name, method_name, timeout, metadata), request)

    def _read_blocking(self, reader: type[_OfCall], request: bytes, *arguments: Any) -> Any:
        request = _bytes(request)
        call = _Call(self, background(), *arguments)
        wait(call.loop, self._begin(call, request), _AWAIT)
        return reader._of(call)

    async def _read(self, reader: type[_OfCall], request: bytes, *arguments: Any) -> Any:
        request = _bytes(request)
        call = _Call(self, running_loop(), *arguments)
        found = reader._of(call)  # gives it up when this is cancelled
        await self._begin(call, request)
        return found

    def call_unary_stream(
        self,
        service_name: str,
        method_name: str,
        request: bytes,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> ResponseStreamReader:
        """One request, any number of responses. What goes wrong comes out of the reader."""
        return self._read_blocking(ResponseStreamReader, request, service_name, method_name, timeout, metadata)

    async def call_unary_stream_async(
        self,
        service_name: str,
        method_name: str,
        request: bytes,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> ResponseStreamReader:
        """As call_unary_stream."""
        return await self._read(ResponseStreamReader, request, service_name, method_name, timeout, metadata)

    def _write(self, writer: type[_OfCall], *arguments: Any) -> Any:
        call = _Call(self, home(), *arguments)
        call.begin()
        return writer._of(call)

    def call_stream_unary(
        self,
        service_name: str,
        method_name: str,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> RequestStreamWriter:
        """Any number of requests, one response. With a running loop the call is of that loop: use the _async forms of the writer."""
        return self._write(RequestStreamWriter, service_name, method_name, timeout, metadata)

    def call_stream_stream(
        self,
        service_name: str,
        method_name: str,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> BidiStreamHandler:
        """Any number of requests, any number of responses. With a running loop as call_stream_unary."""
        return self._write(BidiStreamHandler, service_name, method_name, timeout, metadata)

    # ---- calls of groups

    def call_multicast_unary(
        self,
        service_name: str,
        method_name: str,
        request: bytes,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> MulticastResponseReader:
        """One request to all, one response of each."""
        return self._read_blocking(MulticastResponseReader, request, service_name, method_name, timeout, metadata)

    async def call_multicast_unary_async(
        self,
        service_name: str,
        method_name: str,
        request: bytes,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> MulticastResponseReader:
        """As call_multicast_unary."""
        return await self._read(MulticastResponseReader, request, service_name, method_name, timeout, metadata)

    def call_multicast_unary_stream(
        self,
        service_name: str,
        method_name: str,
        request: bytes,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> MulticastResponseReader:
        """One request to all, any number of responses of each."""
        return self._read_blocking(MulticastResponseReader, request, service_name, method_name, timeout, metadata)

    async def call_multicast_unary_stream_async(
        self,
        service_name: str,
        method_name: str,
        request: bytes,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> MulticastResponseReader:
        """As call_multicast_unary_stream."""
        return await self._read(MulticastResponseReader, request, service_name, method_name, timeout, metadata)

    def call_multicast_stream_unary(
        self,
        service_name: str,
        method_name: str,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> MulticastBidiStreamHandler:
        """Any number of requests to all, one response of each. With a running loop as call_stream_unary."""
        return self._write(MulticastBidiStreamHandler, service_name, method_name, timeout, metadata)

    def call_multicast_stream_stream(
        self,
        service_name: str,
        method_name: str,
        timeout: timedelta | None = None,
        metadata: dict[str, str] | None = None,
    ) -> MulticastBidiStreamHandler:
        """Any number of requests to all, any number of responses of each. With a running loop as call_stream_unary."""
        return self._write(MulticastBidiStreamHandler, service_name, method_name, timeout, metadata)


def _text(failure: SlimError) -> str:
    return str(getattr(failure, "message", failure))


for _class in (
    Channel,
    ResponseStreamReader,
    RequestStreamWriter,
    BidiStreamHandler,
    MulticastResponseReader,
    MulticastBidiStreamHandler,
):
    _class.__module__ = MODULE
