"""Databases of large fleets, written with the real journal in a minute or two, to be measured or tested on.

Rules:
1. A fleet is a mix of lives (benchmarks.author); what is left to the wanted number of rows are generations that were
   deferred before. The same shape always gives the same nodes.
2. Everything is as the daemon writes it, but for synchronous=FULL, which nobody needs of a database that can be made
   again, and for the times, which are of the days before `now`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

from benchmarks import author as lives
from benchmarks.author import POLICY, Author
from fsm.effects import EffectId
from fsm.unit import Unit
from security.vault import KeyRing, SealedVault, VaultKey
from security.vaultfile import write_ring
from store.connections import connect
from store.journal import Journal
from store.repository import open_store
from usher.effects.hand import Hand
from usher.state import StateDirectory

Life = Callable[[Author], Iterator[Unit]]
MINUTE: Final = 60_000
DAY: Final = 24 * 60 * MINUTE
WIDTH: Final = 256
PUT_OFF: Final = 6
"""Rows of a generation that was deferred, up to the beginning of the next."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a hundred nodes live like this, in so many rows after the first; `old` ones ended days ago."""

    of_hundred: int
    life: Life
    rows: int
    old: bool = False


AT_REST: Final = (
    Share(70, lives.provisioned, 12, old=True),
    Share(22, lives.gone, 2, old=True),
    Share(5, lives.retired, 8, old=True),
    Share(1, lives.failing, 5),
    Share(1, lives.waiting, 0),
    Share(1, lives.restarted, 8),
)
UNDER_WAY: Final = (
    Share(40, lives.restarted, 8),
    Share(25, lives.waiting, 0),
    Share(21, lives.failing, 5),
    Share(10, lives.deferred, 5),
    Share(4, lives.asking, 4),
)
"""The worst case: as many effects under way as the window is wide, all others due or waiting."""
SHAPES: Final = {"at rest": AT_REST, "under way": UNDER_WAY}


def name_of(number: int) -> str:
    """A node's name."""
    return f"node-{number:06d}.dc{number % 8}.example.net"


def shares(shape: tuple[Share, ...]) -> Iterator[Share]:
    """For ever, one a node, the shares evenly mixed."""
    hundred = [share for share in shape for _ in range(share.of_hundred)]
    return cycle(hundred[place * 37 % 100] for place in range(100))


async def build(state: StateDirectory, shape: tuple[Share, ...], nodes: int, rows: int, now: int) -> int:
    """Write the database and its key into a state directory; answers how many rows it has."""
    state.prepare()
    ring = KeyRing((VaultKey.fresh(),))
    write_ring(state.vault_key, ring)
    journal = open_store(state.database, connect=_hasty)
    epoch = await journal.begin_epoch()
    await journal.remember_policy(POLICY.hash, POLICY.document(), now)
    await journal.remember_vault_keys(ring.ids, now)
    fleet = _Fleet(Hand(journal, SealedVault(ring)), epoch, rows / nodes, now)
    every = zip(range(nodes), shares(shape), strict=False)
    while group := [fleet.life(number, share) for number, share in _some(every)]:
        await _live(journal, group)
    await journal.close()
    return fleet.rows


def _hasty(path: Path) -> sqlite3.Connection:
    db = connect(path)
    db.execute("PRAGMA synchronous = OFF")
    return db


def _some(every: Iterator[tuple[int, Share]]) -> Iterator[tuple[int, Share]]:
    return (each for _, each in zip(range(WIDTH), every, strict=False))


class _Fleet:
    """Makes the lives, and sees to it that there are as many rows as are wanted."""

    def __init__(self, hand: Hand, epoch: int, each: float, now: int) -> None:
        self._hand, self._epoch, self._each, self._now = hand, epoch, each, now
        self.rows = 0
        self._nodes = 0

    def life(self, number: int, share: Share) -> Iterator[Unit]:
        self._nodes += 1
        self.rows += 1 + share.rows
        before = max(0, int((self._each * self._nodes - self.rows) // PUT_OFF))
        self.rows += before * PUT_OFF
        age = DAY + number * 7919 * MINUTE % (20 * DAY) if share.old else (5 + 2 * before) * MINUTE
        return self._units(Author(name_of(number), self._now - age, self._epoch, self._hand), share.life, before)

    def _units(self, author: Author, life: Life, before: int) -> Iterator[Unit]:
        yield author.seen()
        for _ in range(before):
            yield from lives.put_off(author)
        yield from life(author)


async def _live(journal: Journal, group: list[Iterator[Unit]]) -> None:
    """A step of each, again and again, until all have come to where they stay; who ends in an effect has begun it."""
    opened: dict[str, EffectId | None] = {}
    last: list[asyncio.Future[None]] = []
    while group:
        steps = [(each, unit) for each in group if (unit := next(each, None)) is not None]
        group = [each for each, _ in steps]
        opened.update((unit.snapshot.node, unit.opens.id if unit.opens else None) for _, unit in steps)
        if last:
            await last[-1]
        last = [journal.commit(unit) for _, unit in steps]
    await journal.started([identity for identity in opened.values() if identity is not None])
