"""Pruning: what is older goes, and whatever asks of the rest still gets its answer above a signed floor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from fsm.effects import Effect
from fsm.events import Hint, HintKind, Operator, Sighting, Verb
from fsm.states import State
from store.identity import look, opened
from store.pruning import make_bases, set_floor
from store.reader import Reader, open_reader
from store.records import Bases, Floor, base, bases, floor_document, floors
from store.repository import open_store
from tests.fakes.audited import KEY, edit
from tests.fakes.written import MINUTE, Author, provisioned, write_database
from usher import cli
from usher.audit.verify import examine
from usher.views.text import utc

NOW = 1_795_200_000_000
HOUR = 60 * MINUTE


async def later(state: Path) -> None:
    """An hour later two of the nodes begin anew, one of them since it is there again, and another is met first."""
    journal = open_store(state / "usher.db")
    await journal.begin_epoch()
    for node in ("web1.example.net", "web2.example.net"):
        snapshot = journal.load(node)
        assert snapshot is not None
        author = Author(journal, node, NOW + HOUR)
        author.snapshot = snapshot
        if snapshot.state is State.PROVISIONED:
            await author.tell(Hint(HintKind.LISTED))
            await author.done(Sighting(present=True))
            await author.due()
        else:
            await author.tell(Operator(Verb.RETRY, "anna", "a new rack"))
    await provisioned(Author(journal, "new1.example.net", NOW + HOUR))
    await journal.close()


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    await write_database(folder, NOW)
    journal = open_store(folder / "usher.db")  # nothing is under way but what waits
    await journal.close()
    await later(folder)
    return folder


def told(capsys: pytest.CaptureFixture[str], state: Path, *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.main(["audit", *words, "--state", str(state), "--json"]) == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def closed(state: Path) -> None:
    """End what web4 has under way, behind usher's back: an open effect holds the floor down."""
    edit(
        state / "usher.db",
        "UPDATE effects SET status = 'abandoned', closed_at = 1 WHERE closed_at IS NULL",
    )


BEFORE = utc(NOW + MINUTE) or ""


def test_a_dry_run_says_what_would_go_and_changes_nothing(state: Path, capsys: pytest.CaptureFixture[str]):
    closed(state)
    data = told(capsys, state, "prune", "--before", BEFORE, "--dry-run")
    assert (data["rows"], data["nodes"], data["bases"], data["deleted"]) == (34, 6, 6, 0)
    with open_reader(state / "usher.db") as reader:
        assert floors(reader) == ()
    assert cli.main(["audit", "prune", "--before", BEFORE, "--dry-run", "--state", str(state)]) == 0
    assert "would go: 34 rows of 6 nodes" in capsys.readouterr().out


def test_it_asks_for_a_reason(state: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["audit", "prune", "--before", BEFORE, "--state", str(state)]) == 1
    assert "a reason is needed" in capsys.readouterr().err


def test_what_is_above_the_floor_can_still_be_asked(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    closed(state)
    data = told(capsys, state, "prune", "--before", BEFORE, "--reason", "a year is kept")
    assert (data["deleted"], data["floor"]) == (34, 35)
    with open_reader(state / "usher.db") as reader:
        (floor,) = floors(reader)
        assert floor.position == 35
        assert {each.node for each in bases(reader, floor)} >= {"web1.example.net", "db1.example.net"}
        found = base(reader, "web1.example.net")
        assert found is not None
        report = examine(reader)
        entry = reader.last("pruned")
    assert (report.fault, report.code) == (None, 0)
    assert any("history begins at row 35" in note for note in report.notes)
    assert entry is not None
    assert entry.reason == "a year is kept"
    asked = ("nodes", "why", "web1.example.net"), ("nodes", "why", "db1.example.net"), ("history", "web1.example.net")
    for words in asked:
        assert cli.main([*words, "--state", str(state)]) == 0, words
    assert capsys.readouterr().out.count("its history begins at seq") == 3
    assert cli.main(["audit", "export", "--out", str(tmp_path / "b"), "--state", str(state)]) == 0
    key = json.loads((tmp_path / "b" / "bundle.json").read_text())["signed_by"]
    capsys.readouterr()
    assert cli.main(["audit", "verify", "--bundle", str(tmp_path / "b"), "--key", key]) == 0
    assert "begins at row 35: what was before was pruned" in capsys.readouterr().out
    assert cli.main(["audit", "issued", "--node", "web1.example.net", "--state", str(state)]) == 1
    assert "history begins at row 35" in capsys.readouterr().out


def test_the_database_goes_on_above_its_floor(state: Path, capsys: pytest.CaptureFixture[str]):
    closed(state)
    told(capsys, state, "prune", "--before", BEFORE, "--reason", "x")
    verbs = ["nodes", "quarantine", "db1.example.net", "--reason", "y", "--state", str(state)]
    assert cli.main(verbs) == 0
    with open_reader(state / "usher.db") as reader:
        assert examine(reader).fault is None
    again = told(capsys, state, "prune", "--before", "now", "--reason", "all of it")
    assert again["deleted"] > 0
    with open_reader(state / "usher.db") as reader:
        assert examine(reader).fault is None
        assert reader.end() > 0, "the last row stays: the chain goes on from it"
        assert len(floors(reader)) == 2
    assert told(capsys, state, "prune", "--before", "2020-01-01", "--reason", "x")["deleted"] == 0


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE floor_bases SET seq = seq + 1 WHERE node = 'db1.example.net'", "not where its history ends"),
        ("UPDATE floor_bases SET body = replace(body, 'db1', 'db9') WHERE node = 'db1.example.net'", "what was signed"),
        ("UPDATE floor SET at = at + 1", "what was signed"),
        ("UPDATE floor SET hash = zeroblob(32)", "not bound to the row before it"),
        ("DELETE FROM floor_bases WHERE node = 'web1.example.net'", "row 1 of its node is missing"),
    ],
)
def test_a_floor_that_was_changed_is_found(state: Path, capsys: pytest.CaptureFixture[str], statement: str, what: str):
    closed(state)
    told(capsys, state, "prune", "--before", BEFORE, "--reason", "x")
    edit(state / "usher.db", statement)
    with open_reader(state / "usher.db") as reader:
        report = examine(reader)
    assert report.fault is not None
    assert what in str(report.fault)


def test_a_floor_never_lies_above_an_open_effect(state: Path, capsys: pytest.CaptureFixture[str]):
    told(capsys, state, "prune", "--before", BEFORE, "--reason", "x")
    with open_reader(state / "usher.db") as reader:
        (effect,) = [each for each in reader.open_effects() if each.id.node == "web4.example.net"]
        assert effect.effect is Effect.RUN_HELPER
        assert examine(reader).fault is None


def test_a_history_that_does_not_verify_is_not_pruned(state: Path, capsys: pytest.CaptureFixture[str]):
    edit(state / "usher.db", "UPDATE history SET at = at + 1 WHERE position = 5")
    assert cli.main(["audit", "prune", "--before", BEFORE, "--reason", "x", "--state", str(state)]) == 1
    assert "does not verify, and a floor would hide that: history position 5" in capsys.readouterr().err


def test_a_node_without_a_base_keeps_everything(state: Path, capsys: pytest.CaptureFixture[str]):
    closed(state)
    edit(state / "usher.db", "UPDATE history SET payload = NULL WHERE node = 'web1.example.net' AND seq = 3")
    assert cli.main(["audit", "prune", "--before", BEFORE, "--reason", "x", "--state", str(state)]) == 1
    said = capsys.readouterr().err
    assert "node web1.example.net has rows on both sides of that time, and row 3 cannot be decided again" in said
    with open_reader(state / "usher.db") as reader:
        assert floors(reader) == ()


def test_a_death_between_floor_and_deletion_is_completed(state: Path, capsys: pytest.CaptureFixture[str]):
    """The floor is set and no row is gone: it verifies, and the next prune deletes what is below."""
    closed(state)
    with opened(state / "usher.db") as db:
        made = list(make_bases(db, 35))
        head = bytes(db.execute("SELECT previous FROM history WHERE position = 35").fetchall()[0][0])
    digest = Bases()
    for each in made:
        digest.add(each)  # type: ignore[arg-type]  # none is unmade
    document = floor_document(35, NOW, head, digest.count, digest.digest)
    floor = Floor(35, NOW, head, KEY.public_hex, KEY.sign(document), document)

    async def set_it() -> None:
        journal = open_store(state / "usher.db")
        await journal.maintain(set_floor(floor, lambda: iter(made)))
        await journal.close()

    asyncio.run(set_it())
    with open_reader(state / "usher.db") as reader:
        assert examine(reader).fault is None
    assert told(capsys, state, "prune", "--before", "2020-01-01", "--reason", "x")["deleted"] == 34


def test_a_check_of_the_database_goes_on_above_the_floor(state: Path, capsys: pytest.CaptureFixture[str]):
    told(capsys, state, "prune", "--before", BEFORE, "--reason", "x")
    cli.main(["db", "check", "--state", str(state), "--json"])
    assert json.loads(capsys.readouterr().out)["faults"] == []


class Meanwhile(Reader):
    """A reader that is overtaken by a prune between its look at the floor and its look at the rows."""

    def __init__(self, path: Path) -> None:
        super().__init__(Database(look(path)))
        self._state, self._pruned = path.parent, False

    def rows(self, query: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        if "FROM history WHERE position > ?" in query and not self._pruned:
            self._pruned = True
            words = ["audit", "prune", "--before", BEFORE, "--reason", "meanwhile", "--state", str(self._state)]
            assert cli.main(words) == 0
        return super().rows(query, values)


def test_a_walk_that_history_is_pruned_under_begins_again(state: Path):
    closed(state)
    with Meanwhile(state / "usher.db") as reader:
        report = examine(reader)
    assert (report.fault, report.verdict.rows > 0) == (None, True)
    assert report.verdict.floor is not None
