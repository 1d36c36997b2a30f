"""Codec: snapshots and events as bytes, for the journal, and back.

Rules:
1. What is written can be read back to an equal value; the same value always gives the same bytes.
2. Snapshots have short keys that are listed here, so a field may be renamed; whatever has its default is left out.
3. An unknown key or a wrong shape is an error that names the node and the key: nothing stored is guessed at.
4. A snapshot takes a kilobyte: above that, texts that only explain are cut, nothing that a guard reads is; twice as
   much (a name of 253 characters with everything held takes 1.2) is refused.
5. What a released version wrote is read for ever: a shape that changes gets a version and a caster (fsm.casting).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

import orjson

from fsm.casting import Caster, cast
from fsm.errors import UsherError
from fsm.events import Event
from fsm.shapes import KEYS, MalformedError, NewerError, Shape
from fsm.snapshot import Snapshot

__all__ = [
    "LARGEST",
    "MalformedError",
    "NewerError",
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
"""Of the shapes of snapshots and of events: 0.1.0 and 0.2.0 wrote it too."""
CASTERS: Final[Mapping[int, Caster]] = {}
"""What leads from a version of the shape of events to the next; there has been one so far."""
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


def _parse(stored: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(stored)
    except orjson.JSONDecodeError as error:
        raise MalformedError(str(error)) from None
    if type(document) is not dict:
        raise MalformedError(f"is {type(document).__name__}, must be an object")
    return document


def _shaped(document: dict[str, Any], shaped: Shape[T], casters: Mapping[int, Caster], node: str = "") -> T:
    try:
        return shaped.decode(cast(document, VERSION, casters))
    except MalformedError as error:
        raise type(error)(error.detail, error.key, node) from None


def decode_snapshot(stored: bytes) -> Snapshot:
    """What encode_snapshot wrote; raises MalformedError naming the node and the key."""
    document = _parse(stored)
    named = document.get(KEYS[Snapshot]["node"])
    return _shaped(document, _SNAPSHOT, {}, named if isinstance(named, str) else "")


def encode_event(event: Event) -> bytes:
    """Compact JSON with the names of the fields, which `usher replay` can feed to decide again."""
    return _dump(_EVENT.encode(event), "")


def decode_event(stored: bytes) -> Event:
    """What encode_event wrote; raises MalformedError naming the key, NewerError."""
    return _shaped(_parse(stored), _EVENT, CASTERS)


def encode_payload(event: Event, note: str) -> bytes:
    """A history row's payload: the event as it can be decided again, and a note for people beside it."""
    return b'{"event":' + encode_event(event) + (b',"note":' + orjson.dumps(note) if note else b"") + b"}"


def decode_payload(stored: bytes) -> tuple[Event, str]:
    """What encode_payload wrote; raises MalformedError, NewerError."""
    document = _parse(stored)
    event = document.get("event")
    if type(event) is not dict:
        raise MalformedError("is no payload: it has no event")
    return _shaped(event, _EVENT, CASTERS), str(document.get("note", ""))
