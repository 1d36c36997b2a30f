"""Observing: the question by which a usher that only looks on stops before it would do anything to a node.

Rules:
1. Whoever observes has no features: what is left of the first phase reads a node without its lock.
2. The row that asks this stands before every row that leads on: no effect that changes a node, no helper, is reached.
3. A docstring finishes the sentence "this row applies when ...", as in fsm.guards.
"""

from __future__ import annotations

from fsm.guards import Turn


def only_observes(turn: Turn) -> bool:
    """Usher was started to observe, and the node's inventory has been read"""
    return turn.policy.observe
