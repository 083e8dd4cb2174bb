"""Lines in and out: with prompt_toolkit on a terminal, whose prompt stays below what comes in; plain everywhere else."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import AsyncIterator

_STYLE = {"friend": "ansiyellow", "user": "ansigreen", "system": "ansibrightblue"}


def harmless(text: str) -> str:
    """What somebody else wrote, without what commands a terminal."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) == "Cc" and c != "\t" else c for c in text)


def _has_prompts() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        import prompt_toolkit  # noqa: F401
    except ImportError:
        return False
    return True


class Terminal:
    """Where a person sits, or a program that writes into a pipe."""

    def __init__(self) -> None:
        self._is_rich = _has_prompts()

    def show(self, text: str, sender: object = None) -> None:
        """A line; with the name of who sent it before it."""
        if not self._is_rich:
            print(text if sender is None else f"{sender} > {harmless(text)}", flush=True)
            return
        from prompt_toolkit.formatted_text import FormattedText
        from prompt_toolkit.shortcuts import print_formatted_text
        from prompt_toolkit.styles import Style

        parts = [("class:system", text)] if sender is None else [("class:friend", f"{sender} > "), ("", harmless(text))]
        print_formatted_text(FormattedText(parts), style=Style.from_dict(_STYLE))

    def lines(self, prompt: str) -> AsyncIterator[str]:
        """What is typed, line by line, until the end of the input."""
        return _prompted(prompt) if self._is_rich else _plain()


async def _prompted(prompt: str) -> AsyncIterator[str]:
    from prompt_toolkit.formatted_text import FormattedText
    from prompt_toolkit.patch_stdout import patch_stdout
    from prompt_toolkit.shortcuts import PromptSession
    from prompt_toolkit.styles import Style

    session: PromptSession = PromptSession(style=Style.from_dict(_STYLE))
    with patch_stdout(raw=True):
        while True:
            try:
                line = await session.prompt_async(FormattedText([("class:user", prompt)]))
            except EOFError:
                return
            yield line


async def _plain() -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        # not sys.stdin, whose lock would be held when the interpreter ends
        try:
            while data := os.read(0, 65536):
                loop.call_soon_threadsafe(came.put_nowait, data)
            loop.call_soon_threadsafe(came.put_nowait, b"")
        except (OSError, RuntimeError):
            pass  # nothing to read from, or the loop is closed

    threading.Thread(target=read, daemon=True).start()
    rest = b""
    while data := await came.get():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")
