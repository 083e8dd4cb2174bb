"""What callers of slimrpc read and write streams through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ._rpc_call import Call, nameless
from ._rpc_loop import is_home, visit, wait
from ._rpc_types import (
    MulticastStreamMessage,
    RpcError,
    RpcMessageContext,
    RpcMulticastItem,
    StreamMessage,
    error,
)
from ._session import _bytes, _NoConstructor
from ._unions import MODULE


def _item(found: Any) -> StreamMessage:
    if found is None:
        return StreamMessage.END()
    return StreamMessage.ERROR(found) if isinstance(found, RpcError) else StreamMessage.DATA(found[1])


def _multicast_item(found: Any) -> MulticastStreamMessage:
    if found is None:
        return MulticastStreamMessage.END()
    if isinstance(found, RpcError):
        return MulticastStreamMessage.ERROR(found)
    context = RpcMessageContext(source=nameless(found[0]))
    return MulticastStreamMessage.DATA(RpcMulticastItem(context=context, message=found[1]))


class CallHandle(_NoConstructor):
    """What people hold of a call. When they let go of it, the call is given up."""

    _call: Call

    @classmethod
    def _of(cls, call: Call) -> Any:
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


class ResponseStreamReader(CallHandle):
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


class MulticastResponseReader(CallHandle):
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


class _Writer(CallHandle):
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


for _class in (
    ResponseStreamReader,
    RequestStreamWriter,
    BidiStreamHandler,
    MulticastResponseReader,
    MulticastBidiStreamHandler,
):
    _class.__module__ = MODULE
