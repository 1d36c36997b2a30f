"""The worker: jobs run elsewhere, in order, and a busy loop gives way to them."""

from __future__ import annotations

import asyncio
import threading

import pytest

from store.worker import Worker


@pytest.fixture
def worker():
    made = Worker("test")
    yield made
    made.close(lambda: None)


async def job(worker: Worker) -> int:
    """Run one on the worker; the thread that it ran in."""
    loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    worker.submit(lambda: loop.call_soon_threadsafe(done.set_result, threading.get_ident()))
    return int(await done)


async def test_jobs_run_in_one_other_thread(worker: Worker):
    threads = {await job(worker) for _ in range(5)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_jobs_come_back_beside_a_loop_that_never_idles(worker: Worker):
    busy = True

    def turn() -> None:
        if busy:
            sum(range(3000))
            asyncio.get_running_loop().call_soon(turn)

    asyncio.get_running_loop().call_soon(turn)
    for _ in range(200):
        await job(worker)
    busy = False


async def test_a_job_that_takes_long_does_not_hold_the_loop(worker: Worker):
    loop, goes_on, done = asyncio.get_running_loop(), threading.Event(), asyncio.get_running_loop().create_future()

    def long() -> None:
        goes_on.wait()
        loop.call_soon_threadsafe(done.set_result, None)

    worker.submit(long)
    turns = 0
    while turns < 100:
        await asyncio.sleep(0)
        turns += 1
    assert not done.done()
    goes_on.set()
    await done


def test_closing_waits_for_the_last_job():
    done: list[str] = []
    worker = Worker("test")
    worker.close(lambda: done.append("last"))
    assert done == ["last"]
