"""A group with a moderator: slim-bindings-group."""

from __future__ import annotations

import argparse
import asyncio
from datetime import timedelta

import slim_bindings as slim

from .common import join, name_of, run, show
from .config import base_parser, settings
from .terminal import Terminal

PATIENCE = timedelta(seconds=30)


async def receive(terminal: Terminal, session: slim.Session, own: slim.Name) -> None:
    """Show what comes, and say that it came; answers are not answered."""
    while True:
        try:
            message = await session.get_message_async(PATIENCE)
            context = message.context
            terminal.show(message.payload.decode(errors="replace"), context.source_name)
            if "PUBLISH_TO" not in context.metadata:
                reply = f"message received by {own}"
                await session.publish_to_async(context, reply.encode(), None, context.metadata)
        except slim.SlimError as error:
            if "session closed" in str(error).lower():
                return


async def invite(app: slim.App, link: int, session: slim.Session, text: str) -> None:
    """The name gets its route first: it may be new to us."""
    if len(text.split()) != 1:
        print("Error: 'invite' command expects exactly one participant ID (e.g., 'invite org/ns/client-1')")
        return
    print(f"Inviting participant: {text}")
    try:
        name = name_of(text)
        await app.set_route_async(name, link)
        await session.invite_and_wait_async(name)
    except ValueError:
        pass  # said already
    except slim.SlimError as error:
        if "participant already in group" in str(error):
            print(f"Error: Participant {text} is already in the group.")
        elif "failed to add participant to session" in str(error):
            print(f"Error: Failed to add participant {text} to session.")
        else:
            raise


async def remove(session: slim.Session, text: str) -> None:
    """Put somebody out."""
    if len(text.split()) != 1:
        print("Error: 'remove' command expects exactly one participant ID (e.g., 'remove org/ns/client-1')")
        return
    print(f"Removing participant: {text}")
    try:
        await session.remove_and_wait_async(name_of(text))
    except ValueError:
        pass  # said already
    except slim.SlimError as error:
        if "participant not found in group" not in str(error):
            raise
        print(f"Error: Participant {text} is not in the group.")


async def obey(terminal: Terminal, app: slim.App, link: int, session: slim.Session, is_moderator: bool) -> None:
    """What is typed: commands of the moderator, and messages."""
    async for line in terminal.lines(f"{session.source()} > "):
        if line.lower() in ("exit", "quit"):
            await app.delete_session_and_wait_async(session)
            return
        if is_moderator and line.lower().startswith("invite "):
            await invite(app, link, session, line[7:].strip())
        elif is_moderator and line.lower().startswith("remove "):
            await remove(session, line[7:].strip())
        elif line:
            try:
                await session.publish_async(line.encode(), None, None)
            except slim.SlimError as error:
                print(f"-> Error sending message: {error}")
                return
    await asyncio.Event().wait()  # nobody types any more: what comes in is still shown


async def create(app: slim.App, link: int, given: argparse.Namespace) -> slim.Session:
    """The group of the settings, with everybody in it."""
    show(f"Creating new group session (moderator)... {name_of(given.local)}")
    config = slim.SessionConfig(
        session_type=slim.SessionType.GROUP,
        enable_mls=bool(given.enable_mls),
        max_retries=5,
        interval=timedelta(seconds=5),
        metadata={},
    )
    session = await app.create_session_and_wait_async(config, name_of(given.remote))
    for text in given.invites:
        name = name_of(text)
        await app.set_route_async(name, link)
        await session.invite_and_wait_async(name)
        print(f"{given.local} -> add {name} to the group")
    return session


async def client(given: argparse.Namespace) -> None:
    """With a channel and names to invite the moderator, else a member."""
    app, link = await join(given)
    is_moderator = bool(given.remote and given.invites)
    if is_moderator:
        session = await create(app, link, given)
    else:
        print("Waiting for session...")
        session = await app.listen_for_session_async(None)
    terminal = Terminal()
    terminal.show(f"Welcome to the group {session.destination()}!\nCommands:\n  - Type a message to send it to the group")
    if is_moderator:
        terminal.show("  - 'remove NAME' to remove a participant\n  - 'invite NAME' to invite a participant")
    terminal.show("  - 'exit' or 'quit' to leave the group")
    tasks = [
        asyncio.create_task(receive(terminal, session, session.source())),
        asyncio.create_task(obey(terminal, app, link, session, is_moderator)),
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _read() -> argparse.Namespace:
    parser = base_parser("A group: with --remote and --invites its moderator, else a member that waits to be invited.")
    parser.add_argument("--invites", action="append", help="name to invite; may be repeated")
    return settings(parser.parse_args())


def main() -> None:
    """Entry point."""
    run(client, _read, "Client interrupted by user.")


if __name__ == "__main__":
    main()
