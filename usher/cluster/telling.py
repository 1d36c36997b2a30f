"""Telling: what is known of the other ushers of a cluster, in words.

Rules:
1. It is said with its age: a peer that is silent may have seen more than it could tell, or nothing at all.
2. What a peer has not seen is named, the first few of it; the rest is counted.
3. A peer that is somebody else to the nodes is told so: they lock out one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from usher.terms import LEADS
from usher.views.text import distance, utc, visible

SILENT: Final = 15_000
"""Milliseconds after which a peer that is well would have been heard again, three times over."""
NAMED: Final = 3
"""Decisions that are named of what a peer has not seen."""


def lines(cluster: Mapping[str, Any] | None, at: int) -> Iterator[str]:
    """A line a peer, below the election's; nothing where there is no cluster."""
    if not cluster:
        return
    if not cluster["shared"]:
        yield "peers      decisions are not shared: set broker_provisioning_password, they are sealed with it"
        return
    if cluster["refused"]:
        yield f"peers      {cluster['refused']} messages had another seal: is the broker's password the same on all?"
    for peer in cluster["peers"]:
        yield f"peer       {visible(peer['name'])} {_there(peer, at)}; {_seen(peer)}{_other(peer, cluster['sender'])}"
    if not cluster["peers"]:
        yield "peers      no other usher was heard since this one started"


def _there(peer: Mapping[str, Any], at: int) -> str:
    leads, heard = peer["role"] == LEADS, distance(peer["heard"], at)
    if at - peer["heard"] < SILENT:
        return f"{'leads' if leads else 'stands by'}, heard {heard}"
    return f"is silent: it {'led' if leads else 'stood by'} when it was heard {heard}"


def programs(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """The same for programs: its times in UTC, in ISO 8601."""

    def named(decision: Mapping[str, Any]) -> dict[str, Any]:
        return {**decision, "at": utc(decision["at"])}

    def told(peer: Mapping[str, Any]) -> dict[str, Any]:
        unseen = [named(decision) for decision in peer["not_yet_seen"]]
        return {**peer, "heard": utc(peer["heard"]), "not_yet_seen": unseen}

    return {**cluster, "peers": [told(peer) for peer in cluster["peers"]]}


def _other(peer: Mapping[str, Any], ours: str) -> str:
    if peer["sender"] == ours:
        return ""
    return f"; it is {visible(peer['sender'])} to the nodes, this usher {visible(ours)}: set the same sender_identity"


def _seen(peer: Mapping[str, Any]) -> str:
    if not peer["unseen"]:
        return "has seen every decision"
    named = ", ".join(_named(decision) for decision in peer["not_yet_seen"][:NAMED])
    more = peer["unseen"] - min(len(peer["not_yet_seen"]), NAMED)
    return f"not yet seen by it: {named}" + (f", and {more} more" if more else "")


def _named(decision: Mapping[str, Any]) -> str:
    of = f" of {visible(decision['node'])}" if decision["node"] else ""
    return f"{decision['kind']}{of} by {visible(decision['by'])}"
