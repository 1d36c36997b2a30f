"""Elsewhere: the questions about a node that is met in another network than the one of its record.

Rules:
1. Which network decides is what the policy names, and where the node was is what its snapshot names: nothing else.
2. Who is under way in a network is never asked about here: usher.networks gives it to nobody else.
3. A docstring finishes the sentence "this row applies when ...", as in fsm.guards.
"""

from __future__ import annotations

from fsm.guards import Turn, found_somebody


def in_another_network(turn: Turn) -> bool:
    """Its record is of another network than the one that decides"""
    return turn.snapshot.network != turn.policy.network


def found_in_another_network(turn: Turn) -> bool:
    """The look found a process in provisioning mode, in another network than the one of its record"""
    return found_somebody(turn) and in_another_network(turn)
