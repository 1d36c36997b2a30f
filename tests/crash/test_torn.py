"""Torn writes: a sample of the cuts; `python -m tests.crash.torn_whole`, which `make crash` runs, makes them all."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.crash.torn import Torn, TornError, chance, make, mark, steps
from tests.crash.wal import HEADER


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Torn:
    return asyncio.run(make(tmp_path_factory.mktemp("torn"), 4))


@pytest.fixture
def torn(made: Torn, tmp_path: Path) -> Torn:
    return Torn(made.of, tmp_path / "cut", list(made.marks))


def test_the_states_that_were_committed_differ(torn: Torn):
    assert len(set(torn.marks)) == len(torn.ends) + 1 > 10


def test_every_cut_opens_to_what_its_whole_transactions_say(torn: Torn):
    few = [size for number, size in enumerate(steps(torn, 40_009, [])) if number % 5 == 0]
    torn.truncated(few)
    torn.truncated(frame.end for frame in torn.of.frames.frames)


def test_every_committed_state_is_whole(torn: Torn):
    assert torn.deep() == []


def test_a_flipped_bit_and_garbage_cost_no_more_than_what_came_after(torn: Torn):
    log = len(torn.of.log)
    torn.spoiled((3, HEADER - 1, *(HEADER + turn * log // 17 + turn for turn in range(16))), chance())


def test_a_checkpoint_that_was_cut_loses_nothing(torn: Torn):
    torn.written_back(chance(), 12)


def test_a_cut_that_opened_to_another_state_would_be_seen(torn: Torn):
    torn.marks[-2], torn.marks[-3] = torn.marks[-3], torn.marks[-2]
    with pytest.raises(TornError, match=r"it opens to state \d+, not \d+"):
        torn.truncated([torn.ends[-2].start])


def test_a_state_that_nobody_committed_would_be_seen(torn: Torn):
    of = torn.of
    pages = bytearray(of.database) + bytes(of.frames.page_size)
    assert mark_of(torn, bytes(pages)) == torn.marks[-1], "the log has every page that the database lacks"
    torn.marks[-1] = "another"
    with pytest.raises(TornError, match="none that was ever committed"):
        torn.written_back(chance(), 1)


def mark_of(torn: Torn, database: bytes) -> str:
    return torn.look(torn.of.log, database)


def test_a_mark_names_all_that_is_held(tmp_path: Path):
    marks = set()
    for value in (1, 2):
        path = tmp_path / f"{value}.db"
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE t (a)")
            db.execute("INSERT INTO t VALUES (?)", (value,))
        db.close()
        marks.add(mark(path))
    assert len(marks) == 2
