"""Which tokens nodes let us in with, counted.

Rules:
1. What is counted is committed: the node's token was read, and its history says with which of ours.
2. A token is named by its place in the list and its mark, never by its text.
"""

from __future__ import annotations

from fsm.effects import Intent
from fsm.events import Done, Event, JwtFacts
from fsm.machine import Rejected
from fsm.ports import Outcome
from fsm.runtime.observer import Transition
from usher.effects.tokens import Tokens
from usher.metrics.families import Family, labels


class TokenUse:
    """fsm.runtime.observer.Observer."""

    def __init__(self, tokens: Tokens, family: Family) -> None:
        """Count in this family; each token of the list begins at 0."""
        self._tokens, self._family = tokens, family
        for offer in tokens.offers:
            if offer.mark:
                family.add(0, labels(position=str(offer.position), token=offer.mark))

    def moved(self, transition: Transition) -> None:
        """Count a node that let us in."""
        body = transition.event.body
        if not isinstance(body, Done) or not isinstance(body.facts, JwtFacts) or not body.facts.let_in:
            return
        mark = body.facts.let_in
        position = next((offer.position for offer in self._tokens.offers if offer.mark == mark), 0)
        self._family.add(1, labels(position=str(position), token=mark))

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Nothing to count."""

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Nothing to count."""

    def crashed(self, node: str, error: Exception) -> None:
        """Nothing to count."""
