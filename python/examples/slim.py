"""A node inside a Python program: slim-bindings-server."""

from __future__ import annotations

import argparse
import asyncio
from signal import SIGINT

import slim_bindings as slim

from .common import run, setup


async def serve(settings: argparse.Namespace) -> None:
    """Until Ctrl-C."""
    stop = asyncio.Event()

    def on_signal() -> None:
        print("\nShutting down server...")
        stop.set()

    asyncio.get_running_loop().add_signal_handler(SIGINT, on_signal)
    service = setup()
    await service.run_server_async(slim.new_insecure_server_config(settings.slim))
    print(f"Slim server started on {settings.slim}")
    print("Press Ctrl+C to stop the server")
    await stop.wait()
    try:
        await service.shutdown_async()
        print(f"Server stopped at {settings.slim}")
    except slim.SlimError as error:
        print(f"Error stopping server: {error}")


def _read() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A SLIM node without TLS, for trying things out.")
    parser.add_argument("-s", "--slim", default="127.0.0.1:12345", help="address to listen on (127.0.0.1:12345)")
    parser.add_argument("-t", "--enable-opentelemetry", action="store_true", help="has no effect")
    parser.add_argument("--config", help="accepted, and not read")
    return parser.parse_args()


def main() -> None:
    """Entry point."""
    run(serve, _read, "Server terminated by user.")


if __name__ == "__main__":
    main()
