"""Requests are remembered for a minute after they are over, and no more than there may be."""

from __future__ import annotations

import asyncio

from fsm.events import Sent
from transport.memory import KEPT, Asked, Memory

SENT = Sent(1, "rpc-1")


class Hands:
    """A clock with hands."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def asked() -> Asked:
    return Asked("n1", "rpcutil", None, SENT, asyncio.get_running_loop().create_future(), None)


async def test_under_way_is_never_forgotten():
    hands = Hands()
    memory = Memory(hands, 2)
    memory.add("a", waiting := asked())
    hands.now = KEPT * 100
    for number in range(5):
        memory.add(str(number), over := asked())
        memory.over(str(number), over)
    assert memory.get("a") is waiting
    assert [request_id for request_id, _ in memory.under_way()] == ["a"]


async def test_what_is_over_is_remembered_for_a_minute():
    hands = Hands()
    memory = Memory(hands)
    memory.add("a", over := asked())
    memory.over("a", over)
    hands.now = KEPT - 0.1
    assert memory.get("a") is over
    hands.now = KEPT
    assert memory.get("a") is None
    memory.add("b", later := asked())
    memory.over("b", later)
    assert len(memory) == 1


async def test_there_is_a_limit_to_what_is_remembered():
    memory = Memory(Hands(), 3)
    for number in range(10):
        memory.add(str(number), over := asked())
        memory.over(str(number), over)
    assert len(memory) == 3
    assert memory.get("6") is None
    assert memory.get("7") is not None


async def test_what_is_over_holds_neither_request_nor_timer():
    memory = Memory(Hands())
    memory.add("a", over := asked())
    over.timer = asyncio.get_running_loop().call_later(3600, print)
    memory.over("a", over)
    assert (over.waiting, over.timer, over.handed, over.request) == (None, None, None, None)
