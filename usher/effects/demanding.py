"""On demand: what an operator asks of a node in the fleet, over the fleet's connection (wire/provisioning.md §2.2).

Rules:
1. A request is sent once for each intent; what became of it is found out by looking, never by sending blindly again.
2. A token that the node refuses has changed nothing, so the next of the site's tokens is sent in the same opening, as
   for fetch_jwt.
3. `restart` has a splay of 1, as in provisioning: who wants machines apart has batches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fsm.effects import Intent
from fsm.events import Failed
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from usher.effects import parting, reading
from usher.effects.site import Ports, SiteFacts

_MORE: Final[dict[str, dict[str, object]]] = {"restart": {"splay": 1}}


async def send(ports: Ports, site: SiteFacts, intent: Intent, snapshot: Snapshot, action: str) -> Outcome:
    """Send `reprovision`, `restart` or `shutdown`, with the first of the site's tokens that the node takes."""
    offers = site.tokens.offers_for(snapshot)
    for offer in offers:
        outcome = await parting.part(ports, intent, action, {"token": offer.text, **_MORE.get(action, {})})
        body = outcome.body
        if not isinstance(body, Failed) or body.reason is not Reason.WRONG_TOKEN:
            break
    return outcome


async def look(ports: Ports, intent: Intent) -> Outcome:
    """Find out whether the node is in the fleet, and how old its process is."""
    outcome = await reading.look(ports, intent)
    body = outcome.body
    if isinstance(body, Failed) and body.reason is Reason.FLEET_CLOSED:
        return replace(outcome, body=replace(body, transient=False))  # no time opens it, an operator does
    return outcome
