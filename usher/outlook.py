"""The outlook: what a state directory's database says of a fleet, for those who watch it grow.

Rules:
1. It reads committed facts, as every reading command does, and never writes.
2. A database that is not there yet, or is being made, is a fleet of which nothing is known yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from fsm.errors import StoreError
from fsm.states import State
from store.reader import Reader, open_reader
from usher.progress import Slowest
from usher.state import DATABASE

MILLISECONDS = 1000


class DatabaseOutlook:
    """Implements `usher.watch.Outlook` over a state directory; a context that closes what it has opened."""

    def __init__(self, state: Path) -> None:
        """Hold the directory."""
        self._path = state / DATABASE
        self._reader: Reader | None = None

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def counts(self) -> Mapping[State, int]:
        """How many nodes are in each state."""
        try:
            return self._opened().counts()
        except StoreError:
            return {}

    def slowest(self) -> Slowest | None:
        """The provisioned node with the longest time from its first sight to the end; None if there is none."""
        try:
            return max(self._times(), key=lambda each: each.seconds, default=None)
        except StoreError:
            return None

    def _opened(self) -> Reader:
        if self._reader is None:
            self._reader = open_reader(self._path)
        return self._reader

    def _times(self) -> Iterator[Slowest]:
        reader, after = self._opened(), ""
        while True:
            page = reader.nodes(state=State.PROVISIONED, after=after)
            for each in page.nodes:
                if (node := reader.node(each.node)) is not None:
                    yield Slowest(each.node, (node.since - node.first) / MILLISECONDS)
            if page.after is None:
                return
            after = page.after
