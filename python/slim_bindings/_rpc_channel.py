"""The caller's side of slimrpc: channels, and the kinds of calls that they make."""

from __future__ import annotations

import asyncio
import threading
import weakref
from datetime import timedelta
from typing import Any

from . import _rpc_wire as wire
from ._errors import SlimError
from ._loop import is_running, running_loop
from ._names import Name, check_number, parts_of
from ._objects import App
from ._records import SessionConfig
from ._rpc_call import Call, Link
from ._rpc_loop import background, home, visit, wait
from ._rpc_streams import (
    BidiStreamHandler,
    CallHandle,
    MulticastBidiStreamHandler,
    MulticastResponseReader,
    RequestStreamWriter,
    ResponseStreamReader,
)
from ._rpc_types import RpcError, error
from ._session import _bytes, _Unique
from ._unions import MODULE, SessionType

INTERVAL = timedelta(seconds=1)  # what callers of the reference use: as many repetitions as here can be a slow server
MAX_RETRIES = 10
_AWAIT = "await the form that ends with _async"


class Channel(_Unique):
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
        self._links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[Link]] = (
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

    async def _link_here(self, left: float) -> Link:
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

    async def _new_link(self) -> Link:
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
        link = Link(made.session)
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

    async def _begin(self, call: Call, request: bytes) -> None:
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

    async def _unary(self, call: Call, request: bytes) -> bytes:
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
        call = Call(self, background(), service_name, method_name, timeout, metadata)
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
        return await self._unary(Call(self, running_loop(), service_name, method_name, timeout, metadata), request)

    def _read_blocking(self, reader: type[CallHandle], request: bytes, *arguments: Any) -> Any:
        request = _bytes(request)
        call = Call(self, background(), *arguments)
        wait(call.loop, self._begin(call, request), _AWAIT)
        return reader._of(call)

    async def _read(self, reader: type[CallHandle], request: bytes, *arguments: Any) -> Any:
        request = _bytes(request)
        call = Call(self, running_loop(), *arguments)
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

    def _write(self, writer: type[CallHandle], *arguments: Any) -> Any:
        call = Call(self, home(), *arguments)
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


Channel.__module__ = MODULE
