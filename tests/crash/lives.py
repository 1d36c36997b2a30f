"""Lives in a journal: nodes moved by `decide` and committed by the real journal, without a daemon around them.

Rules:
1. A unit is what the engine makes of a decision (fsm.runtime.units); nothing is written by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256

from fsm.effects import Effect
from fsm.events import Body, Event
from fsm.machine import Decision, decide
from fsm.policy import Policy
from fsm.runtime.mailbox import Letter
from fsm.runtime.units import unit
from fsm.snapshot import unseen
from fsm.states import State
from fsm.unit import Blob, Secret, Unit
from store.journal import Journal
from tests.unit.fsm.scenes import Scene

SIZE = 1500
"""Bytes of an inventory, and of what the vault keeps."""


class Recorded(Scene):
    """A scene whose units are kept, to be committed."""

    def __init__(self, node: str, policy: Policy | None = None) -> None:
        """Begin unseen."""
        super().__init__(policy or Policy(), unseen(node))
        self.units: list[Unit] = []

    def post(self, body: Body) -> Scene:
        """Something happens now."""
        self.now += 20
        self.entropy = sha256(f"{self.snapshot.node} {self.snapshot.seq}".encode()).digest()[:16]
        before, event = self.snapshot, Event(self.now, self.entropy, body, self.epoch)
        self.last = decide(before, event, self.policy)
        if isinstance(self.last, Decision):
            self.snapshot = self.last.snapshot
            self.units.append(unit(before, self._letter(event), self.last, self.policy, self.epoch))
        return self

    def _letter(self, event: Event) -> Letter:
        data = (self.entropy * SIZE)[:SIZE]
        blob = Blob(sha256(data).hexdigest(), data)
        return Letter(event, (blob,), (Secret(f"entry-{self.snapshot.seq % 3}", data),))


def mixed(scene: Recorded) -> None:
    """Every other node goes all the way, the others are in the middle of their configuration."""
    number = int(scene.snapshot.node.split(".")[0].rpartition("-")[2])
    if number % 2:
        scene.until(Effect.CONFIGURE)
    else:
        scene.to(State.PROVISIONED)


async def live(
    journal: Journal, nodes: int, course: Callable[[Recorded], None], policy: Policy | None = None
) -> list[Recorded]:
    """Commit the course of so many nodes, all of them at once, as a busy daemon does."""
    epoch = await journal.begin_epoch()
    policy = policy or Policy()
    scenes = [Recorded(f"node-{number:03d}.example.net", policy) for number in range(nodes)]
    await journal.remember_policy(policy.hash, policy.document(), scenes[0].now)
    for scene in scenes:
        scene.epoch = epoch
        course(scene)
    await asyncio.gather(*(commit(journal, scene) for scene in scenes))
    return scenes


async def commit(journal: Journal, scene: Recorded) -> None:
    """One node's units, one after the other, each effect marked as started before its end is committed."""
    for made in scene.units:
        await journal.commit(made)
        if made.opens is not None:
            await journal.started([made.opens.id])
    scene.units.clear()
