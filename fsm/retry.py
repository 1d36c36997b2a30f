"""How long to wait: back-off with a cap, spread by the entropy of the event, without a clock or chance of its own.

Rules:
1. A wait is a pure function of the policy, a count and the event's entropy.
2. No wait is longer than its cap, so an outage of any length ends within one cap of its cause.
"""

from __future__ import annotations

from typing import Final

from fsm.policy import Policy

_MOST_DOUBLINGS: Final = 20


def spread(milliseconds: int, entropy: bytes) -> int:
    """Between three quarters and the whole of a time, so that what failed together does not come back together."""
    return milliseconds - milliseconds * entropy[0] // 1024


def before_try(policy: Policy, tries: int, entropy: bytes) -> int:
    """Milliseconds before the try that follows `tries` tries of the same step."""
    return spread(min(policy.try_cap, policy.try_delay * tries), entropy)


def before_generation(policy: Policy, failures: int, entropy: bytes) -> int:
    """Milliseconds before the generation that follows `failures` failed ones (at least one) in a row."""
    doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
    return spread(min(policy.retry_cap, policy.retry_delay << doublings), entropy)
