"""Routes: how a wire goes from one state to another, around what is between them.

Rules:
1. Through which channel it goes is a matter of diagrams.ways.
2. Wires to one state share their way, each channel has a lane a state, and a side gives each a place of its own.
3. Who comes from the right arrives right of what falls straight down: so wires seldom cross.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from diagrams import words
from diagrams.model import ANY, Diagram, Edge, Kind
from diagrams.scene import Box, Point, Wire
from diagrams.ways import LANE, Lane, Plan, Side, Way, planned
from diagrams.wires import length, wire

_APART: Final = 16.0
"""Between two that come down onto one box."""


def route(diagram: Diagram, boxes: Mapping[str, Box]) -> tuple[Wire, ...]:
    """The wires of a diagram whose boxes are placed; what starts in any state is listed there and has none."""
    kinds = {node.name: node.kind for node in diagram.nodes}
    pairs: dict[tuple[str, str], list[Edge]] = {}
    for edge in diagram.edges:
        if edge.source != ANY:
            pairs.setdefault((edge.source, edge.target), []).append(edge)
    plans = [planned(words.merged(edges), kinds, boxes) for edges in pairs.values()]
    return _Router(plans, boxes).wires()


class _Router:
    """Gives each lane its place, each wire its places on the sides of its two boxes, and so its points."""

    def __init__(self, plans: list[Plan], boxes: Mapping[str, Box]) -> None:
        self._plans, self._boxes = plans, boxes
        self._depths = self._order()
        self._places = self._ports()
        self._longest = self._trunks()

    def wires(self) -> tuple[Wire, ...]:
        """Every wire, in the order of the edges."""
        return tuple(self._wire(plan, joins=plan not in self._longest) for plan in self._plans)

    # -- lanes ---------------------------------------------------------------------------------------------------------

    def _order(self) -> dict[Lane, int]:
        """How far from the phases each lane runs: the shorter, the nearer; what goes around is outermost.

        Between the phases and what waits the one that begins or ends leftmost is nearest.
        """
        spans: dict[Lane, list[float]] = {}
        for plan in self._plans:
            spans.setdefault(plan.lane, []).extend(
                (self._boxes[plan.edge.source].middle, self._boxes[plan.edge.target].middle)
            )
        depths: dict[Lane, int] = {}
        for ways in ((Way.ABOVE, Way.AROUND), (Way.MIDDLE,), (Way.BELOW,)):
            lanes = [lane for lane in spans if lane[0] in ways]
            lanes.sort(key=lambda lane: (lane[0] is Way.AROUND, self._rank(lane, spans[lane]), lane[1]))
            depths |= {lane: place for place, lane in enumerate(lanes)}
        return depths

    def _rank(self, lane: Lane, span: list[float]) -> float:
        if lane[0] is Way.MIDDLE:
            return min(span)
        if lane[0] is not Way.AROUND:
            return max(span) - min(span)
        target = self._boxes[lane[1]]
        return target.y if target.x > min(span) else 10_000.0

    def _level(self, lane: Lane) -> float:
        """The height of a lane that runs from left to right."""
        depth, boxes = self._depths[lane], self._boxes.values()
        if lane[0] in {Way.ABOVE, Way.AROUND}:
            return min(box.y for box in boxes if box.look == Kind.PHASE.value) - (depth + 1) * LANE
        if lane[0] is Way.BELOW:
            return max(box.bottom for box in boxes if box.look == Kind.WAITING.value) + (depth + 1.2) * LANE
        return max(box.bottom for box in boxes if box.look == Kind.PHASE.value) + (depth + 1.6) * LANE

    def _beside(self, lane: Lane) -> float:
        """The place of a lane that goes down at the right of the ends."""
        first = min(depth for (way, _, _), depth in self._depths.items() if way is Way.AROUND)
        right = max(box.right for box in self._boxes.values() if box.look == Kind.END.value)
        return right + (self._depths[lane] - first + 1.2) * LANE

    # -- places on the sides -------------------------------------------------------------------------------------------

    def _ports(self) -> dict[tuple[str, Side, str], float]:
        """Where on each side each wire, or bundle of wires that arrive, has its place."""
        sides: dict[tuple[str, Side], dict[str, tuple[float, ...]]] = {}
        for plan in self._plans:
            if plan.way is Way.STRAIGHT:
                continue
            source, target = self._boxes[plan.edge.source], self._boxes[plan.edge.target]
            depth = self._depths.get(plan.lane, 0)
            out = sides.setdefault((source.name, plan.out), {})
            out[f"to {target.name}"] = _key(plan, source, target, depth, plan.out)
            into = sides.setdefault((target.name, plan.into), {})
            name = f"to {target.name} from {source.name}" if plan.way in {Way.DOWN, Way.BESIDE} else f"in {plan.lane}"
            into[name] = _key(plan, target, source, depth, plan.into)
        places: dict[tuple[str, Side, str], float] = {}
        for (box, side), wanted in sorted(sides.items(), key=lambda item: item[0][1] is Side.TOP):
            falling, last = self._falling(box, places) if side is Side.TOP else [], 0.0
            for place, name in enumerate(sorted(wanted, key=lambda name: (wanted[name], name)), 1):
                spot = self._spot(self._boxes[box], side, place, len(wanted))
                if falling and wanted[name][0] > 0:  # it goes right, or comes from there
                    spot = max(spot, max(falling) + _APART, last + _APART)
                while any(abs(spot - other) < _APART for other in falling):
                    spot += _APART
                places[box, side, name] = last = spot
        return places

    def _falling(self, box: str, places: Mapping[tuple[str, Side, str], float]) -> list[float]:
        """Where wires come straight down onto a box: nothing else arrives beside them."""
        down = [plan for plan in self._plans if plan.way is Way.DOWN and plan.edge.target == box]
        return [_onto(self._boxes[box], places[plan.edge.source, plan.out, f"to {box}"]) for plan in down]

    @staticmethod
    def _spot(box: Box, side: Side, place: int, count: int) -> float:
        if side in {Side.TOP, Side.BOTTOM}:
            return box.x + box.width * place / (count + 1)
        low = words.LEVEL + 8 if box.look in {Kind.PHASE.value, Kind.END.value} and side is Side.LEFT else 0.0
        return box.y + low + (box.height - low) * place / (count + 1)

    # -- points --------------------------------------------------------------------------------------------------------

    def _trunks(self) -> list[Plan]:
        """Of the wires that share a lane the longest, which all others join."""
        sharing: dict[object, list[Plan]] = {}
        for plan in self._plans:
            alone = plan.edge.source if plan.way in {Way.STRAIGHT, Way.DOWN, Way.BESIDE} else ""
            sharing.setdefault((plan.lane, plan.way, plan.leftward, plan.out, alone), []).append(plan)
        return [max(plans, key=lambda plan: length(self._points(plan))) for plans in sharing.values()]

    def _wire(self, plan: Plan, *, joins: bool) -> Wire:
        return wire(plan.edge, self._points(plan), strong=plan.way is Way.STRAIGHT, joins=joins)

    def _points(self, plan: Plan) -> list[Point]:
        source, target = self._boxes[plan.edge.source], self._boxes[plan.edge.target]
        if plan.way is Way.STRAIGHT:
            y = target.y + words.LEVEL
            return [(source.right, y), (target.x, y)]
        out = self._places[source.name, plan.out, f"to {target.name}"]
        if plan.way is Way.DOWN:
            x = _onto(target, out)
            return [(x, source.bottom), (x, target.y)]
        if plan.way is Way.BESIDE:
            begin, end = (source.x, target.right) if plan.out is Side.LEFT else (source.right, target.x)
            return [(begin, out), (end, out)]
        into = self._places[target.name, plan.into, f"in {plan.lane}"]
        ways: dict[Way, Callable[[], list[Point]]] = {
            Way.ABOVE: lambda: self._bridge(source.y, target.y, out, into, plan),
            Way.MIDDLE: lambda: self._bridge(*_ends(source, target, plan), out, into, plan),
            Way.AROUND: lambda: self._around(source, target, out, into, plan),
            Way.SHAFT: lambda: self._shaft(source, target, out, into, plan),
            Way.BELOW: lambda: self._below(source, target, out, into, plan),
        }
        return ways[plan.way]()

    def _bridge(self, start: float, end: float, out: float, into: float, plan: Plan) -> list[Point]:
        level = self._level(plan.lane)
        return [(out, start), (out, level), (into, level), (into, end)]

    def _around(self, source: Box, target: Box, out: float, into: float, plan: Plan) -> list[Point]:
        level, beside = self._level(plan.lane), self._beside(plan.lane)
        start = [(source.right, out), (beside, out)] if plan.out is Side.RIGHT else [(out, source.y), (out, level)]
        end = [(beside, into), (target.right, into)] if plan.into is Side.RIGHT else [(into, level), (into, target.y)]
        corner = [(beside, level)] if plan.out is not plan.into else []
        return [*start, *corner, *end]

    def _shaft(self, source: Box, target: Box, out: float, into: float, plan: Plan) -> list[Point]:
        ends = target if plan.out is Side.TOP else source
        shaft = ends.x - (1.2 if plan.out is Side.TOP else 2.4) * LANE
        level = self._level(plan.lane)
        if plan.out is Side.TOP:
            return [(out, source.y), (out, level), (shaft, level), (shaft, into), (target.x, into)]
        if target.x < shaft < target.right:
            return [(source.x, out), (shaft, out), (shaft, target.y)]
        return [(source.x, out), (shaft, out), (shaft, level), (into, level), (into, target.y)]

    def _below(self, source: Box, target: Box, out: float, into: float, plan: Plan) -> list[Point]:
        level = self._level(plan.lane)
        if plan.into is Side.BOTTOM:
            return [(out, source.bottom), (out, level), (into, level), (into, target.bottom)]
        left = min(box.x for box in self._boxes.values() if box.look == Kind.WAITING.value) - 1.6 * LANE
        return [(out, source.bottom), (out, level), (left, level), (left, into), (target.x, into)]


def _onto(target: Box, out: float) -> float:
    """Where a wire falls that leaves there: a wide source reaches beyond its target."""
    return min(max(out, target.x + 2 * LANE), target.right - 2 * LANE)


def _ends(source: Box, target: Box, plan: Plan) -> tuple[float, float]:
    """The heights at which a wire through the middle begins and ends: down to what waits, or up to a phase."""
    return (source.bottom, target.y) if plan.out is Side.BOTTOM else (source.y, target.bottom)


def _key(plan: Plan, here: Box, there: Box, depth: int, side: Side) -> tuple[float, ...]:
    """The order of the places on a side: what goes left stands left; of these the nearest lane is outermost."""
    if side in {Side.LEFT, Side.RIGHT}:
        return (0.0 if plan.edge.target == here.name else 1.0, there.y, there.x)
    if plan.way in {Way.DOWN, Way.SHAFT}:
        return (0.0, there.x, 0.0) if plan.way is Way.DOWN else (1.0, there.x, 0.0)
    return (-1.0, float(depth), there.x) if there.middle < here.middle else (1.0, -float(depth), there.x)
