"""A check in a process of its own says what one in ours says, and ends when nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.written import write_database
from usher.database.apart import run_apart
from usher.database.check import examined
from usher.database.jobs import Document, JobError
from usher.state import DATABASE

NOW = 1_795_200_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return asyncio.run(write_database(tmp_path, NOW)) / DATABASE


def apart(path: Path, keys: list[str] | None, say: Callable[[str], None]) -> Document:
    return run_apart("usher.database.check", {"path": str(path), "keys": keys}, say)


def test_it_says_what_a_check_here_says(path: Path):
    said: list[str] = []
    assert apart(path, None, said.append) == examined(path, None, said.append)
    assert len(said) == 2 * len(set(said)) > 0


def test_a_key_that_is_missing_is_found_there_too(path: Path):
    assert not apart(path, [], lambda _: None)["sound"]


def test_what_cannot_be_read_is_said(tmp_path: Path):
    with pytest.raises(JobError, match="there is no database"):
        apart(tmp_path / "none.db", None, lambda _: None)


def test_it_ends_with_whoever_asked(path: Path):
    def ends(_: str) -> None:
        raise JobError("usher ended meanwhile")

    with pytest.raises(JobError, match="usher ended meanwhile"):
        apart(path, None, ends)
