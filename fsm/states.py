"""The states of a node: each is a fact that is held, never work that is under way.

Rules:
1. A state says what is known; what is being done is the open step of the snapshot (design law 3).
2. Names are cheap to import: this module imports nothing of the house.
3. A set of states that a row may name is defined here, once.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a node is; the value is what the database, the logs and the diagrams say."""

    UNSEEN = "unseen"
    DISCOVERED = "discovered"
    INVENTORIED = "inventoried"
    ENROLLED = "enrolled"
    CONFIGURED = "configured"
    RESTARTED = "restarted"
    PROVISIONED = "provisioned"
    DEFERRED = "deferred"
    FAILED = "failed"
    REPROVISION = "reprovision"
    RETIRED = "retired"
    GONE = "gone"


FACTS: Final[dict[State, str]] = {
    State.UNSEEN: "no record is held, or it was closed, by an operator or by age: where every life begins",
    State.DISCOVERED: "it was seen and waits to be admitted, or is being read",
    State.INVENTORIED: "its token is verified, its inventory is held",
    State.ENROLLED: "its key is proven or its request checked, the helper has answered, the credentials are made",
    State.CONFIGURED: "it has acknowledged its configuration",
    State.RESTARTED: "it has acknowledged the restart, or was sent it and found gone",
    State.PROVISIONED: "it left provisioning",
    State.DEFERRED: "it was put off, and is asked about again later",
    State.FAILED: "it could not be provisioned; the reason and the time of the next try are held",
    State.REPROVISION: "it is to be provisioned anew",
    State.RETIRED: "it was shut down, at the helper's wish or an operator's",
    State.GONE: "nobody is there under its name in provisioning mode",
}
"""Each state's fact, in the words that the documents and the diagrams print."""

ALL: Final = frozenset(State)
PHASES: Final = (State.DISCOVERED, State.INVENTORIED, State.ENROLLED, State.CONFIGURED, State.RESTARTED)
"""The way through, in order; each of them has a list of steps (fsm.effects.STEPS)."""
WORKING: Final = frozenset(PHASES)
READING: Final = frozenset({State.DISCOVERED, State.INVENTORIED, State.ENROLLED})
"""Working, and the node has not acknowledged a configuration of this generation."""
ENDS: Final = frozenset({State.PROVISIONED, State.RETIRED, State.GONE})
WAITING: Final = frozenset({State.DEFERRED, State.FAILED, State.REPROVISION})
"""Waiting for the time at which a new generation begins, or held."""
