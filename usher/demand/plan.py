"""Plans: whom an operator asks what, and how, kept in the journal of the fleet before the first request.

Rules:
1. A plan is named by the time at which it was begun; what a node was asked under it stands in the node's own record
   (fsm.demand), so the two together say what is left, whatever died in between.
2. A plan of many nodes is written in pieces; one that is not whole is never carried out.
3. A plan that came to its end says so; any other can be continued.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from fsm.errors import ProblemError
from fsm.events import Verb
from store.entries import FleetEntry
from store.journal import Journal
from store.reader import Reader

PLAN: Final = "plan"
ENDED: Final = "plan-ended"
VERBS: Final = (Verb.REPROVISION, Verb.RESTART, Verb.SHUTDOWN)
"""What can be asked of the fleet."""


class PlanError(ProblemError):
    """The plan cannot be used"""


@dataclass(frozen=True, slots=True)
class Manner:
    """How nodes are asked: so many at once, seconds between, percent that may fail, seconds for one to be back."""

    batch: int = 10
    sleep: float = 0.0
    stop: float = 10.0
    within: float = 600.0
    force: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is asked what, in this order, by whom and why; `id` is when it was begun, `missing` what was not written."""

    id: int
    verb: Verb
    name: str
    reason: str
    manner: Manner
    nodes: tuple[str, ...]
    missing: int = 0
    ended: bool = False


async def note(
    journal: Journal, now: int, name: str, reason: str, arguments: Mapping[str, Any], nodes: Sequence[str]
) -> int:
    """Write a piece of a plan, or its end, durably; answers its id. Raises PlanError."""
    plan = arguments.get("plan") or now
    if type(plan) is not int:
        raise PlanError("a plan is named by the time at which it was begun")
    payload: dict[str, Any]
    if arguments.get("ended"):
        kind, payload = ENDED, {"plan": plan}
    else:
        kind, payload = PLAN, {**_checked(arguments), "plan": plan, "nodes": list(nodes)}
    await journal.fleet(FleetEntry(now, kind, name, reason, orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)))
    return plan


def described(plan: Plan) -> dict[str, Any]:
    """The arguments that a piece of the plan is written with."""
    manner = plan.manner
    return {
        "verb": plan.verb.value,
        "total": len(plan.nodes),
        "batch": manner.batch,
        "sleep": manner.sleep,
        "stop": manner.stop,
        "within": manner.within,
        "force": manner.force,
    }


def _checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        verb, total = Verb(arguments["verb"]), int(arguments["total"])
        manner = _manner(arguments)
    except (KeyError, TypeError, ValueError):
        raise PlanError("the plan lacks what it is to do: is it the same version of usher?") from None
    if verb not in VERBS or manner.batch < 1:
        raise PlanError("a plan asks for reprovision, restart or shutdown, in batches of at least 1")
    return described(Plan(0, verb, "", "", manner, ())) | {"total": total}


def _manner(said: Mapping[str, Any]) -> Manner:
    return Manner(
        int(said["batch"]), float(said["sleep"]), float(said["stop"]), float(said["within"]), said["force"] is True
    )


def last_plan(reader: Reader, verb: Verb) -> Plan | None:
    """The plan of this kind that was begun last; None if there was none. Raises PlanError."""
    found: dict[int, Plan] = {}
    for entry in reader.entries(PLAN, ENDED):
        try:
            said = orjson.loads(entry.payload or b"{}")
            plan, ends = int(said["plan"]), entry.kind == ENDED
            if ends and plan in found:
                found[plan] = _ended(found[plan])
            if not ends:
                found[plan] = _more(found.get(plan), entry.name, entry.reason, said)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise PlanError(f"the plan in entry {entry.position} of the fleet's journal cannot be read") from None
    mine = [plan for plan in found.values() if plan.verb is verb]
    return max(mine, key=lambda plan: plan.id, default=None)


def _more(plan: Plan | None, name: str, reason: str, said: Mapping[str, Any]) -> Plan:
    nodes = (*(plan.nodes if plan else ()), *map(str, said["nodes"]))
    missing = int(said["total"]) - len(nodes)
    return Plan(int(said["plan"]), Verb(said["verb"]), name, reason, _manner(said), nodes, missing)


def _ended(plan: Plan) -> Plan:
    return Plan(plan.id, plan.verb, plan.name, plan.reason, plan.manner, plan.nodes, plan.missing, ended=True)
