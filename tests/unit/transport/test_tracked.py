"""What may still be alive when a leader ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from fsm.errors import CallError
from fsm.events import Certainty, Sent
from fsm.ports import Reply, Request
from fsm.reasons import Reason
from transport.tracked import Tracked

CHANGES = Request("n1", "choria_provision", "configure", {}, 30, 22.0, changes=True)
READS = Request("n1", "rpcutil", "inventory", {}, 60, 4.0)


class Calls:
    """fsm.ports.Rpc that answers when a test says so; the time is the test's too."""

    def __init__(self) -> None:
        self.now = 0.0
        self.answers: list[asyncio.Future[Reply]] = []

    def monotonic(self) -> float:
        return self.now

    async def call(self, request: Request) -> Reply:
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]


async def begun(request: Request) -> tuple[Calls, Tracked, asyncio.Task[Reply]]:
    """One request under way."""
    calls = Calls()
    tracked = Tracked(calls, calls.monotonic)
    task = asyncio.create_task(tracked.call(request))
    await asyncio.sleep(0)
    return calls, tracked, task


async def test_it_is_alive_until_it_is_answered():
    calls, tracked, task = await begun(CHANGES)
    calls.now = 10.0
    assert tracked.rest() == 20.0
    calls.answers[0].set_result(Reply(0, "", {}, 0, Sent(0, "c")))
    await task
    assert tracked.rest() == 0.0
    await tracked.settle(5.0)


async def test_what_only_reads_is_no_matter():
    calls, tracked, task = await begun(READS)
    assert tracked.rest() == 0.0
    await tracked.settle(5.0)
    calls.answers[0].set_result(Reply(0, "", {}, 0, Sent(0, "c")))
    await task


@pytest.mark.parametrize("certainty", Certainty)
async def test_only_what_is_uncertain_stays_alive(certainty: Certainty):
    calls, tracked, task = await begun(CHANGES)
    calls.answers[0].set_exception(CallError(certainty, Reason.NO_ANSWER))
    with suppress(CallError):
        await task
    uncertain = certainty in {Certainty.UNKNOWN, Certainty.INTERRUPTED}
    assert tracked.rest() == (30.0 if uncertain else 0.0)
    calls.now = 30.0
    assert tracked.rest() == 0.0


async def test_who_gives_up_does_not_make_it_dead():
    _, tracked, task = await begun(CHANGES)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert tracked.rest() == 30.0


async def test_the_end_waits_for_answers_a_moment_and_no_longer():
    calls, tracked, task = await begun(CHANGES)
    await tracked.settle(0.001)
    assert tracked.rest() == 30.0
    waiting = asyncio.create_task(tracked.settle(20.0))
    await asyncio.sleep(0)
    calls.answers[0].set_result(Reply(0, "", {}, 0, Sent(0, "c")))
    await asyncio.gather(task, waiting)
    assert tracked.rest() == 0.0
