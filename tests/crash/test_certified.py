"""The sample of the crash matrix for a fleet with certificates: one life, in which the daemon dies in each phase.

`make crash` runs all of the matrix, with 200 nodes in each of its cells and the request's whole life of a minute.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.crash.checks import Violation
from tests.crash.failpoints import SAMPLE
from tests.crash.stage import stage
from usher.simulator.broker import BrokerMissingError, binary
from usher.simulator.networks import Kind

pytestmark = pytest.mark.network

NODES = 16
TIMES = {"look_delay": 3500, "request_life": 3000}
"""The nodes leave 2 s after their restart; what waits for a request waits 3 s."""


@dataclass
class Sample:
    """What was seen of one life: nodes by why they waited, and by what of them was interrupted."""

    deaths: int = 0
    ended: int = 0
    verdict: list[Violation] = field(default_factory=list)
    waited: set[str] = field(default_factory=set)
    interrupted: set[str] = field(default_factory=set)
    supplied: int = 0


async def live(directory: Path) -> Sample:
    """Die each death, and be whole at the end."""
    seen = Sample()
    async with stage(directory, NODES, Kind.X509, times=TIMES) as on:
        fleet = await on.gather()
        for death in SAMPLE:
            assert await on.die(death), death
        await on.survive()
        seen.deaths, seen.ended = on.deaths, on.counts()[on.end]
        seen.verdict = await on.verdict(fleet)
        with closing(sqlite3.connect(on.database)) as database:
            for found, sql in (
                (seen.waited, "SELECT DISTINCT node FROM history WHERE name = 'step-not-yet'"),
                (seen.interrupted, "SELECT node FROM effects WHERE effect = 'new_csr' AND certainty = 'interrupted'"),
            ):
                found.update(node for (node,) in database.execute(sql))
            seen.supplied = database.execute(
                "SELECT count(DISTINCT node) FROM effects WHERE effect = 'wrap_key'"
            ).fetchone()[0]
    return seen


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    try:
        binary()
    except BrokerMissingError as error:
        pytest.skip(str(error))
    return asyncio.run(live(tmp_path_factory.mktemp("certified") / "life"))


def test_every_node_is_provisioned_and_none_has_a_certificate_for_another_key(sample: Sample):
    assert (sample.deaths, sample.ended) == (len(SAMPLE), NODES)
    assert sample.verdict == []


def test_both_kinds_of_nodes_were_there(sample: Sample):
    assert 0 < sample.supplied < NODES


def test_only_those_interrupted_in_new_csr_waited_for_their_request(sample: Sample):
    assert sample.waited
    assert sample.waited <= sample.interrupted
