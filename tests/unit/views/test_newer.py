"""Names that only another version of usher knows: the past is shown with them, and what is counted is refused."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.written import write_database
from usher.cli import main
from usher.state import DATABASE
from usher.views import common

NODE = "web1.example.net"
NAMES = (
    "INSERT INTO states VALUES ('parked', 'it is parked')",
    "UPDATE history SET target = 'parked' WHERE node = :node AND seq = 13",
    "UPDATE effects SET effect = 'brew', certainty = 'sure', reason = 'tea' WHERE node = :node AND opened = 5",
)  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A database in which one row leads to a state, and one opened an effect, that this usher does not know."""
    made = asyncio.run(write_database(tmp_path, common.now()))
    with closing(sqlite3.connect(made / DATABASE)) as db, db:
        db.execute("DROP TRIGGER history_changes")
        for statement in NAMES:
            db.execute(statement, {"node": NODE})
    return made


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("history", NODE), "restarted -> parked"),
        (("history", NODE), "opens brew"),
        (("replay", NODE), "restarted -> parked"),
        (("replay", NODE), "opened   brew, try 1"),
        (("replay", NODE, "--diagram"), "not drawn: parked, which only another version of usher knows"),
        (("diagram", "--node", NODE), "not drawn: parked, which only another version of usher knows"),
        (("nodes", "why", NODE), f"{NODE} is provisioned"),
    ],
)
def test_the_whole_past_is_shown_with_names_of_another_version(
    capsys: pytest.CaptureFixture[str], state: Path, words: tuple[str, ...], shown: str
):
    main([*words, "--state", str(state)])
    assert shown in capsys.readouterr().out


def test_programs_get_them_too(capsys: pytest.CaptureFixture[str], state: Path):
    assert main(["history", NODE, "--json", "--state", str(state)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["target"] for row in rows][-1] == "parked"
    opened = [row["opened"] for row in rows if row["opened"] and row["opened"]["effect"] == "brew"]
    assert [(each["certainty"], each["reason"]) for each in opened] == [("sure", "tea")]


def test_a_count_of_nodes_in_a_state_of_another_version_is_refused_in_a_sentence(
    capsys: pytest.CaptureFixture[str], state: Path
):
    with closing(sqlite3.connect(state / DATABASE)) as db, db:
        db.execute("UPDATE nodes SET state = 'parked' WHERE node = ?", (NODE,))
    assert main(["diagram", "--counts", "--state", str(state)]) == common.NOTHING_TO_READ
    said = capsys.readouterr().err
    assert said == "usher: the database was written by another version of usher: use that one ('parked')\n"
