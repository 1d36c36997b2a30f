"""The stores of which the port's contract is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from store.journal import Journal
from store.repository import open_store
from tests.fakes.store import MemoryStore
from usher.networks.share import Share

Store = Journal | MemoryStore


class Entire(Share):
    """The share of a network that owns every node; what is no part of the port is the store's own."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, lambda _: True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture(params=["memory", "disk", "share"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store | Entire]:
    made: Store = MemoryStore() if request.param == "memory" else open_store(tmp_path / "usher.db")
    yield Entire(made) if request.param == "share" else made
    await made.close()
