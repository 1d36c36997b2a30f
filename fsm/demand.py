"""Demands: what an operator asked of a node in the fleet, and how it stands; kept across generations.

Rules:
1. A node has one demand at most, its last: whoever continues a plan knows by it what has been asked already.
2. What is not known is not repeated: it is looked for, and only what is known not to have happened may be asked anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fsm.effects import Effect
from fsm.frozen import quick


class Standing(StrEnum):
    """How a demand stands; NO_EFFECT: a look found the same process after the request could not live any more."""

    SENDING = "sending"
    LOOKING = "looking"
    DONE = "done"
    NOT_SENT = "not_sent"
    ABSENT = "absent"
    REFUSED = "refused"
    NO_EFFECT = "no_effect"
    UNKNOWN = "unknown"


OPEN: Final = frozenset({Standing.SENDING, Standing.LOOKING})
"""It is not over yet."""
SENDS: Final = frozenset({Effect.SEND_REPROVISION, Effect.SEND_RESTART, Effect.SEND_SHUTDOWN})
"""The effects that carry a demand out."""
ON_DEMAND: Final = SENDS | {Effect.LOOK_IN_FLEET}
"""All that is done only where an operator asked."""


@quick
@dataclass(frozen=True, slots=True)
class Demand:
    """Under which plan it was asked (the time at which that was begun; 0: none), when it was sent, how it stands.

    Times are milliseconds since 1970; `effect` None: nothing needed to be sent, it began anew here.
    """

    plan: int
    at: int
    standing: Standing
    effect: Effect | None = None
