"""Where the engine is waited for: outside of it, so that waiting can end."""

import asyncio
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import msgspec

Answer = TypeVar("Answer")


class Awaited(msgspec.Struct, Generic[Answer], frozen=True):
    """What is waited for.

    Attributes:
        work: What was begun.
        answer: What it will have come to.
    """

    work: Coroutine[Any, Any, Answer]
    answer: "Future[Answer]"


class EventLoop:
    """An event loop on a thread of its own; both end when nobody holds it any more.

    Examples:
        >>> async def one() -> int:
        ...     return 1
        >>> loop = EventLoop()
        >>> loop.begin(one()).answer.result()
        1
    """

    def __init__(self) -> None:
        """Start it."""
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self._loop,), daemon=True)
        thread.start()
        weakref.finalize(self, _end, self._loop)

    def begin(self, work: Coroutine[Any, Any, Answer]) -> Awaited[Answer]:
        """Begin some work on the thread."""
        return Awaited(work, asyncio.run_coroutine_threadsafe(work, self._loop))

    def end(self, awaited: Awaited[Any]) -> None:
        """Return once the work is over, cancelled if need be."""
        if not awaited.answer.done() or awaited.answer.cancelled():
            self.begin(_cancelled(awaited.work)).answer.result()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    # Not waited for: the garbage collector may call this while a lock is held that the
    # thread needs to end.
    loop.call_soon_threadsafe(loop.stop)


async def _cancelled(work: Coroutine[Any, Any, Any]) -> None:
    tasks = [each for each in asyncio.all_tasks() if each.get_coro() is work]
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
