"""The table, searched: every world within so many faults keeps the invariants of design §6, and ends well.

Both kinds of node, three faults deep here (109,000 worlds of nodes with tokens, 89,000 of nodes with certificates);
two where operators, other provisioners and forged hints take part. Deeper by USHER_MODEL_FAULTS=4 (1,150,000 and
830,000 worlds) and USHER_MODEL_WIDE=3 (250,000 each), or `python -m tests.model 4` and `3 wide`.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from fsm.events import Verdict
from fsm.policy import Policy
from tests.model.search import search
from tests.model.usher import X509, Rules

FAULTS = int(os.environ.get("USHER_MODEL_FAULTS", "3"))
WIDE = int(os.environ.get("USHER_MODEL_WIDE", "2"))

LEFT = "gone, and it left"
"""The node restarted by itself after it was configured, so that no restart was sent that it could have followed."""
GIVEN_UP = "gone, and it left after our restart"
"""The third restart was delayed until its generation had been given up; what usher says is true all the same."""
DEAD = "gone, and dead by its own restart"
"""An x509 node that was configured once, was given a new key, and restarted by itself before it had the certificate for
it (docs/decisions/0015): the one way to lose a node that no order of usher's requests can close."""
KINDS = pytest.mark.parametrize("policy", [Policy(), X509], ids=["ed25519", "x509"])


@KINDS
def test_every_interleaving_of_node_network_and_crashes_keeps_the_invariants_and_ends_well(policy: Policy):
    result = search(Rules(policy=policy), faults=FAULTS)
    assert result.worlds > 80_000
    assert set(result.ends) <= {"provisioned", LEFT, GIVEN_UP} | ({DEAD} if policy is X509 else set())
    assert result.ends["provisioned"] > result.ends[LEFT] > result.ends[GIVEN_UP]
    assert result.ends["provisioned"] > 40 * result.ends.get(DEAD, 0)


@KINDS
def test_without_a_fault_there_is_one_way_and_it_ends_provisioned(policy: Policy):
    result = search(Rules(policy=policy), faults=0)
    assert result.ends == {"provisioned": 1}
    assert result.moves == result.worlds - 1


def test_one_fault_loses_no_x509_node():
    assert set(search(Rules(policy=X509), faults=1).ends) == {"provisioned", LEFT}


@KINDS
def test_operators_other_provisioners_and_forged_hints_break_nothing(policy: Policy):
    result = search(Rules(policy=policy), faults=WIDE, wide=True)
    ends = {end for end in result.ends if not end.endswith("as asked")}
    forgotten = DEAD.replace("gone", "unseen")
    assert ends <= {"provisioned", LEFT, GIVEN_UP} | ({DEAD, forgotten} if policy is X509 else set())


@KINDS
def test_a_node_that_the_helper_shuts_down_ends_retired_or_gone(policy: Policy):
    result = search(Rules(policy=policy, verdict=Verdict.SHUTDOWN), faults=2)
    assert set(result.ends) <= {"retired", "gone"}
    assert result.ends["retired"] > 40 * result.ends["gone"]


@KINDS
@pytest.mark.parametrize("change", [{"strict": True}, {"silent_looks": 2, "restarts": 2, "absences": 2, "loops": 3}])
def test_no_policy_lets_an_invariant_go(policy: Policy, change: dict[str, int]):
    search(Rules(policy=replace(policy, **change)), faults=2)


@KINDS
def test_a_restart_may_follow_an_acknowledged_configure_while_the_same_bytes_are_on_their_way(policy: Policy):
    rules = Rules(policy=policy)
    search(rules, faults=2)
    assert ("restart", "configure") in rules.overlaps
    assert {opened for opened, _ in rules.overlaps} == {"restart", "configure"}


def test_after_crashes_of_usher_alone_nobody_waits_until_quiet_but_for_a_new_csr_and_for_a_restart_that_was_not_taken():
    tokens, certificates = Rules(), Rules(policy=X509)
    for rules in (tokens, certificates):
        assert set(search(rules, faults=2, only="killed").ends) == {"provisioned"}
    assert tokens.held_back == {("restart-again", "restart")}
    assert certificates.held_back == tokens.held_back | {("step-not-yet", "new_csr")}
