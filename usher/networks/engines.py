"""Engines: those of all networks, as one, for whoever means the whole fleet or does not know where a node is.

Rules:
1. What holds all of them is what holds the fleet: a network that is held alone is told as its own.
2. A wish goes to the engine that has the node in its hands, else to that of its network; a node that nobody knows is
   the first network's.
3. A node of a network that is not configured any more can be forgotten and held, and nothing else.
4. While another network than its own looks at a node, it can be held and forgotten, and nothing else: it would be sent
   there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Final

from fsm.events import Operator, Verb
from fsm.machine import Rejected
from fsm.reasons import Reason
from fsm.runtime.engine import Answer, Engine
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from usher.networks.owners import Owners

_ANYBODYS: Final = frozenset({Verb.FORGET, Verb.QUARANTINE})
"""What can be asked of any engine: nothing is sent for it, and no generation begins."""


class Engines:
    """All of them, by the names of their networks; at least one."""

    def __init__(
        self,
        engines: Mapping[str, Engine],
        owners: Owners,
        load: Callable[[str], Snapshot | None],
        refuses: Callable[[str, Snapshot, Operator], str] = lambda *_: "",
    ) -> None:
        """Take them; nothing moves before `start`. `load` reads what is committed of a node.

        `refuses` says why a wish for a node at rest in a network is no use, before it is asked (usher.networks.fleets).
        """
        self.each, self._owners, self._load, self._refuses = dict(engines), owners, load, refuses

    def start(self) -> None:
        """Each takes up what is its own, in one turn of the loop: nothing is committed in between."""
        for engine in self.each.values():
            engine.start()

    def hold(self, reason: Reason) -> None:
        """Hold all of them."""
        for engine in self.each.values():
            engine.hold(reason)

    def release(self, reason: Reason) -> None:
        """This reason is over for all of them."""
        for engine in self.each.values():
            engine.release(reason)

    @property
    def holds(self) -> frozenset[Reason]:
        """Why nothing goes on anywhere: what holds each of them."""
        return reduce(frozenset.intersection, (engine.holds for engine in self.each.values()))

    @property
    def active(self) -> int:
        """How many nodes something is to happen to."""
        return sum(engine.active for engine in self.each.values())

    def resting(self, node: str) -> bool:
        """Whether what is committed of a node holds at this moment."""
        return all(engine.resting(node) for engine in self.each.values())

    def ask(self, node: str, wish: Operator) -> Answer:
        """An operator's wish for a node; the answer comes when it is durable, or says why nothing happens."""
        snapshot, hand = self._load(node) or unseen(node), self._owners.at_hand(node)
        network = self._owners.of(snapshot)
        why = "" if wish.verb in _ANYBODYS else self._why_not(snapshot, wish, network, hand)
        if why:
            answer: Answer = asyncio.get_running_loop().create_future()
            answer.set_result(Rejected(why))
            return answer
        return self.each[hand or network or next(iter(self.each))].ask(node, wish)

    def _why_not(self, snapshot: Snapshot, wish: Operator, network: str | None, hand: str | None) -> str:
        """Why a wish is refused before it reaches the engine that has the node, or that of its network; or empty."""
        if hand not in {network, None} and snapshot.state is not State.UNSEEN:
            return f"the network {hand} looks at it now, since it was seen there: ask again in a moment"
        if hand is not None:
            return ""
        if network is None:
            return f"its network {snapshot.network} is not configured any more: list it again, or forget the node"
        return self._refuses(network, snapshot, wish)

    async def stop(self, seconds: float) -> int:
        """Stop all of them at once; answers how many requests under way were given up."""
        return sum(await asyncio.gather(*(engine.stop(seconds) for engine in self.each.values())))
