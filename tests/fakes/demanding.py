"""A fleet that is asked on demand: the real table over nodes in memory, and a site that a test rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fsm.demand import SENDS
from fsm.snapshot import Snapshot
from fsm.states import State
from tests.unit.fsm.scenes import Scene, reached
from usher.control.server import told
from usher.demand.plan import Plan


@dataclass
class MemorySite:
    """usher.demand.rollout.Site: `answers(scene)` is what comes of each request, when its batch is looked at next.

    `received` counts the requests that reached a node; an `interrupt` is raised before the n-th wait.
    """

    plan: Plan
    answers: Callable[[Scene], object]
    scenes: dict[str, Scene] = field(default_factory=dict)
    received: Counter[str] = field(default_factory=Counter)
    batches: list[list[str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    interrupt: int = 0
    at: float = 0.0

    def add(self, *nodes: str) -> MemorySite:
        """Provisioned nodes."""
        for node in nodes:
            scene = reached(State.PROVISIONED).later(3_600_000)
            self.scenes[node] = scene
        return self

    def ask(self, nodes: Sequence[str]) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """As the daemon does: decided by the table."""
        self.batches.append(list(nodes))
        for node in nodes:
            scene = self.scenes.setdefault(node, Scene())
            scene.asks(self.plan.verb, self.plan.id, force=self.plan.manner.force)
            assert scene.last is not None
            yield node, told(scene.last)

    def records(self, nodes: Iterable[str]) -> Iterator[tuple[str, Snapshot | None]]:
        """The nodes as they are now."""
        return ((node, self.scenes[node].snapshot if node in self.scenes else None) for node in nodes)

    def now(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        """Time passes, and something happens to every node that waits for it."""
        self.waits.append(seconds)
        self.at += seconds
        if self.interrupt and len(self.waits) >= self.interrupt:
            self.interrupt = 0
            raise KeyboardInterrupt
        for scene in self.scenes.values():
            self._step(scene)

    def _step(self, scene: Scene) -> None:
        doing = scene.snapshot.open
        if doing is not None and doing.effect in SENDS:
            self.answers(scene)
        elif not scene.snapshot.resting and not scene.snapshot.held:
            scene.go_on()

    def nodes(self) -> list[str]:
        """Everybody who was asked, in order."""
        return [node for batch in self.batches for node in batch]
