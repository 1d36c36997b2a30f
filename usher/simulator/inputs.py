"""The inputs of an action, decoded as a Go server decodes them, with its words for what does not fit.

Rules:
1. Names match in any letter case; unknown names are ignored; null leaves the empty value.
2. The first misfit is the error, in the words of Go's encoding/json (wire/v2-rare.jsonl has one of them).
3. Lengths and patterns of the DDL are not checked: a server does not either (wire/provisioning.md §2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fsm.errors import UsherError

TEXT: Final = "string"
INTEGER: Final = "int"
TEXTS: Final = "map[string]string"
_EMPTY: Final[Mapping[str, Any]] = {TEXT: "", INTEGER: 0, TEXTS: {}}


class MisfitError(UsherError):
    """An input is of the wrong type"""

    def __init__(self, words: str) -> None:
        """Hold the words of encoding/json."""
        super().__init__()
        self.words = words


def decode(struct: str, shape: Mapping[str, str], data: object) -> dict[str, Any]:
    """The inputs of one action: `shape` maps names to TEXT, INTEGER or TEXTS; raises MisfitError."""
    values = {name: _EMPTY[kind] for name, kind in shape.items()}
    if data is None:
        return values
    if not isinstance(data, Mapping):
        raise MisfitError(f"json: cannot unmarshal {_kind(data)} into Go value of type provision.{struct}")
    folded = None
    for given, value in data.items():
        name = given
        if name not in shape:
            folded = folded or {known.lower(): known for known in shape}
            name = folded.get(given.lower(), "")
        if name and value is not None:
            values[name] = _fit(f"{struct}.{name}", shape[name], value)
    return values


def texts(document: object) -> dict[str, str]:
    """A document that shall be an object of strings; raises MisfitError."""
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        raise MisfitError(f"json: cannot unmarshal {_kind(document)} into Go value of type map[string]string")
    for value in document.values():
        if value is not None and not isinstance(value, str):
            raise MisfitError(f"json: cannot unmarshal {_kind(value)} into Go value of type string")
    return {name: value or "" for name, value in document.items()}


def _fit(field: str, kind: str, value: object) -> object:
    if kind == TEXT and isinstance(value, str):
        return value
    if kind == INTEGER and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == TEXTS and isinstance(value, Mapping):
        for one in value.values():
            if one is not None and not isinstance(one, str):
                raise MisfitError(f"json: cannot unmarshal {_kind(one)} into Go struct field {field} of type string")
        return {name: one or "" for name, one in value.items()}
    number = f" {value}" if kind == INTEGER and isinstance(value, float) else ""
    raise MisfitError(f"json: cannot unmarshal {_kind(value)}{number} into Go struct field {field} of type {kind}")


def _kind(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"
