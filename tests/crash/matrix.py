"""The crash matrix: SIGKILL at every failpoint of every effect, with a fleet in flight, until all is well again.

    python -m tests.crash [--nodes 200] [--at-once 3] [--only FAILPOINT[:EFFECT]]

Rules:
1. A cell is one life: the daemon dies twice at its failpoint, is started again each time, and brings every node to
   its end; where a database is brought up to date, it dies at each step of that.
2. After the life every invariant that can be asked of the database and of the nodes is asked.
3. A cell that could not die, lost a node or broke an invariant is a failure, and says so.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fsm.effects import Effect
from store.versions import migrations
from tests.crash.checks import Violation
from tests.crash.failpoints import CELLS, EFFECTS, Cell, Death, Failpoint, effects_of
from tests.crash.older import make_older
from tests.crash.stage import Stage, stage
from tests.crash.wal import written_back
from usher.simulator.networks import Kind

NODES: Final = 200
FIRST: Final = 60
"""At which occurrence of the effect the first daemon dies, of 200 nodes; the second at a third of that."""
_ANEW: Final = """
SELECT count(*) FILTER (WHERE generation > 1), (SELECT count(*) FROM effects WHERE certainty = 'interrupted') FROM nodes
"""
_WAITED: Final = """
SELECT name, count(DISTINCT node) FROM history
WHERE name LIKE '%-not-yet' OR name IN ('restart-again', 'shutdown-again')
GROUP BY name ORDER BY name
"""
"""The rows by which a node waits until what may still be alive of an interrupted request has run out."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a cell. `flying` are the nodes in flight at each death, `copied` how far a checkpoint was.

    `waited` are the nodes that waited for an interrupted request to run out, by the row that says so.
    """

    cell: Cell
    nodes: int
    ended: int
    deaths: int
    flying: tuple[int, ...]
    anew: int
    interrupted: int
    seconds: float
    copied: tuple[tuple[int, int], ...]
    waited: tuple[tuple[str, int], ...]
    broken: tuple[Violation, ...]
    failure: str = ""

    @property
    def well(self) -> bool:
        """Whether it died, lost nobody and broke nothing."""
        return not self.failure and self.deaths > 0 and self.ended == self.nodes and not self.broken


async def play(cell: Cell, directory: Path, nodes: int) -> Result:
    """Live one cell."""
    begun = time.monotonic()
    copied: list[tuple[int, int]] = []
    async with stage(directory, nodes, cell.kind, retires=cell.retires) as on:
        fleet = await on.gather()
        first = max(nodes * FIRST // NODES, 2)
        if cell.failpoint is Failpoint.IN_MIGRATION:
            alive = await _migrate(on, cell.effect, first)
        else:
            alive = await _die_twice(on, cell, first, copied)
        if alive:
            await on.survive()
        broken = tuple(await on.verdict(fleet))
        ended = on.counts().get(on.end, 0)
        with closing(sqlite3.connect(on.database)) as database:
            anew, interrupted = database.execute(_ANEW).fetchall()[0]
            waited = tuple(database.execute(_WAITED).fetchall())
    seconds = time.monotonic() - begun
    flying = tuple(on.flying)
    return Result(
        cell, nodes, ended, on.deaths, flying, anew, interrupted, seconds, tuple(copied), waited, broken
    )  # fmt: skip


async def _die_twice(on: Stage, cell: Cell, first: int, copied: list[tuple[int, int]]) -> bool:
    """Whether anything is left to do afterwards."""
    for nth in (first, max(first // 3, 1)):
        if not await on.die(Death(cell.failpoint, cell.effect, nth)):
            return False
        if cell.failpoint is Failpoint.IN_CHECKPOINT:
            copied.append(written_back(on.database))
    return True


async def _migrate(on: Stage, effect: Effect, first: int) -> bool:
    """Die with nodes in flight, be an older database, and die at each step of its migration until it is over."""
    steps = 0
    if not await on.die(Death(Failpoint.AFTER_INTENT, effect, first)):
        return False
    make_older(on.database)
    while _older(on.database):  # from step to step, until a start dies behind the last COMMIT
        steps += 1
        if not await on.die(Death(Failpoint.IN_MIGRATION, effect, steps)):
            return False
    for step in range(1, steps):  # and then the file is written anew
        if not await on.die(Death(Failpoint.IN_MIGRATION, effect, step)):
            return False
    return True


def _older(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return bool(database.execute("PRAGMA user_version").fetchall()[0][0] < max(migrations()))


def cells(only: str = "", kinds: Sequence[Kind] = tuple(Kind)) -> tuple[Cell, ...]:
    """The cells of the matrix, or those of one failpoint, or of one of its effects (`after_send:restart`)."""
    failpoint, _, effect = only.partition(":")
    return tuple(
        cell
        for cell in CELLS
        if cell.kind in kinds
        and (not failpoint or cell.failpoint is Failpoint[failpoint.upper()])
        and (not effect or cell.effect is Effect(effect))
    )


def table(results: Sequence[Result], kind: Kind = Kind.ISSUER) -> list[str]:
    """The matrix of a fleet as Markdown: a row a failpoint, a column an effect."""
    found = {(each.cell.failpoint, each.cell.effect): each for each in results if each.cell.kind is kind}
    effects = EFFECTS[kind]
    lines = ["| | " + " | ".join(effect.value for effect in effects) + " |", "|---|" + "---|" * len(effects)]
    for failpoint in Failpoint:
        if effects_of(failpoint, kind):
            said = (_cell(found.get((failpoint, effect))) for effect in effects)
            lines.append(f"| {failpoint.label} | " + " | ".join(said) + " |")
    return lines


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    if not result.well:
        return "FAILED"
    return f"{result.ended}, {result.deaths} †, {result.anew} anew, {result.seconds:.0f} s"
