"""Whether a request's filter names this node.

Rules:
1. Kinds combine with AND; an empty filter matches; what cannot be evaluated does not match (wire/protocol.md §2.6).
2. Simulated nodes have no classes, and no compound expression is evaluated: both never match.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from transport.wire.messages import Filter

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TRUTHY: Final = frozenset({"1", "yes", "true", "y", "t"})


def matches(wanted: Filter | None, identity: str, agents: Sequence[str], facts: Mapping[str, Any]) -> bool:
    """Whether a node with this name, these agents and these facts is meant."""
    if wanted is None:
        return True
    if wanted.cf_class or wanted.compound:
        return False
    if wanted.identity and not any(_names(name, (identity,)) for name in wanted.identity):
        return False
    if not all(_names(name, agents) for name in wanted.agent or ()):
        return False
    return all(_fact(one, facts) for one in wanted.fact)


def _names(needle: object, known: Sequence[str]) -> bool:
    if not isinstance(needle, str):
        return False
    if len(needle) > 1 and needle.startswith("/") and needle.endswith("/"):
        try:
            pattern = re.compile(needle[1:-1])
        except re.error:
            return False
        return any(pattern.search(name) for name in known)
    return needle in known


def _fact(wanted: object, facts: Mapping[str, Any]) -> bool:
    if not isinstance(wanted, Mapping):
        return False
    value: object = facts
    for part in str(wanted.get("fact", "")).split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    try:
        return _compare(value, str(wanted.get("operator", "")), str(wanted.get("value", "")))
    except (ValueError, re.error):
        return False


def _compare(value: object, sign: str, wanted: str) -> bool:
    if isinstance(value, bool):
        return sign in ("==", "=~") and value == (wanted.lower() in _TRUTHY)
    if sign == "=~":
        return isinstance(value, str | int | float) and re.search(wanted.strip("/"), str(value)) is not None
    compare = _COMPARE.get(sign)
    if compare is None:
        return False
    if isinstance(value, int | float):
        number = float(wanted) if "." in wanted else int(wanted)
        return compare(value if "." in wanted else int(value), number)
    return isinstance(value, str) and compare(value.lower(), wanted.lower())
