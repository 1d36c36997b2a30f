"""docs/continuity.md tells every effect in every state, and what the machine does there after a kill."""

from __future__ import annotations

import pytest

from diagrams import continuity
from diagrams.answers import MOMENTS, WHY
from diagrams.lives import ANSWERS, Life, killed, openings, places, waits
from diagrams.model import opened
from fsm.demand import SENDS
from fsm.demands import LEAVING
from fsm.effects import SPECS, STEPS, Effect, Feature, Unknown
from fsm.events import Certainty
from fsm.policy import Policy
from fsm.rows import Opens
from fsm.snapshot import unseen
from fsm.states import State
from fsm.table import ROWS

OPENINGS = openings()
every_opening = pytest.mark.parametrize(
    ("place", "life"), OPENINGS.items(), ids=lambda item: "-".join(item) if isinstance(item, tuple) else ""
)


def section(state: State, effect: Effect) -> list[str]:
    """The lines of one effect's section."""
    text = continuity.document().split(f"\n### {effect.value} in {state.value}\n")[1]
    return text.split("\n### ")[0].split("\n## ")[0].splitlines()


LOOKS = {Effect.LOOK, Effect.LOOK_IN_FLEET}


def test_every_step_of_every_phase_is_found():
    expected = {(state, step.effect) for state, steps in STEPS.items() for step in steps}
    assert expected <= OPENINGS.keys()


def test_whatever_a_row_opens_is_found():
    for row in ROWS:
        for source in row.sources if row.opens not in {None, Opens.AGAIN, Opens.ANEW} else ():
            target = row.goes_to(source)
            for step in opened(row, source):
                assert (target, step.effect) in OPENINGS, row.name


def test_every_effect_is_answered_and_explained():
    assert set(ANSWERS) == set(Effect)
    assert set(WHY) == set(Effect)


def test_every_place_is_sound():
    assert all(life.snapshot.sound() for life in places())
    assert {life.snapshot.state for life in places()} == set(State) - {State.UNSEEN}


@every_opening
def test_a_kill_costs_no_try_and_no_generation(place, life):
    assert life.snapshot.state is place[0]
    for started in (False, True):
        after = killed(life, started=started)
        assert after.certainty is (Certainty.INTERRUPTED if started else Certainty.NOT_SENT)
        assert not after.tries
        assert not after.anew
        assert after.last.snapshot.failures == life.snapshot.failures
        assert after.last.snapshot.sound()


@every_opening
def test_what_was_sent_is_repeated_as_it_was_or_looked_for(place, life):
    state, effect = place
    sent, unsent = killed(life, started=True), killed(life, started=False)
    if effect in SENDS:
        assert (sent.opened, unsent.opened) == (Effect.LOOK_IN_FLEET, None)
    elif effect is Effect.LOOK_IN_FLEET:
        assert (sent.opened, unsent.opened) == (effect, effect)
    elif state is State.PROVISIONED:
        assert (sent.opened, unsent.opened) == (None, None)
    elif SPECS[effect].unknown is Unknown.LOOK:
        assert sent.opened is Effect.LOOK
        assert unsent.repeated
    elif effect is Effect.LOOK:
        assert (sent.opened, unsent.opened) == (Effect.LOOK, Effect.LOOK)
    else:
        assert sent.repeated
        assert unsent.repeated


@every_opening
def test_only_new_csr_and_the_exchange_wait_until_nothing_else_is_alive(place, life):
    after, effect = killed(life, started=True), place[1]
    waits = {"step-not-yet": Effect.NEW_CSR, "exchange-later": Effect.EXCHANGE_KEY}
    waits_for_quiet = [waits[row.name] for row in after.rows if row.name in waits]
    if effect in waits.values():
        assert waits_for_quiet == [effect]
        assert after.waited == Policy().request_life
    else:
        assert not waits_for_quiet
        assert after.waited <= max(Policy().shutdown_delay, LEAVING if effect in SENDS else 0)
    assert not killed(life, started=False).held_back[0] or effect in LOOKS


@every_opening
def test_old_facts_are_not_acted_on(place, life):
    """After a long absence nothing that learns or changes goes on from old facts; looks do."""
    effect = place[1]
    after = killed(life, started=True, down=continuity.DOWN)
    if life.snapshot.facts.at and SPECS[effect].unknown is Unknown.REPEAT and effect not in LOOKS:
        assert after.anew
        assert after.last.snapshot.state is State.DISCOVERED
    else:
        assert not after.anew


@every_opening
def test_a_section_tells_each_moment(place, life):
    state, effect = place
    lines = section(state, effect)
    rows = [line for line in lines if line.startswith("| ")]
    assert any(line.startswith("| not sent yet | NOT_SENT |") for line in rows)
    assert any(line.startswith("| sent; or answered, and not committed | INTERRUPTED |") for line in rows)
    assert any(line.startswith("| outcome committed | nothing of it |") for line in rows)
    assert any(line.startswith("| sent, and down for 20 min | INTERRUPTED |") for line in rows)
    for started in (False, True):
        assert any(killed(life, started=started).rows[0].why in line for line in rows)
    blind = any(line.startswith("**Never sent again blindly, a look first**") for line in lines)
    assert blind is (SPECS[effect].unknown is Unknown.LOOK)


def test_every_wait_is_told():
    text = continuity.document().split("\n## Nodes that wait\n")[1].split("\n## ")[0]
    for life in waits():
        assert life.row is not None
        assert f"| `{life.snapshot.state.value}` | *{life.row.name}*: {life.row.why} |" in text


def test_every_moment_is_told():
    assert len(MOMENTS) == 5
    assert all(when in continuity.document() for when, _, _ in MOMENTS)


def test_nothing_open_is_not_killed():
    with pytest.raises(ValueError, match="nothing is open"):
        killed(Life(Policy(features=frozenset({Feature.JWT})), unseen("n1")), started=True)
