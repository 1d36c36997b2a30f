"""Ways: through which channel a wire goes from one state to another, and on which sides it leaves and arrives.

Rules:
1. Neighbours in the line are joined straight. What leads back, or to an end, goes above the phases; what fails or
   waits goes down; what begins anew goes below everything and up at the left; so wires seldom cross.
2. A state that is added needs no way of its own: the kinds of the two ends decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from diagrams.model import Edge, Kind
from diagrams.scene import Box

LANE: Final = 9.0
"""Between two wires that run beside each other."""
_NEAR: Final = 60.0
"""Between two boxes that are joined straight from side to side."""


class Side(StrEnum):
    """A side of a box."""

    TOP = "top"
    BOTTOM = "bottom"
    LEFT = "left"
    RIGHT = "right"


class Way(StrEnum):
    """The channel that a wire goes through; the first three need none."""

    STRAIGHT = "straight"
    DOWN = "down"
    BESIDE = "beside"
    ABOVE = "above"
    AROUND = "around"
    MIDDLE = "middle"
    SHAFT = "shaft"
    BELOW = "below"


Lane = tuple[Way, str, bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """An edge, its channel, and the sides on which it leaves and arrives."""

    edge: Edge
    way: Way
    out: Side
    into: Side
    leftward: bool

    @property
    def lane(self) -> Lane:
        """What shares its lane: whatever leads to one state through one channel; in the middle, from one side."""
        if self.way in {Way.MIDDLE, Way.SHAFT}:
            return (Way.MIDDLE, self.edge.target, self.leftward)
        return (self.way, self.edge.target, False)


def planned(edge: Edge, kinds: Mapping[str, Kind], boxes: Mapping[str, Box]) -> Plan:
    """How an edge goes between two boxes that are placed; `kinds` has that of each."""
    left = boxes[edge.target].middle < boxes[edge.source].middle
    return Plan(edge, *_way(edge, kinds, boxes), left)


_WAYS: Final[Mapping[tuple[Kind, Kind], tuple[Way, Side, Side]]] = {
    (Kind.PHASE, Kind.PHASE): (Way.ABOVE, Side.TOP, Side.TOP),
    (Kind.START, Kind.PHASE): (Way.ABOVE, Side.TOP, Side.TOP),
    (Kind.PHASE, Kind.START): (Way.ABOVE, Side.TOP, Side.TOP),
    (Kind.END, Kind.START): (Way.AROUND, Side.RIGHT, Side.TOP),
    (Kind.PHASE, Kind.WAITING): (Way.MIDDLE, Side.BOTTOM, Side.TOP),
    (Kind.PHASE, Kind.END): (Way.AROUND, Side.TOP, Side.RIGHT),
    (Kind.WAITING, Kind.PHASE): (Way.BELOW, Side.BOTTOM, Side.LEFT),
    (Kind.WAITING, Kind.END): (Way.SHAFT, Side.TOP, Side.LEFT),
    (Kind.END, Kind.WAITING): (Way.SHAFT, Side.LEFT, Side.TOP),
    (Kind.END, Kind.PHASE): (Way.AROUND, Side.RIGHT, Side.TOP),
    (Kind.END, Kind.END): (Way.AROUND, Side.RIGHT, Side.RIGHT),
}
"""How one kind is joined to another, where nothing is nearer; what is not here goes below everything."""


def _way(edge: Edge, kinds: Mapping[str, Kind], boxes: Mapping[str, Box]) -> tuple[Way, Side, Side]:
    """The channel and the two sides."""
    source, target = boxes[edge.source], boxes[edge.target]
    ends = (kinds[edge.source], kinds[edge.target])
    if ends[0] in {Kind.START, Kind.PHASE} and _next(source, target, boxes, kinds):
        return Way.STRAIGHT, Side.RIGHT, Side.LEFT
    if ends == (Kind.PHASE, Kind.WAITING) and target.x + 4 * LANE < source.middle < target.right - 4 * LANE:
        return Way.DOWN, Side.BOTTOM, Side.TOP
    first = min((box.x for name, box in boxes.items() if kinds[name] is Kind.PHASE), default=0.0)
    if ends == (Kind.WAITING, Kind.PHASE) and first < target.x:
        return Way.MIDDLE, Side.TOP, Side.BOTTOM
    if ends == (Kind.WAITING, Kind.WAITING) and abs(source.x - target.right) < _NEAR:
        return Way.BESIDE, Side.LEFT, Side.RIGHT
    if ends == (Kind.WAITING, Kind.WAITING) and abs(target.x - source.right) < _NEAR:
        return Way.BESIDE, Side.RIGHT, Side.LEFT
    return _WAYS.get(ends, (Way.BELOW, Side.BOTTOM, Side.BOTTOM))


def _next(source: Box, target: Box, boxes: Mapping[str, Box], kinds: Mapping[str, Kind]) -> bool:
    """Whether nothing stands between the two on the line."""
    level = [
        box for name, box in boxes.items() if kinds[name] is not Kind.WAITING and box.y - 40 < source.y < box.bottom
    ]
    between = [box for box in level if source.right < box.middle < target.x]
    return target in level and source.right < target.x and not between
