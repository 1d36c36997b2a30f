"""The table, searched: every world within so many faults keeps the invariants of design §6, and ends well.

Three faults deep here, 109,000 worlds; two where operators, other provisioners and forged hints take part. Deeper by
USHER_MODEL_FAULTS=4 (1,150,000 worlds) and USHER_MODEL_WIDE=3 (250,000), or `python -m tests.model 4` and `3 wide`.
"""

from __future__ import annotations

import os

import pytest

from fsm.events import Verdict
from fsm.policy import Policy
from tests.model.search import search
from tests.model.usher import Rules

FAULTS = int(os.environ.get("USHER_MODEL_FAULTS", "3"))
WIDE = int(os.environ.get("USHER_MODEL_WIDE", "2"))

LEFT = "gone, and it left"
"""The node restarted by itself after it was configured, so that no restart was sent that it could have followed."""
GIVEN_UP = "gone, and it left after our restart"
"""The third restart was delayed until its generation had been given up; what usher says is true all the same."""


def test_every_interleaving_of_node_network_and_crashes_keeps_the_invariants_and_ends_well():
    result = search(Rules(), faults=FAULTS)
    assert result.worlds > 100_000
    assert set(result.ends) <= {"provisioned", LEFT, GIVEN_UP}
    assert result.ends["provisioned"] > result.ends[LEFT] > result.ends[GIVEN_UP]


def test_without_a_fault_there_is_one_way_and_it_ends_provisioned():
    result = search(Rules(), faults=0)
    assert result.ends == {"provisioned": 1}
    assert result.moves == result.worlds - 1


def test_operators_other_provisioners_and_forged_hints_break_nothing():
    result = search(Rules(), faults=WIDE, wide=True)
    assert {end for end in result.ends if not end.endswith("as asked")} <= {"provisioned", LEFT, GIVEN_UP}


def test_a_node_that_the_helper_shuts_down_ends_retired_or_gone():
    result = search(Rules(verdict=Verdict.SHUTDOWN), faults=2)
    assert set(result.ends) <= {"retired", "gone"}
    assert result.ends["retired"] > 50 * result.ends["gone"]


@pytest.mark.parametrize("policy", [Policy(strict=True), Policy(silent_looks=2, restarts=2, absences=2, loops=3)])
def test_no_policy_lets_an_invariant_go(policy: Policy):
    search(Rules(policy=policy), faults=2)


def test_a_restart_may_follow_an_acknowledged_configure_while_the_same_bytes_are_on_their_way():
    rules = Rules()
    search(rules, faults=2)
    assert ("restart", "configure") in rules.overlaps
    assert {opened for opened, _ in rules.overlaps} == {"restart", "configure"}
