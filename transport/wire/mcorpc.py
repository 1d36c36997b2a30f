"""The RPC layer: what an agent is asked and what it answers, inside a request or reply (wire/protocol.md §7).

Rules:
1. Pure functions over bytes; any bytes give a frozen value or a WireError.
2. An RPC status that is not 0 is an answer, not an error of the wire.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from transport.wire.documents import read_object, require_shallow, text
from transport.wire.errors import WireError

__all__ = [
    "DISCOVERY_PING", "OK", "PONG", "Answer", "Call", "WireError", "decode_answer", "decode_call", "encode_answer",
    "encode_call",
]  # fmt: skip

DISCOVERY_PING: Final = b"cGluZw=="
"""The payload of a discovery request: base64 of `ping`, which the request then encodes once more (§7.4)."""
PONG: Final = b"pong"
"""The payload of a discovery reply."""
OK: Final = 0
_LARGEST_CODE: Final = 255


@dataclass(frozen=True, slots=True)
class Call:
    """One action of one agent with its inputs."""

    agent: str
    action: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an action gave: status (§7.2, 0 is OK), its text, its outputs. The action is empty if it was not parsed."""

    action: str
    code: int
    message: str
    data: dict[str, Any]


def encode_call(agent: str, action: str, data: Mapping[str, object]) -> bytes:
    """The JSON text of a call (§7.1)."""
    return orjson.dumps({"agent": agent, "action": action, "data": dict(data)})


def decode_call(payload: bytes) -> Call:
    """The call in a request's payload, which may be base64 once more (§7.1); raises WireError."""
    document = read_object(_unwrapped(payload), "call")
    return Call(text(document, "agent", "call"), text(document, "action", "call"), _data(payload, document, "call"))


def encode_answer(action: str, code: int, message: str, data: Mapping[str, object]) -> bytes:
    """The JSON text of an answer (§7.2)."""
    return orjson.dumps({"action": action, "statuscode": code, "statusmsg": message, "data": dict(data)})


def decode_answer(payload: bytes) -> Answer:
    """The answer in a reply's payload; raises WireError."""
    document = read_object(payload, "answer")
    action, code, message = document.get("action"), document.get("statuscode"), document.get("statusmsg")
    if type(action) is not str:
        raise WireError("wrong_field", "answer.action")
    if type(code) is not int or not 0 <= code <= _LARGEST_CODE:
        raise WireError("wrong_field", "answer.statuscode")
    if type(message) is not str:
        raise WireError("wrong_field", "answer.statusmsg")
    return Answer(action, code, message, _data(payload, document, "answer"))


def _data(payload: bytes, document: dict[str, Any], layer: str) -> dict[str, Any]:
    data = document.get("data")
    if data is None:
        return {}
    if type(data) is not dict:
        raise WireError("wrong_field", f"{layer}.data")
    require_shallow(payload, data, layer)
    return data


def _unwrapped(payload: bytes) -> bytes:
    try:
        return a2b_base64(payload, strict_mode=True)
    except ValueError:
        return payload
