"""Where a value is from: what `usher check-config --explain` tells of each.

Rules:
1. A source never holds the value: a secret's place may be told, the secret not.
2. What was written and does not count is named too: it is what an operator is looking for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from usher.config.options import Option


@dataclass(frozen=True, slots=True)
class Source:
    """`name` is what the value is called, `key` its setting, `where` its place; `instead_of` are places that lost."""

    name: str
    key: str
    where: str
    instead_of: tuple[str, ...] = ()


def source_of(name: str, key: str, values: Sequence[Option]) -> Source:
    """The source of a setting with these values, of which the last counts."""
    *lost, counts = values
    return Source(name, key, counts.where, tuple(option.where for option in reversed(lost)))


def default_of(name: str, key: str, what: str = "") -> Source:
    """The source of a setting that is not there."""
    return Source(name, key, what or "default")
