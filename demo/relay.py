"""A relay in front of the node that reads along, as anybody on the network could.

    relay.py --to HOST:PORT --control TEXT [--secret TEXT ...]

Listens on a free port of 127.0.0.1, prints it, and passes bytes on in both directions. When it is told to end (SIGTERM) it says
how much it carried, whether it saw the control text (which does travel in clear, so that a blind relay is noticed) and which
of the secret texts it saw. Status 1 when it saw a secret one.
"""

import argparse
import asyncio
import signal
import sys

CHUNK_BYTES = 65536


class Watch:
    """Searches for texts in a stream of chunks, also where one spans two chunks."""

    def __init__(self, texts):
        self.found = set()
        self.texts = texts
        self._keep_bytes = max(len(text) for text in texts) - 1

    def search(self, tail, chunk):
        """Returns the tail to hand in with the next chunk of the same direction."""
        seen = tail + chunk
        self.found.update(text for text in self.texts if text in seen)
        return seen[-self._keep_bytes:] if self._keep_bytes else b""


class Relay:
    def __init__(self, target, watch):
        self.target = target
        self.watch = watch
        self.byte_count = 0
        self.connection_count = 0

    async def carry(self, reader, writer):
        tail = b""
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                self.byte_count += len(chunk)
                tail = self.watch.search(tail, chunk)
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def accept(self, reader, writer):
        self.connection_count += 1
        try:
            node_reader, node_writer = await asyncio.open_connection(*self.target)
        except OSError as error:
            print(f"the node cannot be reached: {error}", flush=True)
            writer.close()
            return
        try:
            await asyncio.gather(self.carry(reader, node_writer), self.carry(node_reader, writer))
        except asyncio.CancelledError:
            pass # the relay ends before this connection does


async def run(options):
    host, port = options.to.rsplit(":", 1)
    secrets = [text.encode() for text in options.secret]
    control = options.control.encode()
    watch = Watch(secrets + [control])
    relay = Relay((host, int(port)), watch)
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}, looking for {len(secrets)} texts", flush=True)
    await end.wait()
    server.close()
    print(f"carried {relay.byte_count} bytes in {relay.connection_count} connections", flush=True)
    print(f'the name "{options.control}" {"was" if control in watch.found else "was not"} seen in clear', flush=True)
    leaked = [text.decode() for text in secrets if text in watch.found]
    for text in leaked:
        print(f'LEAK: the payload "{text}" was seen in clear', flush=True)
    if not leaked:
        print(f"none of {len(secrets)} payloads was seen in clear", flush=True)
    return 1 if leaked else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--secret", action="append", default=[])
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
