"""Where the engine is waited for: one thread, for as long as somebody holds it."""

import asyncio
import threading

import pytest

from dagster_dfsession.query.event_loop import EventLoop


def test_its_thread_ends_when_nobody_holds_it() -> None:
    before = {*threading.enumerate()}
    loop = EventLoop()
    [thread] = {*threading.enumerate()} - before
    del loop

    thread.join(timeout=30)
    assert not thread.is_alive()


def test_work_that_is_ended_has_let_go_of_what_it_held() -> None:
    reached, left = threading.Event(), threading.Event()

    async def wait() -> None:
        reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    loop = EventLoop()
    awaited = loop.begin(wait())
    assert reached.wait(timeout=30)
    loop.end(awaited)

    assert left.is_set()
    assert awaited.answer.cancelled()


def test_what_others_wait_for_goes_on() -> None:
    loop, released = EventLoop(), asyncio.Event()

    async def wait() -> str:
        await released.wait()
        return "done"

    async def release() -> None:
        released.set()

    mine, other = loop.begin(wait()), loop.begin(wait())
    loop.end(mine)
    loop.begin(release()).answer.result()

    assert other.answer.result(timeout=30) == "done"


def test_the_answer_of_work_that_fails_is_its_error() -> None:
    async def fail() -> None:
        raise ValueError("on purpose")

    loop = EventLoop()
    awaited = loop.begin(fail())

    with pytest.raises(ValueError, match="on purpose"):
        awaited.answer.result()
    loop.end(awaited)
