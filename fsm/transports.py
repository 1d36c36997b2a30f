"""Transports: the questions about a helper's private key on its way to the node.

Rules:
1. An exchange stands alone: it waits for every earlier request for a half, of any generation (fsm.pairing).
2. A key that the node could not decrypt is exchanged and wrapped anew, a few times in a generation.
3. A docstring finishes the sentence "this row applies when ...", as in fsm.guards.
"""

from __future__ import annotations

from fsm import pairing
from fsm.choosing import holding
from fsm.effects import SPECS, Effect, following
from fsm.events import Done, Failed
from fsm.guards import Turn
from fsm.reasons import Reason


def exchange_is_next_and_must_wait(turn: Turn) -> bool:
    """The next step is the exchange, and an earlier request for a half may still be alive"""
    snapshot, event, body = turn.snapshot, turn.event, turn.event.body
    if not isinstance(body, Done):
        return False
    if following(snapshot.state, body.effect, holding(snapshot, event, turn.policy)) is not Effect.EXCHANGE_KEY:
        return False
    return pairing.forbids(pairing.after(snapshot, event, turn.policy), Effect.EXCHANGE_KEY, event.at)


def exchange_must_wait(turn: Turn) -> bool:
    """The step is the exchange, and an earlier request for a half may still be alive"""
    doing = turn.snapshot.doing
    return doing is not None and pairing.forbids(turn.snapshot.pairing, doing.effect, turn.event.at)


def key_not_decrypted(turn: Turn) -> bool:
    """The node could not decrypt its key, and exchanges are left"""
    body = turn.event.body
    refused = isinstance(body, Failed) and body.reason is Reason.KEY_NOT_DECRYPTED
    return refused and turn.snapshot.facts.pairs < SPECS[Effect.EXCHANGE_KEY].tries
