"""Fleets: the ways to the provisioned servers of all networks, as one, for whoever asks many nodes there.

Rules:
1. A node is asked over the way of its own network, by that network's engine. Where it is known that nobody can be asked
   there, a wish is refused here, by the network's name and with the next step; nothing is noted of the node.
2. A search asks every network at once, or the one that was chosen. Who was not asked is told, with the reason; it fails
   only if nobody could be asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fsm.events import Event, Operator
from fsm.machine import Rejected, decide
from fsm.policy import Policy
from fsm.snapshot import Snapshot
from usher.demand.looking import sends
from usher.demand.searching import Found, Searched, SearchError, Wanted, search, unknown, wanted


class Asked(Searched, Protocol):
    """What is needed of the way to one network's provisioned servers."""

    @property
    def closed(self) -> str:
        """Why nobody can be asked there, with the next step; empty if that is to be tried."""
        ...


class Fleets:
    """All of them, by the names of their networks, in order; at least one."""

    def __init__(self, each: Mapping[str, Asked], now: Callable[[], int]) -> None:
        """Take them; `now` is in milliseconds since 1970."""
        self._each, self._now = dict(each), now

    def closed(self) -> dict[str, str]:
        """Why nobody can be asked in a network, with the next step; empty where that is to be tried."""
        return {name: _named(name, fleet.closed) for name, fleet in self._each.items()}

    def refuses(self, network: str, snapshot: Snapshot, wish: Operator) -> str:
        """Why a wish is refused that would be sent to a node of this network; empty if it is not."""
        closed = _named(network, self._each[network].closed)
        if not closed:
            return ""
        decision = decide(snapshot, Event(self._now(), bytes(16), wish), Policy())
        return closed if not isinstance(decision, Rejected) and sends(decision) else ""

    async def search(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Who is in the fleets now (usher.demand.searching), of all networks or of `network`; raises SearchError.

        Answers who was `found`, by network, how many were `silent`, and the networks `unasked` with the reason of each.
        """
        names, what = self._chosen(arguments.get("network")), wanted(arguments)
        answers = await asyncio.gather(*(self._search(name, what) for name in names))
        told = dict(zip(names, answers, strict=True))
        unasked = {name: answer for name, answer in told.items() if isinstance(answer, str)}
        if len(unasked) == len(names):
            raise SearchError("; ".join(unasked.values()))
        founds = {name: answer for name, answer in told.items() if isinstance(answer, Found)}
        return {
            "found": {name: list(each.nodes) for name, each in founds.items()},
            "silent": sum(each.silent for each in founds.values()),
            "unasked": unasked,
        }

    def _chosen(self, network: object) -> Sequence[str]:
        if network is None:
            return tuple(self._each)
        if not isinstance(network, str) or network not in self._each:
            raise SearchError(unknown(str(network), self._each))
        return (network,)

    async def _search(self, network: str, what: Wanted) -> Found | str:
        """Who is in one of them, or why that is not known."""
        fleet = self._each[network]
        if closed := fleet.closed:
            return _named(network, closed)
        try:
            return await search(fleet, what)
        except SearchError as error:
            return _named(network, error.problem)


def _named(network: str, why: str) -> str:
    return f"network {network}: {why}" if network and why else why
