"""Documents: a snapshot, a line of a list and a line of history as JSON, for programs.

Rules:
1. Names stay once they are here; times are UTC texts, null where there is none.
2. Whatever a snapshot holds is in the document, but its entropy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Final

from fsm.states import State
from store.views import NodeView
from usher.views.past import Past
from usher.views.text import utc

TIMES: Final = frozenset({"at", "since", "first", "looked", "until", "provisioned_at"})
"""The fields that are times."""
SECONDS: Final = frozenset({"expires"})
"""The fields that are times in seconds."""
_LEFT_OUT: Final = frozenset({"entropy"})


def brief(view: NodeView) -> dict[str, Any]:
    """What a list says of a node."""
    due = view.due_kind and {"kind": view.due_kind, "at": utc(view.due_at or 0)}
    return {
        "node": view.node,
        "state": view.state.value,
        "since": utc(view.since),
        "generation": view.generation,
        "seq": view.seq,
        "held": view.held,
        "reason": view.reason.value if view.reason else None,
        "doing": view.doing.value if view.doing else None,
        "awaited": due or None,
        "waits_for_admission": in_the_room(view),
        "network": view.network,
    }


def in_the_room(view: NodeView) -> bool:
    """Whether it waits for its turn."""
    return view.state is State.DISCOVERED and view.active and view.doing is None and view.due_at is None


def whole(value: Any, times: Callable[[int], str | None] = utc) -> Any:
    """A frozen value as JSON: enums by value, times (milliseconds) as `times` tells them, nothing of entropy."""
    if not is_dataclass(value):
        return value if value is None or isinstance(value, int | str) else str(value)
    held = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in _LEFT_OUT}
    return {name: _field(name, each, times) for name, each in held.items()}


def _field(name: str, held: Any, times: Callable[[int], str | None]) -> Any:
    if name in SECONDS:
        return times(held * 1000)
    return times(held) if name in TIMES else whole(held, times)


def line(past: Past) -> dict[str, Any]:
    """One transition."""
    return {**whole(past), "sentence": past.sentence}
