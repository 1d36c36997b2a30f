"""Guards: the questions that the table asks, each a named pure function with its answer in one sentence.

Rules:
1. A guard reads the snapshot, the event and the policy, and nothing else (law 2).
2. Its docstring finishes the sentence "this row applies when ...", since the documents print it.
3. A guard of an outcome may rely on the outcome matching the open step; that is checked before the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsm import quiet
from fsm.choosing import holding
from fsm.effects import SPECS, Effect, Unknown, following, steps
from fsm.events import FREE, OUTCOMES, PERHAPS, Certainty, Done, DueKind, Event, Failed, HelperFacts, Sighting, Verdict
from fsm.frozen import quick
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from fsm.states import PHASES


@quick
@dataclass(frozen=True, slots=True)
class Turn:
    """What a decision is made from."""

    snapshot: Snapshot
    event: Event
    policy: Policy


Guard = Callable[[Turn], bool]


# -- time and turn ----------------------------------------------------------------------------------------------------


def facts_too_old(turn: Turn) -> bool:
    """What was learnt is older than facts_max_age"""
    facts = turn.snapshot.facts
    return facts.at > 0 and turn.event.at - facts.at > turn.policy.facts_max_age


def too_old_to_go_on(turn: Turn) -> bool:
    """What was learnt is older than facts_max_age, and the step was not a shutdown or its look, which end the matter"""
    return facts_too_old(turn) and _effect(turn) not in {Effect.SHUTDOWN, Effect.LOOK}


def facts_lost(turn: Turn) -> bool:
    """What was learnt in this generation is not held any more"""
    return isinstance(turn.event.body, Failed) and turn.event.body.reason is Reason.FACTS_LOST


def in_the_room(turn: Turn) -> bool:
    """It waits for admission"""
    return turn.snapshot.waiting_for_admission


def can_hurry(turn: Turn) -> bool:
    """It waits for a due time that is not a look's: two looks that count must be look_delay apart"""
    awaited = turn.snapshot.awaited
    return awaited is not None and awaited.kind is not DueKind.LOOK


def held(turn: Turn) -> bool:
    """It is held, only an operator releases it"""
    return turn.snapshot.held


def must_wait(turn: Turn) -> bool:
    """An earlier request that changes the node may still be alive"""
    doing, at = turn.snapshot.doing, turn.event.at
    return doing is not None and quiet.forbids(turn.snapshot.quiet, doing.effect, turn.snapshot.facts, at)


def looked_lately(turn: Turn) -> bool:
    """A hint already made us look less than look_interval ago, or a look is under way"""
    snapshot = turn.snapshot
    ago = turn.event.at - snapshot.looked  # less than nothing if the clock went back
    return snapshot.active or 0 <= ago < turn.policy.look_interval


def missed_and_later(turn: Turn) -> bool:
    """It failed because nobody answered, and its next try is more than hint_delay away"""
    snapshot = turn.snapshot
    missed = snapshot.reason in {Reason.ABSENT, Reason.NO_ANSWER} and not snapshot.held
    return missed and snapshot.awaited is not None and snapshot.awaited.at > turn.event.at + turn.policy.hint_delay


# -- what the helper said ---------------------------------------------------------------------------------------------


def helper_defers(turn: Turn) -> bool:
    """The helper said later"""
    return _verdict(turn) is Verdict.DEFER


def helper_shuts_down(turn: Turn) -> bool:
    """The helper wants the node shut down"""
    return _verdict(turn) is Verdict.SHUTDOWN


def shutdown_must_wait(turn: Turn) -> bool:
    """The helper wants the node shut down, and an earlier request may still be alive"""
    return helper_shuts_down(turn) and _forbidden(turn, Effect.SHUTDOWN)


def keeps_provisioning(turn: Turn) -> bool:
    """The helper's configuration would keep the node in provisioning mode"""
    body = turn.event.body
    return isinstance(body, Done) and isinstance(body.facts, HelperFacts) and body.facts.keeps_provisioning


# -- the way through --------------------------------------------------------------------------------------------------


def more_steps(turn: Turn) -> bool:
    """The phase has another step"""
    body = turn.event.body
    return isinstance(body, Done) and _next(turn, body.effect) is not None


def next_phase_must_wait(turn: Turn) -> bool:
    """The phase is over, and what comes next must wait for an earlier request that may still be alive"""
    then = PHASES[PHASES.index(turn.snapshot.state) + 1]
    return _forbidden(turn, steps(then, holding(turn.snapshot, turn.event, turn.policy))[0])


def was_shutdown(turn: Turn) -> bool:
    """The step was the shutdown"""
    return _effect(turn) is Effect.SHUTDOWN


def was_restart(turn: Turn) -> bool:
    """The step was the restart"""
    return _effect(turn) is Effect.RESTART


# -- how a step failed ------------------------------------------------------------------------------------------------


def lock_refused(turn: Turn) -> bool:
    """Another provisioner holds the node's lock"""
    body = turn.event.body
    return isinstance(body, Failed) and body.reason is Reason.LOCK_HELD


def costs_nothing(turn: Turn) -> bool:
    """Nothing was sent, or usher itself or the way to the broker ended: no fault of the node"""
    return _certainty(turn) in FREE


def nobody_for_good(turn: Turn) -> bool:
    """Nobody was subscribed, and this name never answered, or nobody was there several times in a row"""
    snapshot = turn.snapshot
    if _certainty(turn) is not Certainty.NOT_DELIVERED:
        return False
    return not snapshot.answered or snapshot.absences + 1 >= turn.policy.absences


def nobody(turn: Turn) -> bool:
    """Nobody was subscribed under this name"""
    return _certainty(turn) is Certainty.NOT_DELIVERED


def may_have_parted(turn: Turn) -> bool:
    """Nobody knows whether the node has left: its outcome must be looked for, it is never sent blindly again"""
    effect = _effect(turn)
    if effect is None or SPECS[effect].unknown is not Unknown.LOOK:
        return False
    return _certainty(turn) in PERHAPS


def parted_before(turn: Turn) -> bool:
    """Nobody is subscribed any more, and an earlier parting of this generation was sent"""
    parting = _effect(turn) in {Effect.RESTART, Effect.SHUTDOWN} and turn.snapshot.parting.count > 0
    return parting and _certainty(turn) is Certainty.NOT_DELIVERED


def another_try(turn: Turn) -> bool:
    """Trying again may help, and tries are left"""
    body, doing = turn.event.body, turn.snapshot.doing
    if not isinstance(body, Failed) or doing is None or not body.transient or doing.effect is Effect.LOOK:
        return False
    worth = {Certainty.UNKNOWN, Certainty.REFUSED, Certainty.INVALID}
    return body.certainty in worth and doing.tries < SPECS[doing.effect].tries


# -- what a look saw --------------------------------------------------------------------------------------------------


def looks_in_vain(turn: Turn) -> bool:
    """The step was a look, it got no answer, and looks are left"""
    snapshot = turn.snapshot
    return _silent(turn) and snapshot.looks.silent + 1 < turn.policy.silent_looks


def silence_will_do(turn: Turn) -> bool:
    """The step was a look, none got an answer, the restart was acknowledged, and the site is not strict"""
    return _silent(turn) and turn.snapshot.parting.acknowledged and not turn.policy.strict


def look_costs_nothing(turn: Turn) -> bool:
    """The step was a look, and nothing was sent, or usher itself or the way to the broker ended"""
    return _effect(turn) is Effect.LOOK and costs_nothing(turn)


def found_gone(turn: Turn) -> bool:
    """The look found that nobody is subscribed under this name"""
    sighting = _sighting(turn)
    return sighting is not None and not sighting.present


def found_gone_twice(turn: Turn) -> bool:
    """The look found nobody, as the one before it did over the same connection"""
    body, looks = turn.event.body, turn.snapshot.looks
    sent = body.sent if isinstance(body, Done) else None
    return found_gone(turn) and looks.gone > 0 and sent is not None and sent.connection == looks.connection


def found_new_process(turn: Turn) -> bool:
    """The look found a process that is younger than what was sent"""
    body, sighting = turn.event.body, _sighting(turn)
    if sighting is None or not sighting.present or not isinstance(body, Done) or body.sent is None:
        return False
    return sighting.age < body.sent.at - turn.snapshot.parting.at


def found_looping(turn: Turn) -> bool:
    """The look found a new process, as it did too often in a row"""
    return found_new_process(turn) and turn.snapshot.returns + 1 >= turn.policy.loops


def found_same_process(turn: Turn) -> bool:
    """The look found the same process, and partings are left"""
    return _sighting(turn) is not None and turn.snapshot.parting.count < turn.policy.restarts


def found_somebody(turn: Turn) -> bool:
    """The look found a process in provisioning mode"""
    sighting = _sighting(turn)
    return sighting is not None and sighting.present


def was_look(turn: Turn) -> bool:
    """The step was a look"""
    return _effect(turn) is Effect.LOOK


def another_signer(turn: Turn) -> bool:
    """The token was ordered of a key that is not the signer any more, or its order is older than facts_max_age"""
    doing = turn.snapshot.doing
    if doing is None or doing.effect is not Effect.SIGN_TOKEN:
        return False
    return doing.signer != turn.policy.signer or turn.event.at - doing.at > turn.policy.facts_max_age


# -- reading a turn ---------------------------------------------------------------------------------------------------


def _effect(turn: Turn) -> Effect | None:
    body = turn.event.body
    return body.effect if isinstance(body, OUTCOMES) else None


def _certainty(turn: Turn) -> Certainty | None:
    body = turn.event.body
    return body.certainty if isinstance(body, Failed) else None


def _silent(turn: Turn) -> bool:
    return _effect(turn) is Effect.LOOK and _certainty(turn) is Certainty.UNKNOWN


def _sighting(turn: Turn) -> Sighting | None:
    body = turn.event.body
    return body.facts if isinstance(body, Done) and isinstance(body.facts, Sighting) else None


def _verdict(turn: Turn) -> Verdict | None:
    body = turn.event.body
    return body.facts.verdict if isinstance(body, Done) and isinstance(body.facts, HelperFacts) else None


def _next(turn: Turn, effect: Effect) -> Effect | None:
    return following(turn.snapshot.state, effect, holding(turn.snapshot, turn.event, turn.policy))


def _forbidden(turn: Turn, effect: Effect) -> bool:
    still = quiet.after(turn.snapshot, turn.event, turn.policy)
    return quiet.forbids(still, effect, turn.snapshot.facts, turn.event.at)
