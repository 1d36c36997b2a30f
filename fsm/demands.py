"""On demand: the questions about what an operator asks of nodes in the fleet, and the actions that keep its standing.

Rules:
1. A request that may have been taken is never sent again: the node is looked for in the fleet, then in provisioning.
2. A look proves that a request had no effect only when the request cannot be alive any more (fsm.quiet); a younger
   process in the fleet proves a restart, and no more: what was to leave has not left.
3. What would leave a node without a way back is refused unless the operator insists (wire/provisioning.md §6.1).
4. A guard's docstring finishes the sentence "this row applies when ...", an action's says what changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fsm import quiet
from fsm.demand import OPEN, SENDS, Demand, Standing
from fsm.effects import Effect
from fsm.events import FREE, OUTCOMES, PERHAPS, Certainty, Done, DueKind, Failed, Operator, Sighting, Verb
from fsm.guards import Turn, found_gone, found_somebody
from fsm.reasons import Reason
from fsm.waits import Changes, wait

LEAVING: Final = 12_000
"""Milliseconds in which a node has left after `reprovision` (2 to 11 s) or `shutdown` (wire/provisioning.md §2.2)."""
_SENT_BY: Final = {
    Verb.REPROVISION: Effect.SEND_REPROVISION,
    Verb.RESTART: Effect.SEND_RESTART,
    Verb.SHUTDOWN: Effect.SEND_SHUTDOWN,
}
_STANDINGS: Final = {Certainty.NOT_SENT: Standing.NOT_SENT, Certainty.NOT_DELIVERED: Standing.ABSENT}


# -- may it be asked --------------------------------------------------------------------------------------------------


def asked_by_this_plan(turn: Turn) -> bool:
    """This plan has asked it before, and it is not known that nothing came of that"""
    body, demand = turn.event.body, turn.snapshot.demand
    if not isinstance(body, Operator) or demand is None or not body.plan or demand.plan != body.plan:
        return False
    return demand.standing in OPEN | {Standing.DONE, Standing.UNKNOWN}


def busy(turn: Turn) -> bool:
    """Something is under way or awaited"""
    return turn.snapshot.active


def may_be_alive(turn: Turn) -> bool:
    """An earlier request that changes the node may still be alive"""
    snapshot = turn.snapshot
    return quiet.forbids(snapshot.quiet, Effect.SEND_RESTART, snapshot.facts, turn.event.at)


def stays_away(turn: Turn) -> bool:
    """The token that it showed us lacks `chpd`, and the operator does not insist"""
    jwt = turn.snapshot.facts.jwt
    return not _insists(turn) and jwt is not None and not jwt.provisions_by_default


def may_stay_away(turn: Turn) -> bool:
    """It is not known whether its token has `chpd`, and the operator does not insist"""
    return not _insists(turn) and turn.snapshot.facts.jwt is None


# -- how it ended -----------------------------------------------------------------------------------------------------


def was_reprovision(turn: Turn) -> bool:
    """The step sent `reprovision`"""
    return _effect(turn) is Effect.SEND_REPROVISION


def was_restart_on_demand(turn: Turn) -> bool:
    """The step sent `restart` to the fleet"""
    return _effect(turn) is Effect.SEND_RESTART


def was_shutdown_on_demand(turn: Turn) -> bool:
    """The step sent `shutdown` to the fleet"""
    return _effect(turn) is Effect.SEND_SHUTDOWN


def may_have_happened(turn: Turn) -> bool:
    """A demand was sent, and nobody knows whether the node has taken it"""
    body = turn.event.body
    return isinstance(body, Failed) and body.effect in SENDS and body.certainty in PERHAPS


def came_to_nothing(turn: Turn) -> bool:
    """The step was a demand"""
    return _effect(turn) in SENDS


# -- what a look after it saw -----------------------------------------------------------------------------------------


def left_at_its_shutdown(turn: Turn) -> bool:
    """A shutdown was asked for, and nobody is in the fleet under this name"""
    demand = turn.snapshot.demand
    return _in_fleet(turn) and found_gone(turn) and demand is not None and demand.effect is Effect.SEND_SHUTDOWN


def left_the_fleet(turn: Turn) -> bool:
    """Nobody is in the fleet under this name"""
    return _in_fleet(turn) and found_gone(turn)


def restarted_in_the_fleet(turn: Turn) -> bool:
    """A restart was asked for, and in the fleet there is a process that is younger than the request"""
    body, demand = turn.event.body, turn.snapshot.demand
    if not isinstance(body, Done) or not isinstance(body.facts, Sighting) or demand is None or body.sent is None:
        return False
    return (
        _in_fleet(turn)
        and demand.effect is Effect.SEND_RESTART
        and body.facts.present
        and body.facts.age < body.sent.at - demand.at
    )


def there_and_not_quiet(turn: Turn) -> bool:
    """It is in the fleet, and the request may still be alive"""
    return _in_fleet(turn) and may_be_alive(turn)


def there_in_the_fleet(turn: Turn) -> bool:
    """It is in the fleet"""
    return _in_fleet(turn)


def returned_as_asked(turn: Turn) -> bool:
    """A look after a demand found it in provisioning mode"""
    return found_somebody(turn) and _looking(turn)


def looked_for_in_vain(turn: Turn) -> bool:
    """A look after a demand found nobody in provisioning mode either"""
    return _looking(turn)


def look_for_it_later(turn: Turn) -> bool:
    """A look after a demand was not made, for no fault of the node"""
    body = turn.event.body
    if not _looking(turn) or not isinstance(body, Failed) or not body.transient:
        return False
    return body.certainty in FREE


# -- what changes -----------------------------------------------------------------------------------------------------


def demanded(turn: Turn, changes: Changes) -> None:
    """What is asked, and under which plan, is noted; it is being sent"""
    body, at = turn.event.body, turn.event.at
    if isinstance(body, Operator):
        changes["demand"] = Demand(body.plan, at, Standing.SENDING, _SENT_BY[body.verb])


def demanded_here(turn: Turn, changes: Changes) -> None:
    """What is asked, and under which plan, is noted; nothing needs to be sent for it"""
    body, at = turn.event.body, turn.event.at
    if isinstance(body, Operator):
        changes["demand"] = Demand(body.plan, at, Standing.DONE)


def carried_out(turn: Turn, changes: Changes) -> None:
    """What was asked is done"""
    _stands(turn, changes, Standing.DONE)


def nothing_came_of_it(turn: Turn, changes: Changes) -> None:
    """What was asked did not happen, and it is known why"""
    body = turn.event.body
    certainty = body.certainty if isinstance(body, Failed) else None
    _stands(turn, changes, _STANDINGS.get(certainty, Standing.REFUSED) if certainty else Standing.REFUSED)


def had_no_effect(turn: Turn, changes: Changes) -> None:
    """What was asked had no effect"""
    _stands(turn, changes, Standing.NO_EFFECT)


def not_known(turn: Turn, changes: Changes) -> None:
    """Nobody knows what became of what was asked"""
    _stands(turn, changes, Standing.UNKNOWN)


def look_for_it(turn: Turn, changes: Changes) -> None:
    """A look in the fleet is due when the node would have left"""
    body, doing, demand = turn.event.body, turn.snapshot.doing, turn.snapshot.demand
    if isinstance(body, OUTCOMES) and doing is not None and demand is not None:
        at = body.sent.at if body.sent else doing.since
        changes["demand"] = replace(demand, at=at, standing=Standing.LOOKING)
    wait(turn, changes, DueKind.LOOK, LEAVING)


def look_when_quiet(turn: Turn, changes: Changes) -> None:
    """A look in the fleet is due when the request cannot be alive, and the node would have left"""
    still = turn.snapshot.quiet
    left = min(max(still.until - turn.event.at, 0), turn.policy.request_life) if still else 0
    wait(turn, changes, DueKind.LOOK, left + LEAVING)


def return_later(turn: Turn, changes: Changes) -> None:
    """The new generation is due when the node would have left the fleet"""
    wait(turn, changes, DueKind.RETRY, LEAVING)


# -- small pieces -----------------------------------------------------------------------------------------------------


def _stands(turn: Turn, changes: Changes, standing: Standing) -> None:
    demand = turn.snapshot.demand
    if demand is not None:
        changes["demand"] = replace(demand, standing=standing)
    if standing is Standing.DONE:
        changes.update(reason=Reason.ASKED, detail="")


def _insists(turn: Turn) -> bool:
    return isinstance(turn.event.body, Operator) and turn.event.body.force


def _effect(turn: Turn) -> Effect | None:
    body = turn.event.body
    return body.effect if isinstance(body, OUTCOMES) else None


def _in_fleet(turn: Turn) -> bool:
    return _effect(turn) is Effect.LOOK_IN_FLEET


def _looking(turn: Turn) -> bool:
    demand = turn.snapshot.demand
    return demand is not None and demand.standing is Standing.LOOKING
