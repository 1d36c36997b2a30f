"""Untrusted documents: JSON and base64 that a stranger sent, read field by field.

Rules:
1. Everything has a size, a depth and a type that is checked before it is used.
2. A wrong field is named by layer and field; what it held is not repeated.
3. What was received is never corrected: base64 is strict, numbers are not text, true is not 1.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import Any, Final

import orjson

from transport.wire.errors import WireError

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of the largest document that is looked at; the broker's own limit is 1 MiB unless it is raised."""
DEEPEST: Final = 64
"""Levels of nesting; a node's facts are the deepest that honest documents are."""
LONGEST_NAME: Final = 253
_LARGEST_INTEGER: Final = 2**63 - 1


def encode64(data: bytes) -> str:
    """Standard base64 with padding."""
    return b2a_base64(data, newline=False).decode("ascii")


def read_object(data: bytes, layer: str) -> dict[str, Any]:
    """The JSON object in `data`; raises WireError."""
    if len(data) > LARGEST:
        raise WireError("too_large", layer)
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise WireError("not_json", layer) from None
    if type(document) is not dict:
        raise WireError("not_an_object", layer)
    return document


def require_shallow(data: bytes, document: object, layer: str) -> None:
    """Raise WireError if `document`, read from `data`, is nested more than DEEPEST deep."""
    if data.count(b"{") + data.count(b"[") <= DEEPEST:
        return
    level = [document]
    for _ in range(DEEPEST + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise WireError("too_deep", layer)


def _children(value: object) -> list[Any]:
    if type(value) is dict:
        return list(value.values())
    return value if type(value) is list else []


def member(document: dict[str, Any], name: str, layer: str) -> dict[str, Any]:
    """A member that is an object; raises WireError."""
    value = document.get(name)
    if type(value) is not dict:
        raise WireError("wrong_field", f"{layer}.{name}")
    return value


def text(document: dict[str, Any], field: str, layer: str) -> str:
    """A text that is not empty."""
    value = document.get(field)
    if type(value) is not str or not value:
        raise WireError("wrong_field", f"{layer}.{field}")
    return value


def name(document: dict[str, Any], field: str, layer: str) -> str:
    """A printable text of at most LONGEST_NAME characters."""
    value = text(document, field, layer)
    if len(value) > LONGEST_NAME or not value.isprintable():
        raise WireError("wrong_field", f"{layer}.{field}")
    return value


def protocol(document: dict[str, Any], expected: str, layer: str) -> None:
    """Raise WireError unless the document says that it speaks `expected`."""
    if document.get("protocol") != expected:
        raise WireError("wrong_protocol", layer)


def integer(document: dict[str, Any], field: str, layer: str, *, least: int) -> int:
    """A whole number of at least `least` that fits into 63 bits."""
    value = document.get(field)
    if type(value) is not int or not least <= value <= _LARGEST_INTEGER:
        raise WireError("wrong_field", f"{layer}.{field}")
    return value


def octets(document: dict[str, Any], field: str, layer: str) -> bytes:
    """The bytes of a base64 member, at least one."""
    value = document.get(field)
    if type(value) is not str:
        raise WireError("wrong_field", f"{layer}.{field}")
    try:
        data = a2b_base64(value, strict_mode=True)
    except ValueError:
        raise WireError("not_base64", f"{layer}.{field}") from None
    if not data:
        raise WireError("wrong_field", f"{layer}.{field}")
    return data
