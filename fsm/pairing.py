"""Pairing: which unanswered requests may yet have a node make another half of a shared secret.

Rules:
1. Each answer to `jwt` comes with a new half, and the node forgets the one before (wire/provisioning.md §2.3). A key
   that was wrapped for a half that is gone is refused, but for one time in 256, when the padding happens to fit: then
   the node keeps noise as its key, says that all is well, and is dead.
2. So exchange_key opens only when no earlier request for a half can be alive, and nothing asks for one between it and
   configure. Nobody waits for that but a node whose helper supplies its key.
3. What proves such a request over, or ends it, is what does so for those that change the node (fsm.quiet).
"""

from __future__ import annotations

from typing import Final

from fsm import quiet
from fsm.effects import Effect
from fsm.events import Event, Failed
from fsm.policy import Policy
from fsm.snapshot import Quiet, Snapshot

PAIRS: Final = frozenset({Effect.FETCH_JWT, Effect.EXCHANGE_KEY})
"""The effects that have the node make a half: their requests live as long as those that change the node."""


def after(snapshot: Snapshot, event: Event, policy: Policy) -> Quiet | None:
    """What may be alive once this outcome of the open step is known."""
    before, body = quiet.remaining(snapshot.pairing, event), event.body
    if not isinstance(body, Failed) or body.certainty not in quiet.UNANSWERED:
        return before
    return quiet.later(before, _unanswered(snapshot, *quiet.sent(event, body), policy))


def abandoned(snapshot: Snapshot, at: int, policy: Policy) -> Quiet | None:
    """What may be alive when the open step is given up at `at`."""
    return quiet.later(snapshot.pairing, _unanswered(snapshot, at, "", policy))


def forbids(pairing: Quiet | None, effect: Effect, at: int) -> bool:
    """Whether this effect must wait at `at` for what may still be alive."""
    return effect is Effect.EXCHANGE_KEY and pairing is not None and at < pairing.until


def _unanswered(snapshot: Snapshot, at: int, connection: str, policy: Policy) -> Quiet | None:
    doing = snapshot.open
    if doing is None or doing.effect not in PAIRS:
        return None
    return Quiet(at + policy.request_life, connection, at, "")
