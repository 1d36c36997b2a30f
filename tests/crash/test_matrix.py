"""The sample of the crash matrix: one life of a small fleet in which the daemon dies at each failpoint once.

`make crash` runs all of the matrix, with 200 nodes in each of its cells.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.crash.checks import Violation
from tests.crash.failpoints import CELLS, EFFECTS, Death, Failpoint, effects_of, sample_of
from tests.crash.matrix import Result, cells, table
from tests.crash.older import make_older
from tests.crash.stage import Stage, stage
from tests.crash.wal import read_log, written_back
from usher.simulator.broker import BrokerMissingError, binary
from usher.simulator.networks import Kind

pytestmark = pytest.mark.network

NODES = 16
SOON = 3500  # the node leaves 2 s after its restart; a machine that is busy may be late
STEP = 5  # of the migration


@dataclass
class Sample:
    """What was seen of each death."""

    died: set[Failpoint] = field(default_factory=set)
    broken: dict[Failpoint, list[Violation]] = field(default_factory=dict)
    unfinished: int = 0
    copied: tuple[int, int] = (0, 0)
    ended: int = 0
    verdict: list[Violation] = field(default_factory=list)


async def live(directory: Path) -> Sample:
    """Die at each failpoint, in the order of the effects, and be whole at the end."""
    seen = Sample()
    async with stage(directory, NODES, times={"look_delay": SOON}) as on:
        fleet = await on.gather()
        for failpoint in sorted(Failpoint, key=lambda failpoint: EFFECTS[Kind.ISSUER].index(sample_of(failpoint))):
            await die(on, failpoint, seen)
        await on.survive()
        seen.ended = on.counts()[on.end]
        seen.verdict = await on.verdict(fleet)
    return seen


async def die(on: Stage, failpoint: Failpoint, seen: Sample) -> None:
    """One death, and what it left."""
    migrates = failpoint is Failpoint.IN_MIGRATION
    if migrates:
        make_older(on.database)
    if await on.die(Death(failpoint, sample_of(failpoint), STEP if migrates else 1)):
        seen.died.add(failpoint)
    seen.broken[failpoint], on.broken = on.broken, []
    if failpoint is Failpoint.IN_BATCH:
        log = read_log(on.database.with_name("usher.db-wal"))
        seen.unfinished = len(log.frames) - log.committed
    if failpoint is Failpoint.IN_CHECKPOINT:
        seen.copied = written_back(on.database)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    try:
        binary()
    except BrokerMissingError as error:
        pytest.skip(str(error))
    return asyncio.run(live(tmp_path_factory.mktemp("crash") / "life"))


@pytest.mark.parametrize("failpoint", list(Failpoint))
def test_a_death_at_each_failpoint_leaves_a_sound_database(sample: Sample, failpoint: Failpoint):
    assert failpoint in sample.died
    assert sample.broken[failpoint] == []


def test_every_node_is_provisioned_in_the_end(sample: Sample):
    assert sample.ended == NODES
    assert sample.verdict == []


def test_a_batch_that_was_cut_had_reached_the_log(sample: Sample):
    assert sample.unfinished > 0


def test_a_checkpoint_that_was_cut_had_begun(sample: Sample):
    assert 0 < sample.copied[0] <= sample.copied[1]


@pytest.mark.parametrize("failpoint", list(Failpoint))
def test_each_failpoint_has_cells_and_a_sentence(failpoint: Failpoint):
    assert sample_of(failpoint) in effects_of(failpoint)
    for kind in Kind:
        found = [cell.effect for cell in cells(failpoint.name.lower(), [kind])]
        assert found == list(effects_of(failpoint, kind))
    assert failpoint.value


def test_the_matrix_names_what_failed():
    fine, bad, *_ = CELLS
    results = [
        Result(fine, 9, 9, 2, (9, 9), 0, 3, 4.2, (), (), ()),
        Result(bad, 9, 9, 2, (9, 9), 0, 3, 4.2, (), (), (Violation(6, "n1", 3, "x"),)),
    ]
    lines = table(results)
    assert [line.count("|") for line in lines] == [len(EFFECTS[Kind.ISSUER]) + 2] * (len(Failpoint) + 2)
    assert "9, 2 †, 0 anew, 4 s | FAILED" in lines[2]
