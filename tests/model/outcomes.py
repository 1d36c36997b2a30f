"""Outcomes: what an effect's adapter would post of what happened in the world, and what the facts then name.

Rules:
1. An outcome says what was answered, and nothing that the adapter could not know.
2. Keys, halves, tokens and configurations are names; equal names are equal bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fsm import quiet
from fsm.effects import Effect
from fsm.events import (
    Ack,
    Certainty,
    CsrFacts,
    Done,
    Failed,
    HelperFacts,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    PairFacts,
    Payload,
    Sent,
    Sighting,
    TokenFacts,
    WrapFacts,
)
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from tests.model.world import Reply

if TYPE_CHECKING:
    from tests.model.usher import Rules

REFUSALS = (("provisioning lock", Reason.LOCK_HELD), ("could not decrypt", Reason.KEY_NOT_DECRYPTED))


class Outcome(NamedTuple):
    """How an effect ended, before it is an event: `certainty` None is success."""

    certainty: Certainty | None
    reply: Reply = Reply()
    sent: Sent | None = None
    reason: Reason | None = None


def outcome_event(rules: Rules, snapshot: Snapshot, outcome: Outcome) -> Done | Failed:
    """The event that the effect's adapter would post."""
    doing, identity = snapshot.open, snapshot.effect_id()
    assert doing is not None
    assert identity is not None
    reply = outcome.reply
    if outcome.certainty is None and reply.nobody and doing.effect is not Effect.LOOK:
        return Failed(doing.effect, identity, Certainty.NOT_DELIVERED, Reason.ABSENT, sent=outcome.sent)
    if outcome.certainty is None and reply.refusal:
        reason = next((reason for sign, reason in REFUSALS if sign in reply.refusal), Reason.REFUSED)
        transient = reason is not Reason.KEY_NOT_DECRYPTED
        return Failed(doing.effect, identity, Certainty.REFUSED, reason, transient=transient, sent=outcome.sent)
    if outcome.certainty is None:
        return Done(doing.effect, identity, facts(rules, snapshot, reply), outcome.sent)
    reason = Reason.DISCONNECTED if outcome.certainty is Certainty.NOT_SENT else Reason.NO_ANSWER
    return Failed(doing.effect, identity, outcome.certainty, outcome.reason or reason, sent=outcome.sent)


def facts(rules: Rules, snapshot: Snapshot, reply: Reply) -> Payload:  # noqa: C901, PLR0911 one answer for each effect
    """What the open effect has learnt when it succeeds."""
    doing, held = snapshot.open, snapshot.facts
    assert doing is not None
    match doing.effect:
        case Effect.FETCH_JWT:
            return JwtFacts("j", "j", provisions_by_default=True)
        case Effect.FETCH_INVENTORY:
            return InventoryFacts("i", "0.30.2", upgradable=False)
        case Effect.NEW_KEY:
            return KeyFacts(reply.key, "/etc/choria")
        case Effect.NEW_CSR:
            return CsrFacts(f"r{reply.key}", reply.key, "/etc/choria/ssl")
        case Effect.RUN_HELPER:
            return HelperFacts(f"h{snapshot.generation}", rules.verdict, "", key=rules.supplies)
        case Effect.EXCHANGE_KEY:
            return PairFacts(reply.key, "ours")
        case Effect.WRAP_KEY:
            return WrapFacts(f"w{half_of(snapshot)}")
        case Effect.SIGN_TOKEN:
            return TokenFacts(order(snapshot), f"{order(snapshot)}/{key_of(snapshot)}", 2_000_000_000, doing.signer)
        case Effect.LOOK:
            return Sighting(not reply.nobody, reply.age)
        case Effect.CONFIGURE:
            return Ack("Wrote 9 lines", quiet.configuration(held))
        case Effect.RESTART | Effect.SHUTDOWN:
            return Ack("after 2s")


def order(snapshot: Snapshot) -> str:
    """Names the bytes of the token that the open sign_token makes: they follow from its first opening."""
    assert snapshot.doing is not None
    return f"t{snapshot.generation}.{snapshot.doing.seq}"


def key_of(snapshot: Snapshot) -> str:
    """The key that this generation has proven, or that its certificate is for."""
    facts = snapshot.facts
    if facts.helper is not None and facts.helper.key:
        return f"K{snapshot.generation}"
    return facts.key.public_key if facts.key else facts.csr.fingerprint if facts.csr else ""


def half_of(snapshot: Snapshot) -> str:
    """The node's half that the helper's key is wrapped for."""
    return snapshot.facts.pair.theirs if snapshot.facts.pair else ""
