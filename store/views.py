"""Views: what the reader gives, as frozen values.

Rules:
1. Texts that name a state, reason or status are the enum's members; an unknown one is an error when it is read, but in
   a row of history, which is told as it was written (store.newer).
2. Times are milliseconds since 1970; an absent one is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsm.effects import Effect, EffectId
from fsm.frozen import quick
from fsm.reasons import Reason
from fsm.states import State
from store.entries import Status
from store.newer import Newer, known


@dataclass(frozen=True, slots=True)
class Meta:
    """The database: its random name, its current epoch, when it was made."""

    lineage: str
    epoch: int
    created: int


@quick
@dataclass(frozen=True, slots=True)
class NodeView:
    """What a list says of a node, without its snapshot; `doing` is the effect of its open step."""

    node: str
    state: State
    generation: int
    seq: int
    since: int
    due_at: int | None
    due_kind: str | None
    doing: Effect | None
    reason: Reason | None
    held: bool
    active: bool
    network: str = ""


def node_view(row: Mapping[str, Any]) -> NodeView:
    """The view of a row of store.queries.NODES; a fleet has many, so nothing is looked for twice."""
    node, state, generation, seq, since, due_at, due_kind, doing, reason, held, active, network = row.values()
    effect = None if doing is None else Effect(doing)
    why = None if reason is None else Reason(reason)
    return NodeView(
        node, State(state), generation, seq, since, due_at, due_kind, effect, why, bool(held), bool(active), network
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes that are where they are for one reason: how many, how many of them held, the newest `since`, and whose."""

    reason: Reason | None
    state: State
    nodes: int
    held: int
    last: int
    sample: str
    network: str = ""

    def __post_init__(self) -> None:
        """Turn the texts of the database into members."""
        object.__setattr__(self, "reason", None if self.reason is None else Reason(self.reason))
        object.__setattr__(self, "state", State(self.state))


@dataclass(frozen=True, slots=True)
class Marked:
    """Nodes that let us in with one token: its mark (None: not known), how many, the newest `since`, and whose."""

    mark: str | None
    nodes: int
    last: int
    sample: str


@dataclass(frozen=True, slots=True)
class EndView:
    """A provisioned node, when its server token ends (Unix seconds), and its network."""

    node: str
    ends: int
    network: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some nodes, and after which name the next page begins; None after the last."""

    nodes: tuple[NodeView, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class HistoryView:
    """One row of history; `payload` is None once it was deleted, its digest (hex SHA-256) stays."""

    position: int
    epoch: int
    node: str
    generation: int
    seq: int
    at: int
    table_version: int
    policy: str
    event: str
    name: str
    source: State | Newer
    target: State | Newer
    digest: str
    hash: bytes
    payload: bytes | None

    def __post_init__(self) -> None:
        """Turn the texts of the database into members."""
        object.__setattr__(self, "source", known(State, self.source))
        object.__setattr__(self, "target", known(State, self.target))


@dataclass(frozen=True, slots=True)
class EffectView:
    """An effect that is open, how far it is, and when it was opened."""

    id: EffectId
    effect: Effect
    status: Status
    opened_at: int

    def __post_init__(self) -> None:
        """Turn the texts of the database into members."""
        object.__setattr__(self, "effect", Effect(self.effect))
        object.__setattr__(self, "status", Status(self.status))


@dataclass(frozen=True, slots=True)
class FleetView:
    """An entry of the fleet's journal."""

    position: int
    epoch: int
    at: int
    kind: str
    name: str
    reason: str
    payload: bytes | None
