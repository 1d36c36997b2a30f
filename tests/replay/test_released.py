"""What released versions wrote is followed by today's usher: a change that would strand a node in flight fails here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from fsm.changes import CHANGES
from fsm.codec import decode_snapshot, encode_snapshot
from fsm.policy import Policy, named, read_policy
from fsm.replay import Judged, Recorded, Step, Walk, ending
from fsm.snapshot import unseen
from fsm.table import VERSION

JOURNALS = sorted((Path(__file__).parent / "journals").glob("*.jsonl"))
NODES, ROWS = 20, 50
"""Nodes that a journal holds at least, and rows of the table that they went through."""


@dataclass
class Life:
    """One node of a journal."""

    node: str
    policy: str
    held: bytes
    rows: list[Recorded] = field(default_factory=list)

    def steps(self, policies: dict[str, Policy]) -> list[Step]:
        walk = Walk(unseen(self.node), policies)
        return [walk.step(row) for row in self.rows]


def read(path: Path) -> tuple[dict[str, Policy], list[Life]]:
    policies: dict[str, Policy] = {}
    lives: list[Life] = []
    for line in map(json.loads, path.read_text().splitlines()):
        if "document" in line:
            assert named(line["document"].encode()) == line["policy"]
            policies[line["policy"]] = read_policy(line["document"].encode())
        elif "held" in line:
            lives.append(Life(line["node"], line["policy"], line["held"].encode()))
        else:
            life, payload = lives[-1], line.pop("payload").encode()
            digest = sha256(payload).hexdigest()
            life.rows.append(Recorded(node=life.node, policy=life.policy, digest=digest, payload=payload, **line))
    return policies, lives


def stepped(path: Path) -> Iterator[tuple[Life, list[Step]]]:
    policies, lives = read(path)
    for life in lives:
        yield life, life.steps(policies)


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_every_life_is_followed_to_what_was_held(path: Path):
    for life, steps in stepped(path):
        assert [str(step.why) for step in steps if step.judged in {Judged.DIVERGES, Judged.UNDECIDED}] == []
        reached = steps[-1].after
        assert reached is not None
        assert ending(reached, decode_snapshot(life.held)) == ""
        assert decode_snapshot(encode_snapshot(reached)).sound()


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_a_journal_is_about_something(path: Path):
    _, lives = read(path)
    assert len(lives) >= NODES
    assert len({row.row for life in lives for row in life.rows}) >= ROWS


def test_todays_table_decides_as_it_recorded_and_older_ones_differ_where_it_is_declared():
    found = {path.stem: Counter(step.judged for _, steps in stepped(path) for step in steps) for path in JOURNALS}
    assert set(found) >= {"0.1.0", "0.2.0"}
    assert found["0.1.0"][Judged.DECLARED] > 0
    tables = {path.stem: {row.table for life in read(path)[1] for row in life.rows} for path in JOURNALS}
    assert all(len(each) == 1 for each in tables.values())
    assert [name for name in found if tables[name] == {VERSION} and found[name][Judged.DECLARED]] == []


def test_every_declared_change_is_met_by_a_recorded_life():
    met = {
        (change.row, step.today.row.name)
        for path in JOURNALS
        for _, steps in stepped(path)
        for step in steps
        if step.judged is Judged.DECLARED and step.today is not None and step.today.row is not None
        for change in CHANGES
        if change.row == step.recorded.row
    }
    assert met <= {(change.row, now) for change in CHANGES for now in change.now}
    assert [change.row for change in CHANGES if not {(change.row, now) for now in change.now} & met] == []
