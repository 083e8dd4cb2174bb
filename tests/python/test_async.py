"""Two applications in one process over asyncio and threads. Runs in the interpreter that has the package."""

import asyncio
import gc
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

import slim_bindings as sb

SECRET = "a shared secret of at least 32 bytes"


def local_pair(mls=False, retries=5, prefix="pair"):
    """Two applications of one service, and a session between them: (app, session) of the sender and of the receiver. The service has
    no socket."""
    service = sb.Service(prefix)
    first = service.create_app_with_secret(sb.Name("org", "ns", "first"), SECRET)
    second = service.create_app_with_secret(sb.Name("org", "ns", "second"), SECRET)
    config = sb.SessionConfig(
        session_type=sb.SessionType.POINT_TO_POINT,
        enable_mls=mls,
        max_retries=retries,
        interval=timedelta(seconds=1),
        metadata={"key": "value"},
    )
    made = first.create_session_and_wait(config, sb.Name("org", "ns", "second"))
    return first, made, second, second.listen_for_session(timedelta(seconds=5))


def new_loops():
    yield "asyncio", asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        return
    yield "uvloop", uvloop.new_event_loop


@pytest.fixture(params=[make for _, make in new_loops()], ids=[name for name, _ in new_loops()])
def run(request):
    def run(coroutine):
        loop = request.param()
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.close()

    return run


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_there_and_back(run, mls):
    first, out, second, come = local_pair(mls)

    async def main():
        await (await out.publish_async(memoryview(b"hi"), "kind", {"a": "b"})).wait_async()
        got = await come.get_message_async(timedelta(seconds=5))
        assert got.payload == b"hi" and got.context.payload_type == "kind" and got.context.metadata == {"a": "b"}
        assert got.context.source_name == first.name()
        await (await come.publish_to_async(got.context, b"back", None, got.context.metadata))
        answer = await out.get_message_async(timedelta(seconds=5))
        assert answer.payload == b"back" and answer.context.metadata == {"a": "b"}, "PUBLISH_TO is for groups"
        await (await first.delete_session_async(out)).wait_async()
        with pytest.raises(sb.SlimError.SessionError, match="session closed"):
            await come.get_message_async(timedelta(seconds=5))
        with pytest.raises(sb.SlimError.SessionError, match="Session already closed or dropped"):
            await come.publish_async(b"late", None, None)
        await (await second.delete_session_async(come)).wait_async()

    assert come.metadata() == {"key": "value"} and come.config().max_retries == 5
    assert come.session_id() == out.session_id() and out.is_initiator() and not come.is_initiator()
    run(main())


def test_cancelled_reads_lose_no_message(run):
    _, out, _, come = local_pair()
    count = 3000

    async def main():
        got = []
        timeouts = 0

        async def produce():
            for number in range(count):
                await out.publish_async(str(number).encode(), None, None)
                await asyncio.sleep(0.0005 if number % 5 else 0.004)

        producer = asyncio.ensure_future(produce())
        while len(got) < count:
            try:
                got.append(int((await asyncio.wait_for(come.get_message_async(None), 0.002)).payload))
            except asyncio.TimeoutError:  # noqa: UP041 (it is another class in 3.10)
                timeouts += 1
        await producer
        assert got == list(range(count))
        assert timeouts > 10, "this test is about reads that were cancelled"

    run(main())


def test_cancelled_listening_loses_no_session(run):
    service = sb.Service("listen")
    first = service.create_app_with_secret(sb.Name("org", "ns", "first"), SECRET)
    second = service.create_app_with_secret(sb.Name("org", "ns", "second"), SECRET)
    config = sb.SessionConfig(session_type=sb.SessionType.POINT_TO_POINT, max_retries=5, interval=timedelta(seconds=1))

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(second.listen_for_session_async(None), 0.05)
        await first.create_session_and_wait_async(config, sb.Name("org", "ns", "second"))
        assert await asyncio.wait_for(second.listen_for_session_async(None), 5)
        begin = time.monotonic()
        with pytest.raises(sb.SlimError.ReceiveError, match="listen_for_session timed out"):
            await second.listen_for_session_async(timedelta(milliseconds=100))
        assert time.monotonic() - begin >= 0.08

    run(main())


def test_timeouts_of_readers_side_by_side_count_from_the_call(run):
    _, _, _, come = local_pair()

    async def main():
        async def timed(seconds):
            begin = time.monotonic()
            with pytest.raises(sb.SlimError.SessionError, match="receive timeout waiting for message"):
                await come.get_message_async(timedelta(seconds=seconds))
            return time.monotonic() - begin

        slow, fast = await asyncio.gather(timed(0.6), timed(0.1))
        assert 0.08 <= fast < slow, "the second did not wait for the first"

    run(main())


def test_a_handle_is_waited_for_once_and_a_cancelled_wait_does_not_count(run):
    _, out, *_keep = local_pair()

    async def main():
        handle = await out.publish_async(b"x", None, None)
        await handle.wait_for_async(timedelta(seconds=5))
        with pytest.raises(sb.SlimError.InternalError, match="CompletionHandle already consumed"):
            await handle.wait_async()
        handles = [await out.publish_async(b"x", None, None) for _ in range(1000)]
        await asyncio.gather(*(handle.wait_async() for handle in handles))
        handle = await out.publish_async(b"x", None, None)
        task = asyncio.ensure_future(handle.wait_async())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, sb.SlimError)):
            await task
            raise asyncio.CancelledError  # it may have ended before it was cancelled
        if not task.cancelled():
            return
        await handle.wait_async()

    run(main())


def test_a_session_is_an_async_iterator(run):
    first, out, _, come = local_pair()

    async def main():
        for number in range(3):
            await (await out.publish_async(b"%d" % number)).wait_async()
        await (await first.delete_session_async(out)).wait_async()
        assert [message.payload async for message in come] == [b"0", b"1", b"2"]

    run(main())


def test_objects_outlive_their_loops():
    _, out, _, come = local_pair()
    for number in range(5):

        async def main(number=number):
            task = asyncio.ensure_future(come.get_message_async(None))
            await asyncio.sleep(0)
            if number % 2:
                task.cancel()  # left behind, parked
            await (await out.publish_async(b"x", None, None)).wait_async()
            if not number % 2:
                assert (await asyncio.wait_for(task, 5)).payload == b"x"
            else:
                assert (await come.get_message_async(timedelta(seconds=5))).payload == b"x"

        asyncio.run(main())
    gc.collect()


def test_two_loops_in_two_threads_share_a_session():
    _, out, _, come = local_pair()
    count = 200
    got = []

    def read():
        async def main():
            while len(got) < count:
                got.append((await come.get_message_async(timedelta(seconds=10))).payload)

        asyncio.run(main())

    thread = threading.Thread(target=read)
    thread.start()

    async def write():
        for number in range(count):
            await (await out.publish_async(b"%d" % number, None, None)).wait_async()

    asyncio.run(write())
    thread.join(20)
    assert got == [b"%d" % number for number in range(count)]


def test_sync_forms_in_threads():
    first, out, second, come = local_pair(mls=True)
    threads = 4
    each = 50

    def write(number):
        for turn in range(each):
            out.publish_and_wait(b"%d %d" % (number, turn), None, None)

    workers = [threading.Thread(target=write, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    got = [come.get_message(timedelta(seconds=10)).payload for _ in range(threads * each)]
    for worker in workers:
        worker.join()
    for number in range(threads):
        mine = [text for text in got if text.startswith(b"%d " % number)]
        assert mine == [b"%d %d" % (number, turn) for turn in range(each)]
    first.delete_session_and_wait(out)
    second.delete_session_and_wait(come)


def test_errors_of_links_and_servers_have_the_texts_of_the_reference():
    service = sb.Service("links")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(sb.SlimError.ServiceError, match="bind error\\\\n  -> Address already in use .os error 98"):
            service.run_server(sb.new_insecure_server_config(endpoint))
    with pytest.raises(sb.SlimError.ServiceError, match="server not found: 127.0.0.1:1"):
        service.stop_server("127.0.0.1:1")
    with pytest.raises(sb.SlimError.ServiceError, match="datapath error.*disconnection error"):
        service.disconnect(77)
    with pytest.raises(sb.SlimError.ServiceError, match="missing grpc endpoint"):
        service.connect(sb.new_insecure_client_config(""))
    with pytest.raises(sb.SlimError.ServiceError, match="no server or client configured"):
        service.run()
    refused = sb.new_insecure_client_config(f"http://{endpoint}")
    refused.backoff = sb.BackoffConfig.FIXED_INTERVAL(
        config=sb.FixedIntervalBackoff(interval=timedelta(milliseconds=10), max_attempts=1)
    )
    with pytest.raises(sb.SlimError.ServiceError, match="Connection refused .os error 111"):
        service.connect(refused)
    assert service.get_connection_id(f"http://{endpoint}") is None


@pytest.mark.parametrize("secret", ["", "too short"])
def test_secrets_that_are_too_short_are_refused(secret):
    with pytest.raises(sb.SlimError.AuthError, match="hmac key is too short"):
        sb.Service("secret").create_app_with_secret(sb.Name("a", "b", "c"), secret)


def test_an_unknown_peer_is_said_at_once():
    service = sb.Service("unknown")
    app = service.create_app_with_secret(sb.Name("org", "ns", "alone"), SECRET)
    config = sb.SessionConfig(session_type=sb.SessionType.POINT_TO_POINT, max_retries=5, interval=timedelta(seconds=5))
    # after its retries it would be "message send retries exhausted"
    with pytest.raises(sb.SlimError.SessionError, match="failed to add participant to session.*no matching found"):
        app.create_session_and_wait(config, sb.Name("org", "ns", "nobody"))


def test_wrong_arguments_of_hot_calls():
    _, out, _, come = local_pair()
    with pytest.raises(TypeError, match="a bytes-like object is required, not 'str'"):
        out.publish("text", None, None)
    with pytest.raises(TypeError, match="argument must be str"):
        out.publish(b"x", 7, None)
    with pytest.raises(TypeError, match="argument must be str"):
        out.publish(b"x", None, {"a": 1})
    with pytest.raises(ValueError, match="Invalid duration, must be non-negative"):
        come.get_message(timedelta(seconds=-1))
    with pytest.raises(AttributeError, match="'float' object has no attribute 'seconds'"):
        come.get_message(0.5)
    with pytest.raises(TypeError, match="Expected Name instance, str found"):
        out.invite("a/b/c")
    with pytest.raises(sb.SlimError.SessionError, match="cannot invite participant to point-to-point session"):
        out.invite(sb.Name("a", "b", "c"))
    with pytest.raises(RuntimeError, match="no running event loop"):
        come.get_message_async(None).send(None)


CHILD = """
import os, sys, slim_bindings as sb
service = sb.Service("parent")
app = service.create_app_with_secret(sb.Name("a", "b", "c"), "a shared secret of at least 32 bytes")
if os.fork() == 0:
    try:
        app.subscribe(sb.Name("a", "b", "c"), None)
    except sb.SlimError as error:
        print("forked" in str(error), flush=True)
    os._exit(0)
os.wait()
"""


def test_a_forked_child_gets_an_error_at_once():
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.split()[-1:] == ["True"] and done.returncode == 0, done  # after log lines


def test_import_starts_no_thread_and_is_silent_under_dev_mode():
    code = "import slim_bindings, threading, os; print(len(os.listdir('/proc/self/task')), threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout.split() == ["1", "1"] and done.stderr == ""
