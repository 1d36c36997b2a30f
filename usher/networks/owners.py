"""Owners: which network's engine a name belongs to, so that no node is ever under way in two.

Rules:
1. A name under way in one network is given to no other's engine: a sighting of it there is discarded, counted, and
   remembered for `usher nodes why`.
2. A node at rest belongs to nobody: whoever sees it looks at it, and the table says whether it moves.
3. What is committed decides, unless an engine has the name in its hands at this moment.
4. A record without a network was made when there was one alone: it is the first network's. A record of a network that
   is not configured any more is nobody's: it is left alone, until an operator forgets it or the network is back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from fsm.snapshot import Snapshot

REMEMBERED: Final = 10_000
"""Names that were sighted elsewhere, of which the newest sighting is remembered."""
ELSEWHERE: Final = "under_way_elsewhere"
"""The reason under which such a sighting is counted (usher_discards_total)."""


class Handling(Protocol):
    """What is needed of an engine."""

    def resting(self, node: str) -> bool:
        """Whether what is committed of a node holds at this moment."""
        ...


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A sighting that was discarded: when (milliseconds since 1970), in which network, and which has the node."""

    at: int
    seen: str
    owner: str


class Owners:
    """Asked before a sighting, or an operator's wish, reaches an engine; `networks` are their names, in order."""

    def __init__(
        self,
        networks: Sequence[str],
        load: Callable[[str], Snapshot | None],
        now: Callable[[], int],
        *,
        foreign: bool = False,
    ) -> None:
        """Hold who there is; the engines come with `employ`. `foreign`: there may be records of other networks."""
        self._networks, self._load, self._now = tuple(networks), load, now
        self.needed: Final = foreign or len(self._networks) > 1
        self._engines: Mapping[str, Handling] = {}
        self._elsewhere: OrderedDict[str, Elsewhere] = OrderedDict()

    def employ(self, engines: Mapping[str, Handling]) -> None:
        """These work from now on, by the names of their networks."""
        self._engines = engines

    def of(self, snapshot: Snapshot) -> str | None:
        """The network that a record belongs to; None if that is not configured any more."""
        return self.of_name(snapshot.network)

    def of_name(self, network: str) -> str | None:
        """The same for the network that a record names."""
        if network in self._networks:
            return network
        return None if network else self._networks[0]

    def at_hand(self, node: str) -> str | None:
        """The network whose engine has the name in its hands at this moment; None if none has."""
        return next((name for name, engine in self._engines.items() if not engine.resting(node)), None)

    def may(self, node: str, network: str) -> bool:
        """Whether a sighting of this name in this network is its engine's affair."""
        owner = self.at_hand(node)
        if owner is None:
            snapshot = self._load(node)
            if snapshot is None or snapshot.resting:
                return True
            owner = self.of(snapshot) or snapshot.network
        if owner == network:
            return True
        self._elsewhere[node] = Elsewhere(self._now(), network, owner)
        self._elsewhere.move_to_end(node)
        if len(self._elsewhere) > REMEMBERED:
            self._elsewhere.popitem(last=False)
        return False

    def elsewhere(self, node: str) -> Elsewhere | None:
        """The newest sighting of this name that was discarded; None if none is remembered."""
        return self._elsewhere.get(node)
