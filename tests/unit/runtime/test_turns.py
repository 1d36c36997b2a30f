"""Turns: one a node, letters in order, and what a bug or a broken store does."""

from __future__ import annotations

import asyncio

import pytest

from fsm.codec import MalformedError
from fsm.effects import Effect, Intent
from fsm.errors import StoreError, StoreFullError
from fsm.events import Due, DueKind, Hint, HintKind, Operator, Verb
from fsm.machine import Decision, Rejected
from fsm.reasons import Reason
from fsm.runtime.engine import ENDING
from fsm.states import State
from tests.fakes.clock import settle
from tests.fakes.runtime import NODE, Answer, Rig, names, virtual

OTHER = "n2.example.net"


@virtual
async def test_a_node_goes_through(rig: Rig):
    rig.seen(NODE)
    await rig.until_state(State.PROVISIONED)
    assert rig.snapshot().evidence == "left"
    assert rig.rows() == [
        "first-seen", "admit", "read-on", "inventoried", "enrol-on", "enrol-on", "enrolled", "configured", "restarted",
        "look", "gone-once", "look", "gone",
    ]  # fmt: skip
    assert [unit.snapshot.seq for unit in rig.store.units] == list(range(1, 14))
    assert rig.fatal == []
    assert rig.engine.active == 0


@virtual
async def test_nothing_moves_before_the_commit(rig: Rig):
    rig.store.hold()
    rig.seen(NODE)
    await settle()
    assert rig.state() is State.UNSEEN
    assert (rig.watcher.moves, rig.engine.active, rig.engine.admission.waiting) == ([], 0, 0)
    rig.store.release()
    await rig.until_state(State.DISCOVERED)
    await rig.until(lambda: rig.engine.admission.flying == 1)
    rig.store.hold()
    await settle()
    calls, moves = len(rig.performer.calls), len(rig.watcher.moves)
    await settle()
    assert (len(rig.performer.calls), len(rig.watcher.moves)) == (calls, moves)
    rig.store.release()
    await rig.until_state(State.PROVISIONED)


@virtual
async def test_an_operator_is_answered_when_it_is_durable(rig: Rig):
    rig.engine.hold(Reason.PAUSED)
    rig.seen(NODE)
    await rig.until_state(State.DISCOVERED)
    rig.store.hold()
    answer = rig.engine.ask(NODE, Operator(Verb.QUARANTINE, "anna", "smoke"))
    await settle()
    assert not answer.done()
    rig.store.release()
    decided = await answer
    assert isinstance(decided, Decision)
    assert rig.snapshot().held
    assert rig.snapshot().detail == "anna: smoke"


@virtual
async def test_what_is_ignored_is_answered_with_its_row(rig: Rig):
    decided = await rig.ask(NODE, Verb.RETRY)
    assert isinstance(decided, Rejected)
    assert decided.row is not None
    assert decided.row.name == "unknown-node"
    assert rig.store.units == []


@virtual
async def test_one_turn_a_node_and_letters_in_order(rig: Rig):
    rig.engine.hold(Reason.PAUSED)
    rig.store.hold()
    rig.post(NODE, Hint(HintKind.STARTUP))
    wishes = [rig.engine.ask(NODE, Operator(verb, "anna", verb)) for verb in (Verb.QUARANTINE, Verb.RELEASE)]
    wishes.append(rig.engine.ask(NODE, Operator(Verb.FORGET, "anna", "gone")))
    rig.post(OTHER, Hint(HintKind.STARTUP))
    await settle()
    assert not any(wish.done() for wish in wishes)
    rig.store.release()
    assert all(isinstance(answer, Decision) for answer in await asyncio.gather(*wishes))
    assert rig.rows() == ["first-seen", "quarantine", "release", "forget"]
    assert rig.state(OTHER) is State.DISCOVERED


@virtual
async def test_hints_of_a_busy_node_are_kept_once(rig: Rig):
    rig.engine.hold(Reason.PAUSED)
    rig.store.hold()
    for _ in range(100):
        rig.post(NODE, Hint(HintKind.STARTUP))
        rig.post(NODE, Hint(HintKind.LISTED))
    rig.store.release()
    await rig.until(lambda: len(rig.watcher.rejections) == 2)
    await settle()
    assert (rig.rows(), len(rig.watcher.rejections)) == (["first-seen"], 2)


@virtual
async def test_a_bug_in_one_node_quarantines_it_alone(rig: Rig):
    def broken(intent: Intent) -> Answer:
        return ValueError("a \x1b[31mbug") if intent.id.node == NODE else rig.performer._well(intent)

    rig.performer.scripts[Effect.NEW_KEY] = broken
    rig.seen(NODE, OTHER)
    await rig.until_state(State.PROVISIONED, OTHER)
    held = rig.snapshot()
    assert (held.state, held.held, held.reason) == (State.FAILED, True, Reason.QUARANTINED)
    assert held.detail.startswith("usher: a bug: ValueError in fsm/runtime/executor.py:")  # and not its words
    assert [node for node, _ in rig.watcher.crashes] == [NODE]
    assert rig.fatal == []
    assert isinstance(await rig.ask(NODE, Verb.RELEASE), Decision)


@virtual
async def test_a_commit_that_cannot_be_written_quarantines_the_node(rig: Rig):
    rig.store.refusals[NODE] = MalformedError("must be short", "D", NODE)
    rig.seen(NODE, OTHER)
    await rig.until_state(State.PROVISIONED, OTHER)
    assert rig.snapshot().held
    assert rig.fatal == []


@virtual
async def test_a_node_that_cannot_even_be_quarantined_is_left_alone(rig: Rig):
    rig.engine.hold(Reason.PAUSED)
    rig.seen(NODE, OTHER)
    await rig.until_state(State.DISCOVERED, OTHER)
    rig.store.refusals[NODE] = MalformedError("must be short", "D", NODE)
    decided = await rig.ask(NODE, Verb.QUARANTINE)
    assert isinstance(decided, Rejected)
    assert decided.why.startswith("a bug: MalformedError")
    assert [node for node, _ in rig.watcher.crashes] == [NODE]
    rig.engine.release(Reason.PAUSED)
    await rig.until_state(State.PROVISIONED, OTHER)
    await rig.until_state(State.PROVISIONED, NODE)
    assert rig.fatal == []


@virtual
async def test_a_record_that_cannot_be_read_is_that_nodes_matter(rig: Rig):
    rig.store.bodies[NODE] = b"{}"
    rig.seen(NODE, OTHER)
    await rig.until_state(State.PROVISIONED, OTHER)
    assert {node for node, _ in rig.watcher.crashes} == {NODE}
    assert rig.fatal == []


@virtual
async def test_a_broken_store_ends_it_once(rig: Rig):
    rig.seen(*names(10))
    await rig.until(lambda: len(rig.watcher.moves) > 15)
    rig.store.broken = StoreError("a second writer", NODE, 7)
    await rig.until(lambda: bool(rig.fatal))
    await settle()
    assert [type(error) for error in rig.fatal] == [StoreError]
    told = len(rig.watcher.moves)
    rig.seen(OTHER)
    decided = await rig.ask(OTHER, Verb.RETRY)
    assert isinstance(decided, Rejected)
    assert decided.why == ENDING
    assert len(rig.watcher.moves) == told
    assert await rig.engine.stop(1.0) == 0


@virtual
async def test_a_store_that_breaks_while_stopping_does_not_hang_it(rig: Rig):
    rig.seen(*names(5))
    await rig.until(lambda: len(rig.performer.calls) > 5)
    rig.store.hold()
    stopping = asyncio.ensure_future(rig.engine.stop(0.5))
    await settle()
    rig.store.broken = StoreError("the disk is gone")
    rig.store.release()
    await stopping
    assert len(rig.fatal) <= 1


@virtual
async def test_a_full_disk_does_not_hang_the_stop(rig: Rig):
    rig.seen(NODE)
    await rig.until_state(State.DISCOVERED)
    rig.store.hold()
    rig.post(OTHER, Hint(HintKind.STARTUP))
    stopping = asyncio.ensure_future(rig.engine.stop(0.5))
    await settle()
    rig.engine.hold(Reason.DISK_FULL)
    await stopping
    assert rig.fatal == []


@virtual
async def test_what_a_full_disk_refuses_at_the_end_is_no_bug(rig: Rig):
    rig.store.refusals[NODE] = StoreFullError()
    rig.seen(NODE)
    await rig.until(lambda: bool(rig.fatal))
    assert rig.watcher.crashes == []


@virtual
async def test_an_observer_that_raises_ends_it(rig: Rig):
    rig.watcher.raises = KeyError("a bug")
    rig.seen(*names(3))
    await rig.until(lambda: bool(rig.fatal))
    await settle()
    assert [type(error) for error in rig.fatal] == [KeyError]


@pytest.mark.parametrize("kind", [DueKind.STEP, DueKind.LOOK, DueKind.RETRY])
@virtual
async def test_a_late_timer_changes_nothing(rig: Rig, kind: DueKind):
    rig.engine.hold(Reason.PAUSED)
    rig.seen(NODE)
    await rig.until_state(State.DISCOVERED)
    rig.post(NODE, Due(kind, 12345))
    await rig.until(lambda: len(rig.watcher.rejections) == 1)
    assert len(rig.store.units) == 1
