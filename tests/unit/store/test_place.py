"""The place: a database that is taken away under a daemon is noticed, and saved."""

# ruff: noqa: ASYNC240 these tests are about files

from __future__ import annotations

from pathlib import Path

import pytest

from fsm.errors import StoreError
from fsm.states import State
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.units import Life


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_database_that_is_taken_away_ends_it_and_is_saved(tmp_path: Path, *, replaced: bool):
    path = tmp_path / "usher.db"
    journal = open_store(path)
    await journal.commit(Life("n1").unit(State.DISCOVERED))
    path.unlink()
    if replaced:
        path.write_bytes(b"another")
    with pytest.raises(StoreError, match=r"was (removed|replaced).* put it back with: usher db restore .* --state "):
        await journal.commit(Life("n2").unit(State.DISCOVERED))
    with pytest.raises(StoreError, match=r"usher db restore"):
        await journal.commit(Life("n3").unit(State.DISCOVERED))
    await journal.close()
    (saved,) = (file for file in tmp_path.iterdir() if ".saved-" in file.name)
    with open_reader(saved) as reader:
        assert [node.node for node in reader.nodes().nodes] == ["n1"]
    assert path.exists() is replaced
