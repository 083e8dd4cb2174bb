"""slimrpc between two applications of one process: what callers and handlers see. Runs in the interpreter that has the package."""

import asyncio
import contextlib
import gc
import pickle
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

import slim_bindings as sb
from slim_bindings import _rpc_wire as wire

SECRET = "a shared secret of at least 32 bytes"
NAME = sb.Name("org", "ns", "server")
LIMIT_S = 30
SHORT = timedelta(milliseconds=200)


class Handlers:
    """What the server of the tests can do, and what happened there."""

    def __init__(self):
        self.begun = []
        self.cancelled = []
        self.context = None

    async def echo(self, request, context):
        self.context = context
        return b"echo " + request

    async def wait(self, request, context):
        self.begun.append(request)
        try:
            await asyncio.sleep(LIMIT_S)
        except asyncio.CancelledError:
            self.cancelled.append(request)
            raise
        return b""

    async def fail(self, request, context):
        raise sb.RpcError.Rpc(sb.RpcCode[request.decode()], "on purpose")

    async def break_down(self, request, context):
        raise ZeroDivisionError("by nothing")

    async def say_text(self, request, context):
        return "not bytes"

    async def count(self, request, context, sink):
        for number in range(int(request)):
            await sink.send_async(b"%d" % number)

    async def count_and_fail(self, request, context, sink):
        sink.send(b"first")
        raise sb.RpcError.Rpc(sb.RpcCode.ABORTED, "no second")

    async def close_twice(self, request, context, sink):
        await sink.close_async()
        assert sink.is_closed()
        sink.close()
        with pytest.raises(sb.RpcError) as caught:
            sink.send(b"late")
        self.context = caught.value

    async def join(self, stream, context):
        return b",".join([item async for item in stream])

    async def join_blocking(self, stream, context):
        found = []
        while not (item := stream.next()).is_end():
            found.append(item[0])
        return b",".join(found)

    async def first(self, stream, context):
        return (await stream.next_async())[0]

    async def echo_all(self, stream, context, sink):
        async for item in stream:
            await sink.send_async(b"echo " + item)

    def register(self, server):
        for name in ("echo", "wait", "fail", "break_down", "say_text"):
            server.register_unary_unary("S", name, getattr(self, name))
        for name in ("count", "count_and_fail", "close_twice"):
            server.register_unary_stream("S", name, getattr(self, name))
        for name in ("join", "join_blocking", "first"):
            server.register_stream_unary("S", name, getattr(self, name))
        server.register_stream_stream("S", "echo_all", self.echo_all)


def new_pair():
    """An application that calls, a server, and what happens there. The service has no socket."""
    service = sb.Service("rpc")
    caller = service.create_app_with_secret(sb.Name("org", "ns", "caller"), SECRET)
    server = sb.Server(service.create_app_with_secret(NAME, SECRET), NAME)
    handlers = Handlers()
    handlers.register(server)
    return caller, server, handlers


@contextlib.asynccontextmanager
async def serving():
    caller, server, handlers = new_pair()
    task = asyncio.ensure_future(server.serve_async())
    channel = sb.Channel(caller, NAME)
    try:
        yield channel, server, handlers
    finally:
        await channel.close_async()
        await server.shutdown_async()
        await task


def run(body):
    """body(channel, server, handlers), in a loop of its own."""

    async def main():
        async with serving() as parts:
            await asyncio.wait_for(body(*parts), LIMIT_S)

    asyncio.run(main())


async def eventually(condition):
    for _ in range(LIMIT_S * 100):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


async def code_of(call):
    with pytest.raises(sb.RpcError) as caught:
        await call
    return caught.value.code


# ---- all kinds


def test_one_request_has_one_response():
    async def body(channel, server, handlers):
        assert await channel.call_unary_async("S", "echo", b"x") == b"echo x"
        assert await channel.call_unary_async("S", "echo", memoryview(b"y")) == b"echo y"

    run(body)


def test_empty_requests_and_responses_are_told_from_the_end():
    async def body(channel, server, handlers):
        assert await channel.call_unary_async("S", "echo", b"") == b"echo "
        writer = channel.call_stream_unary("S", "join")
        for item in (b"", b"a", b""):
            await writer.send_async(item)
        assert await writer.finalize_stream_async() == b",a,"
        assert await channel.call_stream_unary("S", "join").finalize_stream_async() == b""

    run(body)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_stream_of_responses_comes_whole_and_in_order(count):
    async def body(channel, server, handlers):
        reader = await channel.call_unary_stream_async("S", "count", b"%d" % count)
        assert [item async for item in reader] == [b"%d" % number for number in range(count)]
        assert (await reader.next_async()).is_end()

    run(body)


def test_requests_and_responses_go_at_once():
    async def body(channel, server, handlers):
        both = channel.call_stream_stream("S", "echo_all")
        for number in range(20):
            await both.send_async(b"%d" % number)
            assert await both.recv_async() == sb.StreamMessage.DATA(b"echo %d" % number)
        await both.close_send_async()
        await both.close_send_async()
        assert (await both.recv_async()).is_end()

    run(body)


def test_calls_at_once_do_not_mix():
    async def body(channel, server, handlers):
        texts = [b"%d" % number for number in range(100)]
        answers = await asyncio.gather(*(channel.call_unary_async("S", "echo", text) for text in texts))
        assert answers == [b"echo " + text for text in texts]

    run(body)


@pytest.mark.parametrize("size", [1, 65_536, 3_660_000])
def test_sizes_up_to_the_limit_cross(size):
    async def body(channel, server, handlers):
        data = b"\x00\xff" * (size // 2) + b"!" * (size % 2)
        writer = channel.call_stream_unary("S", "first")
        await writer.send_async(data)
        assert await writer.finalize_stream_async() == data

    run(body)


def test_a_message_beyond_the_limit_is_an_error_of_that_call():
    async def body(channel, server, handlers):
        assert await code_of(channel.call_unary_async("S", "echo", bytes(3_660_001))) is sb.RpcCode.RESOURCE_EXHAUSTED
        assert await code_of(channel.call_unary_async("S", "echo", bytes(3_660_000))) is sb.RpcCode.RESOURCE_EXHAUSTED
        assert await channel.call_unary_async("S", "echo", b"x") == b"echo x"

    run(body)


def test_a_server_that_answers_early_ends_the_requests():
    async def body(channel, server, handlers):
        writer = channel.call_stream_unary("S", "first")
        for number in range(50):
            await writer.send_async(b"%d" % number)
            await asyncio.sleep(0.001)
        assert await writer.finalize_stream_async() == b"0"
        with pytest.raises(sb.RpcError, match="already finalized"):
            await writer.finalize_stream_async()
        with pytest.raises(sb.RpcError, match="already finalized"):
            await writer.send_async(b"late")

    run(body)


# ---- errors


def test_errors_arrive_with_code_and_sentence():
    async def body(channel, server, handlers):
        for code in list(sb.RpcCode)[1:]:
            with pytest.raises(sb.RpcError.Rpc) as caught:
                await channel.call_unary_async("S", "fail", code.name.encode())
            assert (caught.value.code, caught.value.message, caught.value.details) == (code, "on purpose", None)
        assert await code_of(channel.call_unary_async("S", "fail", b"OK")) is sb.RpcCode.INTERNAL

    run(body)


@pytest.mark.parametrize(
    ("method", "code", "text"),
    [
        ("break_down", "INTERNAL", "by nothing"),
        ("say_text", "INTERNAL", "returned str, not bytes"),
        ("missing", "UNIMPLEMENTED", "no method S/missing"),
    ],
)
def test_what_goes_wrong_at_the_server_is_said_to_the_caller(method, code, text):
    async def body(channel, server, handlers):
        with pytest.raises(sb.RpcError, match=text) as caught:
            await channel.call_unary_async("S", method, b"")
        assert caught.value.code is sb.RpcCode[code]
        assert await channel.call_unary_async("S", "echo", b"x") == b"echo x"

    run(body)


def test_an_error_ends_a_stream_after_what_came_before_it():
    async def body(channel, server, handlers):
        reader = await channel.call_unary_stream_async("S", "count_and_fail", b"")
        items = [await reader.next_async() for _ in range(3)]
        assert items[0][0] == b"first"
        assert items[1].is_error() and items[1][0].code is sb.RpcCode.ABORTED
        assert items[2].is_end()
        both = channel.call_stream_stream("S", "missing")
        await both.send_async(b"x")
        assert (await both.recv_async())[0].code is sb.RpcCode.UNIMPLEMENTED
        with pytest.raises(sb.RpcError, match="no method"):
            await both.send_async(b"x")

    run(body)


def test_a_closed_sink_refuses_responses():
    async def body(channel, server, handlers):
        reader = await channel.call_unary_stream_async("S", "close_twice", b"")
        assert (await reader.next_async()).is_end()
        await eventually(lambda: handlers.context is not None)
        assert handlers.context.code is sb.RpcCode.FAILED_PRECONDITION

    run(body)


def test_without_a_server_the_call_is_late_or_unavailable():
    async def main():
        service = sb.Service("rpc")
        channel = sb.Channel(service.create_app_with_secret(sb.Name("org", "ns", "caller"), SECRET), NAME)
        code = await code_of(channel.call_unary_async("S", "echo", b"", timedelta(milliseconds=300)))
        assert code in (sb.RpcCode.DEADLINE_EXCEEDED, sb.RpcCode.UNAVAILABLE)
        reader = await channel.call_unary_stream_async("S", "count", b"1", timedelta(milliseconds=300))
        assert (await reader.next_async()).is_error()
        await channel.close_async()

    asyncio.run(main())


# ---- time, and giving up


def test_a_deadline_ends_the_call_on_both_sides():
    async def body(channel, server, handlers):
        await channel.call_unary_async("S", "echo", b"")
        assert await code_of(channel.call_unary_async("S", "wait", b"late", SHORT)) is sb.RpcCode.DEADLINE_EXCEEDED
        await eventually(lambda: handlers.cancelled == [b"late"])
        zero = channel.call_unary_async("S", "echo", b"", timedelta(0))
        assert await code_of(zero) is sb.RpcCode.DEADLINE_EXCEEDED
        with pytest.raises(ValueError, match="must be non-negative"):
            await channel.call_unary_async("S", "echo", b"", timedelta(seconds=-1))

    run(body)


def test_cancelling_a_call_cancels_its_handler():
    async def body(channel, server, handlers):
        task = asyncio.ensure_future(channel.call_unary_async("S", "wait", b"unwanted"))
        await eventually(lambda: handlers.begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: handlers.cancelled == [b"unwanted"])

    run(body)


def test_letting_go_of_a_stream_cancels_its_handler():
    async def body(channel, server, handlers):
        server.register_unary_stream("S", "wait_stream", lambda request, context, sink: handlers.wait(request, context))
        reader = await channel.call_unary_stream_async("S", "wait_stream", b"forgotten")
        await eventually(lambda: handlers.begun)
        del reader
        gc.collect()
        await eventually(lambda: handlers.cancelled == [b"forgotten"])

    run(body)


def test_a_cancelled_read_leaves_the_response_for_the_next():
    async def body(channel, server, handlers):
        both = channel.call_stream_stream("S", "echo_all")
        for number in range(30):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(both.recv_async(), 0.0005)
                raise AssertionError("nothing was sent")
            await both.send_async(b"%d" % number)
            assert (await both.recv_async())[0] == b"echo %d" % number

    run(body)


def test_handlers_see_deadline_metadata_and_session():
    async def body(channel, server, handlers):
        await channel.call_unary_async("S", "echo", b"", timedelta(seconds=20), {"color": "blue"})
        context = handlers.context
        assert context.metadata()["color"] == "blue"
        assert (context.metadata()["service"], context.metadata()["method"]) == ("S", "echo")
        assert timedelta(0) < context.remaining_time() <= timedelta(seconds=20)
        assert abs(context.deadline() - datetime.now(timezone.utc) - context.remaining_time()) < timedelta(seconds=1)
        assert not context.is_deadline_exceeded()
        assert context.session_id().isdecimal()
        with pytest.raises(ValueError, match="no default constructor"):
            sb.Context()

    run(body)


# ---- the ends of sessions and servers


def test_a_channel_that_was_closed_calls_again():
    async def body(channel, server, handlers):
        waiting = asyncio.ensure_future(channel.call_unary_async("S", "wait", b"open"))
        await eventually(lambda: handlers.begun)
        await channel.close_async()
        assert await code_of(waiting) is sb.RpcCode.UNAVAILABLE
        await eventually(lambda: handlers.cancelled == [b"open"])
        assert await channel.call_unary_async("S", "echo", b"again") == b"echo again"

    run(body)


def test_a_session_that_comes_just_when_serving_is_cancelled_is_ended():
    async def main():
        caller, server, _ = new_pair()
        serving = asyncio.ensure_future(server.serve_async())
        listen = server._app.listen_for_session_async

        async def listen_and_cancel(timeout):
            found = await listen(timeout)
            serving.cancel()
            return found

        server._app.listen_for_session_async = listen_and_cancel
        await asyncio.sleep(0)
        settings = sb.SessionConfig(
            session_type=sb.SessionType.POINT_TO_POINT, max_retries=5, interval=timedelta(seconds=5)
        )
        session = await caller.create_session_and_wait_async(settings, NAME)
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(sb.SlimError.SessionError, match="participant disconnected|session closed"):
            await session.get_message_async(timedelta(seconds=LIMIT_S))

    asyncio.run(main())


FORKED = """
import os, sys
import slim_bindings as sb

SECRET = "a shared secret of at least 32 bytes"
app = sb.Service("parent").create_app_with_secret(sb.Name("a", "b", "c"), SECRET)

def call(app):
    try:
        sb.Channel(app, sb.Name("a", "b", "nobody")).call_unary("S", "m", b"")
    except sb.RpcError as error:
        return error.message

assert "no matching found" in call(app)
if (child := os.fork()) == 0:
    assert "forked" in call(app)
    assert "no matching found" in call(sb.Service("child").create_app_with_secret(sb.Name("a", "b", "c"), SECRET))
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert "no matching found" in call(app)
"""


def test_a_forked_child_has_a_thread_of_its_own_and_ends_in_silence():
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", FORKED]
    if sys.version_info >= (3, 12):  # it warns of a fork while there are threads
        command[5:5] = ["-W", "ignore::DeprecationWarning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.returncode) == ("", 0), done


def test_shutdown_cancels_calls_and_the_server_can_serve_again():
    async def main():
        caller, server, handlers = new_pair()
        channel = sb.Channel(caller, NAME)
        task = asyncio.ensure_future(server.serve_async())
        waiting = asyncio.ensure_future(channel.call_unary_async("S", "wait", b"open"))
        await eventually(lambda: handlers.begun)
        with pytest.raises(sb.RpcError, match="serving already"):
            await server.serve_async()
        await server.shutdown_async()
        await task
        assert await code_of(waiting) is sb.RpcCode.CANCELLED
        assert handlers.cancelled == [b"open"]
        await server.shutdown_async()
        task = asyncio.ensure_future(server.serve_async())
        assert await channel.call_unary_async("S", "echo", b"again") == b"echo again"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await channel.close_async()

    asyncio.run(main())


def test_a_group_answers_and_says_who_is_missing():
    async def main():
        service = sb.Service("rpc")
        caller = service.create_app_with_secret(sb.Name("org", "ns", "caller"), SECRET)
        names = [sb.Name("org", "ns", f"server-{number}") for number in range(3)]
        servers, all_handlers = [], []
        for name in names:
            servers.append(sb.Server(service.create_app_with_secret(name, SECRET), name))
            all_handlers.append(Handlers())
            all_handlers[-1].register(servers[-1])
        tasks = [asyncio.ensure_future(server.serve_async()) for server in servers]
        async with sb.Channel.new_group(caller, names) as channel:
            reader = await channel.call_multicast_unary_stream_async("S", "count", b"50")
            items = [item.item async for item in reader]
            for name in names:
                of_it = [item.message for item in items if item.context.source == name]
                assert of_it == [b"%d" % number for number in range(50)]
            reader = await channel.call_multicast_unary_async("S", "wait", b"")
            await eventually(lambda: all(handlers.begun for handlers in all_handlers))
            await servers[0].shutdown_async()
            item = await reader.next_async()
            assert item.is_error() and item.error.code is sb.RpcCode.CANCELLED
            assert item.error.origin == str(names[0])
        item = await reader.next_async()
        assert item.is_error() and (item.error.completed, item.error.total) == (1, 3)
        assert item.error.received == [str(names[0])]
        assert sorted(item.error.missing) == sorted(map(str, names[1:]))
        for server in servers[1:]:
            await server.shutdown_async()
        await asyncio.gather(*tasks)
        with pytest.raises(sb.RpcError, match="at least one member"):
            sb.Channel.new_group(caller, [])

    asyncio.run(main())


# ---- without asyncio, and between loops and threads


@contextlib.contextmanager
def serving_in_thread():
    caller, server, handlers = new_pair()
    thread = threading.Thread(target=server.serve)
    thread.start()
    channel = sb.Channel(caller, NAME)
    try:
        yield channel, server, handlers
    finally:
        channel.close()
        while thread.is_alive():  # it may not have begun
            server.shutdown()
            thread.join(0.05)


def test_the_forms_without_asyncio_do_the_same():
    with serving_in_thread() as (channel, _server, _handlers):
        assert channel.call_unary("S", "echo", b"x") == b"echo x"
        reader = channel.call_unary_stream("S", "count", b"3")
        assert [reader.next()[0] for _ in range(3)] == [b"0", b"1", b"2"]
        assert reader.next().is_end()
        writer = channel.call_stream_unary("S", "join")
        writer.send(b"a")
        writer.send(b"b")
        assert writer.finalize_stream() == b"a,b"
        both = channel.call_stream_stream("S", "echo_all")
        both.send(b"1")
        assert both.recv()[0] == b"echo 1"
        both.close_send()
        assert both.recv().is_end()
        with pytest.raises(sb.RpcError, match="on purpose"):
            channel.call_unary("S", "fail", b"ABORTED")
        with pytest.raises(sb.RpcError) as caught:
            channel.call_unary("S", "wait", b"", SHORT)
        assert caught.value.code is sb.RpcCode.DEADLINE_EXCEEDED


def test_threads_and_loops_share_a_channel():
    with serving_in_thread() as (channel, _server, _handlers):
        found = []

        def blocking(number):
            found.append(channel.call_unary("S", "echo", b"%d" % number))

        def in_a_loop(number):
            async def body():
                return await channel.call_unary_async("S", "echo", b"%d" % number)

            found.append(asyncio.run(body()))

        makers = [blocking if number % 2 else in_a_loop for number in range(10)]
        threads = [threading.Thread(target=make, args=(number,)) for number, make in enumerate(makers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        assert sorted(found) == [b"echo %d" % number for number in range(10)]


def test_blocking_forms_in_a_loop_work_where_they_can():
    async def body(channel, server, handlers):
        both = channel.call_stream_stream("S", "echo_all")
        both.send(b"before there is a session")
        with pytest.raises(sb.RpcError, match=r"await recv_async\(\)"):
            both.recv()
        assert (await both.recv_async())[0] == b"echo before there is a session"
        both.close_send()
        assert (await both.recv_async()).is_end()
        # the handler of this one blocks this loop until the requests are there
        writer = channel.call_stream_unary("S", "join_blocking")
        for item in (b"a", b"b"):
            writer.send(item)
        assert await writer.finalize_stream_async() == b"a,b"
        with pytest.raises(sb.RpcError, match=r"await serve_async\(\)"):
            server.serve()

    run(body)


def test_a_stream_can_be_used_from_another_loop():
    with serving_in_thread() as (channel, _server, _handlers):
        reader = channel.call_unary_stream("S", "count", b"3")

        async def body():
            return [item async for item in reader]

        assert asyncio.run(body()) == [b"0", b"1", b"2"]


def test_a_loop_that_was_closed_leaves_the_channel_usable():
    with serving_in_thread() as (channel, _server, _handlers):
        for _ in range(3):
            loop = asyncio.new_event_loop()
            assert loop.run_until_complete(channel.call_unary_async("S", "echo", b"x")) == b"echo x"
            reader = loop.run_until_complete(channel.call_unary_stream_async("S", "count", b"1"))
            loop.close()

        async def body():
            with pytest.raises(sb.RpcError, match="closed"):
                await reader.next_async()

        asyncio.run(body())


# ---- names and texts


def test_errors_print_compare_and_pickle():
    error = sb.RpcError.Rpc(code=sb.RpcCode.NOT_FOUND, message="no", details=b"more")
    assert repr(error) == "RpcError.Rpc(code=<RpcCode.NOT_FOUND: 5>, message='no', details=b'more')"
    assert str(error) == "code=<RpcCode.NOT_FOUND: 5>, message='no', details=b'more'"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is sb.RpcError.Rpc and (again.code, again.message, again.details) == (error.code, "no", b"more")
    assert sb.RpcError.MulticastRpc("o", sb.RpcCode.ABORTED, "m", None).origin == "o"
    closed = sb.RpcError.MulticastSessionClosed(1, 2, ["a"], ["b"])
    assert str(closed) == "completed=1, total=2, received=['a'], missing=['b']"
    assert all(issubclass(kind, sb.RpcError) for kind in (type(error), type(closed)))
    assert [code.value for code in sb.RpcCode] == list(range(17))


def test_items_of_streams_are_as_the_reference_has_them():
    data = sb.StreamMessage.DATA(b"x")
    assert (data.is_data(), data.is_DATA(), data.is_error(), data.is_end()) == (True, True, False, False)
    assert isinstance(data, sb.StreamMessage) and data[0] == b"x"
    assert data == sb.StreamMessage.DATA(b"x") and data != sb.StreamMessage.DATA(b"y")
    assert data != sb.StreamMessage.END() and sb.StreamMessage.END() == sb.StreamMessage.END()
    assert str(sb.StreamMessage.DATA(b"x")) == "StreamMessage.DATA(b'x')"
    with pytest.raises(RuntimeError, match="StreamMessage cannot be instantiated directly"):
        sb.StreamMessage()
    with pytest.raises(TypeError, match="Expected 1 arguments, found 0"):
        sb.StreamMessage.DATA()
    item = sb.RpcMulticastItem(context=sb.RpcMessageContext(source=NAME), message=b"m")
    assert sb.MulticastStreamMessage.DATA(item).item is item
    assert sb.MulticastStreamMessage.ERROR(error=ValueError()).is_error()


def test_wrong_arguments_are_refused_at_once():
    caller, server, _handlers = new_pair()
    with pytest.raises(TypeError, match="Expected App instance"):
        sb.Channel("app", NAME)
    with pytest.raises(TypeError, match="Expected Name instance"):
        sb.Channel(caller, "org/ns/server")
    with pytest.raises(TypeError, match="a handler has a method handle"):
        server.register_unary_unary("S", "m", "nothing that can be called")
    channel = sb.Channel(caller, NAME)
    with pytest.raises(TypeError, match="bytes-like"):
        channel.call_unary("S", "m", "text")
    with pytest.raises(TypeError, match="argument must be str"):
        channel.call_unary(1, "m", b"")
    with pytest.raises(TypeError, match="argument must be str"):
        channel.call_unary("S", "m", b"", None, {"key": 1})


@pytest.mark.parametrize("side", ["caller", "server"])
def test_what_nobody_reads_is_bounded(monkeypatch, side):
    from slim_bindings import _rpc_mux

    monkeypatch.setattr(_rpc_mux, "INBOX_BYTES_MAX", 1000)

    async def read_nothing(stream, context):
        await asyncio.sleep(LIMIT_S)

    async def body(channel, server, handlers):
        server.register_stream_unary("S", "read_nothing", read_nothing)
        if side == "caller":
            reader = await channel.call_unary_stream_async("S", "count", b"2000")
            await asyncio.sleep(0.1)
            await eventually(lambda: reader._call.is_over)
            items = [await reader.next_async()]
            while not items[-1].is_error():
                items.append(await reader.next_async())
            assert 200 < len(items) <= 1001 and items[-1][0].code is sb.RpcCode.RESOURCE_EXHAUSTED
        else:
            writer = channel.call_stream_unary("S", "read_nothing")
            for _ in range(11):
                writer.send(bytes(100))
            assert await code_of(writer.finalize_stream_async()) is sb.RpcCode.RESOURCE_EXHAUSTED
        assert await channel.call_unary_async("S", "echo", b"x") == b"echo x"

    run(body)


def test_a_call_that_is_cancelled_before_its_handler_begins_leaves_nothing():
    async def body(channel, server, handlers):
        await channel.call_unary_async("S", "echo", b"")
        link = channel._links[asyncio.get_running_loop()].result()
        begin = wire.first(None, "S", "wait", "x", time.time() + LIMIT_S)
        cancel = {**wire.response("x", sb.RpcCode.CANCELLED), **wire.request("x")}
        session = link.session
        for _ in range(20):
            first = session.publish(b"too soon", "msg", begin)
            await session.publish_and_wait_async(b"", "msg", cancel)
            await first.wait_async()
        await channel.call_unary_async("S", "echo", b"")
        for served in gc.get_objects():
            if type(served).__name__ == "_ServerLink":
                await eventually(lambda served=served: not served.calls)
        assert len(handlers.begun) == len(handlers.cancelled)

    run(body)


# ---- on the wire


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "OK"),
        ("0", "OK"),
        ("4", "DEADLINE_EXCEEDED"),
        ("16", "UNAUTHENTICATED"),
        ("17", "UNKNOWN"),
        ("-1", "OK"),
        ("x", "OK"),
        ("", "OK"),
    ],
)
def test_codes_of_messages(text, code):
    assert wire.code_of({} if text is None else {wire.CODE: text}) is sb.RpcCode[code]


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e300", "", "soon"])
def test_a_deadline_that_is_nonsense_counts_as_none(text):
    assert abs(wire.end_of({wire.TIMEOUT: text}) - time.time() - wire.LONGEST_S) < LIMIT_S


def test_messages_that_make_no_sense_are_left_out():
    async def body(channel, server, handlers):
        await channel.call_unary_async("S", "echo", b"")
        link = channel._links[asyncio.get_running_loop()].result()
        request = {wire.DIRECTION: wire.REQUEST}
        for metadata in (
            None,
            {},
            {wire.ID: ""},
            {wire.ID: "x"},
            {wire.ID: "x", **request},
            {wire.ID: "x", wire.SERVICE: "S", **request},
            {wire.ID: "x", wire.CODE: "0", **request},
            {wire.ID: "x", wire.CODE: "13"},
            {wire.ID: "x", wire.CODE: "1", **request},
        ):
            await link.session.publish_and_wait_async(b"nonsense", "msg", metadata)
        assert await channel.call_unary_async("S", "echo", b"x") == b"echo x"

    run(body)


def test_calls_of_one_session_are_bounded(monkeypatch):
    from slim_bindings import _rpc_server

    monkeypatch.setattr(_rpc_server, "CALLS_MAX", 2)

    async def body(channel, server, handlers):
        waiting = [asyncio.ensure_future(channel.call_unary_async("S", "wait", b"%d" % n)) for n in range(2)]
        await eventually(lambda: len(handlers.begun) == 2)
        assert await code_of(channel.call_unary_async("S", "echo", b"")) is sb.RpcCode.RESOURCE_EXHAUSTED
        for task in waiting:
            task.cancel()
        await eventually(lambda: len(handlers.cancelled) == 2)
        assert await channel.call_unary_async("S", "echo", b"x") == b"echo x"

    run(body)
