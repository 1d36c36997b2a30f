"""Codec: snapshots and events as bytes, for the journal, and back.

Rules:
1. What is written can be read back to an equal value; the same value always gives the same bytes.
2. Snapshots have short keys that are listed here, so a field may be renamed; whatever has its default is left out.
3. An unknown key or a wrong shape is an error that names the node and the key: nothing stored is guessed at.
4. A snapshot takes a kilobyte: above that, texts that only explain are cut, nothing that a guard reads is; twice as
   much (a name of 253 characters with everything held takes 1.2) is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeVar

import orjson

from fsm.errors import UsherError
from fsm.events import Event
from fsm.shapes import KEYS, MalformedError, Shape
from fsm.snapshot import Snapshot

__all__ = [
    "LARGEST",
    "MalformedError",
    "TooLargeError",
    "decode_event",
    "decode_payload",
    "decode_snapshot",
    "encode_event",
    "encode_payload",
    "encode_snapshot",
    "fit",
]

T = TypeVar("T")
VERSION: Final = 1
LARGEST: Final = 1024
"""Bytes above which the texts of a snapshot that only explain are cut."""
REFUSED: Final = 2 * LARGEST
"""Bytes above which a snapshot is not stored."""
_EXPLAINS: Final = 32  # bytes that a text which only explains keeps when the snapshot would be too large


class TooLargeError(UsherError):
    """A snapshot takes more than two kilobytes even without the texts that only explain"""

    def __init__(self, node: str, size: int) -> None:
        """Hold the node and the bytes that it would take."""
        super().__init__()
        self.node = node
        self.size = size


_SNAPSHOT: Final = Shape(Snapshot, packed=True, head={"v": VERSION})
_EVENT: Final = Shape(Event, packed=False, head={"v": VERSION})


def fit(snapshot: Snapshot) -> Snapshot:
    """The same snapshot with the texts that only explain cut; the same again if it is cut already."""
    facts = snapshot.facts
    if facts.helper is not None:
        facts = replace(facts, helper=replace(facts.helper, message=_cut(facts.helper.message)))
    if facts.token is not None:
        facts = replace(facts, token=replace(facts.token, warning=_cut(facts.token.warning)))
    return replace(snapshot, facts=facts, detail=_cut(snapshot.detail), evidence=_cut(snapshot.evidence))


def _cut(text: str) -> str:
    """Its first bytes: a letter may take four of them."""
    return text.encode(errors="ignore")[:_EXPLAINS].decode(errors="ignore")


def _dump(document: dict[str, Any], node: str) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError as error:
        raise MalformedError(str(error), node=node) from None


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """About LARGEST bytes at most; raises TooLargeError where even `fit` does not bring it below REFUSED."""
    stored = _dump(_SNAPSHOT.encode(snapshot), snapshot.node)
    if len(stored) > LARGEST:
        stored = _dump(_SNAPSHOT.encode(fit(snapshot)), snapshot.node)
    if len(stored) > REFUSED:
        raise TooLargeError(snapshot.node, len(stored))
    return stored


def _load(stored: bytes, shaped: Shape[T], naming: str) -> T:
    try:
        document = orjson.loads(stored)
    except orjson.JSONDecodeError as error:
        raise MalformedError(str(error)) from None
    if type(document) is not dict:
        raise MalformedError(f"is {type(document).__name__}, must be an object")
    node = document.get(naming)
    named = node if isinstance(node, str) else ""
    if (version := document.pop("v", None)) != VERSION:
        raise MalformedError(f"has version {version!r:.20}, this usher reads {VERSION}", "v", named)
    try:
        return shaped.decode(document)
    except MalformedError as error:
        raise MalformedError(error.detail, error.key, named) from None


def decode_snapshot(stored: bytes) -> Snapshot:
    """What encode_snapshot wrote; raises MalformedError naming the node and the key."""
    return _load(stored, _SNAPSHOT, KEYS[Snapshot]["node"])


def encode_event(event: Event) -> bytes:
    """Compact JSON with the names of the fields, which `usher replay` can feed to decide again."""
    return _dump(_EVENT.encode(event), "")


def decode_event(stored: bytes) -> Event:
    """What encode_event wrote; raises MalformedError naming the key."""
    return _load(stored, _EVENT, "node")


def encode_payload(event: Event, note: str) -> bytes:
    """A history row's payload: the event as it can be decided again, and a note for people beside it."""
    return b'{"event":' + encode_event(event) + (b',"note":' + orjson.dumps(note) if note else b"") + b"}"


def decode_payload(stored: bytes) -> tuple[Event, str]:
    """What encode_payload wrote; raises MalformedError."""
    try:
        document = orjson.loads(stored)
    except orjson.JSONDecodeError as error:
        raise MalformedError(str(error)) from None
    if type(document) is not dict or type(document.get("event")) is not dict:
        raise MalformedError("is no payload: it has no event")
    return decode_event(orjson.dumps(document["event"])), str(document.get("note", ""))
