"""What ushers of one cluster tell each other of their operators' decisions, as bytes without their seal.

Rules:
1. Any bytes give a frozen value or a WireError: sizes, types, names and numbers are checked field by field.
2. A message is a view, which says who is there and what he has seen, or decisions, which somebody lacks.
3. Whoever reads has opened the seal first (security.peers); what is wrong all the same is thrown away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from warnings import catch_warnings

import orjson

from fsm.identity import is_safe
from transport.wire.documents import LONGEST_NAME, integer, name, protocol, read_object, text
from transport.wire.errors import WireError

VIEW: Final = "io.choria.usher.v1.view"
DECISIONS: Final = "io.choria.usher.v1.decisions"
LARGEST: Final = 127 * 1024
MOST: Final = 200
"""Decisions in one message."""
PIECE: Final = 48 * 1024
"""Bytes of decisions after which a message is full."""
LONGEST_REASON: Final = 500
BUCKETS: Final = 256
LATEST: Final = 2**53
"""Stamps are below it: one more than the newest is always a number that every reader of JSON has."""
_HEX: Final = frozenset("0123456789abcdef")
_MARK: Final = 16


class Kind(StrEnum):
    """What an operator can decide for the whole cluster."""

    PAUSE = "pause"
    RESUME = "resume"
    QUARANTINE = "quarantine"
    RELEASE = "release"
    DENY = "deny"
    ALLOW = "allow"


FLEET: Final = frozenset({Kind.PAUSE, Kind.RESUME})
"""What concerns no single node."""
NAMES: Final = frozenset({Kind.DENY, Kind.ALLOW})
"""What concerns names that have a pattern, whether or not anybody has seen them."""
IN_FORCE: Final = frozenset({Kind.PAUSE, Kind.QUARANTINE, Kind.DENY})
"""What holds something until its opposite is said."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided on a node ("" for the fleet), by whom and why, and at which usher, of which lineage.

    What concerns names has their pattern in place of a node, as `/regular expression/`, which is no name.
    `stamp` orders decisions: milliseconds since 1970, or one more than the newest that was known there.
    """

    kind: Kind
    node: str
    stamp: int
    origin: str
    lineage: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class View:
    """Who is there: database and process (16 hex each), election_name, sender_identity, and whether it leads.

    `at` is its time (ms since 1970), and rises with each message of a process; `marks` is what its decisions come to.
    """

    lineage: str
    usher: str
    name: str
    sender: str
    leads: bool
    at: int
    marks: Mapping[int, str]


Message = View | tuple[Decision, ...]


def encode_view(view: View) -> bytes:
    """For transport.subjects.PEERS, before the seal."""
    return orjson.dumps(
        {
            "protocol": VIEW,
            "lineage": view.lineage,
            "usher": view.usher,
            "name": view.name,
            "sender": view.sender,
            "leads": view.leads,
            "at": view.at,
            "marks": {str(bucket): mark for bucket, mark in view.marks.items()},
        }
    )


def encode_decisions(decisions: Iterable[Decision]) -> Iterator[bytes]:
    """As many messages as they need, before the seal."""
    written: list[bytes] = []
    size = 0
    for decision in decisions:
        said = orjson.dumps(decision)
        if written and (len(written) == MOST or size + len(said) > PIECE):
            yield _packed(written)
            written, size = [], 0
        written.append(said)
        size += len(said)
    if written:
        yield _packed(written)


def _packed(written: list[bytes]) -> bytes:
    return orjson.dumps({"protocol": DECISIONS, "decisions": [orjson.Fragment(said) for said in written]})


def decode(data: bytes) -> Message:
    """What was heard; raises WireError."""
    if len(data) > LARGEST:
        raise WireError("too_large", "peer")
    document = read_object(data, "peer")
    if document.get("protocol") == VIEW:
        return _view(document)
    protocol(document, DECISIONS, "peer")
    found = document.get("decisions")
    if type(found) is not list or not 0 < len(found) <= MOST:
        raise WireError("wrong_field", "peer.decisions")
    return tuple(read_decision(each) for each in found)


def read_decision(document: object) -> Decision:
    """One decision from its JSON; raises WireError."""
    if type(document) is not dict:
        raise WireError("not_an_object", "decision")
    try:
        kind = Kind(text(document, "kind", "decision"))
    except ValueError:
        raise WireError("wrong_field", "decision.kind") from None
    node = document.get("node")
    if type(node) is not str or not _is_subject(kind, node):
        raise WireError("wrong_field", "decision.node")
    return Decision(
        kind,
        node,
        _stamp(document, "stamp", "decision"),
        name(document, "origin", "decision"),
        _mark(document, "lineage", "decision"),
        name(document, "by", "decision"),
        _reason(document),
    )


def is_pattern(word: str) -> bool:
    """Whether this is `/regular expression/`, of at most LONGEST_NAME printable characters."""
    if not (3 <= len(word) <= LONGEST_NAME and word[0] == word[-1] == "/" and word.isprintable()):
        return False
    try:
        with catch_warnings(action="error"):  # what the next Python will read otherwise
            re.compile(word[1:-1])
    except (re.error, RecursionError, OverflowError, Warning):
        return False
    return bool(word[1:-1].strip())


def _is_subject(kind: Kind, node: str) -> bool:
    if kind in NAMES:
        return is_pattern(node)
    return node == "" if kind in FLEET else is_safe(node)


def _view(document: dict[str, Any]) -> View:
    leads, marks = document.get("leads"), document.get("marks")
    if type(leads) is not bool:
        raise WireError("wrong_field", "view.leads")
    if type(marks) is not dict or len(marks) > BUCKETS:
        raise WireError("wrong_field", "view.marks")
    return View(
        _mark(document, "lineage", "view"),
        _mark(document, "usher", "view"),
        name(document, "name", "view"),
        name(document, "sender", "view"),
        leads,
        _stamp(document, "at", "view"),
        {_bucket(bucket): _mark(marks, bucket, "view.marks") for bucket in marks},
    )


def _bucket(written: str) -> int:
    if not (written.isascii() and written.isdecimal() and len(written) <= 3) or int(written) >= BUCKETS:
        raise WireError("wrong_field", "view.marks")
    return int(written)


def _stamp(document: dict[str, Any], field: str, layer: str) -> int:
    stamp = integer(document, field, layer, least=0)
    if stamp >= LATEST:
        raise WireError("wrong_field", f"{layer}.{field}")
    return stamp


def _mark(document: dict[str, Any], field: str, layer: str) -> str:
    mark = text(document, field, layer)
    if len(mark) != _MARK or not _HEX.issuperset(mark):
        raise WireError("wrong_field", f"{layer}.{field}")
    return mark


def _reason(document: dict[str, Any]) -> str:
    reason = text(document, "reason", "decision")
    if len(reason) > LONGEST_REASON:
        raise WireError("wrong_field", "decision.reason")
    return reason
