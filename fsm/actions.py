"""Actions: what a row does to the snapshot. Effects reach outside, actions never do.

Rules:
1. An action reads the turn and writes changes; the last action of a row wins.
2. Every time that it sets is the event's time plus a wait of the policy, spread by the event's entropy.
3. Its docstring says in one sentence what changes, since the documents print it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fsm import pairing, quiet, retry
from fsm.effects import SPECS, Effect, Port
from fsm.events import (
    FREE,
    OUTCOMES,
    Ack,
    Certainty,
    CsrFacts,
    Done,
    DueKind,
    Failed,
    HelperFacts,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    Operator,
    PairFacts,
    Sighting,
    TokenFacts,
    WrapFacts,
)
from fsm.frozen import evolve
from fsm.guards import Turn
from fsm.reasons import Reason
from fsm.snapshot import NO_LOOKS, NO_PARTING, NOTHING, Facts
from fsm.states import State
from fsm.waits import Changes, wait

Action = Callable[[Turn, Changes], None]

LONGEST_DETAIL: Final = 200

_ANSWERED: Final = frozenset({Certainty.REFUSED, Certainty.INVALID})


# -- what every outcome does ------------------------------------------------------------------------------------------


def settle(turn: Turn, changes: Changes) -> None:
    """The open step is over; what it proves about the node and about earlier requests is noted"""
    snapshot, body = turn.snapshot, turn.event.body
    doing = snapshot.doing
    if doing is None or not isinstance(body, OUTCOMES):
        return
    free = isinstance(body, Failed) and body.certainty in FREE
    changes["doing"] = evolve(doing, {"open": False, "tries": doing.tries - free})
    changes["quiet"] = quiet.after(snapshot, turn.event, turn.policy)
    changes["pairing"] = pairing.after(snapshot, turn.event, turn.policy)
    if _answered(body):
        changes.update(answered=True, absences=0)
    if isinstance(body, Failed):
        changes.update(reason=body.reason, detail=body.detail[:LONGEST_DETAIL])


def learn(turn: Turn, changes: Changes) -> None:
    """What the step has learnt is held"""
    body, facts = turn.event.body, turn.snapshot.facts
    if isinstance(body, Done):
        changes["facts"] = evolve(facts, {"at": facts.at or turn.event.at, **_learnt(body, facts)})
        if isinstance(body.facts, JwtFacts) and body.facts.let_in:
            changes["let_in"] = body.facts.let_in


def _learnt(body: Done, facts: Facts) -> Changes:  # noqa: C901, PLR0911 one answer for each kind of fact
    match body.facts:
        case JwtFacts():
            return {"jwt": body.facts}
        case InventoryFacts():
            return {"inventory": body.facts}
        case KeyFacts():
            return {"key": body.facts, "helper": None, "token": None, "pair": None, "wrap": None}
        case CsrFacts():
            return {"csr": body.facts, "helper": None, "token": None, "pair": None, "wrap": None}
        case HelperFacts():
            return {"helper": body.facts}
        case TokenFacts():
            return {"token": body.facts}
        case PairFacts():
            return {"pair": body.facts, "wrap": None, "pairs": facts.pairs + 1}
        case WrapFacts():
            return {"wrap": body.facts}
        case Ack() if body.effect is Effect.CONFIGURE:
            return {"configured": body.facts.digest}
        case Ack() | Sighting():
            return {}


def abandon(turn: Turn, changes: Changes) -> None:
    """Whatever was under way or awaited is given up; a request that was sent may still be alive"""
    snapshot = turn.snapshot
    changes["awaited"] = None
    if snapshot.open is not None:
        changes["quiet"] = quiet.unanswered(snapshot, turn.event.at, "", turn.policy)
        changes["pairing"] = pairing.abandoned(snapshot, turn.event.at, turn.policy)
    changes["doing"] = None


def seen(turn: Turn, changes: Changes) -> None:
    """It was seen for the first time"""
    changes["first"] = turn.snapshot.first or turn.event.at


# -- generations ------------------------------------------------------------------------------------------------------


def begin_anew(turn: Turn, changes: Changes) -> None:
    """A new generation begins, in the network that decides: nothing that the last one learnt is kept"""
    changes.update(generation=turn.snapshot.generation + 1, facts=NOTHING, doing=None, awaited=None, held=False)
    changes.update(parting=NO_PARTING, looks=NO_LOOKS, evidence="", network=turn.policy.network)


def move(turn: Turn, changes: Changes) -> None:
    """Its network is the one that decides: it was found there"""
    changes["network"] = turn.policy.network


def forget(turn: Turn, changes: Changes) -> None:
    """Its record is closed; only what numbers its history, and what may still be alive, is kept"""
    changes.update(facts=NOTHING, doing=None, awaited=None, held=False, parting=NO_PARTING, looks=NO_LOOKS)
    changes.update(evidence="", answered=False, failures=0, absences=0, returns=0, failed_from=None, first=0)
    changes.update(reason=None, detail="", previous_key="", previous_token="", provisioned_at=0, looked=0)
    changes.update(let_in="", demand=None, network="")


def finish(turn: Turn, changes: Changes) -> None:
    """It is provisioned: its key and token are remembered, its failures are over"""
    facts = turn.snapshot.facts
    changes.update(provisioned_at=turn.event.at, failures=0, absences=0, reason=None, detail="")
    changes.update(failed_from=None, looked=0, doing=None, awaited=None)
    changes["previous_key"] = facts.key.public_key if facts.key else facts.csr.fingerprint if facts.csr else ""
    changes["previous_token"] = facts.token.jti if facts.token else ""


def well_meanwhile(turn: Turn, changes: Changes) -> None:
    """It was well meanwhile: how often it came back before is over"""
    changes["returns"] = 0


def by_silence(turn: Turn, changes: Changes) -> None:
    """The evidence is silence: no look got an answer"""
    changes["evidence"] = "silence"


def by_leaving(turn: Turn, changes: Changes) -> None:
    """The evidence is that it left: two looks found nobody"""
    changes["evidence"] = "left"


# -- failing ----------------------------------------------------------------------------------------------------------


def fail(turn: Turn, changes: Changes) -> None:
    """It failed: it is tried again from the beginning, after a wait that grows to retry_cap"""
    failures = turn.snapshot.failures + 1
    changes.update(failures=failures, failed_from=turn.snapshot.state)
    wait(turn, changes, DueKind.RETRY, retry.before_generation(turn.policy, failures, turn.event.entropy))


def missed(turn: Turn, changes: Changes) -> None:
    """Nobody was there, once more"""
    changes["absences"] = turn.snapshot.absences + 1


def hold(turn: Turn, changes: Changes) -> None:
    """It is held until an operator releases it"""
    snapshot = turn.snapshot
    before = snapshot.failed_from if snapshot.state is State.FAILED else snapshot.state
    changes.update(held=True, awaited=None, failed_from=before)


def restore(turn: Turn, changes: Changes) -> None:
    """It is what it was before it was held"""
    changes.update(held=False, failed_from=None, reason=None, detail="")


def forgive(turn: Turn, changes: Changes) -> None:
    """What was held against it is over: it has not failed, and it has not come back"""
    changes.update(failures=0, returns=0, absences=0)


def because(reason: Reason) -> Action:
    """The action that notes a reason of its own."""

    def note(turn: Turn, changes: Changes) -> None:
        changes.update(reason=reason, detail=_words(turn)[:LONGEST_DETAIL])

    note.__doc__ = f"The reason is {reason.value}"
    note.__name__ = f"because_{reason.value}"
    return note


# -- small pieces -----------------------------------------------------------------------------------------------------


def _answered(body: Done | Failed) -> bool:
    if SPECS[body.effect].port is not Port.RPC:
        return False
    if isinstance(body, Failed):
        return body.certainty in _ANSWERED
    return not isinstance(body.facts, Sighting) or body.facts.present


def _words(turn: Turn) -> str:
    body = turn.event.body
    match body:
        case Operator():
            return f"{body.name}: {body.reason}"
        case Failed():
            return body.detail
        case Done(facts=HelperFacts(message=message)):
            return message
        case _:
            return ""
