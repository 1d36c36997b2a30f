"""Choosing: which conditions of steps hold for a node, of those that fsm.effects.STEPS names.

Rules:
1. A feature holds by the policy; a fact holds by the snapshot, and by what the event adds to it.
2. Each condition is asked here and nowhere else: whoever lists the steps of a phase gives it what this says.
"""

from __future__ import annotations

from typing import Final

from fsm.effects import Condition, Fact
from fsm.events import Done, Event
from fsm.payloads import HelperFacts
from fsm.policy import Policy
from fsm.snapshot import Snapshot

_HELPER_KEY: Final[frozenset[Condition]] = frozenset({Fact.HELPER_KEY})


def holding(snapshot: Snapshot, event: Event, policy: Policy) -> frozenset[Condition]:
    """The conditions that hold once this event is known: the helper's answer may be what it brings."""
    body = event.body
    brought = body.facts if isinstance(body, Done) else None
    helper = brought if isinstance(brought, HelperFacts) else snapshot.facts.helper
    return policy.features | _HELPER_KEY if helper is not None and helper.key else policy.features
