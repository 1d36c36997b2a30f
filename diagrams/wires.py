"""Wires: an edge of a diagram as the line that is drawn, with what is told of it.

Rules:
1. What a wire tells is what its edge says: its rows' sentences, its label, its cause.
2. A label stands at the first stretch: above it, or at its right; of a wire that leaves to the left, at the left of
   its second.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from diagrams import words
from diagrams.model import Edge
from diagrams.scene import Box, Point, Wire, Words


def straight(edge: Edge, source: Box, target: Box) -> Wire:
    """The wire from a box to one at its right, or below it."""
    if target.x > source.right:
        points = ((source.right, source.y + words.LEVEL), (target.x, target.y + words.LEVEL))
    else:
        points = ((source.middle, source.bottom), (target.middle, target.y))
    return wire(edge, points, strong=target.x > source.right)


def wire(edge: Edge, points: Iterable[Point], *, strong: bool, joins: bool = False) -> Wire:
    """The wire along these points; `strong` if it is a part of the way through.

    One that `joins` another ends at its first corner.
    """
    way = _straightened(points)[: 2 if joins else None]
    tip = "\n".join([*edge.told, *(words.sentence(line) for line in edge.lines)])
    ink = words.ink(words.main_cause(edge))
    return Wire(
        edge.source, edge.target, ink, way, tip, edge.label, _beside(way, edge.label), edge.faint, strong, joins
    )


def length(points: Iterable[Point]) -> float:
    """How long a way is."""
    return sum(abs(x - right) + abs(y - below) for (x, y), (right, below) in pairwise(points))


def _straightened(points: Iterable[Point]) -> tuple[Point, ...]:
    kept: list[Point] = []
    for point in points:
        if not kept or abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) > 0.01:
            kept.append((round(point[0], 1), round(point[1], 1)))
    return tuple(kept)


def _beside(points: tuple[Point, ...], label: str) -> Point:
    """The middle of the label, which stands beside one of the first two stretches (rule 2)."""
    (x, y), (right, below) = points[0], points[1]
    wide = Words(label).width
    if abs(y - below) >= 1:
        return (x + 4 + wide / 2, (y + below) / 2)
    if right < x and len(points) > 2:
        return (right - 4 - wide / 2, (below + points[2][1]) / 2)
    return ((x + right) / 2, y - 8)
