"""What is kept of decisions: entries of the fleet's journal, which tell an auditor, and the next start.

Rules:
1. A decision is in force here once its entry is durable; the last entry on a subject is the one that counts.
2. An entry that says no stamp was made by a command while no daemon ran, or by an older usher: it is this usher's own.
3. What cannot be read as a decision is left out: the journal is told by others too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from fsm.events import Verb
from store.entries import FleetEntry
from store.reader import Reader
from store.views import FleetView
from transport.wire.decisions import Decision, Kind, read_decision
from transport.wire.errors import WireError
from usher import terms
from usher.cluster.register import Register

_VERBS: Final = {Verb.QUARANTINE: Kind.QUARANTINE, Verb.RELEASE: Kind.RELEASE}
KINDS: Final = tuple(kind.value for kind in Kind)


def entry(decision: Decision, at: int, lineage: str) -> FleetEntry:
    """How it stands in the journal of the usher of this lineage."""
    document = {
        "node": decision.node,
        "stamp": decision.stamp,
        "origin": decision.origin,
        "lineage": decision.lineage,
        "by": decision.by,
    }
    return FleetEntry(at, decision.kind.value, who(decision, lineage), decision.reason, orjson.dumps(document))


def who(decision: Decision, lineage: str) -> str:
    """Who decided, as history and status tell it at the usher of this lineage: a peer's operator with his usher."""
    return decision.by if decision.lineage == lineage else f"{decision.by} at {decision.origin}"


def marked(node: str) -> bytes:
    """What a command that runs alone keeps beside its entry."""
    return orjson.dumps({"node": node})


def read(views: Iterable[FleetView], name: str, lineage: str) -> Iterator[tuple[Decision, int]]:
    """The decisions among these entries, and when each was written here."""
    for view in views:
        document = _payload(view)
        own = {"node": "", "stamp": view.at, "origin": name, "lineage": lineage, "by": view.name}
        said = {**own, **document, "kind": view.kind, "reason": view.reason}
        try:
            yield read_decision(said), view.at
        except WireError:
            continue


def decided(reader: Reader, name: str, lineage: str) -> tuple[tuple[Decision, int], ...]:
    """Every decision of the journal, in order; none without a name, which is an usher without an election."""
    return () if not name else tuple(read(reader.entries(*KINDS), name, lineage))


def shared_as(register: Register, node: str, verb: Verb) -> Kind | None:
    """What the cluster is told of a wish; to forget a node that an operator held lets it go, other verbs stay here."""
    held = register.of(node)
    if verb is Verb.FORGET and held is not None and held.kind is Kind.QUARANTINE:
        return Kind.RELEASE
    return _VERBS.get(verb)


def kept(reader: Reader, lineage: str) -> Register:
    """What the journal comes to, for a command that runs alone and knows no election_name."""
    register = Register()
    for decision, _ in decided(reader, lineage, lineage):
        register.take(decision)
    return register


def denied(reader: Reader, lineage: str) -> Iterator[Decision]:
    """The decisions that deny names now."""
    return (decision for decision in kept(reader, lineage).in_force() if decision.kind is Kind.DENY)


def is_shared(reader: Reader) -> bool:
    """Whether the usher of this database was one of several: it stood for election, or wrote a decision to share."""
    return reader.last(*terms.KINDS) is not None or any("stamp" in _payload(view) for view in reader.entries(*KINDS))


def _payload(view: FleetView) -> dict[str, Any]:
    try:
        document = orjson.loads(view.payload or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
