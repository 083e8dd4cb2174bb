"""A server of slimrpc, or a client that makes some calls. Runs in an interpreter with any slim_bindings that has slimrpc.

    rpc_peer.py server URL NAME            prints "ready", serves until it is killed
    rpc_peer.py client URL SCENARIO NAME   prints one line of JSON: what the calls of the scenario gave
"""

import asyncio
import json
import sys
import time
from datetime import timedelta

import slim_bindings as sb

SECRET = "a shared secret for tests, long enough"
SERVICE = "tests.Peer"
LARGE_BYTES = 1024 * 1024
AT_ONCE = 100


class Echo(sb.UnaryUnaryHandler):
    async def handle(self, request, context):
        return b"echo " + request


class Metadata(sb.UnaryUnaryHandler):
    async def handle(self, request, context):
        left = context.remaining_time().total_seconds()
        seen = context.metadata()
        return json.dumps(
            {"color": seen.get("color"), "method": f"{seen['service']}/{seen['method']}", "left": left}
        ).encode()


class Fail(sb.UnaryUnaryHandler):
    async def handle(self, request, context):
        raise sb.RpcError.Rpc(code=sb.RpcCode.NOT_FOUND, message="no such thing: " + request.decode(), details=None)


class Sleep(sb.UnaryUnaryHandler):
    async def handle(self, request, context):
        await asyncio.sleep(float(request))
        return b"slept"


class Nothing(sb.UnaryUnaryHandler):
    async def handle(self, request, context):
        return b""


class Count(sb.UnaryStreamHandler):
    async def handle(self, request, context, sink):
        for number in range(int(request)):
            await sink.send_async(b"%d" % number)
        await sink.close_async()


class CountAndFail(sb.UnaryStreamHandler):
    async def handle(self, request, context, sink):
        for number in range(int(request)):
            await sink.send_async(b"%d" % number)
        await sink.send_error_async(
            sb.RpcError.Rpc(code=sb.RpcCode.OUT_OF_RANGE, message="that was all", details=None)
        )


class Join(sb.StreamUnaryHandler):
    async def handle(self, stream, context):
        found = []
        while not (item := await stream.next_async()).is_end():
            if item.is_error():
                raise item[0]
            found.append(item[0])
        return b"joined " + b",".join(found)


class EchoAll(sb.StreamStreamHandler):
    async def handle(self, stream, context, sink):
        while not (item := await stream.next_async()).is_end():
            if item.is_error():
                await sink.send_error_async(item[0])
                return
            await sink.send_async(b"echo " + item[0])
        await sink.close_async()


async def connect(url, name):
    service = sb.get_global_service()
    link = await service.connect_async(sb.new_insecure_client_config(url))
    app = service.create_app_with_secret(name, SECRET)
    await app.subscribe_async(name, link)
    return app, link


async def serve(url, name):
    sb.uniffi_set_event_loop(asyncio.get_running_loop())
    app, link = await connect(url, name)
    server = sb.Server.new_with_connection(app, name, link)
    for handler in (Echo, Metadata, Fail, Sleep, Nothing):
        server.register_unary_unary(SERVICE, handler.__name__, handler())
    for handler in (Count, CountAndFail):
        server.register_unary_stream(SERVICE, handler.__name__, handler())
    server.register_stream_unary(SERVICE, "Join", Join())
    server.register_stream_stream(SERVICE, "EchoAll", EchoAll())
    serving = asyncio.ensure_future(server.serve_async())
    await asyncio.sleep(0.2)  # so that it has subscribed
    print("ready", flush=True)
    await serving


# ---- what clients do


def seconds(number):
    return timedelta(seconds=number)


async def unary(channel, method, request, timeout=20, metadata=None):
    return await channel.call_unary_async(SERVICE, method, request, seconds(timeout), metadata)


async def failure(call):
    try:
        await call
    except sb.RpcError as error:
        return [error.code.name, error.message]
    return None


async def read_all(next_item):
    """What a stream of responses gives, to its end or its error."""
    found = []
    while not (item := await next_item()).is_end():
        if item.is_error():
            found.append([item[0].code.name, item[0].message])
            break
        found.append(item[0].decode())
    return found


async def do_kinds(channel):
    said = json.loads(await unary(channel, "Metadata", b"", 20, {"color": "blue"}))
    reader = await channel.call_unary_stream_async(SERVICE, "Count", b"5", seconds(20), None)
    counted = await read_all(reader.next_async)
    writer = channel.call_stream_unary(SERVICE, "Join", seconds(20), None)
    for word in (b"a", b"b", b"c"):
        await writer.send_async(word)
    joined = await writer.finalize_stream_async()
    empty = await channel.call_stream_unary(SERVICE, "Join", seconds(20), None).finalize_stream_async()
    both = channel.call_stream_stream(SERVICE, "EchoAll", seconds(20), None)
    answers = []
    for word in (b"one", b"two"):
        await both.send_async(word)
        answers.append((await both.recv_async())[0].decode())
    await both.close_send_async()
    return {
        "unary": (await unary(channel, "Echo", b"hello")).decode(),
        "color": said["color"],
        "method": said["method"],
        "left": 0 < said["left"] <= 20.5,
        "counted": counted,
        "joined": joined.decode(),
        "empty": empty.decode(),
        "both": answers,
        "rest": await read_all(both.recv_async),
    }


async def do_errors(channel):
    reader = await channel.call_unary_stream_async(SERVICE, "CountAndFail", b"2", seconds(20), None)
    counted = await read_all(reader.next_async)
    begun = time.monotonic()
    late = await failure(unary(channel, "Sleep", b"8", timeout=0.5))
    return {
        "raised": await failure(unary(channel, "Fail", b"it")),
        "unknown": (await failure(unary(channel, "NoSuchMethod", b"")))[0],
        "counted": counted,
        "late": late[0],
        "in_time": time.monotonic() - begun < 5,
        "after": (await unary(channel, "Echo", b"still here")).decode(),
    }


async def do_nothing(channel):
    """What the reference cannot do: as a client, an empty response; as a server, an exception that is no RpcError."""
    return {
        "empty": (await unary(channel, "Nothing", b"")).decode(),
        "broken": await failure(unary(channel, "Sleep", b"not a number")),
    }


async def do_large(channel):
    data = bytes(range(256)) * (LARGE_BYTES // 256)
    answer = await unary(channel, "Echo", data, timeout=60)
    return {"same": answer == b"echo " + data}


async def do_many(channel):
    texts = [b"%d" % number for number in range(AT_ONCE)]
    answers = await asyncio.gather(*(unary(channel, "Echo", text, timeout=60) for text in texts))
    reader = await channel.call_unary_stream_async(SERVICE, "Count", b"1000", seconds(60), None)
    counted = await read_all(reader.next_async)
    return {"same": answers == [b"echo " + text for text in texts], "counted": counted == [str(n) for n in range(1000)]}


async def do_cancel(channel):
    """A call that is given up, and others after it."""
    task = asyncio.ensure_future(unary(channel, "Sleep", b"5"))
    await asyncio.sleep(0.3)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=10)
    return {"cancelled": task in done and task.cancelled(), "after": (await unary(channel, "Echo", b"x")).decode()}


async def read_group(next_item):
    """What a group answers, sorted: [member, text], or [member, code, message]."""
    found = []
    while not (item := await next_item()).is_end():
        if item.is_error():
            found.append([item.error.origin, item.error.code.name, item.error.message])
        else:
            found.append(["/".join(item.item.context.source.components()), item.item.message.decode()])
    return sorted(found)


async def do_group(channel):
    reader = await channel.call_multicast_unary_async(SERVICE, "Echo", b"all", seconds(30), None)
    echoed = await read_group(reader.next_async)
    reader = await channel.call_multicast_unary_stream_async(SERVICE, "Count", b"3", seconds(30), None)
    counted = await read_group(reader.next_async)
    both = channel.call_multicast_stream_unary(SERVICE, "Join", seconds(30), None)
    for word in (b"a", b"b"):
        await both.send_async(word)
    await both.close_send_async()
    joined = await read_group(both.recv_async)
    both = channel.call_multicast_stream_stream(SERVICE, "EchoAll", seconds(30), None)
    await both.send_async(b"x")
    await both.close_send_async()
    streamed = await read_group(both.recv_async)
    reader = await channel.call_multicast_unary_async(SERVICE, "Fail", b"it", seconds(30), None)
    failed = await read_group(reader.next_async)
    return {"echoed": echoed, "counted": counted, "joined": joined, "streamed": streamed, "failed": failed}


async def call(url, scenario, names):
    servers = [sb.Name(*name.split("/")) for name in names.split(",")]
    app, link = await connect(url, sb.Name("org", "ns", "caller"))
    if scenario == "group":
        channel = sb.Channel.new_group_with_connection(app, servers, link)
    else:
        channel = sb.Channel.new_with_connection(app, servers[0], link)
    found = await globals()[f"do_{scenario}"](channel)
    await channel.close_async(seconds(5))
    print(json.dumps({"found": found}), flush=True)


if __name__ == "__main__":
    what, url, *rest = sys.argv[1:]
    asyncio.run(serve(url, sb.Name(*rest[0].split("/"))) if what == "server" else call(url, *rest))
