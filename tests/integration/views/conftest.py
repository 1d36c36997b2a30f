"""The database of six nodes at a fixed time, and who asks `usher diagram` of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.written import MINUTE, write_database
from usher.cli import main
from usher.views.text import utc

AT = 1_796_000_000_000
SEEN = AT - 5 * MINUTE + 1000
"""When each of the six nodes was first seen."""


def iso(at: int) -> str:
    """A time as it is asked for."""
    return str(utc(at))


@pytest.fixture(scope="module")
def pictured(tmp_path_factory) -> Path:
    return asyncio.run(write_database(tmp_path_factory.mktemp("state"), AT))


@pytest.fixture
def ask(capsys, pictured):
    """Ask, and get what was answered, or what was said against it."""

    def asked(*words: object, code: int = 0, state: Path = pictured) -> str:
        assert main(["diagram", *map(str, words), "--state", str(state)]) == code
        got = capsys.readouterr()
        assert bool(got.err) is bool(code)
        assert got.err.count("\n") == bool(code)
        return got.err if code else got.out

    return asked
