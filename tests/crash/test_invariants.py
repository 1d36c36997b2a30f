"""Each check of the invariants can fail: a violation is planted in a sound database, and named."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm.effects import Effect
from fsm.events import Certainty, Done, TokenFacts
from fsm.policy import Policy
from fsm.states import State
from store.repository import open_store
from tests.crash.checks import (
    OF_A_LIFE,
    Life,
    Moved,
    Violation,
    epochs,
    evidence,
    one_credential,
    partings,
    steps_are_sound,
)
from tests.crash.invariants import at_rest, lives_in, violations
from tests.crash.lives import Recorded, live, mixed
from tests.unit.fsm.scenes import KEY, OLD, X509

WENT, STAYED = "node-000.example.net", "node-001.example.net"
TOLD: dict[str, Any] = {
    "node": WENT, "process": "server", "key": KEY, "token_key": KEY, "token_id": "token",
    "tls_key": "", "certificate_key": "",
    "requests": {"jwt": 1, "inventory": 1, "gen25519": 1, "configure": 1, "restart": 1, "daemon_stats": 2},
}  # fmt: skip


def lived(path: Path, course: Callable[[Recorded], None] = mixed, policy: Policy | None = None) -> Path:
    """A database of two nodes that went this way."""

    async def commit() -> None:
        journal = open_store(path)
        await live(journal, 2, course, policy)
        await journal.close()

    asyncio.run(commit())
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lived(tmp_path_factory.mktemp("sound") / "usher.db")


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path))


def change(path: Path, *statements: str) -> None:
    """What nobody may do to a database."""
    with closing(sqlite3.connect(path)) as db, db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert db.execute(statement).rowcount != 0, statement


def told(**changes: Any) -> list[dict[str, Any]]:
    """What a simulated node says."""
    return [{**TOLD, **changes}]


def broken(found: list[Violation]) -> set[tuple[int, str]]:
    return {(violation.invariant, violation.node) for violation in found}


def test_a_sound_database_breaks_nothing(path: Path):
    assert violations(path, told()) == []
    assert at_rest(path) == [f"{STAYED}: enrolled configure"]


OF_WENT = "WHERE node = 'node-000.example.net'"
"""Which rows are changed: those of WENT."""


@pytest.mark.parametrize(
    ("statement", "invariant", "what"),
    [
        ("UPDATE nodes SET seq = seq - 1 ", 1, "folds to row"),
        ("UPDATE nodes SET body = (SELECT body FROM nodes WHERE node = 'node-001.example.net') ", 1, "not the fold"),
        ("UPDATE history SET payload = NULL ", 1, "payload is gone"),
        ("UPDATE history SET name = 'abandoned' ", 1, "not abandoned"),
        ("UPDATE history SET target = 'gone' ", 1, "decides"),
        ("UPDATE history SET at = at + 1 ", 11, "envelope was changed"),
    ],
)
def test_a_changed_row(path: Path, statement: str, invariant: int, what: str):
    change(path, statement + OF_WENT)
    found = violations(path)
    assert (invariant, WENT) in broken(found)
    assert any(what in violation.what for violation in found), found


def test_a_row_that_is_missing(path: Path):
    change(path, f"DELETE FROM history {OF_WENT} AND seq = 3")  # noqa: S608 a constant
    assert (2, WENT) in broken(violations(path))


REOPEN = "UPDATE effects SET status = 'started', closed_at = NULL"


@pytest.mark.parametrize(
    ("statement", "node"),
    [
        ("UPDATE effects SET status = 'done', closed_at = 1 WHERE closed_at IS NULL", STAYED),
        (f"{REOPEN} {OF_WENT} AND effect = 'restart'", WENT),
        ("UPDATE effects SET node = 'nobody' WHERE closed_at IS NULL", "nobody"),
    ],
)
def test_an_open_effect_that_is_not_its_nodes(path: Path, statement: str, node: str):
    change(path, statement)
    assert (3, node) in broken(violations(path))


@pytest.mark.parametrize("action", TOLD["requests"])
def test_a_request_before_its_commit(path: Path, action: str):
    requests = {**TOLD["requests"], action: TOLD["requests"][action] + 1}
    assert broken(violations(path, told(requests=requests))) == {(4, WENT)}


def test_a_request_to_a_node_that_usher_does_not_know(path: Path):
    assert (4, "stranger") in broken(violations(path, told(node="stranger")))


@pytest.mark.parametrize(
    "changes", [{"key": "ab" * 32}, {"token_key": "ab" * 32}, {"token_id": "other"}, {"process": "provisioning"}]
)
def test_a_node_that_holds_something_else(path: Path, changes: dict[str, Any]):
    assert broken(violations(path, told(**changes))) == {(6, WENT)}


CERTIFIED: dict[str, Any] = {**TOLD, "key": "", "token_key": "", "token_id": "", "tls_key": KEY, "certificate_key": KEY}
CERTIFIED["requests"] = {"jwt": 1, "inventory": 1, "gencsr": 1, "configure": 1, "restart": 1, "daemon_stats": 3}


def certified(path: Path) -> Path:
    """A database of nodes with certificates."""
    return lived(path, policy=X509)


def test_a_sound_node_with_a_certificate_breaks_nothing(tmp_path: Path):
    assert violations(certified(tmp_path / "usher.db"), [CERTIFIED]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"tls_key": "ab" * 32},
        {"tls_key": "ab" * 32, "certificate_key": "ab" * 32},
        {"tls_key": KEY, "certificate_key": ""},
        {"process": "provisioning"},
    ],
)
def test_a_certificate_for_another_key(tmp_path: Path, changes: dict[str, Any]):
    assert broken(violations(certified(tmp_path / "usher.db"), [{**CERTIFIED, **changes}])) == {(6, WENT)}


@pytest.mark.parametrize("action", CERTIFIED["requests"])
def test_a_request_to_a_node_with_a_certificate_before_its_commit(tmp_path: Path, action: str):
    requests = {**CERTIFIED["requests"], action: CERTIFIED["requests"][action] + 1}
    found = violations(certified(tmp_path / "usher.db"), [{**CERTIFIED, "requests": requests}])
    assert broken(found) == {(4, WENT)}


def life(path: Path, change: Callable[[Moved], Moved | None]) -> Life:
    """The life of WENT with each move changed, or left out."""
    moves = (change(move) for move in lives_in(path)[WENT].moves)
    return Life(WENT, [move for move in moves if move is not None])


def without(*rows: str) -> Callable[[Moved], Moved | None]:
    """Leave these rows out."""
    return lambda move: None if move.row.name in rows else move


def test_no_life_is_broken_as_it_is(path: Path):
    whole = life(path, lambda move: move)
    assert whole.snapshot.state is State.PROVISIONED
    for check in OF_A_LIFE:
        assert list(check(whole)) == []


@pytest.mark.parametrize(
    ("row", "what"), [("configured", "a configure"), ("restarted", "a restart"), ("gone-once", "two looks")]
)
def test_provisioned_without_evidence(path: Path, row: str, what: str):
    (found,) = evidence(life(path, without(row)))
    assert (found.invariant, found.what) == (5, f"provisioned without {what}")


def test_a_node_that_is_in_no_way_under_way(path: Path):
    def stuck(move: Moved) -> Moved:
        return replace(move, after=replace(move.after, awaited=None, doing=None))

    assert {found.invariant for found in steps_are_sound(life(path, stuck))} == {9}


def restarted_unknown(scene: Recorded) -> None:
    """Its restart got no answer, and a look finds the same process."""
    scene.until(Effect.RESTART).fails(Certainty.UNKNOWN).due().done(OLD).due()


def test_a_restart_that_is_sent_blindly_again(tmp_path: Path):
    path = lived(tmp_path / "usher.db", restarted_unknown)
    assert list(partings(life(path, lambda move: move))) == []
    (found,) = partings(life(path, without("restart-again")))
    assert (found.invariant, found.what) == (7, "restart while nobody knows of the restart before")


def test_a_restart_of_a_node_that_was_found_gone(tmp_path: Path):
    def gone(move: Moved) -> Moved:
        body = move.event.body
        if move.row.name != "restart-again" or not isinstance(body, Done):
            return move
        return replace(move, event=replace(move.event, body=replace(body, facts=replace(OLD, present=False))))

    (found,) = partings(life(lived(tmp_path / "usher.db", restarted_unknown), gone))
    assert (found.invariant, found.what) == (7, "restart of a node that was found gone")


def test_an_answer_in_a_later_epoch(path: Path):
    found = list(epochs(life(path, lambda move: replace(move, row=replace(move.row, epoch=2)))))
    assert {violation.invariant for violation in found} == {8}
    assert "fetch_jwt of epoch 1 ended in 2" in found[0].what


def test_what_a_crash_closes_is_no_answer(tmp_path: Path):
    def crashed(scene: Recorded) -> None:
        scene.until(Effect.CONFIGURE).crash().to(State.PROVISIONED)

    assert list(epochs(life(lived(tmp_path / "usher.db", crashed), lambda move: move))) == []


@pytest.mark.parametrize(("jti", "count"), [("token", 0), ("another", 1)])
def test_two_tokens_for_one_key(path: Path, jti: str, count: int):
    signed_twice = life(path, lambda move: move)
    signed = next(
        move for move in signed_twice.moves if isinstance(getattr(move.event.body, "facts", None), TokenFacts)
    )
    assert isinstance(signed.event.body, Done)
    facts = TokenFacts(jti, "3d" * 32, 1_826_738_754, "signer")
    again = replace(signed, event=replace(signed.event, body=replace(signed.event.body, facts=facts)))
    signed_twice.moves.append(again)
    found = list(one_credential(signed_twice))
    assert [violation.invariant for violation in found] == [12] * count
