"""What keeps x509 nodes alive is worth its minute: each fault planted in it is found, and found to kill a node.

Each fault is searched for twice: as the broken rule (7: two requests that change the node may be alive at once), and,
with that rule not looked at, as what comes of it (6: a certificate for another key, and a node that is dead).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm import guards as when
from fsm.actions import abandon, begin_anew, settle
from fsm.effects import Effect
from fsm.events import Certainty, Done, Event, Failed, Sighting
from fsm.guards import Turn
from fsm.machine import Decision, Rejected
from fsm.policy import Policy
from fsm.quiet import AGENT, APART
from fsm.snapshot import Snapshot
from fsm.table import ROWS
from fsm.waits import Changes
from tests.model.interpreter import Decider, interpret
from tests.model.search import Found, search
from tests.model.test_planted import (
    Rows,
    abandon_and_forget,
    guarded,
    never,
    settle_and_trust_crashes,
    settle_on_sight,
    swapped,
    without,
)
from tests.model.usher import X509, Rules

DEAD = "(6) the certificate is for another key: the node is dead"


def must_wait_but_for_a_csr(turn: Turn) -> bool:
    """Anything must wait but new_csr, as new_key may"""
    doing = turn.snapshot.doing
    return when.must_wait(turn) and doing is not None and doing.effect is not Effect.NEW_CSR


def settle_on_a_new_process(turn: Turn, changes: Changes) -> None:
    """A new process proves everything over, whichever connection tells of it"""
    settle(turn, changes)
    body = turn.event.body
    seen = isinstance(body, Done) and isinstance(body.facts, Sighting) and body.facts.present
    if seen and when.found_new_process(turn):
        changes["quiet"] = None


def settle_on_any_connection(turn: Turn, changes: Changes) -> None:
    """The agent's answer a second later proves everything over, on whichever connection"""
    settle(turn, changes)
    body, before = turn.event.body, turn.snapshot.quiet
    if before is None or not isinstance(body, Done) or body.effect not in AGENT or body.sent is None:
        return
    if body.sent.at >= before.since + APART:
        changes["quiet"] = None


def begin_anew_and_forget(turn: Turn, changes: Changes) -> None:
    """A new generation knows nothing of what may be alive"""
    begin_anew(turn, changes)
    changes["quiet"] = None


def sent_and_taken_as_not(snapshot: Snapshot, event: Event, policy: Policy) -> Decision | Rejected:
    """A machine that takes a new_csr without an answer as one that was not sent."""
    body = event.body
    if isinstance(body, Failed) and body.effect is Effect.NEW_CSR and body.certainty is Certainty.UNKNOWN:
        event = replace(event, body=replace(body, certainty=Certainty.NOT_SENT))
    return interpret(ROWS)(snapshot, event, policy)


def quiet_in_memory(snapshot: Snapshot, event: Event, policy: Policy) -> Decision | Rejected:
    """A machine that knows only of its own process what may be alive."""
    doing = snapshot.doing
    if doing is not None and doing.epoch != event.epoch:
        snapshot = replace(snapshot, quiet=None)
    return interpret(ROWS)(snapshot, event, policy)


PLANTED: list[tuple[str, Decider | Rows, bool, int, int]] = [
    ("new_csr does not wait until quiet", guarded("step-not-yet", must_wait_but_for_a_csr), False, 1, 1),
    ("nothing that is repeated waits", without("step-not-yet"), False, 1, 1),
    ("the first new_csr of a generation does not wait", guarded("inventoried-not-yet", never), True, 2, 2),
    ("an unanswered new_csr is taken as not sent", sent_and_taken_as_not, False, 1, 1),
    ("an interrupted request is taken as dead", swapped(settle, settle_and_trust_crashes), False, 2, 2),
    ("an abandoned request is taken as dead", swapped(abandon, abandon_and_forget), True, 2, 2),
    ("quiet is forgotten by a new generation", swapped(begin_anew, begin_anew_and_forget), False, 2, 2),
    ("quiet is forgotten at a restart of usher", quiet_in_memory, False, 2, 2),
    ("an answer on another connection proves it over", swapped(settle, settle_on_any_connection), False, 2, 2),
    ("a sighting proves everything over", swapped(settle, settle_on_sight), False, 1, 3),
    ("a new process alone proves it over", swapped(settle, settle_on_a_new_process), False, 3, 0),
]
"""Each fault, whether others take part, and how many faults it takes to break the rule, and to kill a node.

(A new process that is seen is another machine here, on which what is alive finds nothing to kill.)
"""


def finding(rules: Rules, faults: int, *, wide: bool = False) -> str:
    """What the search says: the first line of what it found, or how its lives end."""
    try:
        result = search(rules, faults=faults, wide=wide, most=150_000)
    except Found as found:
        return str(found).splitlines()[0]
    return "; ".join(result.ends)


def decider(planted: Decider | Rows) -> Decider:
    """What decides by a table."""
    return interpret(planted) if isinstance(planted, tuple) else planted


@pytest.mark.parametrize(("planted", "wide", "faults"), [p[1:4] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_the_search_finds_two_requests_that_may_be_alive_at_once(planted: Decider | Rows, wide: bool, faults: int):
    assert finding(Rules(decider(planted), X509), faults, wide=wide).startswith("(7)")


@pytest.mark.parametrize(
    ("planted", "wide", "faults"), [(p[1], p[2], p[4]) for p in PLANTED if p[4]], ids=[p[0] for p in PLANTED if p[4]]
)
def test_and_each_of_them_kills_a_node(planted: Decider | Rows, wide: bool, faults: int):
    assert finding(Rules(decider(planted), X509, patient=False), faults, wide=wide) == DEAD


def test_a_configuration_for_a_machine_that_was_replaced_kills_the_new_one_so_configure_looks_first():
    assert finding(Rules(policy=X509, looks_first=False), 2) == DEAD


def test_an_ed25519_node_survives_what_kills_an_x509_node():
    planted = decider(without("step-not-yet"))
    assert finding(Rules(planted, X509, patient=False), 1) == DEAD
    assert set(finding(Rules(planted, patient=False), 2).split("; ")) <= {"provisioned", "gone, and it left"}


@pytest.mark.parametrize("patient", [True, False])
def test_the_search_finds_nothing_in_the_table_as_it_is(patient: bool):
    assert finding(Rules(policy=X509, patient=patient), 1) == "provisioned; gone, and it left"
