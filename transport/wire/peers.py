"""What ushers of one cluster say to each other over `provisioning.usher.>`, as bytes.

Rules:
1. Any bytes give a frozen value or a WireError; names are short and printable.
2. Nothing here is signed, and nothing here is obeyed: a hand-over is tried at the broker, a leader's word is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from transport.wire.documents import integer, name, protocol, read_object
from transport.wire.errors import WireError

HANDOVER: Final = "io.choria.usher.v1.handover"
LEADER: Final = "io.choria.usher.v1.leader"
LARGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Handover:
    """Who led says that he ends: with which sequence of the key, and how long requests of his may be alive (ms)."""

    usher: str
    sequence: int
    wait: int


@dataclass(frozen=True, slots=True)
class Leads:
    """Who leads says so: which process (16 hex), its election_name and sender_identity, since when (ms since 1970)."""

    usher: str
    name: str
    sender: str
    since: int
    sequence: int


def encode_handover(said: Handover) -> bytes:
    """For transport.subjects.HANDOVER."""
    document = {"protocol": HANDOVER, "usher": said.usher, "sequence": said.sequence, "wait": said.wait}
    return orjson.dumps(document)


def decode_handover(data: bytes) -> Handover:
    """What was heard there; raises WireError."""
    document = _read(data, HANDOVER)
    return Handover(
        name(document, "usher", "peer"),
        integer(document, "sequence", "peer", least=1),
        integer(document, "wait", "peer", least=0),
    )


def encode_leads(said: Leads) -> bytes:
    """For transport.subjects.LEADER."""
    return orjson.dumps(
        {
            "protocol": LEADER,
            "usher": said.usher,
            "name": said.name,
            "sender": said.sender,
            "since": said.since,
            "sequence": said.sequence,
        }
    )


def decode_leads(data: bytes) -> Leads:
    """What was heard there; raises WireError."""
    document = _read(data, LEADER)
    return Leads(
        name(document, "usher", "peer"),
        name(document, "name", "peer"),
        name(document, "sender", "peer"),
        integer(document, "since", "peer", least=0),
        integer(document, "sequence", "peer", least=1),
    )


def _read(data: bytes, kind: str) -> dict[str, Any]:
    if len(data) > LARGEST:
        raise WireError("too_large", "peer")
    document = read_object(data, "peer")
    protocol(document, kind, "peer")
    return document
