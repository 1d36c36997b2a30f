"""What changes something where no daemon runs: the commands as they are, on databases that a killed daemon left."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fsm.effects import Effect
from fsm.events import Ack, DueKind, HelperFacts, TokenFacts, Verb, Verdict
from fsm.policy import Policy
from fsm.snapshot import Snapshot
from fsm.states import State
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.written import DIGEST, POLICY, Author
from tests.unit.program.alone import UNDER_WAY, made, usher
from usher import cli, operate
from usher.alone import last_policy
from usher.state import StateDirectory

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state directory of a daemon that was killed while a helper ran for web4."""
    return made(tmp_path / "state")


def snapshot(state: Path, node: str = UNDER_WAY) -> Snapshot:
    with open_reader(state / "usher.db") as reader:
        found = reader.node(node)
    assert found is not None
    return found


def rows(state: Path, node: str = UNDER_WAY) -> list[str]:
    """The rows of the table that have fired for a node, oldest first."""
    with open_reader(state / "usher.db") as reader:
        return [row.name for row in reader.history(node)]


def marked_as_started(state: Path) -> None:
    """Whatever is open was handed over to the world before the daemon was killed."""

    async def mark() -> None:
        store = open_store(state / "usher.db")
        ids = [identity for identity, _ in store.open_effects()]
        assert await store.started(ids) == frozenset(ids)
        await store.close()

    asyncio.run(mark())


def test_a_pause_is_durable_and_holds_for_the_next_start(state: Path, capsys: pytest.CaptureFixture[str]):
    assert usher(state, "pause") == operate.WELL
    assert f"by {ME}: smoke" in capsys.readouterr().out
    with open_reader(state / "usher.db") as reader:
        last = reader.last("pause", "resume")
    assert last is not None
    assert (last.kind, last.name, last.reason) == ("pause", ME, "smoke")
    assert usher(state, "resume", "--json") == operate.WELL
    document = json.loads(capsys.readouterr().out)
    assert (document["paused"], document["pid"]) == (None, None)
    assert cli.main(["db", "check", "--state", str(state)]) == 0


def test_every_verb_does_what_it_does_with_a_daemon(state: Path, capsys: pytest.CaptureFixture[str]):
    assert usher(state, "nodes", "quarantine", "web1.example.net", "db2.example.net") == operate.TROUBLE
    assert usher(state, "nodes", "release", "db2.example.net") == operate.WELL
    assert usher(state, "nodes", "retry", "web2.example.net") == operate.WELL
    assert usher(state, "nodes", "forget", "db1.example.net") == operate.WELL
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        "web1.example.net: failed: it is held until an operator releases it",
        "db2.example.net: nothing changed: it is held already",
    ]
    assert [line.split(": ")[1] for line in said[2:]] == ["discovered", "discovered", "no record"]
    with open_reader(state / "usher.db") as reader:
        asked = [row for row in reader.history("web2.example.net") if row.event == "operator_retry"]
        assert (asked[0].epoch, reader.meta().epoch) == (4, 5), "each command is a process, and begins an epoch"
    assert snapshot(state, "web2.example.net").waiting_for_admission
    assert snapshot(state, "web2.example.net").generation == 2
    assert cli.main(["db", "check", "--state", str(state)]) == 0


def test_many_nodes_are_answered_as_one_document(state: Path, capsys: pytest.CaptureFixture[str]):
    many = [f"n{number}.example.net" for number in range(2001)]
    assert usher(state, "nodes", "quarantine", "--force", *many, "--json") == operate.WELL
    answers = json.loads(capsys.readouterr().out)
    assert list(answers) == many
    assert {answer["state"] for answer in answers.values()} == {"failed"}


def test_a_name_that_was_never_seen_is_not_held_by_mistake(state: Path, capsys: pytest.CaptureFixture[str]):
    assert usher(state, "nodes", "quarantine", "web2.example.net", "wbe1.example.net", "--json") == operate.TROUBLE
    said = capsys.readouterr()
    assert said.out == ""
    told = "usher: nobody was held: no node is known by the name wbe1.example.net; did you mean web"
    assert said.err.startswith(told)
    assert said.err.endswith("? To hold a name before it is seen, say --force\n")
    assert not snapshot(state, "web2.example.net").held
    with open_reader(state / "usher.db") as reader:
        assert reader.node("wbe1.example.net") is None


def test_a_name_that_nobody_knows_is_held_where_that_is_meant_and_it_is_said(
    state: Path, capsys: pytest.CaptureFixture[str]
):
    assert usher(state, "nodes", "quarantine", "nobody.example.net", "--force") == operate.WELL
    said = capsys.readouterr().out
    assert said.startswith("nobody.example.net: failed: no such node is known; its name is held from now on")
    assert snapshot(state, "nobody.example.net").held
    assert usher(state, "nodes", "retry", "nobody2.example.net") == operate.TROUBLE
    assert capsys.readouterr().out == "nobody2.example.net: nothing changed: no such node is known\n"


# -- what a killed daemon left open -----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["retry", "quarantine --force", "forget"])
@pytest.mark.parametrize("node", ["web1.example.net", "nobody.example.net"])
def test_nodes_that_are_not_asked_for_keep_what_is_open(state: Path, verb: str, node: str):
    marked_as_started(state)
    before = snapshot(state)
    usher(state, "nodes", *verb.split(), node)
    assert before.open is not None
    assert snapshot(state) == before
    with open_reader(state / "usher.db") as reader:
        assert [view.id.node for view in reader.open_effects()] == [UNDER_WAY], "the next start closes it"


@pytest.mark.parametrize(("started", "certainty"), [(True, "interrupted"), (False, "not_sent")])
def test_what_was_under_way_is_closed_as_a_start_does_and_costs_no_try(state: Path, started: bool, certainty: str):
    if started:
        marked_as_started(state)
    tries = snapshot(state).doing
    assert usher(state, "nodes", "retry", UNDER_WAY) == operate.WELL
    assert rows(state)[-2:] == ["interrupted", "asked-to-hurry"]
    with open_reader(state / "usher.db") as reader:
        closing_row = reader.history(UNDER_WAY)[-2]
        assert reader.open_effects() == ()
    assert certainty in str(closing_row.payload)
    after = snapshot(state)
    assert after.open is None
    assert after.awaited is not None
    assert after.awaited.kind is DueKind.STEP
    assert after.doing is not None
    assert tries is not None
    assert (after.doing.effect, after.doing.seq, after.generation) == (Effect.RUN_HELPER, tries.seq, 1)
    assert after.failures == 0


async def restarting(author: Author) -> None:
    """Its restart was sent, nobody knows whether it arrived."""
    await author.to_the_helper()
    await author.done(HelperFacts(DIGEST, Verdict.CONFIGURE, ""))
    await author.done(TokenFacts("2Qx", DIGEST, author.at // 1000 + 86_400, "ab12"))
    await author.done(Ack("Reconfigured", DIGEST))
    assert author.snapshot.open is not None
    assert author.snapshot.open.effect is Effect.RESTART


async def configuring(author: Author) -> None:
    """Its configuration was sent, and may be alive."""
    await author.to_the_helper()
    await author.done(HelperFacts(DIGEST, Verdict.CONFIGURE, ""))
    await author.done(TokenFacts("2Qx", DIGEST, author.at // 1000 + 86_400, "ab12"))
    assert author.snapshot.open is not None
    assert author.snapshot.open.effect is Effect.CONFIGURE


def test_a_restart_that_was_sent_is_looked_for_and_never_sent_blindly(tmp_path: Path):
    state = made(tmp_path / "state", **{UNDER_WAY: restarting})
    marked_as_started(state)
    assert usher(state, "nodes", "retry", UNDER_WAY) == operate.TROUBLE, "a look keeps its time"
    after = snapshot(state)
    assert (rows(state)[-1], after.state, after.parting.count) == ("restart-unknown", State.CONFIGURED, 1)
    assert after.awaited is not None
    assert after.awaited.kind is DueKind.LOOK


@pytest.mark.parametrize("verb", [Verb.QUARANTINE, Verb.FORGET])
def test_what_may_be_alive_at_the_node_is_waited_for_after_a_release(tmp_path: Path, verb: Verb):
    state = made(tmp_path / "state", **{UNDER_WAY: configuring})
    marked_as_started(state)
    assert usher(state, "nodes", verb.value, UNDER_WAY) == operate.WELL
    after = snapshot(state)
    assert after.quiet is not None
    with open_reader(state / "usher.db") as reader:
        closed, *_ = reader.history(UNDER_WAY)[-2:]
    assert (closed.event, after.quiet.until - closed.at) == ("failed", POLICY.request_life), "since it was closed"


# -- by which policy --------------------------------------------------------------------------------------------------


def test_it_is_decided_by_the_policy_of_the_newest_row(state: Path):
    assert last_policy(StateDirectory(state)) == POLICY
    assert Policy() != POLICY
    usher(state, "nodes", "retry", "web2.example.net")
    with open_reader(state / "usher.db") as reader:
        assert {row.policy for row in reader.history("web2.example.net")} == {POLICY.hash}


@pytest.mark.parametrize("spoil", ["DELETE FROM policies", 'UPDATE policies SET document = \'{"features": ["new"]}\''])
def test_without_one_it_is_the_default(state: Path, spoil: str):
    with closing(sqlite3.connect(state / "usher.db")) as db:
        db.execute(spoil)
        db.commit()
    assert last_policy(StateDirectory(state)) == Policy()
    assert usher(state, "nodes", "retry", "web2.example.net") == operate.WELL


def test_a_database_without_any_history_has_the_default(tmp_path: Path):
    asyncio.run(open_and_close(tmp_path))
    assert last_policy(StateDirectory(tmp_path)) == Policy()


async def open_and_close(folder: Path) -> None:
    await open_store(folder / "usher.db").close()
