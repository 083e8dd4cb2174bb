"""Event loops: many, closed ones, crowded ones; and publishers that are held back. Runs in the interpreter that has the package."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

import slim_bindings as sb
from test_async import SECRET, local_pair, new_loops

LONG = timedelta(seconds=30)


@pytest.fixture(params=[make for _, make in new_loops()], ids=[name for name, _ in new_loops()])
def new_loop(request):
    return request.param


def open_files():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_import_leaves_asyncio_to_those_who_use_it():
    code = (
        "import sys, slim_bindings\n"
        "print([name for name in ('asyncio', 'concurrent.futures', 'logging', 'socket', 'ssl') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "[]", done


def test_readers_are_served_in_the_order_of_their_calls(new_loop):
    _, out, _, come = local_pair()
    order = []

    async def read(number):
        for turn in range(3):
            message = await come.get_message_async(LONG)
            order.append((number, turn, message.payload))

    async def main():
        readers = [asyncio.ensure_future(read(number)) for number in range(4)]
        await asyncio.sleep(0.05)
        for number in range(12):
            await (await out.publish_async(b"%d" % number)).wait_async()
        await asyncio.gather(*readers)

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()
    assert [text for _, _, text in order] == [b"%d" % number for number in range(12)]
    assert [number for number, _, _ in order] == [0, 1, 2, 3] * 3


def test_a_cancelled_reader_wakes_the_next(new_loop):
    _, out, _, come = local_pair()
    count = 50

    async def main():
        cancelled_count = 0
        for _ in range(count):
            first, second = (asyncio.ensure_future(come.get_message_async(LONG)) for _ in range(2))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            out.publish_and_wait(b"x")
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # now the first has been woken, and has not run
            first.cancel()
            await asyncio.wait([first])
            cancelled_count += first.cancelled()
            if not first.cancelled():
                second.cancel()
            else:
                assert (await second).payload == b"x"
        return cancelled_count

    loop = new_loop()
    cancelled_count = loop.run_until_complete(asyncio.wait_for(main(), 60))
    loop.close()
    if new_loop is asyncio.new_event_loop:  # others run what is ready in another order
        assert cancelled_count > count / 2, "this test is about readers that were cancelled"


def test_deadlines_in_a_line_count_each_for_itself(new_loop):
    _, out, _, come = local_pair()

    async def main():
        loop = asyncio.get_running_loop()
        begin = loop.time()
        slow = asyncio.ensure_future(come.get_message_async(LONG))
        await asyncio.sleep(0)
        with pytest.raises(sb.SlimError.SessionError, match="receive timeout"):
            await come.get_message_async(timedelta(milliseconds=100))
        assert loop.time() - begin >= 0.09
        out.publish(b"late")
        assert (await slow).payload == b"late"

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()


def test_a_closed_loop_leaves_nothing_behind(new_loop):
    """Loops that are closed while tasks wait in them: their descriptors go, and those who come later get the messages."""
    _, out, _, come = local_pair()
    before = open_files()
    for _ in range(20):
        loop = new_loop()
        tasks = [loop.create_task(come.get_message_async(None)) for _ in range(2)]
        loop.run_until_complete(asyncio.sleep(0.001))
        for task in tasks:
            task._log_destroy_pending = False
        del task, tasks
        loop.close()
        del loop
    out.publish(b"x")
    assert come.get_message(LONG).payload == b"x"
    assert open_files() <= before + 2


def test_a_woken_reader_in_a_closed_loop_has_taken_nothing(new_loop):
    _, out, _, come = local_pair()
    loop = new_loop()
    task = loop.create_task(come.get_message_async(None))
    loop.run_until_complete(asyncio.sleep(0.001))
    out.publish_and_wait(b"x")
    loop.close()
    task._log_destroy_pending = False
    del task, loop
    gc.collect()
    assert come.get_message(LONG).payload == b"x"


def test_many_loops_in_many_threads(new_loop):
    pairs = [local_pair(prefix=f"thread{number}") for number in range(4)]
    failed = []

    def work(number):
        async def main():
            _, out, _, come = pairs[number]
            for turn in range(100):
                await (await out.publish_async(b"%d" % turn)).wait_async()
                assert (await come.get_message_async(LONG)).payload == b"%d" % turn

        try:
            for _ in range(3):
                loop = new_loop()
                loop.run_until_complete(main())
                loop.close()
        except BaseException as error:  # noqa: BLE001 (told below)
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(pairs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed and not any(thread.is_alive() for thread in threads)


async def stalled(count):
    """Wait until a number stops growing."""
    seen = -1
    while seen != count():
        seen = count()
        await asyncio.sleep(0.3)
    return seen


def test_a_publisher_is_held_back_until_somebody_reads(new_loop):
    """What nobody reads stays in memory: at most 16 MiB at the reader's end and 16 MiB on the way."""
    _, out, _, come = local_pair(retries=60)
    total, size = 1200, 64 * 1024
    handles = []

    async def publish():
        for _ in range(total):
            handles.append(await out.publish_async(b"x" * size))

    async def main():
        task = asyncio.ensure_future(publish())
        assert await stalled(lambda: len(handles)) * size <= 40 * 1024 * 1024
        for _ in range(total):
            assert len((await come.get_message_async(LONG)).payload) == size
        await task
        await asyncio.gather(*(handle.wait_async() for handle in handles))

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()


def test_a_publishing_thread_is_held_back_until_somebody_reads():
    _, out, _, come = local_pair(retries=60)
    total, size = 1200, 64 * 1024
    handles = []

    def publish():
        for _ in range(total):
            handles.append(out.publish(b"x" * size))

    async def main():
        return await stalled(lambda: len(handles))

    thread = threading.Thread(target=publish)
    thread.start()
    assert asyncio.run(main()) * size <= 40 * 1024 * 1024
    for _ in range(total):
        assert len(come.get_message(LONG).payload) == size
    thread.join(30)
    for handle in handles:
        handle.wait()


def test_a_group_of_one_keeps_what_is_published_for_those_to_come(new_loop):
    service = sb.Service("alone")
    first = service.create_app_with_secret(sb.Name("org", "ns", "first"), SECRET)
    second = service.create_app_with_secret(sb.Name("org", "ns", "second"), SECRET)
    config = sb.SessionConfig(session_type=sb.SessionType.GROUP, max_retries=5, interval=timedelta(seconds=1))
    count = 1500

    async def main():
        group = await first.create_session_and_wait_async(config, sb.Name("org", "ns", "group"))
        handles = [await group.publish_async(b"%d" % number) for number in range(count)]
        await group.invite_and_wait_async(sb.Name("org", "ns", "second"))
        member = await second.listen_for_session_async(LONG)
        got = [int((await member.get_message_async(LONG)).payload) for _ in range(count)]
        assert got == list(range(count))
        await asyncio.gather(*(handle.wait_async() for handle in handles))

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()


ONE_CPU = """
import asyncio, os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import sys
sys.path.insert(0, sys.argv[1])
from test_async import local_pair
from datetime import timedelta

async def main():
    for mls in (False, True):
        first, out, second, come = local_pair(mls)

        async def answer():
            async for message in come:
                await come.publish_async(message.payload)

        task = asyncio.ensure_future(answer())
        for number in range(500):
            await out.publish_async(b"%d" % number)
            assert (await out.get_message_async(timedelta(seconds=30))).payload == b"%d" % number
        await first.delete_session_and_wait_async(out)
        await task
        await second.delete_session_and_wait_async(come)

asyncio.run(main())
print("done")
"""


def test_one_processor_is_enough_for_both_ends():
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        [sys.executable, "-c", ONE_CPU, here], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "done", done


FORKED = """
import asyncio, os, signal, sys
sys.path.insert(0, sys.argv[1])
import slim_bindings as sb
from datetime import timedelta
from test_async import SECRET, local_pair

first, out, second, come = local_pair()
service = sb.Service("other")
reliable = sb.SessionConfig(session_type=sb.SessionType.GROUP, max_retries=5, interval=timedelta(seconds=1))
group = first.create_session_and_wait(reliable, sb.Name("org", "ns", "group"))
pending, pending_too = group.publish(b"x"), group.publish(b"y")
ended = out.publish(b"x")
ended._op.wait(None)
calls = [
    lambda: out.publish_and_wait(b"x"),
    lambda: [group.publish(b"x" * 65536) for _ in range(10)][0].wait(),
    lambda: out.publish_with_params(out.destination(), 1, b"x"),
    lambda: come.get_message() and come.get_message(),
    lambda: second.listen_for_session(),
    pending.wait,
    group.participants_list,
    lambda: group.invite_and_wait(sb.Name("a", "b", "c")),
    lambda: first.create_session_and_wait(reliable, sb.Name("org", "ns", "other")),
    lambda: first.delete_session_and_wait(out),
    lambda: service.create_app_with_secret(sb.Name("a", "b", "c"), SECRET),
    lambda: service.connect(sb.new_insecure_client_config("http://127.0.0.1:1")),
    lambda: service.run_server(sb.new_insecure_server_config("127.0.0.1:0")),
    lambda: service.disconnect(1),
    lambda: service.shutdown(),
    lambda: asyncio.run(out.publish_and_wait_async(b"x")),
    lambda: asyncio.run(come.get_message_async(None)),
    lambda: asyncio.run(pending_too.wait_async()),
    lambda: asyncio.run(second.listen_for_session_async(None)),
]
child = os.fork()
if child == 0:
    signal.alarm(30)
    for number, call in enumerate(calls):
        try:
            print(number, "no error", call())
        except sb.SlimError as error:
            if "forked" not in str(error):
                print(number, error)
    anew = local_pair()
    anew[1].publish_and_wait(b"x")
    print(anew[3].get_message().payload, flush=True)
    sys.exit(0)
print(os.waitpid(child, 0)[1])
out.publish_and_wait(b"the parent goes on")
"""


def test_a_forked_child_gets_an_error_from_everything_and_may_begin_anew():
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        [sys.executable, "-c", FORKED, here], capture_output=True, text=True, timeout=120, check=False
    )
    told = [line for line in done.stdout.splitlines() if "WARN" not in line]
    assert told == ["b'x'", "0"] and done.returncode == 0, done
