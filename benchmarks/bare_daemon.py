"""`usher run` with a helper that costs nothing and without some of what durability costs, to tell what it costs.

Rules:
1. What is left out is replaced from here, at the seams that the daemon has: ports, settings, two functions of the
   journal. No module of the daemon knows of it.
2. Each node has an inventory of its own, with whatever is left out and with nothing left out.
3. What is left out is not safe: this is never a daemon for anybody.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final, cast

from benchmarks.inline_daemon import inline, serve
from fsm.unit import Blob, Unit
from store import writer
from store.chain import START
from store.journal import Journal
from tests.fakes.changing import changed
from usher import run
from usher.effects.hand import Hand
from usher.effects.site import Ports
from usher.network import Network

SEALING, CHAIN, BLOBS = PARTS = ("sealing", "chain", "blobs")
_DIGEST: Final = START.hex()


class Plain:
    """fsm.ports.Vault that seals nothing."""

    def seal(self, place: str, data: bytes) -> bytes:
        """The bytes."""
        return data

    def open(self, place: str, sealed: bytes) -> bytes | None:
        """The bytes."""
        return sealed


class OwnInventories:
    """A hand that makes each inventory one that no other node has."""

    def __init__(self, hand: Hand) -> None:
        """Take the hand that keeps them."""
        self._hand, self._count = hand, count()

    def keep_blob(self, data: bytes) -> Blob:
        """The blob of these bytes (a JSON object) with a number in it."""
        return self._hand.keep_blob(b'{"number":%d,' % next(self._count) + data[1:])

    def __getattr__(self, name: str) -> Any:
        """Everything else is the hand's."""
        return getattr(self._hand, name)


class Blobless:
    """A journal that is handed no blobs."""

    def __init__(self, journal: Journal) -> None:
        """Take the journal."""
        self._journal = journal

    def commit(self, unit: Unit) -> Any:
        """Commit the rest of it."""
        return self._journal.commit(replace(unit, blobs=()) if unit.blobs else unit)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the journal's."""
        return getattr(self._journal, name)


def without(settings: run.Settings, parts: frozenset[str]) -> run.Settings:
    """The same settings without these parts."""
    made, opening = settings.networks[0].outside.ports, settings.open
    opened: list[Journal] = []

    def open_(path: Path, on_full: Callable[[bool], None]) -> Journal:
        journal = opening(path, on_full)
        opened.append(cast("Journal", Blobless(journal)) if BLOBS in parts else journal)
        return opened[-1]

    def ports(network: Network, hand: Hand) -> Ports:
        hand = Hand(opened[-1], Plain()) if SEALING in parts else hand
        return replace(made(network, hand), hand=cast("Hand", OwnInventories(hand)))

    if CHAIN in parts:
        writer.link, writer.digest = lambda _previous, _envelope: START, lambda _payload: _DIGEST
    return changed(settings, open=open_, outside=replace(settings.networks[0].outside, ports=ports))


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--without", default="", help=f"some of {', '.join(PARTS)}, commas between")
    run.add_arguments(parser)
    asked = parser.parse_args()
    parts = frozenset(asked.without.split(",")) - {""}
    if not parts <= set(PARTS):
        parser.error(f"--without is some of {', '.join(PARTS)}")
    return serve(inline(without(run.read(asked), parts)))


if __name__ == "__main__":
    sys.exit(main())
