"""A dry run: what would be asked of whom, and of whom not and why; decided by the table itself.

Rules:
1. What is said is what the daemon would decide on the records as they are now: the same `decide`, and nothing is kept.
2. A node that would not be asked is told with the sentence of the row that refuses it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from fsm.demand import SENDS
from fsm.events import Event, Operator
from fsm.machine import Decision, Rejected, decide
from fsm.policy import Policy
from fsm.snapshot import unseen
from store.reader import Reader
from usher.demand.plan import Plan
from usher.views.text import visible


def foreseen(
    reader: Reader, plan: Plan, now: int, closed: Mapping[str, str], *, as_json: bool
) -> tuple[list[str], bool]:
    """The lines that say what would be asked of each, and whether all would be asked.

    `closed` says of each network why nobody can be asked there (usher.networks.fleets); it is empty if nobody knows.
    """
    asked, told = 0, {}
    lines: list[str] = []
    for node in plan.nodes:
        would, why = _would(reader, plan, node, now, closed)
        asked += would
        told[node] = {"asked": would, "why": why}
        lines.append(f"{node}: {'would be asked' if would else 'would not be asked'}: {visible(why)}")
    manner = plan.manner
    batches = -(-len(plan.nodes) // manner.batch)
    if as_json:
        lines = [json.dumps({"verb": plan.verb.value, "batches": batches, "nodes": told})]
    else:
        of = f"{batches} batch{'' if batches == 1 else 'es'} of {manner.batch}"
        lines.append(f"{asked} of {len(plan.nodes)} would be asked, in {of}; nobody was asked")
    return lines, asked == len(plan.nodes)


def sends(decision: Decision) -> bool:
    """Whether a node is sent something in the fleet."""
    return decision.opens is not None and decision.opens.effect in SENDS


def _would(reader: Reader, plan: Plan, node: str, now: int, closed: Mapping[str, str]) -> tuple[bool, str]:
    snapshot = reader.node(node) or unseen(node)
    wish = Operator(plan.verb, "", plan.reason, plan.id, plan.manner.force)
    decision = decide(snapshot, Event(now, bytes(16), wish), Policy())
    if isinstance(decision, Rejected):
        return False, decision.why
    if not sends(decision):
        return True, f"{snapshot.state}: {decision.row.why}; nothing needs to be sent"
    why = _unreachable(snapshot.network, closed)
    return not why, why or decision.row.why


def _unreachable(network: str, closed: Mapping[str, str]) -> str:
    """Why nobody can be asked in the network of a record; one that names none is the first's."""
    if not closed or network in closed:
        return closed.get(network, "")
    return f"its network {network} is not configured any more" if network else next(iter(closed.values()))
