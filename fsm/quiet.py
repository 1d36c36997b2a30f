"""Quiet: when an unanswered request that changes the node may still be alive, and what proves that it is not.

Rules (design §4):
1. A request lives until it was sent + 2 x ttl; only what is proven ends that earlier.
2. Proofs: a later request on the same connection, answered by a new process, or by the same agent at least a second
   later. A new process alone proves nothing, nor does anything on another connection.
3. No effect that changes the node opens before, except a configure of the same bytes, the restart into those bytes
   (it opens only once they are acknowledged), and new_key (a node that lost that race finds out when it starts).
4. new_csr is no such exception: each time that it is carried out it makes another key, and a node with a certificate
   for the one before is dead. Nothing opens beside it, and it opens beside nothing.
5. Requests that have the node make another half of a shared secret are another matter: fsm.pairing.
"""

from __future__ import annotations

from typing import Final

from fsm.effects import SPECS, Effect
from fsm.events import OUTCOMES, Certainty, Done, Event, Failed, Sighting
from fsm.policy import Policy
from fsm.snapshot import Facts, Quiet, Snapshot

APART: Final = 1000
"""Milliseconds after which the agent's own mutex puts a later answer behind an earlier request."""
AGENT: Final = frozenset(
    {Effect.FETCH_JWT, Effect.NEW_KEY, Effect.NEW_CSR, Effect.EXCHANGE_KEY, Effect.CONFIGURE, Effect.RESTART}
    | {Effect.SHUTDOWN}
)
"""Effects that the agent with the mutex carries out; looks and inventories are another agent's."""
_HEALED: Final = Effect.NEW_KEY
UNANSWERED: Final = frozenset({Certainty.UNKNOWN, Certainty.INTERRUPTED})


def configuration(facts: Facts) -> str:
    """Names the bytes that configure would send: they follow from the helper's reply, and from what was made."""
    helper = facts.helper.digest[:16] if facts.helper else ""
    made = facts.token.digest[:16] if facts.token else facts.csr.digest[:16] if facts.csr else ""
    wrapped = f".{facts.wrap.digest[:16]}" if facts.wrap else ""
    return f"{helper}.{made}{wrapped}"


def after(snapshot: Snapshot, event: Event, policy: Policy) -> Quiet | None:
    """What must be waited for once this outcome of the open step is known."""
    before = remaining(snapshot.quiet, event)
    body, doing = event.body, snapshot.doing
    if not isinstance(body, Failed) or doing is None or body.certainty not in UNANSWERED:
        return before
    return later(before, unanswered(snapshot, *sent(event, body), policy))


def unanswered(snapshot: Snapshot, at: int, connection: str, policy: Policy) -> Quiet | None:
    """What the open step leaves behind when it is given up at `at` without an answer."""
    doing = snapshot.open
    if doing is None or doing.effect is _HEALED or not SPECS[doing.effect].changes_node:
        return snapshot.quiet
    digest = configuration(snapshot.facts) if doing.effect is Effect.CONFIGURE else ""
    return later(snapshot.quiet, Quiet(at + policy.request_life, connection, at, digest))


def forbids(quiet: Quiet | None, effect: Effect, facts: Facts, at: int) -> bool:
    """Whether this effect must wait at `at` for what may still be alive."""
    if quiet is None or at >= quiet.until or effect is _HEALED or not SPECS[effect].changes_node:
        return False
    same_bytes = quiet.digest != "" and quiet.digest == configuration(facts)
    if effect is Effect.CONFIGURE:
        return not same_bytes
    return not (effect is Effect.RESTART and same_bytes)


def remaining(quiet: Quiet | None, event: Event) -> Quiet | None:
    """What is left of this once an event is known: nothing if its time is over, or if the event proves it over."""
    if quiet is None or event.at >= quiet.until or _proves_over(quiet, event):
        return None
    return quiet


def _proves_over(quiet: Quiet, event: Event) -> bool:
    body = event.body
    if not isinstance(body, OUTCOMES) or body.sent is None or body.sent.connection != quiet.connection:
        return False
    if isinstance(body, Done) and isinstance(body.facts, Sighting):
        return body.facts.present and body.facts.age < body.sent.at - quiet.since
    answered = isinstance(body, Done) or body.certainty is Certainty.REFUSED
    return answered and body.effect in AGENT and body.sent.at >= quiet.since + APART


def sent(event: Event, body: Failed) -> tuple[int, str]:
    """When an unanswered request was sent, and over which connection; the latest moment, and none, if nobody knows."""
    return (body.sent.at, body.sent.connection) if body.sent else (event.at, "")


def later(one: Quiet | None, other: Quiet | None) -> Quiet | None:
    """The one that lasts longer; of two that may both be alive, only what both have in common is known."""
    if one is None or other is None:
        return one or other
    last = max(one, other, key=lambda quiet: quiet.until)
    connection = last.connection if one.connection == other.connection else ""
    digest = last.digest if one.digest == other.digest else ""
    return Quiet(last.until, connection, max(one.since, other.since), digest)
