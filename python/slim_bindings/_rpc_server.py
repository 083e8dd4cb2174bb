"""The server's side of slimrpc."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import inspect
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from . import _rpc_wire as wire
from . import _slim
from ._errors import SlimError
from ._loop import finish, is_running, running_loop
from ._names import Name, check_number, check_text, parts_of
from ._objects import App
from ._rpc_loop import is_home, visit, wait
from ._rpc_mux import INBOX_BYTES_MAX, Inbox, Mux, logger
from ._rpc_types import (
    RpcCode,
    RpcError,
    StreamMessage,
    StreamStreamHandler,
    StreamUnaryHandler,
    UnaryStreamHandler,
    UnaryUnaryHandler,
    error,
)
from ._session import Session, _bytes, _NoConstructor, _Unique
from ._unions import MODULE

CALLS_MAX = 10_000  # at once in one session; more get RESOURCE_EXHAUSTED
TEXT_MAX = 100_000  # characters of the sentence of an error
CLOSE_S = 10.0  # how long shutdown waits for the other side of each session


class Context(_NoConstructor):
    """What a handler learns about its call."""

    _session: Session
    _metadata: dict[str, str]
    _end: float

    @classmethod
    def _of(cls, session: Session, metadata: dict[str, str]) -> Context:
        made = cls.__new__(cls)
        made._session = session
        made._metadata = {**session._info[8], **metadata}
        made._end = wire.end_of(made._metadata)
        return made

    def session_id(self) -> str:
        """The number of the session, in decimal."""
        return str(self._session._info[0])

    def metadata(self) -> dict[str, str]:
        """Of the session and of the first request: what the caller gave, and the keys of slimrpc."""
        return dict(self._metadata)

    def deadline(self) -> datetime:
        """When the call has to be over; without a timeout 10 hours after it came."""
        return datetime.fromtimestamp(self._end, timezone.utc)

    def remaining_time(self) -> timedelta:
        """Until the deadline; 0 after it."""
        return timedelta(seconds=max(0.0, self._end - time.time()))

    def is_deadline_exceeded(self) -> bool:
        """It is over already."""
        return time.time() > self._end

    def __repr__(self) -> str:
        return f"<Context of {self._metadata.get(wire.SERVICE)}/{self._metadata.get(wire.METHOD)}>"


class RequestStream(_NoConstructor):
    """The requests of a caller. Also an async iterator of their bytes, which raises RpcError."""

    _served: _Served

    @classmethod
    def _of(cls, served: _Served) -> RequestStream:
        made = cls.__new__(cls)
        made._served = served
        return made

    def next(self) -> StreamMessage:
        """The next request, an error, or the end."""
        served = self._served
        if not is_home(served.loop):
            return _item(wait(served.loop, served.inbox.take(), "await next_async()"))
        if not served.link.pump(served.inbox, served.deadline):
            raise error("DEADLINE_EXCEEDED", "the time of the call is up")
        return _item(served.inbox.get())

    async def next_async(self) -> StreamMessage:
        """As next. When it is cancelled, the request stays for the next call."""
        return _item(await visit(self._served.loop, self._served.inbox.take()))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        found = await visit(self._served.loop, self._served.inbox.take())
        if found is None:
            raise StopAsyncIteration
        if isinstance(found, RpcError):
            raise found
        return found


def _item(found: Any) -> StreamMessage:
    if found is None:
        return StreamMessage.END()
    return StreamMessage.ERROR(found) if isinstance(found, RpcError) else StreamMessage.DATA(found)


class ResponseSink(_NoConstructor):
    """Where a handler sends its responses."""

    _served: _Served

    @classmethod
    def _of(cls, served: _Served) -> ResponseSink:
        made = cls.__new__(cls)
        made._served = served
        return made

    def _do(self, act: Callable[..., None], *arguments: Any) -> None:
        if is_home(self._served.loop):
            act(*arguments)
        else:
            wait(self._served.loop, _as_coroutine(act, *arguments), "use the _async form")

    def send(self, data: bytes) -> None:
        """A response. FAILED_PRECONDITION: the sink is closed. UNAVAILABLE: the caller has gone."""
        self._do(self._served.respond, _bytes(data))

    async def send_async(self, data: bytes) -> None:
        """As send; waits while too much is on its way."""
        await visit(self._served.loop, self._served.respond_in_turn(_bytes(data)))

    def send_error(self, error: RpcError) -> None:
        """End the call with an error."""
        self._do(self._served.end_with, error)

    async def send_error_async(self, error: RpcError) -> None:
        """As send_error."""
        await visit(self._served.loop, _as_coroutine(self._served.end_with, error))

    def close(self) -> None:
        """No more responses. A second time it does nothing."""
        self._do(self._served.end)

    async def close_async(self) -> None:
        """As close."""
        await visit(self._served.loop, _as_coroutine(self._served.end))

    def is_closed(self) -> bool:
        """Nothing can be sent any more."""
        return self._served.is_ended

    async def is_closed_async(self) -> bool:
        """As is_closed."""
        return self._served.is_ended


async def _as_coroutine(act: Callable[..., None], *arguments: Any) -> None:
    act(*arguments)


class _Method(NamedTuple):
    path: str
    handle: Callable[..., Any]
    has_stream: bool  # of requests
    has_sink: bool  # of responses


class _Served:
    """A call that is being served: its requests, its handler, its responses. Used by the thread of its loop only."""

    def __init__(self, link: _ServerLink, method: _Method, source: tuple, metadata: dict[str, str]) -> None:
        self.link = link
        self.loop = link.loop
        self.method = method
        self.id = metadata[wire.ID]
        self.inbox = Inbox()
        self.context = Context._of(link.session, metadata)
        self.deadline = time.monotonic() + max(0.0, self.context._end - time.time())
        self.is_ended = False  # no more responses
        self._source = source
        self._is_begun = False
        self._stopped: RpcError | None = None
        self._unsent: collections.deque[tuple[bytes, dict[str, str]]] = collections.deque()
        self._sender: asyncio.Task | None = None
        self.task: asyncio.Task | None = None

    # ---- requests

    def on_request(self, metadata: dict[str, str], payload: bytes) -> None:
        """A request, the end of them, or the caller's error. For a handler of one request only the first counts."""
        code = wire.code_of(metadata)
        if code is not RpcCode.OK:
            failure = RpcError.Rpc(code, payload.decode(errors="replace"))
            self.inbox.put(failure)
            self.inbox.close()
            if code is RpcCode.CANCELLED:
                self.stop(failure)
        elif payload or wire.CODE not in metadata:
            if not self.inbox.put(payload, len(payload)):
                late = f"{self.method.path} has left more than {INBOX_BYTES_MAX} bytes of requests unread"
                self.stop(error("RESOURCE_EXHAUSTED", late))
        else:
            self.inbox.close()

    # ---- the handler

    def start(self) -> None:
        """Let the handler run."""
        self.task = self.loop.create_task(self._run())

    def stop(self, why: RpcError) -> None:
        """The handler is cancelled, the caller gets the reason."""
        if self._stopped is not None or self.task is None:
            return
        self._stopped = why
        self.task.cancel()
        if not self._is_begun:  # and never will be
            self.link.calls.pop(self.id, None)
            self._end_quietly(why)

    async def _run(self) -> None:
        self._is_begun = True
        failure = None
        timer = None
        try:
            if self.context.is_deadline_exceeded():
                raise error("DEADLINE_EXCEEDED", "the time of the call was up before it came")
            late = error("DEADLINE_EXCEEDED", f"{self.method.path} took longer than its caller waits")
            timer = self.loop.call_later(max(0.0, self.context._end - time.time()), self.stop, late)
            await self._handle()
        except asyncio.CancelledError:
            if self._stopped is None:
                raise
            failure = self._stopped
        except RpcError as raised:
            failure = raised
        except Exception as raised:
            logger.error("the handler of %s failed", self.method.path, exc_info=True)
            failure = error("INTERNAL", str(raised) or type(raised).__name__)
        finally:
            if timer is not None:
                timer.cancel()
            self.link.calls.pop(self.id, None)
        self._end_quietly(failure)

    async def _handle(self) -> None:
        request = RequestStream._of(self) if self.method.has_stream else await self.inbox.take()
        arguments = [request, self.context]
        if self.method.has_sink:
            arguments.append(ResponseSink._of(self))
        response = self.method.handle(*arguments)
        if inspect.isawaitable(response):
            response = await response
        if self.method.has_sink:
            return
        try:
            data = _bytes(response)
        except TypeError:
            name = type(response).__name__
            raise error("INTERNAL", f"the handler of {self.method.path} returned {name}, not bytes") from None
        self.respond(data)

    def _end_quietly(self, failure: RpcError | None) -> None:
        if self.is_ended:
            return
        try:
            if failure is None:
                self.end()
            else:
                self.end_with(failure)
        except RpcError:
            pass  # the caller has gone

    # ---- responses

    def _check_open(self) -> None:
        if self.is_ended:
            raise error("FAILED_PRECONDITION", "the responses have been ended")

    def respond(self, data: bytes) -> None:
        """A response, at once."""
        self._check_open()
        wire.check_size(data)
        self._put(data, RpcCode.OK)

    async def respond_in_turn(self, data: bytes) -> None:
        """A response, when there is room for it."""
        self._check_open()
        wire.check_size(data)
        if not self.link.is_group:
            await self.link.session._admit_async(data)
            self._check_open()
        self._put(data, RpcCode.OK)
        if self._sender is not None:
            await asyncio.shield(self._sender)

    def end(self) -> None:
        """No more responses."""
        if not self.is_ended:
            self.is_ended = True
            self._put(b"", RpcCode.OK)

    def end_with(self, failure: RpcError) -> None:
        """An error, and no more responses."""
        if not isinstance(failure, RpcError):
            raise TypeError(f"Expected RpcError instance, {type(failure).__name__} found")
        self._check_open()
        self.is_ended = True
        code, text = _sent_form(failure)
        text = text[:TEXT_MAX]
        self._put(text.encode(), code)

    def _put(self, data: bytes, code: RpcCode) -> None:
        metadata = wire.response(self.id, code)
        if self.link.is_group:
            self._unsent.append((data, metadata))
            if self._sender is None:
                self._sender = self.loop.create_task(self._send_to_caller())
                self.link.senders.add(self._sender)
                self._sender.add_done_callback(self.link.senders.discard)
            return
        try:
            self.link.session._publish(data, wire.PAYLOAD_TYPE, metadata)
        except SlimError:
            raise error("UNAVAILABLE", "the caller has gone") from None

    async def _send_to_caller(self) -> None:
        """In a group messages to one member have no order: one follows when the one before it has arrived."""
        native = self.link.session._n
        try:
            while self._unsent and not native.is_over():
                data, metadata = self._unsent.popleft()
                await finish(native.publish_to(self._source, data, wire.PAYLOAD_TYPE, metadata))
        except _slim.Error:
            self._unsent.clear()  # the caller has gone
        finally:
            self._sender = None


def _sent_form(failure: RpcError) -> tuple[RpcCode, str]:
    """The code, never OK, and the sentence: what there is of an error on the wire."""
    code = getattr(failure, "code", RpcCode.INTERNAL)
    if not isinstance(code, RpcCode) or code is RpcCode.OK:
        code = RpcCode.INTERNAL
    return code, str(getattr(failure, "message", failure))


class _ServerLink(Mux):
    """A session that somebody made with the server, and its calls."""

    def __init__(self, session: Session, methods: dict[str, _Method]) -> None:
        super().__init__(session)
        self.calls: dict[str, _Served] = {}
        self.senders: set[asyncio.Task] = set()
        self._methods = methods

    def on_message(self, source: tuple, metadata: dict[str, str], payload: bytes) -> None:
        call_id = metadata.get(wire.ID)
        # in a group there are answers of other servers too; an answer has a code and no direction
        is_request = metadata.get(wire.DIRECTION) == wire.REQUEST
        if not call_id or (self.is_group and not is_request and wire.CODE in metadata):
            return
        served = self.calls.get(call_id)
        if served is not None:
            served.on_request(metadata, payload)
        elif is_request or wire.CODE not in metadata:
            self._begin(call_id, source, metadata, payload)

    def _begin(self, call_id: str, source: tuple, metadata: dict[str, str], payload: bytes) -> None:
        service, name = metadata.get(wire.SERVICE), metadata.get(wire.METHOD)
        if not service or not name:
            return  # of a call that is over
        method = self._methods.get(f"{service}/{name}")
        failure = None
        if method is None:
            method = _Method(f"{service}/{name}", lambda *_: None, True, True)
            failure = error("UNIMPLEMENTED", f"this server has no method {service}/{name}")
        elif len(self.calls) >= CALLS_MAX:
            failure = error("RESOURCE_EXHAUSTED", f"{CALLS_MAX} calls are under way in this session")
        served = _Served(self, method, source, metadata)
        if failure is not None:
            served._end_quietly(failure)
            return
        self.calls[call_id] = served
        served.on_request(metadata if method.has_stream else {}, payload)
        served.start()

    def on_end(self) -> None:
        for served in list(self.calls.values()):
            served.stop(error("CANCELLED", "the session is over"))

    async def shut_down(self) -> None:
        """Cancel the calls, tell the callers, end the session."""
        for served in list(self.calls.values()):
            served.stop(error("CANCELLED", "the server is shutting down"))
        under_way = [served.task for served in self.calls.values() if served.task is not None]
        if under_way:
            await asyncio.wait(under_way, timeout=CLOSE_S)
        if self.senders:
            await asyncio.wait(set(self.senders), timeout=CLOSE_S)
        try:
            await asyncio.wait_for(self.stop(), CLOSE_S)
        except (SlimError, asyncio.TimeoutError):
            pass  # it is given up on this side whatever the other one says


class Server(_Unique):
    """Serves calls to an application. Handlers run in the event loop of serve_async(), or in one of serve().

    base_name: what callers call; it is subscribed when serving begins. While it serves, nobody else can listen for sessions of `app`.
    """

    def __init__(self, app: App, base_name: Name) -> None:
        self._set(app, base_name, None)

    def _set(self, app: App, base_name: Name, connection_id: int | None) -> None:
        if not isinstance(app, App):
            raise TypeError(f"Expected App instance, {type(app).__name__} found")
        parts_of(base_name)
        self._app = app
        self._name = base_name
        self._connection = None if connection_id is None else check_number(connection_id)
        self._methods: dict[str, _Method] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._done: concurrent.futures.Future[None] | None = None

    @classmethod
    def new_with_connection(cls, app: App, base_name: Name, connection_id: int | None) -> Server:
        """The name is subscribed at the connection connection_id (Service.connect)."""
        made = cls.__new__(cls)
        made._set(app, base_name, connection_id)
        return made

    def __repr__(self) -> str:
        return f"<Server {self._name}, {len(self._methods)} methods{', serving' if self._done else ''}>"

    # ---- methods

    def _register(self, service: str, method: str, handler: Any, has_stream: bool, has_sink: bool) -> None:
        handle = getattr(handler, "handle", handler)
        if not callable(handle):
            raise TypeError(
                f"a handler has a method handle, or is a coroutine function; {type(handler).__name__} found"
            )
        path = f"{check_text(service)}/{check_text(method)}"
        self._methods[path] = _Method(path, handle, has_stream, has_sink)

    def register_unary_unary(self, service_name: str, method_name: str, handler: UnaryUnaryHandler) -> None:
        """One request, one response. What was registered under these names before is replaced."""
        self._register(service_name, method_name, handler, False, False)

    def register_unary_stream(self, service_name: str, method_name: str, handler: UnaryStreamHandler) -> None:
        """One request, any number of responses."""
        self._register(service_name, method_name, handler, False, True)

    def register_stream_unary(self, service_name: str, method_name: str, handler: StreamUnaryHandler) -> None:
        """Any number of requests, one response."""
        self._register(service_name, method_name, handler, True, False)

    def register_stream_stream(self, service_name: str, method_name: str, handler: StreamStreamHandler) -> None:
        """Any number of requests, any number of responses."""
        self._register(service_name, method_name, handler, True, True)

    # ---- serving

    def serve(self) -> None:
        """Serve until shutdown(), in this thread. Ctrl-C ends it too."""
        if is_running():
            raise error("FAILED_PRECONDITION", "this would hold up the running event loop: await serve_async()")
        asyncio.run(self.serve_async())

    async def serve_async(self) -> None:
        """Serve until shutdown(), or until this is cancelled. RpcError INTERNAL: it serves already, or cannot subscribe."""
        with self._lock:
            if self._done is not None:
                raise error("INTERNAL", "the server is serving already")
            done: concurrent.futures.Future[None] = concurrent.futures.Future()
            self._done = done
            self._loop, self._stopping = running_loop(), asyncio.Event()
        links: set[_ServerLink] = set()
        try:
            await self._accept(links)
        finally:
            try:
                await asyncio.gather(*(link.shut_down() for link in links))
            finally:
                with self._lock:
                    self._done = None
                done.set_result(None)

    async def _accept(self, links: set[_ServerLink]) -> None:
        assert self._stopping is not None
        try:
            await self._app.subscribe_async(self._name, self._connection)
        except SlimError as failure:
            raise error("INTERNAL", f"{self._name} could not be subscribed: {failure}") from None
        stopping = asyncio.ensure_future(self._stopping.wait())
        listening = None
        try:
            while not stopping.done():
                listening = asyncio.ensure_future(self._app.listen_for_session_async(None))
                await asyncio.wait({stopping, listening}, return_when=asyncio.FIRST_COMPLETED)
                if listening.done():
                    self._add(links, listening.result())
                    listening = None
        except SlimError as failure:
            raise error("INTERNAL", f"no more sessions: {failure}") from None
        finally:
            stopping.cancel()
            if listening is not None and not listening.cancel() and not listening.cancelled():
                if listening.exception() is None:  # it came just when we were cancelled: its caller is told
                    self._add(links, listening.result())

    def _add(self, links: set[_ServerLink], session: Session) -> None:
        link = _ServerLink(session, self._methods)
        links.add(link)
        link.start()
        assert link.task is not None
        link.task.add_done_callback(lambda _: links.discard(link))

    def _begin_shutdown(self) -> concurrent.futures.Future[None] | None:
        with self._lock:
            if self._done is not None and self._loop is not None and self._stopping is not None:
                try:
                    self._loop.call_soon_threadsafe(self._stopping.set)
                except RuntimeError:
                    return None  # its loop is closed
            return self._done

    def shutdown(self) -> None:
        """Stop serving: calls under way end with CANCELLED. Waits until it is done, but not in the thread of its event loop."""
        done = self._begin_shutdown()
        if done is not None and self._loop is not None and not is_home(self._loop):
            done.result()

    async def shutdown_async(self) -> None:
        """As shutdown. A handler that calls it is cancelled too."""
        done = self._begin_shutdown()
        if done is not None:
            await asyncio.shield(asyncio.wrap_future(done))


for _class in (Context, RequestStream, ResponseSink, Server):
    _class.__module__ = MODULE
