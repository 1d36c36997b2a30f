"""`usher replay` over a written database: its lines, its documents, its refusals, and histories that were spoilt."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fsm.codec import encode_snapshot
from fsm.events import Operator, Verb
from fsm.table import VERSION
from store.folding import open_past
from tests.fakes.written import Author, write_database
from usher.cli import main
from usher.state import DATABASE
from usher.views import common

NODE, GOOD = "web2.example.net", "web1.example.net"
OPEN = ("DROP TRIGGER history_changes", "DROP TRIGGER history_deletions")
"""What somebody who edits a history does first."""
FLOOR = """
INSERT INTO floor SELECT position, at, hash, 'audit', zeroblob(64), NULL FROM history WHERE node = :node AND seq = 4
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return asyncio.run(write_database(tmp_path, common.now()))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(write_database(tmp_path_factory.mktemp("state"), common.now()))


def change(state: Path, statement: str, node: str = NODE) -> None:
    """Somebody edits the database: `:node` is the node."""
    with closing(sqlite3.connect(state / DATABASE)) as db, db:
        for each in (*OPEN, statement):
            db.execute(each, {"node": node})


def answered(capsys: pytest.CaptureFixture[str], state: Path, *words: str, code: int = 0) -> tuple[str, str]:
    assert main(["replay", *words, "--state", str(state)]) == code
    got = capsys.readouterr()
    assert bool(got.err) is bool(code) or "--verify" in words
    assert got.err.count("\n") <= 1
    return got.out, got.err


def steps(capsys: pytest.CaptureFixture[str], state: Path, *words: str, code: int = 0) -> list[dict[str, object]]:
    return [json.loads(line) for line in answered(capsys, state, *words, "--json", code=code)[0].splitlines()]


# -- what is told -----------------------------------------------------------------------------------------------------


def test_a_step_has_its_row_its_guards_its_effects_and_what_changed(capsys, sound):
    told, _ = answered(capsys, sound, NODE)
    last = told[told.index("\n6  ") :].splitlines()[1:]
    assert "failed: fail  inventoried -> failed" in last[0]
    assert last[1] == "    why      it cannot go on: begin anew after a wait"
    assert last[2].startswith("    asked    lock-held no, ")
    assert last[2].endswith("try-again no, fail asks nothing")
    assert last[3] == "    closed   run_helper was refused (helper_failed), try 1, after 1s"
    assert last[4].startswith("    said     it ended with exit status 1; what it said is sealed")
    assert "failures 0 -> 1; failed_from - -> inventoried" in last[5]
    assert "opened   run_helper, try 1: failed after 1s" in told


def test_a_document_a_line_has_the_same(capsys, sound):
    told = steps(capsys, sound, NODE)
    assert [step["seq"] for step in told] == [1, 2, 3, 4, 5, 6]
    last = told[-1]
    assert (last["judged"], last["table"], last["sentence"]) == (
        "agrees", VERSION, "it cannot go on: begin anew after a wait",
    )  # fmt: skip
    assert last["closed"] == {
        "effect": "run_helper", "tries": 1, "certainty": "refused", "reason": "helper_failed", "abandoned": False,
        "took": 1000,
    }  # fmt: skip
    assert last["asked"][-1] == {"row": "fail", "question": "", "applies": True}
    assert last["changed"]["failures"] == {"was": 0, "is": 1}
    assert told[1]["opened"] == {"effect": "fetch_jwt", "tries": 1, "first": 2, "status": "done", "took": 1000}


def test_a_generation_is_chosen_and_one_that_is_not_there_is_refused(capsys, sound):
    assert len(steps(capsys, sound, NODE, "--generation", "1")) == 6
    _, said = answered(capsys, sound, NODE, "--generation", "9", code=1)
    assert said == f"usher: nothing of generation 9 is kept in the history of {NODE}\n"


def test_the_node_as_it_was(capsys, sound):
    told, _ = answered(capsys, sound, NODE, "--at", "3")
    assert told.startswith("as it was after row 3, ")
    assert f"{NODE}: discovered, " in told
    document = json.loads(answered(capsys, sound, NODE, "--at", "0s", "--json")[0])
    assert (document["row"]["seq"], document["snapshot"]["state"]) == (6, "failed")
    assert "entropy" not in json.dumps(document)


def test_a_path_is_drawn_of_the_steps(capsys, sound):
    told, _ = answered(capsys, sound, NODE, "--diagram")
    assert "stateDiagram-v2" in told
    assert "inventoried --> failed : 6" in told
    assert json.loads(answered(capsys, sound, NODE, "--diagram", "--json")[0])["edges"]


def test_all_agree(capsys, sound):
    told, _ = answered(capsys, sound, "--verify")
    assert told == "6 nodes: 34 rows of history were decided again and lead to what is held\n"
    assert answered(capsys, sound, "--verify", "--all")[0] == told
    assert answered(capsys, sound, "--verify", NODE)[0].startswith(f"{NODE}: 6 rows of history")


# -- wrong questions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "name a node (usher nodes list lists them)"),
        ([NODE, "--all"], 2, "--all stands beside --verify"),
        ([NODE, "--verify", "--all"], 2, "--all stands beside --verify"),
        ([NODE, "--at", "3", "--generation", "1"], 2, "--generation chooses among the steps"),
        ([NODE, "--step"], 2, "--step needs a terminal"),
        (["web2"], 1, f"no node is known by the name web2; did you mean {NODE}?"),
        (["web2", "--verify"], 1, "no node is known by the name web2"),
        ([NODE, "--at", "77"], 1, f"{NODE} has no row 77: its rows are 1 to 6"),
        ([NODE, "--at", "3d"], 1, f"{NODE} has no row as old as "),
    ],
)
def test_a_wrong_question_gets_one_sentence(capsys, sound, words, code, said):
    told, refused = answered(capsys, sound, *words, code=code)
    assert said in refused
    assert told == ""


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01", "", "1234567890", "9999-99-99T00:00:00"])
def test_what_is_no_time_is_refused_with_examples(capsys, sound, at):
    with pytest.raises(SystemExit) as ended:
        main(["replay", NODE, "--at", at, "--state", str(sound)])
    assert ended.value.code == 2
    assert "is no time, such as 2026-11-20T21:52:29" in capsys.readouterr().err


# -- spoilt histories -------------------------------------------------------------------------------------------------


def test_a_history_that_was_cut_in_the_middle_is_shown_and_said(capsys, state):
    change(state, "DELETE FROM history WHERE node = :node AND seq = 4")
    told, said = answered(capsys, state, NODE, code=1)
    assert f"usher: node {NODE}, row 5: row 4 is missing before it: the history was cut" in said
    assert "DIVERGES row 4 is missing before it" in told
    assert "closed   new_key was done, try 1" in told
    assert [step["judged"] for step in steps(capsys, state, NODE, code=1)] == [*["agrees"] * 3, "diverges", "undecided"]
    assert f"differs: node {NODE}, row 5: row 4 is missing" in answered(capsys, state, "--verify", NODE, code=1)[0]
    assert f"differs: node {NODE}, row 5: row 4 is missing" in answered(capsys, state, "--verify", code=1)[0]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM history WHERE node = :node AND seq = 6", "its history ends with row 5, and what is held"),
        ("DELETE FROM history WHERE node = :node AND seq < 3", "row 3: rows 1 to 2 are missing before it"),
        ("DELETE FROM history WHERE node = :node", "its history ends with row 0, and what is held"),
        ("UPDATE history SET name = 'defer' WHERE node = :node AND seq = 6", "row 6: it says defer on failed from"),
        ("UPDATE history SET payload = '{}' WHERE node = :node AND seq = 2", "row 2: its payload was changed"),
        ("UPDATE effects SET try = 3 WHERE node = :node AND opened = 2", "row 2: it says admit on due_admit from"),
        ("UPDATE nodes SET body = replace(CAST(body AS TEXT), '0.30.2', '0.31.0') WHERE node = :node", "(facts)"),
    ],
)
def test_a_history_that_was_cut_or_edited_names_the_first_row_and_shows_the_others(capsys, state, statement, said):
    change(state, statement)
    told, refused = answered(capsys, state, NODE, code=1)
    assert said in refused
    with closing(sqlite3.connect(state / DATABASE)) as db:
        kept = db.execute("SELECT count(*) FROM history WHERE node = ?", (NODE,)).fetchall()[0][0]
    assert told.count("  gen 1  ") == kept
    assert said in answered(capsys, state, "--verify", NODE, code=1)[0]
    verified = json.loads(answered(capsys, state, "--verify", "--json", code=1)[0])
    assert (verified["agrees"], verified["fault"]["node"]) == (False, NODE)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE history SET payload = NULL WHERE node = :node AND seq > 4", "its payload was removed"),
        ("UPDATE history SET table_version = 99 WHERE node = :node AND seq > 4", "it is of version 99 of the table"),
        (
            "UPDATE history SET policy = 'beefbeefbeefbeef' WHERE node = :node AND seq > 4",
            "its policy beefbeefbeefbeef",
        ),
    ],
)
def test_what_cannot_be_decided_any_more_is_counted_and_is_no_fault(capsys, state, statement, why):
    change(state, statement, GOOD)
    told, _ = answered(capsys, state, GOOD)
    assert f"    unknown  {why}" in told
    verified = json.loads(answered(capsys, state, "--verify", "--json")[0])
    assert (verified["agrees"], verified["nodes"], verified["nodes_not_decided"]) == (True, 5, 1)
    assert sum(verified["rows_not_decided"].values()) == 9
    said, _ = answered(capsys, state, "--verify")
    assert "1 nodes were therefore not compared with what is held" in said
    assert f"what it was is not known: {why}" in answered(capsys, state, GOOD, "--at", "5")[0]


def test_a_removed_payload_leaves_what_its_envelope_says(capsys, state):
    change(state, "UPDATE history SET payload = NULL WHERE node = :node AND seq = 5", GOOD)
    told, _ = answered(capsys, state, GOOD)
    assert "(the payload was removed)" in told
    assert "opened   run_helper, try 1: done after 1s" in told
    assert "closed   run_helper was done, try 1, after 1s" in told


async def turned_back(author: Author) -> None:
    """Somebody sets the clock back by an hour while it waits."""
    await author.admitted()
    author.at -= 3_600_000
    await author.tell(Operator(Verb.QUARANTINE, "anna", "the clock"))


def test_a_clock_that_went_back_is_told_and_the_last_row_not_later_is_meant(capsys, tmp_path):
    now = common.now()
    state = asyncio.run(write_database(tmp_path, now, lives={NODE: turned_back}))
    told, _ = answered(capsys, state, NODE)
    assert "(the clock went back 59m 59s)" in told
    assert answered(capsys, state, "--verify")[0].startswith("1 nodes: 3 rows of history")
    meant, _ = answered(capsys, state, NODE, "--at", "30m")
    assert meant.startswith("as it was after row 3, ")
    assert "(the clock went back meanwhile: this is the last row that is not later)" in meant
    assert "no row as old as" in answered(capsys, state, NODE, "--at", "9h", code=1)[1]


def test_a_history_above_a_floor_begins_at_its_base(capsys, state):
    snapshot = json.loads(answered(capsys, state, NODE, "--at", "3", "--json")[0])
    assert snapshot["snapshot"]["seq"] == 3
    base = body(state, NODE, 3)
    change(state, FLOOR)
    with closing(sqlite3.connect(state / DATABASE)) as db, db:
        db.execute("INSERT INTO floor_bases SELECT position, ?, 3, ? FROM floor", (NODE, base))
        db.execute("DELETE FROM history WHERE node = ? AND seq <= 3", (NODE,))
    told, _ = answered(capsys, state, NODE)
    assert told.startswith("(what is kept begins with row 4")
    assert answered(capsys, state, "--verify", NODE)[0].startswith(f"{NODE}: 3 rows of history")


def test_a_history_that_is_wholly_below_a_floor_is_no_fault(capsys, state):
    base = body(state, NODE, 6)
    change(state, FLOOR)
    with closing(sqlite3.connect(state / DATABASE)) as db, db:
        db.execute("INSERT INTO floor_bases SELECT position, ?, 6, ? FROM floor", (NODE, base))
        db.execute("DELETE FROM history WHERE node = ?", (NODE,))
    assert answered(capsys, state, NODE)[0] == "nothing of its history is kept\n"
    assert steps(capsys, state, NODE) == []
    assert answered(capsys, state, "--verify", NODE)[0].startswith(f"{NODE}: 0 rows of history")
    assert "nothing is kept of the history" in answered(capsys, state, NODE, "--at", "3", code=1)[1]


def body(state: Path, node: str, seq: int) -> bytes:
    """The stored snapshot of a node after a row."""
    with open_past(state / DATABASE) as past:
        return next(encode_snapshot(step.after) for step in past.steps(node) if step.after and step.after.seq == seq)
