"""Reading a JSON object into named fields by Go's rules, with whatever is wrong named by its path.

Rules:
1. Keys match in any letter case; unknown ones are ignored; of repeated ones the last counts, maps are merged.
2. null leaves a field as it was, empties a map, and is the empty string within one.
3. A wrong type is a FieldError that says where, what it is and what it must be, and shows no value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from fsm.errors import UsherError
from helpers.gojson import Pairs

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONGEST_PATH: Final = 200


class Kind(Enum):
    """What a field holds; the value is how messages call it."""

    BOOL = "true or false"
    STRING = "a string"
    STRINGS = "a list of strings"
    STRING_OR_STRINGS = "a string or a list of strings"
    TEXTS = "an object whose values are strings"
    DATE = "a number of seconds since 1970"
    OBJECT = "an object"


class FieldError(UsherError):
    """A field has the wrong type"""

    def __init__(self, detail: str) -> None:
        """Hold which field, what it is and what it must be."""
        super().__init__()
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, its kind, and for OBJECT the fields within."""

    name: str
    kind: Kind
    within: Mapping[str, Field] | None = None


def fields(kinds: Mapping[str, Kind | Field]) -> dict[str, Field]:
    """A table of fields by their folded names."""
    return {_fold(name): kind if isinstance(kind, Field) else Field(name, kind) for name, kind in kinds.items()}


def read_object(document: Any, known: Mapping[str, Field], path: str) -> dict[str, Any]:
    """The known fields of an object under their own names; raises FieldError."""
    if not isinstance(document, Pairs):
        raise _wrong(path or "the document", document, "an object")
    values: dict[str, Any] = {}
    for key, value in document:
        field = known.get(_fold(key))
        if field is not None:
            _assign(values, field, value, f"{path}.{field.name}" if path else field.name)
    return values


def _assign(values: dict[str, Any], field: Field, value: Any, path: str) -> None:
    if value is None:
        if field.kind not in (Kind.BOOL, Kind.STRING):
            values.pop(field.name, None)
        return
    match field.kind:
        case Kind.OBJECT:
            read = read_object(value, field.within or {}, path)
            values[field.name] = values.get(field.name, {}) | read
        case Kind.TEXTS:
            values[field.name] = values.get(field.name, {}) | _texts(value, path)
        case _:
            values[field.name] = _scalar(value, field.kind, path)


def _scalar(value: Any, kind: Kind, path: str) -> Any:
    match kind:
        case Kind.BOOL if isinstance(value, bool):
            return value
        case Kind.STRING | Kind.STRING_OR_STRINGS if isinstance(value, str):
            return value
        case Kind.STRINGS | Kind.STRING_OR_STRINGS if isinstance(value, list):
            return _strings(value, path)
        case Kind.DATE if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case Kind.DATE if isinstance(value, str) and _NUMBER.fullmatch(value):
            return float(value)
    raise _wrong(path, value, kind.value)


def _strings(value: list[Any], path: str) -> list[str]:
    for position, item in enumerate(value):
        if item is not None and not isinstance(item, str):
            raise _wrong(f"{path}[{position}]", item, "a string")
    return [item or "" for item in value]


def _texts(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, Pairs):
        raise _wrong(path, value, Kind.TEXTS.value)
    for key, item in value:
        if item is not None and not isinstance(item, str):
            raise _wrong(f"{path}[{key[:_LONGEST_PATH]!r}]", item, "a string: put it in quotes")
    return {key: item or "" for key, item in value}


def _wrong(path: str, value: Any, wanted: str) -> FieldError:
    return FieldError(f"{path} is {_name(value)}, it must be {wanted}")


def _name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Pairs():
            return "an object"
        case _:
            return "a list"


def _fold(key: str) -> str:
    """Go's folding: letters in either case, and the long s, which Python's lower() leaves alone."""
    return key.lower().replace("\u017f", "s")
