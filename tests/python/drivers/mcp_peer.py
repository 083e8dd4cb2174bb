"""An MCP server, or an MCP client that makes some calls, over SLIM by slim-mcp. Runs in an interpreter with any slim_bindings.

    mcp_peer.py server URL          prints "ready", serves until it is killed
    mcp_peer.py client URL COUNT    COUNT clients at once; prints one line of JSON: what each of them saw
"""

import asyncio
import json
import sys

import mcp.types as types
import slim_bindings
from mcp import ClientSession
from mcp.server.lowlevel import Server
from slim_mcp import create_client_streams, create_local_app, run_mcp_server

SECRET = "a shared secret for tests, long enough"
SERVER = ("org", "ns", "calculator")
NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
TOOLS = [
    types.Tool(name="add", description="a + b", inputSchema=NUMBERS),
    types.Tool(name="repeat", description="the digit a, b times", inputSchema=NUMBERS),
]


def new_app():
    app = Server("calculator")

    @app.list_tools()
    async def list_tools():
        return TOOLS

    @app.call_tool()
    async def call_tool(name, arguments):
        a, b = arguments["a"], arguments["b"]
        if name == "add":
            text = str(a + b)
        elif name == "repeat":
            text = str(a) * b
        else:
            raise ValueError(f"no tool {name}")
        return [types.TextContent(type="text", text=text)]

    return app


async def serve(url):
    config = slim_bindings.new_insecure_client_config(url)
    slim_app, _ = await create_local_app(slim_bindings.Name(*SERVER), config, shared_secret=SECRET)
    print("ready", flush=True)
    await run_mcp_server(slim_app, new_app())


async def use(slim_app, number):
    async with (
        create_client_streams(slim_app, slim_bindings.Name(*SERVER)) as (read, write),
        ClientSession(read, write) as session,
    ):
        hello = await session.initialize()
        tools = await session.list_tools()
        total = await session.call_tool("add", {"a": number, "b": 40})
        long = await session.call_tool("repeat", {"a": 7, "b": 300_000})
        wrong = await session.call_tool("subtract", {"a": 1, "b": 1})
        return {
            "server": hello.serverInfo.name,
            "tools": [tool.name for tool in tools.tools],
            "sum": total.content[0].text,
            "long": len(long.content[0].text),
            "wrong": [wrong.isError, wrong.content[0].text],
        }


async def call(url, count):
    config = slim_bindings.new_insecure_client_config(url)
    slim_app, link = await create_local_app(slim_bindings.Name("org", "ns", "user"), config, shared_secret=SECRET)
    await slim_app.set_route_async(slim_bindings.Name(*SERVER), link)
    found = await asyncio.gather(*(use(slim_app, number) for number in range(count)))
    print(json.dumps({"found": found}), flush=True)


if __name__ == "__main__":
    what, url, *rest = sys.argv[1:]
    asyncio.run(serve(url) if what == "server" else call(url, int(rest[0])))
