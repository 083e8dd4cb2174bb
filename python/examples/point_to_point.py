"""Two applications: one that sends and waits for answers, one that answers: slim-bindings-p2p."""

from __future__ import annotations

import argparse
import asyncio
from datetime import timedelta

import slim_bindings as slim

from .common import join, name_of, run, show
from .config import base_parser, settings
from .terminal import harmless

PATIENCE = timedelta(seconds=30)


def _text(message: slim.ReceivedMessage) -> str:
    return harmless(message.payload.decode(errors="replace"))


async def send(app: slim.App, link: int, given: argparse.Namespace) -> None:
    """Rounds of one message and its answer."""
    number, peer = app.id(), name_of(given.remote)
    await app.set_route_async(peer, link)
    config = slim.SessionConfig(
        session_type=slim.SessionType.POINT_TO_POINT,
        enable_mls=bool(given.enable_mls),
        max_retries=5,
        interval=timedelta(seconds=5),
        metadata={},
    )
    session = await app.create_session_and_wait_async(config, peer)
    session_id = session.session_id()
    for turn in range(1, given.iterations + 1):
        try:
            await session.publish_async(given.message.encode(), None, None)
            show(number, f"Sent message {given.message} - {turn}/{given.iterations}")
            answer = await session.get_message_async(PATIENCE)
            show(number, f"received (from session {session_id}): {_text(answer)}")
        except slim.SlimError as error:
            show(number, f"error: {error}")
        await asyncio.sleep(1)
    await app.delete_session_and_wait_async(session)


async def answer(session: slim.Session, number: int) -> None:
    """Say everything back, until the session ends or nothing comes for too long."""
    try:
        while True:
            text = _text(await session.get_message_async(PATIENCE))
            show(number, f"received: {text}")
            await session.publish_async(f"{text} from {number}".encode(), None, None)
    except slim.SlimError:
        return


async def client(given: argparse.Namespace) -> None:
    """Send when there is something to send to somebody; else answer everybody."""
    app, link = await join(given)
    if given.message and given.remote:
        await send(app, link, given)
        return
    number = app.id()
    tasks: set[asyncio.Task] = set()
    while True:
        show(number, "waiting for new session to be established")
        session = await app.listen_for_session_async(None)
        show(number, f"new session {session.session_id()}")
        task = asyncio.create_task(answer(session, number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _read() -> argparse.Namespace:
    parser = base_parser("Talk with one peer: with --message send, else answer.")
    parser.add_argument("--message", help="what to send")
    parser.add_argument("--iterations", type=int, help="how often (10)")
    given = settings(parser.parse_args(), iterations=10)
    given.iterations = int(given.iterations)  # a file may have it as text
    if given.iterations < 1:
        raise ValueError("iterations must be at least 1")
    return given


def main() -> None:
    """Entry point."""
    run(client, _read, "Client interrupted by user.")


if __name__ == "__main__":
    main()
