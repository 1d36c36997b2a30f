"""Frozen values: the next one made from the last one, several times a transition.

Rules:
1. The same as dataclasses.replace, without its search through the fields at every call.
2. A name that is no field is a KeyError: nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _plan(kind: Any) -> tuple[Callable[[Any], tuple[Any, ...]], dict[str, int]]:
    names = [field.name for field in fields(kind)]
    return attrgetter(*names), {name: position for position, name in enumerate(names)}


def evolve(value: T, changes: Mapping[str, Any]) -> T:
    """A value of the same frozen dataclass (two fields or more) with some fields changed."""
    getter, positions = _plan(type(value))  # type: ignore[arg-type]  # a class is hashable, whatever T is
    fresh = list(getter(value))
    for name, changed in changes.items():
        fresh[positions[name]] = changed
    return type(value)(*fresh)
