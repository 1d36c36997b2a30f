"""The lifecycle events of a simulated server, as CloudEvents 1.0.

Rules:
1. The members and their order are the captured ones (wire/protocol.md §8, wire/v2-ed25519.jsonl).
2. `startup`, `alive` and `upgraded` carry a version; `provisioned` and `shutdown` do not.
3. An `alive` event is built once: every repeat has the same id and timestamp.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache

import orjson

from usher.simulator.model import SECOND, Announce, Mode, Node


class Kind(Enum):
    """The types of event that servers send."""

    STARTUP = "startup"
    ALIVE = "alive"
    PROVISIONED = "provisioned"
    SHUTDOWN = "shutdown"
    UPGRADED = "upgraded"


_WITH_VERSION = frozenset({Kind.STARTUP, Kind.ALIVE, Kind.UPGRADED})


def event(node: Node, kind: Kind, at: int, entropy: bytes, new_version: str = "") -> Announce:
    """One event of a node at a time (nanoseconds); `entropy` (16 bytes) makes its id."""
    component = "server" if node.process.mode is Mode.SERVER else "provision_mode_server"
    seconds = at // SECOND
    name = f"io.choria.lifecycle.v1.{kind.value}"
    text = _uuid(entropy)
    data: dict[str, str | int] = {
        "protocol": name,
        "id": text,
        "identity": node.identity,
        "component": component,
        "timestamp": seconds,
    }
    if kind in _WITH_VERSION:
        data["version"] = node.version
    if new_version:
        data["new_version"] = new_version
    document = {
        "specversion": "1.0",
        "id": text,
        "source": "io.choria.lifecycle",
        "type": name,
        "subject": node.identity,
        "datacontenttype": "application/json",
        "time": _rfc3339(seconds),
        "data": data,
    }
    return Announce(f"choria.lifecycle.event.{kind.value}.{component}", orjson.dumps(document))


def _uuid(entropy: bytes) -> str:
    text = entropy[:16].hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@lru_cache(maxsize=64)
def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
