"""Watching a demonstration: each way in which it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from io import StringIO
from pathlib import Path

import pytest

from fsm.states import State
from usher.children import Child
from usher.display import Display
from usher.progress import Slowest
from usher.watch import End, Watch, interrupted


class Told:
    """An outlook that tells what it was given, one after the other, then the last for ever."""

    def __init__(self, *counts: Mapping[State, int]) -> None:
        self._counts: Iterator[Mapping[State, int]] = iter(counts)
        self._now: Mapping[State, int] = {}

    def counts(self) -> Mapping[State, int]:
        self._now = next(self._counts, self._now)
        return self._now

    def slowest(self) -> Slowest | None:
        return Slowest("n2.example.net", 1.5)


@pytest.fixture
async def idle(tmp_path: Path) -> AsyncIterator[Child]:
    child = Child("the daemon", [sys.executable, "-S", "-c", "import signal; signal.pause()"], tmp_path / "idle.log")
    child.start()
    yield child
    await child.stop()


async def test_it_ends_when_all_have_arrived(idle: Child):
    stream = StringIO()
    told = Told({}, {State.ENROLLED: 2}, {State.PROVISIONED: 2})
    with interrupted() as stop:
        ending = await Watch(2, [idle], told, Display(stream), stop=stop, limit=600).until_done()
    assert ending.end is End.DONE
    assert ending.slowest == Slowest("n2.example.net", 1.5)
    assert stream.getvalue().splitlines()[-1].endswith("2 of 2 provisioned")


async def test_a_child_that_ends_before_ends_it_with_its_last_words(idle: Child, tmp_path: Path):
    fleet = Child(
        "the fleet", [sys.executable, "-S", "-c", "print('no such token'); raise SystemExit(2)"], tmp_path / "fleet.log"
    )
    fleet.start()
    with interrupted() as stop:
        ending = await Watch(2, [fleet, idle], Told(), Display(StringIO()), stop=stop, limit=600).until_done()
    assert ending.end is End.DIED
    assert ending.why == f"the fleet ended (exit code 2); the end of {tmp_path / 'fleet.log'}:"
    assert ending.tail == ("no such token",)


async def test_a_child_that_is_killed_is_named_with_the_signal(idle: Child):
    os.kill(idle.pid, signal.SIGKILL)
    with interrupted() as stop:
        ending = await Watch(2, [idle], Told(), Display(StringIO()), stop=stop, limit=600).until_done()
    assert ending.why.startswith("the daemon ended (by SIGKILL)")


async def test_time_that_is_over_ends_it_and_says_where_they_are(idle: Child):
    told = Told({State.FAILED: 1})
    with interrupted() as stop:
        ending = await Watch(2, [idle], told, Display(StringIO()), stop=stop, limit=0).until_done()
    assert ending.end is End.LATE
    assert "0 of 2 provisioned; 1 failed, 1 unseen" in ending.why


@pytest.mark.parametrize(("number", "end"), [(signal.SIGINT, End.INTERRUPTED), (signal.SIGTERM, End.TERMINATED)])
async def test_a_signal_is_one_more_way_to_end(idle: Child, number: signal.Signals, end: End):
    with interrupted() as stop:
        watch = asyncio.ensure_future(Watch(2, [idle], Told(), Display(StringIO()), stop=stop, limit=600).until_done())
        os.kill(os.getpid(), number)
        ending = await watch
    assert ending.end is end
    assert ending.end.value == 128 + number
    assert ending.why == f"Stopped by {number.name}."


async def test_to_have_arrived_counts_more_than_to_be_stopped(idle: Child):
    with interrupted() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        ending = await Watch(
            1, [idle], Told({State.PROVISIONED: 1}), Display(StringIO()), stop=stop, limit=0
        ).until_done()
    assert ending.end is End.DONE
