"""Where the work of slimrpc is done: in the event loop of whoever awaits, and for the forms without asyncio in one thread of ours.

A call belongs to one loop, its home. From elsewhere one waits for what is done there.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from ._loop import is_running
from ._rpc_types import error

T = TypeVar("T")
STOP_S = 2.0  # how long the end of the process waits for our thread
_lock = threading.Lock()
_background: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


def background() -> asyncio.AbstractEventLoop:
    """The loop of our thread, which is started when it is first needed."""
    global _background, _thread
    with _lock:
        if _background is None:
            _background = asyncio.new_event_loop()
            _thread = threading.Thread(target=_run, args=(_background,), name="slim-rpc", daemon=True)
            _thread.start()
        return _background


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    finally:
        loop.close()


def _stop() -> None:
    if _background is not None and _thread is not None:
        _background.call_soon_threadsafe(_background.stop)
        _thread.join(STOP_S)


def _forget() -> None:
    """In a forked child the thread does not exist."""
    global _background, _thread, _lock
    _background, _thread, _lock = None, None, threading.Lock()


atexit.register(_stop)  # once: a forked child has it too
os.register_at_fork(after_in_child=_forget)


def home() -> asyncio.AbstractEventLoop:
    """The running loop, or that of our thread."""
    return asyncio.get_running_loop() if is_running() else background()


def is_home(loop: asyncio.AbstractEventLoop) -> bool:
    """Does this loop run in this thread?"""
    return is_running() and asyncio.get_running_loop() is loop


def _begin(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> Any:
    try:
        return asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError:
        work.close()
        raise error("FAILED_PRECONDITION", "the event loop in which the call was begun is closed") from None


def wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], instead: str) -> T:
    """Do it at its home, and wait. FAILED_PRECONDITION: this is its home, which would wait for itself; `instead`: what to do."""
    if is_home(loop):
        work.close()
        raise error("FAILED_PRECONDITION", f"this would hold up the event loop that has to do it: {instead}")
    future = _begin(loop, work)
    try:
        return future.result()
    except BaseException:  # Ctrl-C too
        future.cancel()
        raise


async def visit(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Do it at its home, and await that."""
    if asyncio.get_running_loop() is loop:
        return await work
    return await asyncio.wrap_future(_begin(loop, work))
