"""Lifecycle events: what servers say about themselves, bare or as CloudEvents (wire/protocol.md §8).

Rules:
1. Pure functions over bytes; any bytes give a frozen value or a WireError.
2. An event is a hint and may be forged: what is read here is form, never truth (law 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from fsm.identity import is_safe
from transport.wire.documents import integer, read_object, text
from transport.wire.errors import WireError

__all__ = ["LifecycleEvent", "WireError", "decode_event", "encode_startup"]

PROTOCOL: Final = "io.choria.lifecycle.v1."
SOURCE: Final = "io.choria.lifecycle"
PROVISIONER: Final = "provisioner"
LARGEST: Final = 64 * 1024
"""Bytes of an event; an honest one has some hundred."""


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """What happened (`startup`, `shutdown`, `provisioned`, `alive`, …), to whom, in seconds since 1970.

    `version` is empty where the kind has none.
    """

    kind: str
    identity: str
    component: str
    timestamp: int
    version: str = ""


def decode_event(data: bytes) -> LifecycleEvent:
    """The event in a message, bare or in CloudEvents 1.0; the identity is a safe name. Raises WireError."""
    if len(data) > LARGEST:
        raise WireError("too_large", "event")
    event = read_object(data, "event")
    if not _is_bare(event):
        event = _unwrapped(event)
    kind = text(event, "protocol", "event").removeprefix(PROTOCOL)
    identity = text(event, "identity", "event")
    if not is_safe(identity):
        raise WireError("unsafe_name", "event.identity")
    version = event.get("version", "")
    if type(version) is not str:
        raise WireError("wrong_field", "event.version")
    component = text(event, "component", "event")
    return LifecycleEvent(kind, identity, component, integer(event, "timestamp", "event", least=0), version)


def encode_startup(*, identity: str, version: str, event_id: str, timestamp: int) -> bytes:
    """Usher's own startup event, bare, component `provisioner`; `event_id` is a UUID with dashes."""
    return orjson.dumps(
        {
            "protocol": PROTOCOL + "startup",
            "id": event_id,
            "identity": identity,
            "component": PROVISIONER,
            "timestamp": timestamp,
            "version": version,
        }
    )


def _is_bare(event: dict[str, Any]) -> bool:
    said = event.get("protocol")
    return type(said) is str and said.startswith(PROTOCOL)


def _unwrapped(event: dict[str, Any]) -> dict[str, Any]:
    inner = event.get("data")
    if event.get("specversion") != "1.0" or event.get("source") != SOURCE or type(inner) is not dict:
        raise WireError("wrong_protocol", "event")
    if not _is_bare(inner):
        raise WireError("wrong_protocol", "event.data")
    return inner
