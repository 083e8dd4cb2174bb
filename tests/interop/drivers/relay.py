"""The reference's engine between nodes, under control of a test: relay.py LISTEN-ENDPOINT LINK-URL... See ../relay.c for its commands."""

import asyncio
import os
import sys

import slim_bindings as sb

OUT = os.fdopen(os.dup(1), "w", buffering=1)  # the library logs on standard output: that goes to standard error
os.dup2(2, 1)


async def main():
    sb.initialize_with_configs(
        tracing_config=sb.new_tracing_config_with("warn", False, False, []),
        runtime_config=sb.new_runtime_config(),
        service_config=[sb.new_service_config()],
    )
    service = sb.get_global_service()
    listen, *urls = sys.argv[1:]
    if listen != "-":
        await service.run_server_async(sb.new_insecure_server_config(listen))
    links = [await service.connect_async(sb.new_insecure_client_config(url)) for url in urls]
    app = service.create_app_with_secret(sb.Name("test", "test", "relay"), "a shared secret for tests, long enough")
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", file=OUT)
    while line := await reader.readline():
        command, name, number = line.decode().split()
        link = links[int(number)]
        *parts, instance = [*name.split("/"), None][:4]
        own = sb.Name.new_with_id(*parts, app.id())  # subscribe puts this id in by itself, and can announce no other
        name = sb.Name.new_with_id(*parts, int(instance, 16)) if instance else sb.Name(*parts)
        try:
            if command == "route":
                await app.set_route_async(name, link)
            elif command == "unroute":
                await app.remove_route_async(name, link)
            elif instance:
                pass
            elif command == "announce":
                await app.subscribe_async(name, link)
                await app.unsubscribe_async(own, None)
            else:
                await app.subscribe_async(name, None)
                await app.unsubscribe_async(own, link)
            print("ok", file=OUT)
        except Exception as error:
            print(f"failed: {error}", file=OUT)
    os._exit(0)


asyncio.run(main())
