"""Observing: the hand of a usher that touches nothing.

Rules:
1. What may be done is named here; an effect that is new is not among it.
2. Whatever else is asked for is a bug: it is not done, and the node is held.
"""

from __future__ import annotations

from typing import Final

from fsm.effects import Effect, Intent
from fsm.errors import UsherError
from fsm.ports import Outcome, Performer
from fsm.snapshot import Snapshot

HARMLESS: Final = frozenset({Effect.FETCH_INVENTORY, Effect.LOOK})
"""What reads a node and takes no lock of it."""


class TouchedError(UsherError):
    """A usher that only observes was to touch a node"""

    def __init__(self, effect: Effect) -> None:
        """Hold which effect."""
        super().__init__()
        self.effect = effect


class Observing:
    """fsm.ports.Performer that hands on only what is HARMLESS."""

    def __init__(self, performer: Performer) -> None:
        """Hold who does it."""
        self._performer = performer

    async def perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:
        """Carry it out if it touches nothing."""
        if intent.effect not in HARMLESS:
            raise TouchedError(intent.effect)
        return await self._performer.perform(intent, snapshot)
