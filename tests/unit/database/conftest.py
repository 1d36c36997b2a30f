"""What the tests of `usher db` begin with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.written import write_database
from tests.unit.database.asking import NOW


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with six nodes."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    asyncio.run(write_database(folder, NOW))
    return folder
