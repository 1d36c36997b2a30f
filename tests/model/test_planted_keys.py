"""What keeps nodes alive whose key comes from the helper: the search finds nothing, and each fault planted in it.

A key that was wrapped for another half than the node has is refused, but for one time in 256: then the node keeps noise
and is dead. In this world it is always that time, so that what would kill one node in 256 is found.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.actions import abandon, begin_anew, settle
from fsm.effects import Effect
from fsm.events import Certainty, Done, Event, Failed
from fsm.guards import Turn
from fsm.machine import Decision, Rejected
from fsm.policy import Policy
from fsm.snapshot import Snapshot
from fsm.table import ROWS
from fsm.waits import Changes
from tests.model.interpreter import Decider, interpret
from tests.model.search import search
from tests.model.test_planted import Rows, guarded, never, swapped
from tests.model.test_planted_x509 import DEAD, decider, finding
from tests.model.usher import CARRIED, X509, Rules


def settle_and_trust_crashes(turn: Turn, changes: Changes) -> None:
    """A request for a half that was interrupted is taken as dead"""
    settle(turn, changes)
    body = turn.event.body
    if isinstance(body, Failed) and body.certainty is Certainty.INTERRUPTED:
        changes["pairing"] = turn.snapshot.pairing


def settle_on_any_answer(turn: Turn, changes: Changes) -> None:
    """Whatever the node answers, over whichever connection, proves that no other half will be made"""
    settle(turn, changes)
    if isinstance(turn.event.body, Done) and turn.event.body.sent is not None:
        changes["pairing"] = None


def abandon_and_forget(turn: Turn, changes: Changes) -> None:
    """A request for a half that was given up is taken as dead"""
    abandon(turn, changes)
    changes["pairing"] = turn.snapshot.pairing


def begin_anew_and_forget(turn: Turn, changes: Changes) -> None:
    """A new generation knows nothing of the halves that may yet be made"""
    begin_anew(turn, changes)
    changes["pairing"] = None


def only_the_exchange(snapshot: Snapshot, event: Event, policy: Policy) -> Decision | Rejected:
    """A machine that takes an unanswered fetch_jwt as one that leaves nothing behind."""
    result = interpret(ROWS)(snapshot, event, policy)
    body = event.body
    if isinstance(result, Decision) and isinstance(body, Failed) and body.effect is Effect.FETCH_JWT:
        return replace(result, snapshot=replace(result.snapshot, pairing=snapshot.pairing))
    return result


PLANTED: list[tuple[str, Decider | Rows, bool, int]] = [
    ("the exchange does not wait when it is repeated", guarded("exchange-later", never), False, 2),
    ("the exchange does not wait when it is next", guarded("exchange-not-yet", never), False, 2),
    ("an interrupted request for a half is taken as dead", swapped(settle, settle_and_trust_crashes), False, 2),
    ("any answer proves it over", swapped(settle, settle_on_any_answer), False, 2),
    ("an abandoned request for a half is taken as dead", swapped(abandon, abandon_and_forget), True, 2),
    ("a new generation forgets it", swapped(begin_anew, begin_anew_and_forget), True, 2),
    ("an unanswered fetch_jwt makes no half", only_the_exchange, False, 2),
]
"""Each fault, whether others take part, and how many faults it takes."""
IDS = [planted[0] for planted in PLANTED]


def carried(planted: Decider | Rows, *, patient: bool = True) -> Rules:
    return Rules(decider(planted), CARRIED, patient=patient, supplies=True)


@pytest.mark.parametrize(("planted", "wide", "faults"), [p[1:] for p in PLANTED], ids=IDS)
def test_the_search_finds_an_exchange_that_does_not_stand_alone(planted: Decider | Rows, wide: bool, faults: int):
    assert finding(carried(planted), faults, wide=wide).startswith("(7) beside")


@pytest.mark.parametrize(("planted", "wide", "faults"), [p[1:] for p in PLANTED], ids=IDS)
def test_and_each_of_them_kills_a_node(planted: Decider | Rows, wide: bool, faults: int):
    assert finding(carried(planted, patient=False), faults + 1, wide=wide) == DEAD


@pytest.mark.parametrize(("policy", "faults"), [(CARRIED, 2), (X509, 1)], ids=["its own", "beside a request"])
def test_the_search_finds_nothing_in_the_table_as_it_is(policy: Policy, faults: int):
    assert finding(Rules(policy=policy, supplies=True), faults) == "provisioned; gone, and it left"


def test_neither_do_operators_other_provisioners_and_forged_hints():
    ends = search(Rules(policy=CARRIED, supplies=True), faults=1, wide=True).ends
    assert {end for end in ends if not end.endswith("as asked")} <= {"provisioned", "gone, and it left"}


def test_a_node_that_could_not_decrypt_is_provisioned_all_the_same():
    rules = Rules(policy=CARRIED, supplies=True)
    search(rules, faults=2)
    assert "exchange-anew" in {name for name, _, _ in rules.fired}


def test_after_crashes_of_usher_alone_only_an_exchange_waits():
    rules = Rules(policy=CARRIED, supplies=True)
    assert set(search(rules, faults=2, only="killed").ends) == {"provisioned"}
    fired = {name for name, _, _ in rules.fired}
    assert {"exchange-not-yet", "exchange-later"} <= fired
    assert rules.held_back == {("restart-again", "restart")}
