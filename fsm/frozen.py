"""Frozen values: made quickly, and the next one made from the last one, several times a transition.

Rules:
1. `quick` changes how fast a frozen dataclass is made, and nothing else of it.
2. `evolve` is the same as dataclasses.replace, without its search through the fields at every call.
3. A name that is no field is a KeyError: nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=type)


def quick(kind: K) -> K:
    """For a frozen dataclass with slots and without factories: an `__init__` that fills each slot directly.

    The one that dataclasses make asks `object.__setattr__` to find each slot by its name, which takes twice as long;
    a node makes several hundred such values on its way.
    """
    given: dict[str, Any] = {}
    signature, body = ["self"], [" pass"]
    for field in fields(kind):
        if field.default_factory is not MISSING or not field.init:
            raise TypeError(f"{kind.__name__}.{field.name} cannot be made quickly")
        given[f"_put_{field.name}"] = getattr(kind, field.name).__set__
        given[f"_default_{field.name}"] = field.default
        signature.append(field.name if field.default is MISSING else f"{field.name}=_default_{field.name}")
        body.append(f" _put_{field.name}(self, {field.name})")
    exec(f"def __init__({', '.join(signature)}):\n" + "\n".join(body), given)  # noqa: S102 made of field names only
    made, original = given["__init__"], kind.__init__  # type: ignore[misc]  # the class's own, not an instance's
    made.__annotations__, made.__qualname__, made.__module__ = (
        original.__annotations__,
        original.__qualname__,
        kind.__module__,
    )
    kind.__init__ = made  # type: ignore[misc]
    return kind


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
