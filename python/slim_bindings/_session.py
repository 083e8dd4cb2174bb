"""Session and CompletionHandle: what is used for each message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from datetime import timedelta
from typing import Any

from . import _records as r
from . import _slim
from ._errors import SlimError
from ._loop import current, deadline_of, finish, is_running, new_key, turn
from ._names import Name, check_number, parts_of
from ._unions import SessionType

IN_CLEAR = "messages of this session are not encrypted"
GONE = "Session already closed or dropped"
_TYPES = (SessionType.POINT_TO_POINT, SessionType.GROUP)
# After so much of publishing the loop gets a turn, and whoever publishes waits until there is room: bytes, and those of each message besides.
_BYTES_PER_TURN = 256 * 1024
_BYTES_PER_PUBLISH = 4096
_MESSAGES_PER_TURN = 64  # after so many that were there already the loop gets a turn


def _fail(kind: type, error: _slim.Error) -> Exception:
    return kind(error.args[1])


def _wait(op: _slim.Op, kind: type) -> None:
    try:
        op.wait(None)
    except _slim.Error as error:
        raise _fail(kind, error) from None


async def _finish(op: _slim.Op, kind: type) -> None:
    try:
        await finish(op)
    except _slim.Error as error:
        raise _fail(kind, error) from None


def _bytes(data: Any) -> bytes:
    if type(data) is bytes:
        return data
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not '{type(data).__name__}'") from None


class _Unique:
    """There is one of each: a copy is the same object, and nothing can be pickled."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict) -> Any:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(f"cannot pickle '{type(self).__name__}' object")


class _NoConstructor(_Unique):
    def __init__(self, *args: object, **kwargs: object) -> None:
        raise ValueError("This class has no default constructor")


class CompletionHandle(_NoConstructor):
    """The end of something that was begun. Wait for it once, in one of four ways or with `await`. A wait that is cancelled does not count."""

    _op: _slim.Op
    _kind: type
    _is_consumed: bool
    _key: int

    @classmethod
    def _of(cls, op: _slim.Op, kind: type) -> CompletionHandle:
        made = cls.__new__(cls)
        made._op = op
        made._kind = kind
        made._is_consumed = False
        made._key = 0
        return made

    def _claim(self) -> None:
        if self._is_consumed:
            raise SlimError.InternalError("CompletionHandle already consumed (wait can only be called once)")
        self._is_consumed = True

    def _end_by(self, deadline: int | None) -> bool:
        try:
            return self._op.wait(deadline)
        except _slim.Error as error:
            raise _fail(self._kind, error) from None
        except BaseException:  # Ctrl-C: it was not waited for
            self._is_consumed = False
            raise

    async def _end_by_async(self, deadline: int | None) -> bool:
        op = self._op
        try:
            if op.poll():
                return True
            if not self._key:
                self._key = new_key()
            return await current().end(op, self._key, deadline) and op.poll()
        except _slim.Error as error:
            raise _fail(self._kind, error) from None
        except BaseException:  # cancelled: it was not waited for
            self._is_consumed = False
            raise

    def wait(self) -> None:
        """Wait until it has ended; raises what went wrong."""
        self._claim()
        self._end_by(None)

    async def wait_async(self) -> None:
        """Wait until it has ended; raises what went wrong."""
        self._claim()
        await self._end_by_async(None)

    def wait_for(self, timeout: timedelta) -> None:
        """Wait for so long at most. SlimError.Timeout: it goes on."""
        deadline = deadline_of(timeout)
        self._claim()
        if not self._end_by(deadline):
            raise SlimError.Timeout()

    async def wait_for_async(self, timeout: timedelta) -> None:
        """Wait for so long at most. SlimError.Timeout: it goes on."""
        deadline = deadline_of(timeout)
        self._claim()
        if not await self._end_by_async(deadline):
            raise SlimError.Timeout()

    def __await__(self) -> Generator[Any, None, None]:
        return self.wait_async().__await__()


class Session(_NoConstructor):
    """A conversation with a peer, or membership of a group. Also an async iterator of its messages."""

    _n: _slim.Session
    _key: int
    _write_key: int
    _info: tuple
    _published: int
    _received: int

    @classmethod
    def _of(cls, native: _slim.Session) -> Session:
        made = cls.__new__(cls)
        made._n = native
        made._key = new_key()
        made._info = native.info()
        made._published = made._received = 0
        made._write_key = new_key()
        return made

    def __repr__(self) -> str:
        number, kind, is_initiator, *_ = self._info
        side = "initiator" if is_initiator else "member"
        state = ", over" if self._n.is_over() else ""
        return f"<Session {number}: {_TYPES[kind].name} with {Name._of(self._info[7])}, {side}{state}>"

    def _look(self, index: int) -> Any:
        if self._n.is_over():
            raise SlimError.SessionError(GONE)
        return self._info[index]

    def session_id(self) -> int:
        """Its number, 0 <= id < 2**32, the same at all members."""
        return self._look(0)

    def session_type(self) -> SessionType:
        """With one peer or with a group."""
        return _TYPES[self._look(1)]

    def is_initiator(self) -> bool:
        """Was it begun here?"""
        return self._look(2)

    def source(self) -> Name:
        """The full name of the application here."""
        return Name._of(self._look(6))

    def destination(self) -> Name:
        """The peer or the channel."""
        return Name._of(self._look(7))

    def metadata(self) -> dict[str, str]:
        """What the initiator gave to all who join."""
        return dict(self._look(8))

    def config(self) -> r.SessionConfig:
        """How it was begun."""
        interval = self._look(5)
        return r.SessionConfig(
            session_type=_TYPES[self._info[1]],
            enable_mls=self._info[3],
            max_retries=self._info[4] if interval else None,
            interval=timedelta(milliseconds=interval) if interval else None,
            metadata=dict(self._info[8]),
        )

    def participants_list(self) -> list[Name]:
        """Full names of the members now."""
        self._look(0)
        try:
            return [Name._of(parts) for parts in self._n.participants()]
        except _slim.Error as error:
            raise _fail(SlimError.SessionError, error) from None

    async def participants_list_async(self) -> list[Name]:
        """As participants_list."""
        await turn()
        return self.participants_list()

    # ---- receiving

    def _message(self, parts: tuple) -> r.ReceivedMessage:
        source, destination, kind, metadata, connection, identity, payload, _ = parts
        if self._info[1] == 0:  # point to point: answers are ordinary messages
            metadata.pop("PUBLISH_TO", None)
        context = r.MessageContext(
            source_name=Name._of(source),
            destination_name=Name._of(destination),
            payload_type=kind,
            metadata=metadata,
            input_connection=connection,
            identity=identity,
        )
        return r.ReceivedMessage(context=context, payload=payload)

    def _receive(self, deadline: int | None) -> tuple | None:
        """Whoever allowed plaintext is told of it by a log line, not instead of a message."""
        while True:
            try:
                return self._n.receive(deadline)
            except _slim.Error as error:
                if error.args[1] != IN_CLEAR:
                    raise
                _slim.log_warn(f"{IN_CLEAR}: {self}")

    def get_message(self, timeout: timedelta | None = None) -> r.ReceivedMessage:
        """The next message. SlimError.SessionError: none in time ("receive timeout waiting for message"), or "session closed"."""
        deadline = deadline_of(timeout)
        try:
            parts = self._receive(deadline)
        except _slim.Error as error:
            raise _fail(SlimError.SessionError, error) from None
        if parts is None:
            raise SlimError.SessionError("receive timeout waiting for message")
        return self._message(parts)

    async def get_message_async(self, timeout: timedelta | None = None) -> r.ReceivedMessage:
        """As get_message. When it is cancelled, the message stays for the next call."""
        deadline = deadline_of(timeout)
        queue = current()
        self._received += 1
        if self._received >= _MESSAGES_PER_TURN:
            self._received = 0
            await turn()
        try:
            parts = None if self._key in queue.lines else self._receive(0)
            if parts is None:
                parts = await queue.take(self._key, self._receive, self._n.await_message, deadline)
        except _slim.Error as error:
            raise _fail(SlimError.SessionError, error) from None
        if parts is None:
            raise SlimError.SessionError("receive timeout waiting for message")
        return self._message(parts)

    def __aiter__(self) -> AsyncIterator[r.ReceivedMessage]:
        return self

    async def __anext__(self) -> r.ReceivedMessage:
        try:
            return await self.get_message_async(None)
        except SlimError.SessionError as error:
            if error.message == "session closed":
                raise StopAsyncIteration from None
            raise

    # ---- publishing

    def publish(
        self, data: bytes, payload_type: str | None = None, metadata: dict[str, str] | None = None
    ) -> CompletionHandle:
        """To everybody in the session. The handle ends when all who are members have acknowledged it.

        data: anything with the buffer protocol, at most 4 000 000 bytes, with MLS 3 660 000. payload_type: None is "msg". While more than
        1024 messages or 16 MiB are on their way it waits, unless nobody is there yet.
        """
        return self._publish(self._admit(data), payload_type, metadata)

    def _publish(self, data: bytes, payload_type: str | None, metadata: dict[str, str] | None) -> CompletionHandle:
        native = self._n
        if native.is_over():
            raise SlimError.SessionError(GONE)
        return CompletionHandle._of(native.publish(data, payload_type, metadata), SlimError.SessionError)

    async def publish_async(
        self, data: bytes, payload_type: str | None = None, metadata: dict[str, str] | None = None
    ) -> CompletionHandle:
        """As publish; while it waits for room the loop runs others."""
        return self._publish(await self._admit_async(data), payload_type, metadata)

    def _is_turn(self, data: bytes) -> bool:
        """Is it time to look whether there is room?"""
        self._published += _BYTES_PER_PUBLISH + len(data)
        if self._published < _BYTES_PER_TURN:
            return False
        self._published = 0
        return True

    def _room(self, _: int) -> bool | None:
        """True: there is some, or nobody is in the group who could make some: what is published waits for those to come."""
        try:
            is_alone = not self._n.await_writable().poll() and self._info[1] and len(self._n.participants()) < 2
            return True if is_alone or self._n.await_writable().poll() else None
        except _slim.Error:  # over, or of another process: publishing says so
            return True

    def _admit(self, data: Any) -> bytes:
        """The bytes to publish, when there is room. A thread with a running loop does not wait: it may be needed to make room."""
        data = _bytes(data)
        if self._is_turn(data) and not is_running():
            while not self._room(0):
                self._n.await_writable().wait(None)
        return data

    async def _admit_async(self, data: Any) -> bytes:
        """As _admit."""
        data = _bytes(data)
        if self._is_turn(data):
            await turn()
            if not self._room(0):
                await current().take(self._write_key, self._room, self._n.await_writable, None)
        return data

    def publish_and_wait(
        self, data: bytes, payload_type: str | None = None, metadata: dict[str, str] | None = None
    ) -> None:
        """As publish, and wait for the end."""
        self.publish(data, payload_type, metadata).wait()

    async def publish_and_wait_async(
        self, data: bytes, payload_type: str | None = None, metadata: dict[str, str] | None = None
    ) -> None:
        """As publish, and wait for the end."""
        await (await self.publish_async(data, payload_type, metadata)).wait_async()

    def publish_to(
        self,
        message_context: r.MessageContext,
        data: bytes,
        payload_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> CompletionHandle:
        """To the one member that a message came from: the context of a ReceivedMessage. In groups its metadata gets "PUBLISH_TO"."""
        return self._publish_to(message_context, self._admit(data), payload_type, metadata)

    def _publish_to(
        self, message_context: r.MessageContext, data: bytes, payload_type: str | None, metadata: dict[str, str] | None
    ) -> CompletionHandle:
        member = parts_of(message_context.source_name)
        if self._n.is_over():
            raise SlimError.SessionError("session closed")
        op = self._n.publish_to(member, data, payload_type, metadata)
        return CompletionHandle._of(op, SlimError.SessionError)

    async def publish_to_async(
        self,
        message_context: r.MessageContext,
        data: bytes,
        payload_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> CompletionHandle:
        """As publish_to."""
        return self._publish_to(message_context, await self._admit_async(data), payload_type, metadata)

    def publish_to_and_wait(
        self,
        message_context: r.MessageContext,
        data: bytes,
        payload_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        """As publish_to, and wait for the end."""
        self.publish_to(message_context, data, payload_type, metadata).wait()

    async def publish_to_and_wait_async(
        self,
        message_context: r.MessageContext,
        data: bytes,
        payload_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        """As publish_to, and wait for the end."""
        await (await self.publish_to_async(message_context, data, payload_type, metadata)).wait_async()

    def publish_with_params(
        self,
        destination: Name,
        fanout: int,
        data: bytes,
        connection_out: int | None = None,
        payload_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        """To the session's destination (Name) as publish, to any other member of a group as publish_to. Nobody can wait for its end.

        fanout, 0 <= fanout < 2**32: no effect, as in the reference: the session knows how many members it has. connection_out, the number of a
        connection: no effect, messages go by their routes.
        """
        self._publish_with_params(destination, fanout, self._admit(data), connection_out, payload_type, metadata)

    def _publish_with_params(
        self,
        destination: Name,
        fanout: int,
        data: bytes,
        connection_out: int | None,
        payload_type: str | None,
        metadata: dict[str, str] | None,
    ) -> None:
        parts = parts_of(destination)
        check_number(fanout, 32)
        if connection_out is not None:
            check_number(connection_out)
        if self._n.is_over():
            raise SlimError.SessionError("session closed")
        content = (data, payload_type, metadata)
        is_for_all = self._info[1] == 0 or parts[:3] == self._info[7][:3]
        op = self._n.publish(*content) if is_for_all else self._n.publish_to(parts, *content)
        try:
            op.poll()  # it cannot even begin
        except _slim.Error as error:
            raise _fail(SlimError.SessionError, error) from None

    async def publish_with_params_async(
        self,
        destination: Name,
        fanout: int,
        data: bytes,
        connection_out: int | None = None,
        payload_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        """As publish_with_params."""
        data = await self._admit_async(data)
        self._publish_with_params(destination, fanout, data, connection_out, payload_type, metadata)

    # ---- members

    def _change(self, participant: Name, begin: Callable[[tuple], _slim.Op], verb: str) -> CompletionHandle:
        parts = parts_of(participant)
        if self._n.is_over():
            raise SlimError.SessionError("session closed")
        if self._info[1] == 0:
            where = "to" if verb == "invite" else "from"
            raise SlimError.SessionError(f"cannot {verb} participant {where} point-to-point session")
        if not self._info[2]:
            raise SlimError.SessionError("only initiator can modify participants")
        return CompletionHandle._of(begin(parts), SlimError.SessionError)

    def invite(self, participant: Name) -> CompletionHandle:
        """Moderators of groups: the handle ends when the member can receive."""
        return self._change(participant, self._n.invite, "invite")

    async def invite_async(self, participant: Name) -> CompletionHandle:
        """As invite."""
        await turn()
        return self.invite(participant)

    def invite_and_wait(self, participant: Name) -> None:
        """As invite, and wait for the end."""
        self.invite(participant).wait()

    async def invite_and_wait_async(self, participant: Name) -> None:
        """As invite, and wait for the end."""
        await turn()
        await self.invite(participant).wait_async()

    def remove(self, participant: Name) -> CompletionHandle:
        """Moderators of groups: the handle ends when the member is out."""
        return self._change(participant, self._n.remove, "remove")

    async def remove_async(self, participant: Name) -> CompletionHandle:
        """As remove."""
        await turn()
        return self.remove(participant)

    def remove_and_wait(self, participant: Name) -> None:
        """As remove, and wait for the end."""
        self.remove(participant).wait()

    async def remove_and_wait_async(self, participant: Name) -> None:
        """As remove, and wait for the end."""
        await turn()
        await self.remove(participant).wait_async()

    async def __aenter__(self) -> Session:  # noqa: PYI034
        return self

    async def __aexit__(self, *unused: object) -> None:
        await _finish(self._n.delete(), SlimError.SessionError)


for _class in (CompletionHandle, Session):
    _class.__module__ = "slim_bindings.slim_bindings"
