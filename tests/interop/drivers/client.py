"""A real client under control of a test: one JSON command per line on standard input, one JSON event per line out.

Runs with every release of slim-bindings of generation 1, in an interpreter of its own. Commands carry an "id", which the
answer repeats with "ok" or "error". What happens by itself is an "event": "session", "message", "closed".
"""

import asyncio
import datetime
import json
import os
import sys

import slim_bindings as sb

OUT = os.fdopen(os.dup(1), "w", buffering=1)  # the library logs on standard output: that goes to standard error
os.dup2(2, 1)


def emit(**event):
    OUT.write(json.dumps(event) + "\n")


def seconds(value):
    return None if value is None else datetime.timedelta(seconds=value)


def name_of(text):
    return sb.Name(*text.split("/"))


def config_of(server, tls):
    """tls: None, or any of ca, cert, key (paths), version, skip_verify, server_name."""
    config = sb.new_insecure_client_config(server)
    if tls:
        config.tls.insecure = False
        config.tls.include_system_ca_certs_pool = False
        config.tls.insecure_skip_verify = tls.get("skip_verify", False)
        config.tls.tls_version = tls.get("version", "tls1.3")
        if "ca" in tls:
            config.tls.ca_source = sb.CaSource.FILE(path=tls["ca"])
        if "cert" in tls:
            config.tls.source = sb.TlsSource.FILE(cert=tls["cert"], key=tls["key"])
        config.server_name = tls.get("server_name")
    return config


class Client:
    def __init__(self):
        self.sessions = {}
        self.tasks = set()
        self.is_reading = True
        self.echo = False
        self.answers = {}

    async def start(self, server, name, secret, listen=True, read=True, echo=False, tls=None):
        sb.initialize_with_configs(
            tracing_config=sb.new_tracing_config_with("warn", False, False, []),
            runtime_config=sb.new_runtime_config(),
            service_config=[sb.new_service_config()],
        )
        self.is_reading = read
        self.echo = echo
        self.service = sb.get_global_service()
        self.conn = await self.service.connect_async(config_of(server, tls))
        self.app = self.service.create_app_with_secret(name_of(name), secret)
        await self.app.subscribe_async(name_of(name), self.conn)
        if listen:
            self.spawn(self.listen())
        return {"name": str(self.app.name()), "app_id": self.app.id()}

    def spawn(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def keep(self, session):
        key = str(session.session_id())
        self.sessions[key] = session
        if self.is_reading:
            self.spawn(self.read(key, session))
        return key

    async def listen(self):
        while True:
            session = await self.app.listen_for_session_async(None)
            emit(event="session", session=self.keep(session), destination=str(session.destination()))

    async def read(self, key, session):
        while True:
            try:
                message = await session.get_message_async(timeout=datetime.timedelta(seconds=3600))
            except Exception as error:
                if "session closed" in str(error).lower():
                    emit(event="closed", session=key)
                    return
                emit(event="failure", session=key, error=str(error))
                await asyncio.sleep(0.1)
                continue
            text = bytes(message.payload).decode()
            if (answer := self.answers.get(text.removeprefix("echo "))) is not None:
                answer.set_result(None)
                continue
            emit(event="message", session=key, source=str(message.context.source_name), text=text)
            if self.echo:
                await session.publish_async(b"echo " + text.encode(), None, None)

    async def route(self, name):
        await self.app.set_route_async(name_of(name), self.conn)

    async def session(self, kind, name, mls=False, retries=10, interval=1.0):
        config = sb.SessionConfig(
            session_type=sb.SessionType.GROUP if kind == "group" else sb.SessionType.POINT_TO_POINT,
            enable_mls=mls,
            max_retries=retries,
            interval=seconds(interval),
            metadata={},
        )
        made = await self.app.create_session_async(config, name_of(name))
        await made.completion.wait_async()
        return {"session": self.keep(made.session)}

    async def invite(self, session, name):
        handle = await self.sessions[session].invite_async(name_of(name))
        await handle.wait_async()

    async def remove(self, session, name):
        handle = await self.sessions[session].remove_async(name_of(name))
        await handle.wait_async()

    async def participants(self, session):
        return {"names": [str(name) for name in await self.sessions[session].participants_list_async()]}

    async def publish(self, session, texts, wait=True, one_by_one=False):
        """Publish all; answers when all are acknowledged (wait), or handed over."""
        handles = []
        for text in texts:
            handle = await self.sessions[session].publish_async(text.encode(), None, None)
            if one_by_one:
                await handle.wait_async()
            handles.append(handle)
        if wait and not one_by_one:
            await asyncio.gather(*(handle.wait_async() for handle in handles))

    async def round_trips(self, session, count):
        """Publish, and wait for the answer of the other application (echo), one after the other. Times in seconds."""
        times = []
        loop = asyncio.get_running_loop()
        for number in range(count):
            text = f"ping {number}"
            answer = self.answers[text] = loop.create_future()
            begin = loop.time()
            await self.sessions[session].publish_async(text.encode(), None, None)
            await asyncio.wait_for(answer, 30)
            times.append(loop.time() - begin)
            del self.answers[text]
        return {"times": times}

    async def delete(self, session):
        handle = await self.app.delete_session_async(self.sessions[session])
        await handle.wait_async()

    async def run(self, command):
        number, op = command.pop("id"), command.pop("op")
        try:
            result = await getattr(self, op)(**command)
            emit(id=number, ok=True, **(result or {}))
        except Exception as error:
            emit(id=number, error=f"{type(error).__name__}: {error}")


async def main():
    client = Client()
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        client.spawn(client.run(json.loads(line)))
    os._exit(0)  # standard input ended: the test is over, and so is everything


asyncio.run(main())
