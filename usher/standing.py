"""Standing: the status as words, and as much of it as the database alone can tell.

Rules:
1. A status is one document with the same keys, whoever made it; what only a daemon knows is null without one.
2. Nothing here needs a broker or a key: asking how usher stands must work when nothing else does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fsm.errors import StoreError
from fsm.reasons import Reason
from store.reader import Reader, open_reader
from usher import denied, intake, observe, outages, terms
from usher.cluster import kept, telling
from usher.views.text import distance, utc, visible

TOP: Final = 5
"""How many reasons are named."""


def stored(database: Path) -> dict[str, Any] | None:
    """What the database tells without a daemon; None if it cannot be read."""
    try:
        if not database.is_file():
            return None
        with open_reader(database) as reader:
            fleet, waiting = reader.paused(), reader.oldest_waiting(1)
            return {
                "site": None,
                "version": version("choria-usher"),
                "pid": None,
                "started": None,
                "lineage": reader.meta().lineage,
                "epoch": reader.meta().epoch,
                "ready": False,
                "connected": False,
                "connections": {},
                "holds": {},
                "paused": {"since": fleet.at, "by": fleet.name, "reason": fleet.reason} if fleet is not None else None,
                "election": terms.stored(reader.last(*terms.KINDS)),
                "cluster": None,
                "observes": None,
                "denied": _denied(reader),
                "intake": None,
                "breakers": {},
                "states": {state.value: count for state, count in sorted(reader.counts().items())},
                "waiting_room": reader.waiting(),
                "oldest_waiting": waiting[0].since if waiting else None,
                "in_flight": None,
                "window": None,
                "reasons": {reason.value: count for reason, count in reader.reasons(TOP)},
                "bugs": None,
                "credentials": [],
                "aged": None,
                "recovery": None,
                "networks": _networks(reader),
                "fleets": None,
            }
    except (StoreError, OSError):
        return None


def _networks(reader: Reader) -> list[dict[str, Any]]:
    """What the database tells of several networks: how many nodes are where; none where there is one alone."""
    found = reader.networks() if reader.networked else {}
    unknown = dict.fromkeys(("configured", "protocol", "waiting_room", "oldest_waiting", "in_flight", "window"))
    return [
        {
            "name": name,
            **unknown,
            "ready": False,
            "holds": {},
            "connections": {},
            "intake": None,
            "breakers": {},
            "states": {state.value: count for state, count in sorted(states.items())},
        }
        for name, states in sorted(found.items())
    ]


def _denied(reader: Reader) -> list[dict[str, Any]]:
    lineage = reader.meta().lineage
    return denied.document(denied.after((), kept.denied(reader, lineage), lineage))


def unreadable(database: Path) -> str:
    """Why the database that is there cannot be read, with the next step; empty if nothing is wrong with it."""
    try:
        if os.path.lexists(database):
            open_reader(database).close()
    except (StoreError, OSError) as error:
        return str(error)
    return ""


def trouble(document: Mapping[str, Any]) -> str:
    """Why it takes no work, in one sentence; empty when it does, or stands by while another leads."""
    holds = {name: what for name, what in document["holds"].items() if name != Reason.STANDBY.value}
    if document["pid"] is None:
        return "no daemon answers; this is what its database holds"
    election = document.get("election")
    if election and election["trouble"]:
        return f"there is no election: {election['trouble']}"
    if not holds:
        return ""
    paused = document["paused"]
    if paused:
        return f"paused by {paused['by']}: {paused['reason']}"
    failed = [f"{name}: {held['reason']}" for name, held in document["connections"].items() if held["reason"]]
    if Reason.DISCONNECTED.value in holds:
        return "not connected to the broker" + (f" ({'; '.join(failed)})" if failed else "")
    return "; ".join(holds.values())


def programs(document: Mapping[str, Any]) -> dict[str, Any]:
    """The status for programs: its times in UTC, in ISO 8601, as every view has them; null where there is none."""
    paused = document["paused"]
    cluster = document.get("cluster")
    return {
        **document,
        "cluster": cluster and telling.programs(cluster),
        "started": utc(document["started"] or 0),
        "paused": paused and {**paused, "since": utc(paused["since"])},
        **_times(document),
        "denied": denied.programs(document.get("denied", ())),
        "networks": [{**each, **_times(each)} for each in document.get("networks", ())],
        "credentials": [{**each, "expires": utc(each["expires"] or 0)} for each in document.get("credentials", ())],
    }


def _times(part: Mapping[str, Any]) -> dict[str, Any]:
    """The times that the whole and each network have."""
    breakers = part.get("breakers", {})
    return {
        "oldest_waiting": utc(part["oldest_waiting"] or 0),
        "breakers": {name: {**each, "since": utc(each["since"])} for name, each in breakers.items()},
    }


def stance(document: Mapping[str, Any]) -> str:
    """What it does, in a few words."""
    stands_by = Reason.STANDBY.value in document["holds"]
    works = "observes, and touches nothing" if document.get("observes") else "takes work"
    return trouble(document) or ("stands by" if stands_by else works)


def lines(document: dict[str, Any], at: int) -> list[str]:
    """The status for a person."""
    process = f"process {document['pid']}, " if document["pid"] else ""
    who = f"usher {document['version']} ({process}epoch {document['epoch']})"
    shown = [f"{who}: {visible(stance(document))}"]
    networks = document.get("networks") or ()
    for network in networks:
        shown += _network(network, at)
    shown += () if networks else _links(document["connections"])
    paused = document["paused"]
    if paused:
        shown.append(f"  paused   {distance(paused['since'], at)} by {paused['by']}: {visible(paused['reason'])}")
    shown += [*_election(document, at), *telling.lines(document.get("cluster"), at)]
    shown += [observe.line(document)] if document.get("observes") else []
    shown += denied.lines(document.get("denied", ()), at)
    shown += [*intake.lines(document.get("intake")), *outages.lines(document.get("breakers", {}), at)]
    shown.append(f"nodes      {sum(document['states'].values())}")
    shown += [f"  {state:12} {count}" for state, count in document["states"].items()]
    oldest = f", the oldest since {distance(document['oldest_waiting'], at)}" if document["oldest_waiting"] else ""
    shown.append(f"waiting    {document['waiting_room']}{oldest}")
    if document["in_flight"] is not None:
        shown.append(f"in flight  {document['in_flight']} of at most {document['window']}")
    if document["reasons"]:
        shown.append("failed     " + ", ".join(f"{reason} {count}" for reason, count in document["reasons"].items()))
    for credential in document.get("credentials", ()):
        if credential["warning"]:
            shown.append(f"renew      {credential['setting']}: {credential['warning']}")
    if document.get("aged"):
        shown.append(f"closed     {_count(document['aged'], 'record')} of nodes at rest for longer than keep_nodes")
    recovery = document.get("recovery")
    if recovery and recovery["nodes"]:
        shown.append(f"started    {taken_up(recovery)}{_lasted(recovery)}")
    if document["bugs"]:
        shown.append(f"bugs       {document['bugs']}: nodes were quarantined by usher itself; the log has the traces")
    return shown


def _election(document: Mapping[str, Any], at: int) -> list[str]:
    election = document.get("election")
    if not election:
        return []
    goes_on = election["role"] == terms.LEADS and document["paused"]
    renews = "; paused, it renews its lease all the same, or another would begin" if goes_on else ""
    return [f"election   {terms.said(election, at)}{renews}"]


def _network(network: Mapping[str, Any], at: int) -> list[str]:
    """A line that says how one of several networks stands; below it connections, intake, and what is away."""
    states = ", ".join(f"{state} {count}" for state, count in network["states"].items()) or "no nodes"
    name = network["name"] or "without a name"
    if network["configured"] is False:
        advice = "configured no more: its nodes are left alone (usher nodes list --network, usher nodes forget)"
        return [f"network    {name}: {advice}; {states}"]
    word = "takes work" if network["ready"] else "; ".join(network["holds"].values()) or "no daemon"
    spoken = f", protocol {network['protocol']}" if network["protocol"] else ""
    shown = [f"network    {name}{spoken}: {word}; {states}", *_links(network["connections"])]
    return [*shown, *intake.lines(network.get("intake"), "  intake  "), *outages.shut(network.get("breakers", {}), at)]


def _links(connections: Mapping[str, Any]) -> list[str]:
    shown = []
    for purpose, link in connections.items():
        reason = f" ({visible(link['reason'])})" if link["reason"] else ""
        shown.append(f"  {purpose:8} {link['state']} {visible(link['server'])}{reason}")
    return shown


def _lasted(recovery: Mapping[str, Any]) -> str:
    if recovery["seconds"] is None:
        return f"; {recovery['left']} are still to be settled"
    return f", in {recovery['seconds']:.1f}s"


def taken_up(document: Mapping[str, Any]) -> str:
    """What a start took up, in one line (`recovery` of a status)."""
    said = f"took up {_count(document['nodes'], 'node')}"
    not_sent, interrupted = document["not_sent"], document["interrupted"]
    if not not_sent and not interrupted:
        return f"{said}: nothing was under way"
    sent = f"{_count(not_sent, 'effect')} had not been sent, {interrupted} {_were(interrupted)} interrupted"
    return f"{said}: {sent}, {document['waiting']} wait{'s' * (document['waiting'] == 1)} until quiet"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
