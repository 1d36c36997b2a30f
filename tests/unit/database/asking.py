"""Asking: the jobs of `usher db` as commands, and what they answer to programs and to people."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from usher import cli

NOW = 1_795_200_000_000
OLDER = Path(__file__).parent.parent / "store" / "databases" / "version_1.sql"


def asked(capsys: pytest.CaptureFixture[str], state: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """The JSON answer of a job, which ends with this code."""
    assert cli.main(["db", *words, "--state", str(state), "--json"]) == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def told(capsys: pytest.CaptureFixture[str], state: Path, *words: str, code: int = 0) -> str:
    """What a job says to a person, on whichever output."""
    assert cli.main(["db", *words, "--state", str(state)]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return said.out or said.err


def change(path: Path, *statements: str) -> None:
    """Change a database behind usher's back."""
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
