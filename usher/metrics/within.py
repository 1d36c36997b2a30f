"""Within: the metrics as one of several networks counts in them, each of usher's own with the label `network`.

Rules:
1. Where there is one network without a name, nothing is added: its series are what they always were.
2. The names of the older program and of its libraries get no label more: all networks count in one series.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from usher.metrics.families import Family, Labels, Series, labels

OURS: Final = "usher_"


class Part(Family):
    """A family of which one network has its own series."""

    def __init__(self, family: Family, network: str) -> None:
        """Count there, under this name."""
        self._family, self._network = family, labels(network=network)

    def known(self) -> frozenset[Labels]:
        """The labels of this network's series, its name left out."""
        own = len(self._network)
        return frozenset(where[:-own] for where in self._family.known() if where[-own:] == self._network)

    def series(self, where: Labels = ()) -> Series:
        """One series, with the network after its own labels."""
        return self._family.series((*where, *self._network))

    def value(self, where: Labels = ()) -> float:
        """The value, or the sum, of one series of this network."""
        return self._family.value((*where, *self._network))


def within(families: Mapping[str, Family], network: str) -> Mapping[str, Family]:
    """The families for one network; the same where it has no name."""
    if not network:
        return families
    return {name: Part(family, network) if name.startswith(OURS) else family for name, family in families.items()}
