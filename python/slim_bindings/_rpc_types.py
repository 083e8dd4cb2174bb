"""What goes through slimrpc: codes, errors, items of streams, and the classes that handlers are made of."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

from ._names import Name
from ._records import Record, record
from ._unions import MODULE

if TYPE_CHECKING:
    from ._rpc_server import Context, RequestStream, ResponseSink


class RpcCode(enum.Enum):
    """How a call ended, with the numbers of gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RpcError(Exception):
    """A call that failed: Rpc, MulticastRpc (one member of a group), MulticastSessionClosed. `except RpcError` catches them all."""

    Rpc: type[_Rpc]
    MulticastRpc: type[_MulticastRpc]
    MulticastSessionClosed: type[_MulticastSessionClosed]

    def _name_fields(self, **fields: Any) -> None:
        self._fields = tuple(fields.values())
        for name, value in fields.items():
            setattr(self, name, value)
        Exception.__init__(self, ", ".join(f"{name}={value!r}" for name, value in fields.items()))

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({self})"

    def __reduce__(self) -> tuple:
        return (type(self), self._fields)


class _Rpc(RpcError):
    """code, and a sentence for people. details stay on this side: they are not sent."""

    code: RpcCode
    message: str
    details: bytes | None

    def __init__(self, code: RpcCode, message: str, details: bytes | None = None) -> None:
        self._name_fields(code=code, message=message, details=details)


class _MulticastRpc(RpcError):
    """As Rpc, of the member of a group whose name is `origin`."""

    origin: str
    code: RpcCode
    message: str
    details: bytes | None

    def __init__(self, origin: str, code: RpcCode, message: str, details: bytes | None = None) -> None:
        self._name_fields(origin=origin, code=code, message=message, details=details)


class _MulticastSessionClosed(RpcError):
    """The group ended when `completed` of `total` members had answered to the end: `received`; the others are `missing`."""

    completed: int
    total: int
    received: list[str]
    missing: list[str]

    def __init__(self, completed: int, total: int, received: list[str], missing: list[str]) -> None:
        self._name_fields(completed=completed, total=total, received=received, missing=missing)


for _class in (_Rpc, _MulticastRpc, _MulticastSessionClosed):
    _class.__name__ = _class.__name__.lstrip("_")
    _class.__qualname__ = f"RpcError.{_class.__name__}"
    _class.__module__ = MODULE
    setattr(RpcError, _class.__name__, _class)
RpcError.__module__ = RpcCode.__module__ = MODULE


def error(code: str, message: str) -> _Rpc:
    """By the name of the code."""
    return _Rpc(RpcCode[code], message)


@record
class RpcMessageContext(Record):
    """Which member of a group a response is of."""

    source: Name


@record
class RpcMulticastItem(Record):
    """A response of a member of a group."""

    context: RpcMessageContext
    message: bytes


class _Item:
    """An item of a stream: what StreamMessage and MulticastStreamMessage share."""

    def __init__(self) -> None:
        raise RuntimeError(f"{type(self).__name__} cannot be instantiated directly")

    def _is(self, variant: str) -> bool:
        return type(self).__name__ == variant

    def is_data(self) -> bool:
        """A message."""
        return self._is("DATA")

    def is_error(self) -> bool:
        """What went wrong; nothing follows of the side that it is of."""
        return self._is("ERROR")

    def is_end(self) -> bool:
        """The end. Whoever asks again gets it again."""
        return self._is("END")

    is_DATA, is_ERROR, is_END = is_data, is_error, is_end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Item) or type(self) is not type(other):
            return NotImplemented
        return vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = vars(self).get("_values", tuple(vars(self).values()))
        return f"{type(self).__qualname__}({', '.join(map(repr, fields))})"

    __str__ = __repr__


class StreamMessage(_Item):
    """An item of a stream: DATA(bytes), ERROR(RpcError), END(). What is in the first two is item[0]."""

    DATA: type[_StreamValue]
    ERROR: type[_StreamValue]
    END: type[StreamMessage]


class _StreamValue(StreamMessage):
    def __init__(self, *values: Any) -> None:
        if len(values) != 1:
            raise TypeError(f"Expected 1 arguments, found {len(values)}")
        self._values = values

    def __getitem__(self, index: int) -> Any:
        return self._values[index]


class MulticastStreamMessage(_Item):
    """An item of the answers of a group: DATA with `item`, ERROR with `error` (of one member), END (of all)."""

    DATA: type[MulticastStreamMessage]
    ERROR: type[MulticastStreamMessage]
    END: type[MulticastStreamMessage]


@dataclasses.dataclass(eq=False, repr=False)
class _MulticastData(MulticastStreamMessage):
    item: RpcMulticastItem


@dataclasses.dataclass(eq=False, repr=False)
class _MulticastError(MulticastStreamMessage):
    error: RpcError


def _add_variant(outer: type, name: str, base: type, **members: Any) -> None:
    made = type(name, (base,), {"__module__": MODULE, "__qualname__": f"{outer.__name__}.{name}", **members})
    made.__doc__ = f"{outer.__name__}: {name.lower()}."
    setattr(outer, name, made)


for _items in (StreamMessage, MulticastStreamMessage):
    _items.__module__ = MODULE
    _add_variant(_items, "END", _items, __init__=lambda self: None)
_add_variant(StreamMessage, "DATA", _StreamValue)
_add_variant(StreamMessage, "ERROR", _StreamValue)
_add_variant(MulticastStreamMessage, "DATA", _MulticastData)
_add_variant(MulticastStreamMessage, "ERROR", _MulticastError)


# ---- handlers: a class of one's own with the method `handle`, or a coroutine function with the same arguments


class UnaryUnaryHandler:
    """One request, one response."""

    async def handle(self, request: bytes, context: Context) -> bytes:
        """Returns the response. An RpcError goes to the caller as it is, any other exception as INTERNAL."""
        raise NotImplementedError


class UnaryStreamHandler:
    """One request, any number of responses."""

    async def handle(self, request: bytes, context: Context, sink: ResponseSink) -> None:
        """Sends the responses to the sink; returning ends them."""
        raise NotImplementedError


class StreamUnaryHandler:
    """Any number of requests, one response."""

    async def handle(self, stream: RequestStream, context: Context) -> bytes:
        """Returns the response; need not read all requests."""
        raise NotImplementedError


class StreamStreamHandler:
    """Any number of requests, any number of responses, in any order."""

    async def handle(self, stream: RequestStream, context: Context, sink: ResponseSink) -> None:
        """Sends the responses to the sink; returning ends them."""
        raise NotImplementedError


for _handler in (UnaryUnaryHandler, UnaryStreamHandler, StreamUnaryHandler, StreamStreamHandler):
    _handler.__module__ = MODULE
