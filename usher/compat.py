"""Compat: what usher lets pass that `strictness: strict` would refuse, and what else to warn about, for each node.

Rules (design §7):
1. A node is warned about once; a node that was warned about long ago, BOUND others since, may be again.
2. Every occurrence counts, under the name of its check; a warning that both modes only say is no compatibility.
3. Like every observer it is told after the commit.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from fsm.effects import Intent
from fsm.events import CsrFacts, Done, Event, HelperFacts, TokenFacts
from fsm.machine import Rejected
from fsm.ports import Outcome
from fsm.runtime.observer import Transition
from usher.logs import say

BOUND: Final = 100_000
"""Nodes that are remembered as warned about."""
_LET_PASS: Final[dict[type, str]] = {
    CsrFacts: "its certificate request has what strictness: strict would refuse; usher history NODE says what",
    HelperFacts: "the helper's certificate has what strictness: strict would refuse; usher history NODE says what",
}


class Compat:
    """fsm.runtime.observer.Observer; calls `count(check)` for each check that let something pass."""

    def __init__(self, count: Callable[[str], None], bound: int = BOUND) -> None:
        """Begin with no node warned about."""
        self._count, self._bound = count, bound
        self._warned: OrderedDict[str, None] = OrderedDict()
        self._logger = logging.getLogger("compat")

    def moved(self, transition: Transition) -> None:
        """Look at what a signed token, a certificate request or a helper's certificate brought."""
        body = transition.event.body
        if not isinstance(body, Done) or not isinstance(body.facts, TokenFacts | CsrFacts | HelperFacts):
            return
        facts, node = body.facts, transition.before.node
        warning = facts.warning if isinstance(facts, TokenFacts) else _LET_PASS[type(facts)] if facts.checks else ""
        if not warning:
            return
        for check in facts.checks.split():
            self._count(check)
        if node not in self._warned:
            say(self._logger, logging.WARNING, warning, node=node, checks=facts.checks or None)
            if len(self._warned) >= self._bound:
                self._warned.popitem(last=False)
        self._warned[node] = None

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Nothing to see."""

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Nothing to see: what it brought counts when it is durable."""

    def crashed(self, node: str, error: Exception) -> None:
        """Nothing to see."""
