"""One program for our package and for the reference's: what a message costs in Python.

    pair.py receive PORT [NAME]                    a receiver that answers "ping" and counts the rest
    pair.py send PORT COUNT BYTES WINDOW           publish COUNT reliable messages, at most WINDOW unacknowledged; prints JSON
    pair.py group PORT COUNT BYTES WINDOW NAME...  the same to a group of receivers of these names
    pair.py ping PORT COUNT                        COUNT round trips of 100 bytes, one after the other; prints JSON

Each role is a process of its own, so that CPU time is that of one side. Times in seconds, CPU in microseconds per message, both of
the whole process: interpreter and library. With the environment variable RSS_EVERY=N senders and receivers tell their resident memory (KiB) at
every N messages: the sender in its JSON, the receiver in lines of standard output.
"""

import asyncio
import json
import os
import resource
import sys
import time
from datetime import timedelta

import slim_bindings as sb

SECRET = "a shared secret of at least 32 bytes"
SENDER, RECEIVER = sb.Name("org", "bench", "sender"), sb.Name("org", "bench", "receiver")
RSS_EVERY = int(os.environ.get("RSS_EVERY", "0"))
OUT = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # log lines go to standard error


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def rss_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


async def start(port, name):
    sb.initialize_with_configs(
        tracing_config=sb.new_tracing_config_with("error", False, False, []),
        runtime_config=sb.new_runtime_config(),
        service_config=[sb.new_service_config()],
    )
    service = sb.get_global_service()
    link = await service.connect_async(sb.new_insecure_client_config(f"http://127.0.0.1:{port}"))
    app = service.create_app_with_secret(name, SECRET)
    await app.subscribe_async(name, link)
    return app, link


def config(kind):
    return sb.SessionConfig(
        session_type=kind, enable_mls=False, max_retries=10, interval=timedelta(seconds=1), metadata={}
    )


async def session_to_receiver(port):
    app, link = await start(port, SENDER)
    await app.set_route_async(RECEIVER, link)
    made = await app.create_session_async(config(sb.SessionType.POINT_TO_POINT), RECEIVER)
    await made.completion.wait_async()
    return app, made.session


async def group_of(port, names):
    app, link = await start(port, SENDER)
    made = await app.create_session_async(config(sb.SessionType.GROUP), sb.Name("org", "bench", "channel"))
    await made.completion.wait_async()
    for name in names:
        member = sb.Name("org", "bench", name)
        await app.set_route_async(member, link)
        await (await made.session.invite_async(member)).wait_async()
    return app, made.session


async def receive(port, name="receiver"):
    app, _ = await start(port, sb.Name("org", "bench", name))
    print("ready", file=OUT)
    session = await app.listen_for_session_async(None)
    count = 0
    while True:
        try:
            message = await session.get_message_async(None)
        except sb.SlimError:
            return
        if message.payload.startswith(b"ping"):
            await session.publish_async(message.payload, None, None)
        count += 1
        if RSS_EVERY and count % RSS_EVERY == 0:
            print(count, rss_kib(), file=OUT)


async def publish_all(session, count, size, window):
    data = b"x" * size
    begin, cpu, memory = time.monotonic(), cpu_s(), []
    waiting = []
    for number in range(1, count + 1):
        waiting.append(await session.publish_async(data, None, None))
        if len(waiting) >= window:
            await asyncio.gather(*(handle.wait_async() for handle in waiting))
            waiting.clear()
        if RSS_EVERY and number % RSS_EVERY == 0:
            memory.append(rss_kib())
    await asyncio.gather(*(handle.wait_async() for handle in waiting))
    took, cpu = time.monotonic() - begin, cpu_s() - cpu
    rate, cost = count / took, cpu / count * 1e6
    found = {"messages_per_s": round(rate), "cpu_us": round(cost, 1), "rss_kib": rss_kib()}
    print(json.dumps(found | ({"rss_kib_at": memory} if memory else {})), file=OUT)


async def send(port, count, size, window):
    _app, session = await session_to_receiver(port)
    await publish_all(session, int(count), int(size), int(window))


async def group(port, count, size, window, *names):
    _app, session = await group_of(port, names)
    await publish_all(session, int(count), int(size), int(window))


async def ping(port, count):
    _app, session = await session_to_receiver(port)
    times = []
    for _ in range(int(count)):
        begin = time.monotonic()
        await session.publish_async(b"ping" + b"x" * 96, None, None)
        await session.get_message_async(timedelta(seconds=30))
        times.append(time.monotonic() - begin)
    times.sort()
    p50, p99 = times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3
    print(json.dumps({"p50_ms": round(p50, 3), "p99_ms": round(p99, 3)}), file=OUT)


async def main():
    role, port, *arguments = sys.argv[1:]
    await {"receive": receive, "send": send, "group": group, "ping": ping}[role](int(port), *arguments)
    os._exit(0)


asyncio.run(main())
