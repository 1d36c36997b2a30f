"""Terms: who leads, as the fleet's journal keeps it and as people are told.

Rules:
1. An election is one document with the same keys, whoever made it; null stands for what is not known.
2. What is not our own is said with its age: a leader's word about itself is only as good as it is new.
3. Nothing here needs a daemon or a broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from store.views import FleetView
from usher.views.text import distance, visible

ELECTED: Final = "elected"
FELL: Final = "fell"
HANDED_OVER: Final = "handed-over"
KINDS: Final = (ELECTED, FELL, HANDED_OVER)
"""What the fleet's journal says of elections; the payload has the key's sequence."""
LEADS: Final = "leader"
"""The role of who leads (transport.lease.Role)."""


@dataclass(frozen=True, slots=True)
class Led:
    """What the database knows of its last term: the sequence then, and whether this usher handed over with it."""

    sequence: int = 0
    handed_over: bool = False


NEVER: Final = Led()


def led(view: FleetView | None) -> Led:
    """What the newest entry of KINDS says."""
    return Led(_sequence(view), view.kind == HANDED_OVER) if view is not None else NEVER


def payload(sequence: int) -> bytes:
    """What is kept beside an entry of KINDS."""
    return orjson.dumps({"sequence": sequence})


def _sequence(view: FleetView) -> int:
    return int(orjson.loads(view.payload or b"{}").get("sequence", 0))


def stored(view: FleetView | None) -> dict[str, Any] | None:
    """The election as the database alone tells it; None if this usher was never elected."""
    if view is None:
        return None
    return {
        "name": view.name,
        "sender": None,
        "role": None,
        "ttl": None,
        "leader": view.name if view.kind == ELECTED else None,
        "since": view.at if view.kind == ELECTED else None,
        "sequence": _sequence(view),
        "known": view.at,
        "trouble": "",
    }


def said(election: Mapping[str, Any], at: int) -> str:
    """Who leads, in one sentence."""
    if election["trouble"]:
        return f"no election: {visible(election['trouble'])}"
    name, leader = visible(election["name"]), election["leader"]
    sequence = f"sequence {election['sequence']}" if election["sequence"] else "no sequence"
    known = f"known {distance(election['known'], at)}" if election["known"] else "never heard of"
    if election["role"] is None:
        what = f"{name} led" if leader else f"{name} did not lead any more"
        return f"{what} when its daemon last said so; {sequence}, {known}"
    stale = bool(election["known"] and election["ttl"]) and at - election["known"] > election["ttl"] * 1000
    if stale and election["role"] != LEADS:
        heard = f"{visible(leader)} did when it was last heard" if leader else "nothing has answered since"
        return f"{name} stands by, and who leads is not known for longer than a lease: {heard}; {sequence}, {known}"
    if leader is None:
        return f"{name} stands by, and no usher says that it leads: the older program may; {sequence}, {known}"
    since = f"elected {distance(election['since'], at)}; {sequence}, {known}"
    if election["role"] == LEADS:
        return f"{name}, this usher, leads, {since}"
    return f"{name} stands by: {visible(leader)} leads, {since}"
