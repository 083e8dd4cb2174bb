"""The roles of bench/client with the reference package (slim-bindings 1.0.1); started by bench/client.py.

    client_reference.py ROLE ENDPOINT NAME PEER COUNT MLS

    recv, send     one way, a window of messages      echo, ping    one message at a time, there and back
    wait, quiet    a session, 100 messages, then nothing for COUNT seconds
    member, grow   COUNT applications of one process that are invited, and the moderator that invites them (PEER of member: number of the first)

Prints one object of JSON for each role.
"""

import asyncio
import datetime
import json
import resource
import sys
import time

import slim_bindings as slim

SECRET = "a shared secret of at least 32 bytes"
WINDOW, PAYLOAD, QUIET_MESSAGES = 256, b"x" * 100, 100


def name(text):
    return slim.Name(*text.split("/"))


def tell(**figures):
    print(json.dumps(figures), flush=True)


def memory():
    with open("/proc/self/smaps_rollup") as file:
        lines = {line.split(":")[0]: int(line.split()[1]) for line in file if line.endswith("kB\n")}
    return {"rss_kb": lines["Rss"], "own_kb": lines["Anonymous"]}


def settings(kind, mls):
    return slim.SessionConfig(session_type=kind, enable_mls=mls, max_retries=10, interval=datetime.timedelta(seconds=1), metadata={})


async def join(endpoint, me):
    service = slim.Service("bench")
    link = await service.connect_async(slim.new_insecure_client_config(endpoint))
    app = service.create_app_with_secret(name(me), SECRET)
    await app.subscribe_async(app.name(), link)
    return service, app, link


async def dial(app, link, peer, mls):
    await app.set_route_async(name(peer), link)
    context = await app.create_session_async(settings(slim.SessionType.POINT_TO_POINT, mls), name(peer))
    await context.completion.wait_async()
    return context.session


async def recv(app, link, peer, count, mls):
    session = await app.listen_for_session_async(None)
    await session.get_message_async(None)
    cpu, began = time.process_time(), time.monotonic()
    for _ in range(count - 1):
        await session.get_message_async(None)
    tell(per_s=(count - 1) / (time.monotonic() - began), cpu_us=(time.process_time() - cpu) * 1e6 / (count - 1))
    await asyncio.sleep(1)


async def send(app, link, peer, count, mls):
    session = await dial(app, link, peer, mls)
    cpu, began = time.process_time(), time.monotonic()
    for start in range(0, count, WINDOW):
        handles = [await session.publish_async(PAYLOAD, None, None) for _ in range(min(WINDOW, count - start))]
        for handle in handles:
            await handle.wait_async()
    tell(per_s=count / (time.monotonic() - began), cpu_us=(time.process_time() - cpu) * 1e6 / count)


async def echo(app, link, peer, count, mls):
    session = await app.listen_for_session_async(None)
    for _ in range(count):
        await session.get_message_async(None)
        await session.publish_async(PAYLOAD, None, None)
    tell()
    await asyncio.sleep(1)


async def ping(app, link, peer, count, mls):
    session = await dial(app, link, peer, mls)
    us = []
    for _ in range(count):
        began = time.monotonic()
        await session.publish_async(PAYLOAD, None, None)
        await session.get_message_async(None)
        us.append((time.monotonic() - began) * 1e6)
    us.sort()
    tell(p50_us=us[count // 2], p99_us=us[count * 99 // 100])


async def idle(seconds):
    await asyncio.sleep(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    time.sleep(seconds)  # not in the event loop, whose wakes are not the package's
    wakes = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before - 1
    tell(wakes_per_s=wakes / seconds, **memory())
    await asyncio.sleep(1)


async def quiet(app, link, peer, seconds, mls):
    session = await dial(app, link, peer, mls)
    for _ in range(QUIET_MESSAGES):
        await session.publish_async(PAYLOAD, None, None)
        await session.get_message_async(None)
    await idle(seconds)


async def wait(app, link, peer, seconds, mls):
    session = await app.listen_for_session_async(None)
    for _ in range(QUIET_MESSAGES):
        await session.get_message_async(None)
        await session.publish_async(PAYLOAD, None, None)
    await idle(seconds)


async def attend(app):
    """One group after the other, each until it is closed."""
    while True:
        session = await app.listen_for_session_async(None)
        try:
            await session.get_message_async(None)
        except slim.SlimError:
            pass


async def member(endpoint, me, first, count):
    sides = [await join(endpoint, f"{me}{i}") for i in range(first, first + count)]
    tell(ready=True)
    await asyncio.gather(*(attend(app) for _, app, _ in sides))


async def grow(app, link, member_name, count, mls):
    context = await app.create_session_async(settings(slim.SessionType.GROUP, mls), name("org/bench/room"))
    await context.completion.wait_async()
    invite_ms = []
    for i in range(count):
        other = name(f"{member_name}{i}")
        await app.set_route_async(other, link)
        began = time.monotonic()
        handle = await context.session.invite_async(other)
        await handle.wait_async()
        invite_ms.append((time.monotonic() - began) * 1e3)
    tell(invite_ms=invite_ms)
    await (await app.delete_session_async(context.session)).wait_async()


async def main():
    role, endpoint, me, peer, count, mls = sys.argv[1:7]
    if role == "member":
        await member(endpoint, me, int(peer), int(count))
        return
    _, app, link = await join(endpoint, me)
    if role in ("recv", "echo", "wait"):
        tell(ready=True)
    await globals()[role](app, link, peer, int(count), mls == "1")


slim.initialize_with_defaults()
asyncio.run(main())
