"""The breaker: what opens it, what closes it, and what says nothing."""

from __future__ import annotations

import pytest

from fsm.breaker import (
    ENOUGH,
    FAULTS,
    LONGEST,
    NAMES,
    SHORTEST,
    Breaker,
    Position,
    ended,
    excused,
    found,
    lost,
    waited,
)
from fsm.effects import SPECS, Effect, EffectId, Port
from fsm.events import Certainty, Done, Failed, HelperFacts, Verdict
from fsm.reasons import Reason

TIMEOUT = Reason.HELPER_TIMEOUT
PORTS = {Port.RPC: Effect.FETCH_JWT, Port.HELPER: Effect.RUN_HELPER, Port.SIGNER: Effect.SIGN_TOKEN}


def fault(node: str, reason: Reason = TIMEOUT, effect: Effect = Effect.RUN_HELPER) -> Failed:
    return Failed(effect, EffectId(node, 1, 1, 5, 5, 1), Certainty.REFUSED, reason, "", transient=False)


def success(node: str) -> Done:
    return Done(Effect.RUN_HELPER, EffectId(node, 1, 1, 5, 5, 1), HelperFacts("", Verdict.CONFIGURE, ""))


def after(breaker: Breaker, *bodies: Done | Failed, now: float = 0.0) -> Breaker:
    for body in bodies:
        breaker = ended(breaker, body, breaker.turns, now)
    return breaker


def opened(now: float = 0.0) -> Breaker:
    return after(Breaker(Port.HELPER), *(fault(f"n{each}") for each in range(ENOUGH)), now=now)


@pytest.mark.parametrize("port", list(NAMES))
def test_enough_different_nodes_in_a_row_open_it(port: Port):
    for reason in FAULTS[port]:
        breaker = Breaker(port)
        for each in range(ENOUGH - 1):
            breaker = after(breaker, fault(f"n{each}", reason, PORTS[port]))
            assert breaker.closed
        breaker = after(breaker, fault("last", reason, PORTS[port]), now=7.0)
        assert (breaker.position, breaker.reason, breaker.again) == (Position.OPEN, reason, 7.0 + SHORTEST)
        assert breaker.opened == 1


def test_what_is_asked_of_the_fleet_fails_for_itself_alone():
    bodies = [fault(f"n{number}", reason, Effect.SEND_RESTART) for number, reason in enumerate(Reason)]
    assert after(Breaker(Port.FLEET), *bodies) == Breaker(Port.FLEET)


def test_one_node_alone_opens_none_however_often_it_fails():
    breaker = after(Breaker(Port.HELPER), *(fault("n1") for _ in range(10 * ENOUGH)))
    assert breaker.closed
    assert breaker.nodes == ("n1",)


@pytest.mark.parametrize("reason", [Reason.HELPER_FAILED, Reason.HELPER_BAD_OUTPUT, Reason.HELPER_NO_OUTPUT])
def test_a_helper_that_ended_by_itself_is_no_fault_of_its_own(reason: Reason):
    breaker = after(Breaker(Port.HELPER), *(fault(f"n{each}", reason) for each in range(10 * ENOUGH)))
    assert breaker == Breaker(Port.HELPER)


def test_a_success_between_begins_the_row_anew():
    row = [fault(f"n{each}") for each in range(ENOUGH - 1)]
    assert after(Breaker(Port.HELPER), *row, success("good"), *row).closed


def test_it_waits_lets_one_through_and_waits_twice_as_long_up_to_the_longest():
    breaker, now, waits = opened(), 0.0, []
    for _ in range(9):
        assert breaker.again is not None
        waits.append(breaker.again - now)
        assert waited(breaker, breaker.again - 0.01) == breaker
        now = breaker.again
        breaker = waited(breaker, now)
        assert breaker.position is Position.HALF_OPEN
        breaker = after(breaker, fault("n1"), now=now)
        assert breaker.position is Position.OPEN
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST, LONGEST, LONGEST]
    assert breaker.opened == 1


def test_half_open_a_success_closes_it_and_the_next_wait_is_short_again():
    breaker = waited(after(waited(opened(), 1.0), fault("n1"), now=1.0), 3.0)
    breaker = after(breaker, success("n2"))
    assert breaker.closed
    assert breaker.nodes == ()
    again = after(breaker, *(fault(f"n{each}") for each in range(ENOUGH)), now=10.0)
    assert (again.again, again.opened) == (10.0 + SHORTEST, 2)


def test_half_open_a_failure_of_the_node_closes_it_too_for_the_helper_has_ended():
    assert after(waited(opened(), 1.0), fault("n1", Reason.HELPER_FAILED)).closed


def test_what_began_before_its_last_change_says_nothing():
    breaker = opened()
    assert ended(breaker, success("late"), 0, 0.5) == breaker
    half = waited(breaker, 1.0)
    assert ended(half, success("late"), 0, 1.5) == half
    assert ended(half, fault("late"), breaker.turns, 1.5) == half
    closed = after(half, success("n1"))
    assert ended(closed, fault("late"), half.turns, 2.0) == closed


def test_a_way_that_is_lost_opens_it_until_the_way_is_found():
    breaker = lost(Breaker(Port.RPC))
    assert (breaker.position, breaker.reason, breaker.again) == (Position.OPEN, Reason.DISCONNECTED, None)
    assert waited(breaker, 1e9) == breaker
    assert found(breaker).closed
    assert found(found(breaker)) == found(breaker)


def test_a_way_that_is_found_says_nothing_of_what_opened_by_failures():
    row = (fault(f"n{each}", Reason.DISCONNECTED, Effect.FETCH_JWT) for each in range(ENOUGH))
    breaker = after(Breaker(Port.RPC), *row)
    assert found(breaker) == breaker
    assert found(lost(breaker)).closed


def test_a_fault_costs_the_node_a_try_only_while_it_is_closed():
    fresh, shut = Breaker(Port.HELPER), opened()
    assert excused(fresh, fault("n1"), fresh.turns) == fault("n1")
    body = excused(shut, fault("n1"), shut.turns)
    assert isinstance(body, Failed)
    assert (body.certainty, body.reason) == (Certainty.INTERRUPTED, TIMEOUT)
    assert excused(shut, fault("n1", Reason.HELPER_FAILED), shut.turns) == fault("n1", Reason.HELPER_FAILED)
    assert excused(shut, success("n1"), shut.turns) == success("n1")


def test_a_fault_that_began_before_it_closed_again_costs_nothing_either():
    half = waited(opened(), 1.0)
    closed = after(half, success("n1"))
    body = excused(closed, fault("late"), half.turns)
    assert isinstance(body, Failed)
    assert body.certainty is Certainty.INTERRUPTED
    assert excused(closed, fault("new"), closed.turns) == fault("new")


def test_every_port_has_faults_and_a_name():
    assert set(FAULTS) == {*NAMES, Port.FLEET} == {spec.port for spec in SPECS.values()} == set(Port)
