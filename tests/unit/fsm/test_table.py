"""The table as a whole: complete, in order, named, said in words, and every row of it can happen."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from fsm import actions, guards, partings, transports, waits
from fsm.effects import STEPS, Effect
from fsm.events import (
    Ack,
    Certainty,
    Done,
    Due,
    DueKind,
    Event,
    Hint,
    HintKind,
    Operator,
    Trigger,
    Verb,
    Verdict,
)
from fsm.machine import Decision, Rejected, decide
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.rows import Row
from fsm.snapshot import Quiet, Snapshot, unseen
from fsm.states import PHASES, State
from fsm.table import ROWS
from tests.model.interpreter import cells
from tests.model.search import search
from tests.model.usher import Rules
from tests.unit.fsm.demanding import ON_DEMAND
from tests.unit.fsm.scenes import CARRIED, NEW, OLD, Scene, helper, reached, through

CELLS = cells(ROWS)
QUIET = 60_000


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("trigger", Trigger)
def test_every_cell_ends_with_its_only_row_without_a_guard(state: State, trigger: Trigger):
    cell = CELLS[state, trigger]
    assert [row.guard is None for row in cell] == [False] * (len(cell) - 1) + [True]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("trigger", Trigger)
def test_a_cell_names_each_of_its_rows_once(state: State, trigger: Trigger):
    names = [row.name for row in CELLS[state, trigger]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{row.trigger}")
def test_a_row_has_a_name_to_search_for_and_a_sentence(row: Row):
    assert row.name.replace("-", "").isalpha()
    assert row.name == row.name.lower()
    assert len(row.why.split()) >= 4
    assert row.ignored is (not row.actions and row.opens is None and row.target is None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{row.trigger}")
def test_a_guard_or_an_action_is_a_sentence_of_its_own(row: Row):
    for part in (*row.actions, *([row.guard] if row.guard else [])):
        said = (part.__doc__ or "").strip()
        assert said
        assert "\n" not in said
        assert not said.endswith(".")


@pytest.mark.parametrize("room", [actions, waits, guards, partings, transports], ids=lambda room: room.__name__)
def test_no_action_or_guard_is_kept_that_no_row_names(room: object):
    named = {part for row in ROWS for part in (*row.actions, row.guard) if part is not None}
    helpers = {"wait", "because", "facts_too_old", "costs_nothing"}
    for name, part in inspect.getmembers(room, inspect.isfunction):
        if part.__module__ == room.__name__ and not name.startswith("_") and name not in helpers:
            assert part in named, name


def test_no_row_leads_from_restarted_to_enrolled():
    assert not [row for row in ROWS if State.RESTARTED in row.sources and row.target is State.ENROLLED]


def test_only_the_last_success_of_a_phase_leads_into_the_next():
    for phase, following in pairwise(PHASES):
        into = [row for row in ROWS if row.target is following and phase in row.sources]
        assert into
        assert {row.trigger for row in into} <= {Trigger.DONE, Trigger.FAILED}
    assert set(STEPS) == set(PHASES)


# -- every row can happen ---------------------------------------------------------------------------------------------


def too_old(scene: Scene) -> Scene:
    return scene.later(scene.policy.facts_max_age + 1)


def another_signer() -> Scene:
    scene = through_signing()
    scene.policy = Policy(signer="s2")
    return scene.due()


def through_signing() -> Scene:
    scene = Scene(Policy(signer="s1")).until(Effect.SIGN_TOKEN)
    return scene.fails(Certainty.UNKNOWN, Reason.SIGNER_UNUSABLE)


def looping() -> Scene:
    scene = Scene(Policy(loops=1)).to(State.RESTARTED).due()
    return scene.done(NEW)


def clock_went_back() -> Scene:
    """The configure opened when all was quiet; then the clock was set back."""
    scene = through(Effect.CONFIGURE)
    quiet = Quiet(scene.now + QUIET, "", scene.now, "other.bytes")
    scene.snapshot = replace(scene.snapshot, quiet=quiet)
    return scene.done()


def shut_down(scene: Scene, times: int) -> Scene:
    for _ in range(times):
        scene.done().due().done(OLD)
        if scene.snapshot.awaited is not None and scene.state is State.INVENTORIED:
            scene.due()
    return scene


def unanswered_csr() -> Scene:
    """An operator had an x509 node provisioned anew whose request for a certificate may yet arrive."""
    scene = through(Effect.NEW_CSR).asks(Verb.REPROVISION)
    scene.connection = "c2"
    return scene.until(Effect.FETCH_INVENTORY).done()


def told_long_ago() -> Scene:
    """The restart went unanswered and a look found it there; then usher was down for longer than facts may be old."""
    scene = through(Effect.RESTART).fails(Certainty.UNKNOWN).due().done(OLD)
    return too_old(scene).due()


def not_decrypted() -> Scene:
    """A helper's key that the node could not decrypt."""
    scene = through(Effect.WRAP_KEY).until(Effect.CONFIGURE)
    return scene.fails(Certainty.REFUSED, Reason.KEY_NOT_DECRYPTED, transient=False)


def exchanged_late() -> Scene:
    """A helper's key, and usher was killed while it read the node's token."""
    return Scene(CARRIED, supplied=True).until(Effect.FETCH_JWT).crash().until(HELPER).done()


def elsewhere(scene: Scene) -> Scene:
    """It is seen in another network than the one of its record."""
    scene.policy = Policy(network="west")
    return scene.later(scene.policy.look_interval).hint()


def back_soon(scene: Scene, later: int = 10_000) -> Scene:
    """It was provisioned, and is seen in provisioning mode again."""
    return scene.to(State.PROVISIONED).later(later).hint().done(NEW)


HELPER = Effect.RUN_HELPER
EXAMPLES = {
    **ON_DEMAND,
    "back-elsewhere": lambda: elsewhere(Scene().hint().due().fails(Certainty.NOT_DELIVERED)),
    "found-elsewhere": lambda: elsewhere(Scene().to(State.PROVISIONED)).done(OLD),
    "exchange-anew": not_decrypted,
    "exchange-not-yet": exchanged_late,
    "exchange-later": lambda: through(Effect.EXCHANGE_KEY).fails(Certainty.UNKNOWN).due(),
    "look-first": told_long_ago,
    "still-there": lambda: told_long_ago().done(OLD),
    "inventoried-not-yet": unanswered_csr,
    "configured-not-yet": clock_went_back,
    "looping-soon": lambda: back_soon(Scene(Policy(loops=1))),
    "token-ended": lambda: back_soon(Scene(), later=400 * 86_400_000),
    "observed": lambda: Scene(Policy(observe=True, features=frozenset())).hint().due().done(),
    "defer": lambda: through(HELPER).done(helper(Verdict.DEFER)),
    "keeps-provisioning": lambda: through(HELPER).done(helper(Verdict.CONFIGURE, keeps=True)),
    "done-too-late": lambda: too_old(through(HELPER)).done(),
    "step-too-late": lambda: too_old(through(HELPER).fails(Certainty.UNKNOWN)).due(),
    "facts-lost": lambda: through(HELPER).fails(Certainty.UNKNOWN, Reason.FACTS_LOST),
    "looping": looping,
    "no-sign": lambda: Scene(Policy(strict=True, silent_looks=1)).to(State.RESTARTED).due().fails(Certainty.UNKNOWN),
    "sign-anew": another_signer,
    "restart-in-vain": lambda: Scene(Policy(restarts=1)).to(State.RESTARTED).due().done(OLD),
    "silence": lambda: Scene(Policy(silent_looks=1)).to(State.RESTARTED).due().fails(Certainty.UNKNOWN),
    "shutdown-in-vain": lambda: shut_down(through(HELPER).done(helper(Verdict.SHUTDOWN)), 3),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rare_row_happens(name: str):
    assert EXAMPLES[name]().row == name


def test_the_return_that_has_it_held_as_looping_is_counted():
    assert looping().snapshot.returns == 1


@cache
def searched() -> tuple[frozenset[str], tuple[Snapshot, ...]]:
    """The rows that fire in the model search, and one snapshot of each kind that it reaches."""
    runs = [(Rules(), 2, True), (Rules(verdict=Verdict.SHUTDOWN), 2, False)]
    for rules, faults, wide in runs:
        search(rules, faults=faults, wide=wide)
    fired = frozenset(name for rules, _, _ in runs for name, _, _ in rules.fired)
    kinds = {key: snapshot for rules, _, _ in runs for key, snapshot in rules.kinds.items()}
    return fired, (unseen("node"), *kinds.values())


def bodies(snapshot: Snapshot) -> Iterable[Hint | Due | Operator]:
    """Everything that can happen to a node but an outcome."""
    yield from (Hint(kind) for kind in HintKind)
    yield from (Operator(verb, "root", "because") for verb in Verb)
    yield Due(DueKind.ADMIT)
    if snapshot.awaited is not None:
        yield Due(snapshot.awaited.kind, snapshot.awaited.at)


def test_every_row_can_happen_but_those_that_only_complete_the_table():
    fired, snapshots = searched()
    happened = set(fired) | set(EXAMPLES)
    for snapshot in snapshots:
        for body in bodies(snapshot):
            result = decide(snapshot, Event(snapshot.since + 1, bytes(16), body, 1), Policy())
            happened |= {result.row.name} if result.row else set()
    completing = {"nothing-open", "no-step-due", "no-look-due", "no-retry-due"}
    assert {row.name for row in ROWS} - happened == completing


@pytest.mark.parametrize("trigger", [Trigger.DONE, Trigger.FAILED, Trigger.DUE_STEP, Trigger.DUE_LOOK])
def test_what_only_completes_the_table_changes_nothing(trigger: Trigger):
    names = {"nothing-open", "no-step-due", "no-look-due", "no-retry-due"}
    rows = [row for row in ROWS if row.name in names and row.trigger is trigger]
    assert rows
    assert all(row.ignored for row in rows)


# -- an illegal event is refused, and nothing changes -----------------------------------------------------------------


def test_an_outcome_of_another_effect_is_refused_and_nothing_changes():
    scene = through(HELPER)
    before, later = scene.snapshot, through(Effect.RESTART).snapshot.effect_id()
    assert later is not None
    scene.post(Done(Effect.RESTART, later, Ack("after 2s")))
    assert scene.last == Rejected("an outcome that is not of the open step")
    assert scene.snapshot == before


def test_a_due_time_that_is_not_awaited_is_refused_and_nothing_changes():
    scene = reached(State.RESTARTED)
    before = scene.snapshot
    assert before.awaited is not None
    scene.post(Due(before.awaited.kind, before.awaited.at + 1))
    assert scene.last == Rejected("a due time that is not awaited")
    assert scene.snapshot == before


@pytest.mark.parametrize("state", sorted(set(PHASES) - {State.DISCOVERED}))
def test_an_event_that_a_state_ignores_says_why_and_nothing_changes(state: State):
    scene = reached(state)
    before = scene.snapshot
    scene.hint(HintKind.SHUTDOWN)
    assert isinstance(scene.last, Rejected)
    assert scene.last.row is not None
    assert scene.last.why == scene.last.row.why
    assert scene.snapshot == before


def test_a_decision_leaves_the_snapshot_that_it_was_made_from_as_it_was():
    scene = through(HELPER)
    before = scene.snapshot
    scene.done()
    assert isinstance(scene.last, Decision)
    assert before.state is State.INVENTORIED
    assert before.open is not None
    assert before.open.effect is HELPER
