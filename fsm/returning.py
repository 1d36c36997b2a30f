"""Returns: the questions about a node that is in provisioning mode again, by itself, after it was provisioned.

Rules (design §3 `reprovision`):
1. Who is back within `returns_within` of leaving has come back from our own restart: it never took what it was given.
   It is damped, and held when it does so again and again.
2. Who is back later has worked meanwhile, or is a new machine under an old name: it is never damped, and what was
   counted before is over.
3. Where the server token that it was given has expired, that is why it is back.
4. A docstring finishes the sentence "this row applies when ...", as in fsm.guards.
"""

from __future__ import annotations

from fsm.guards import Turn, found_somebody
from fsm.reasons import Reason
from fsm.states import State

_SECOND = 1000


def came_back_soon(turn: Turn) -> bool:
    """The look found a process in provisioning mode, no later than returns_within after it was provisioned"""
    ago = turn.event.at - turn.snapshot.provisioned_at  # less than nothing if the clock went back
    return found_somebody(turn) and 0 <= ago < turn.policy.returns_within


def loops(turn: Turn) -> bool:
    """The look found a process in provisioning mode soon after it was provisioned, as it did too often in a row"""
    return came_back_soon(turn) and turn.snapshot.returns + 1 >= turn.policy.loops


def token_ended(turn: Turn) -> bool:
    """The look found a process in provisioning mode, and the server token that it was given has expired"""
    token = turn.snapshot.facts.token
    return found_somebody(turn) and token is not None and turn.event.at >= token.expires * _SECOND


def held_when_provisioned(turn: Turn) -> bool:
    """It is held, was provisioned before, and does not loop"""
    snapshot = turn.snapshot
    return snapshot.held and snapshot.failed_from is State.PROVISIONED and snapshot.reason is not Reason.LOOPING
