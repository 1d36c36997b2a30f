"""Every page can be read: phases in a line, what waits below, ends at the right, nothing on anything else."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise, product

import pytest

from diagrams import steps
from diagrams.layout import lay_out
from diagrams.model import Diagram, Edge, Kind, Node, Note, draw
from diagrams.scene import Box, Ink, Scene, Wire, Words
from fsm.events import Trigger
from fsm.reasons import Reason
from fsm.rows import row
from fsm.states import ENDS, PHASES, WAITING, State
from fsm.table import ROWS
from usher.views import counted

FLEET = counted.draw(dict.fromkeys(State, 123_456), 1_796_000_000_000, [(reason, 99_999) for reason in Reason], 12_345)
DIAGRAMS = {"overview": draw(), "full": draw(full=True), "fleet": FLEET}
every_diagram = pytest.mark.parametrize("diagram", DIAGRAMS.values(), ids=DIAGRAMS)
A4 = 297 / 210
NARROWEST = 800
"""Points of an A4 page between its margins, landscape."""


def boxes(scene: Scene) -> dict[str, Box]:
    return {box.name: box for box in scene.boxes if box.look in set(Kind)}


def apart(left: Box, right: Box) -> bool:
    return left.right < right.x or right.right < left.x or left.bottom < right.y or right.bottom < left.y


def through(wire: Wire, box: Box) -> bool:
    """Whether a wire runs through the inside of a box."""
    return any(
        min(x, right) < box.right - 1 and max(x, right) > box.x + 1
        and min(y, below) < box.bottom - 1 and max(y, below) > box.y + 1
        for (x, y), (right, below) in pairwise(wire.points)
    )  # fmt: skip


@every_diagram
def test_phases_stand_in_a_line_from_left_to_right(diagram):
    placed = boxes(lay_out(diagram))
    line = [placed[state.value] for state in PHASES]
    assert len({box.y for box in line}) == len({box.height for box in line}) == 1
    assert all(left.right < right.x for left, right in pairwise(line))


@every_diagram
def test_what_waits_is_below_and_ends_are_at_the_right(diagram):
    placed = boxes(lay_out(diagram))
    phases = [placed[state.value] for state in PHASES]
    assert all(placed[state.value].y > max(box.bottom for box in phases) for state in WAITING)
    assert all(placed[state.value].x > max(box.right for box in phases) for state in ENDS)
    assert placed["unseen"].right < phases[0].x


@every_diagram
def test_nothing_lies_on_anything_else(diagram):
    scene = lay_out(diagram)
    shown = [box for box in scene.boxes if box.look != "words"]
    assert not [(a.name, b.name) for a, b in combinations(shown, 2) if not apart(a, b)]
    inside = [(wire.source, wire.target, box.name) for wire in scene.wires for box in shown if through(wire, box)]
    assert not inside


@every_diagram
def test_no_wire_runs_through_the_title(diagram):
    scene = lay_out(diagram)
    (title,) = [box for box in scene.boxes if box.name == "title"]
    height = sum(line.height for column in title.columns for line in column)
    assert min(y for wire in scene.wires for _, y in wire.points) > height


@every_diagram
def test_a_wire_begins_and_ends_at_its_boxes_and_has_right_angles(diagram):
    scene = lay_out(diagram)
    placed = boxes(scene)
    for wire in scene.wires:
        assert all(x == right or y == below for (x, y), (right, below) in pairwise(wire.points)), wire
        assert touches(wire.points[0], placed[wire.source]), wire
        assert wire.joins or touches(wire.points[-1], placed[wire.target]), wire


def touches(point: tuple[float, float], box: Box) -> bool:
    x, y = point
    sides = min(abs(x - box.x), abs(x - box.right)), min(abs(y - box.y), abs(y - box.bottom))
    return min(sides) < 0.1 and box.x - 0.1 <= x <= box.right + 0.1 and box.y - 0.1 <= y <= box.bottom + 0.1


@every_diagram
def test_one_that_joins_ends_on_a_longer_wire_to_the_same_box(diagram):
    wires = lay_out(diagram).wires
    joining = [wire for wire in wires if wire.joins]
    assert joining
    for wire in joining:
        x, y = wire.points[-1]
        others = [other for other in wires if other.target == wire.target and not other.joins]
        assert any(
            min(a, c) - 0.1 <= x <= max(a, c) + 0.1 and min(b, d) - 0.1 <= y <= max(b, d) + 0.1
            for other in others for (a, b), (c, d) in pairwise(other.points)
        ), wire  # fmt: skip


@every_diagram
def test_every_pair_of_states_has_its_wire(diagram):
    pairs = {(edge.source, edge.target) for edge in diagram.edges if edge.source != "any"}
    wires = [(wire.source, wire.target) for wire in lay_out(diagram).wires]
    assert sorted(wires) == sorted(pairs)


@pytest.mark.parametrize("diagram", [*DIAGRAMS.values(), steps.draw()], ids=[*DIAGRAMS, "effects"])
def test_it_can_be_read_on_a_page(diagram):
    """On A4, landscape, the ordinary letters are at least seven points high; a little less with every row."""
    made = steps.lay_out(diagram) if diagram == steps.draw() else lay_out(diagram)
    wide = max(x for wire in made.wires for x, _ in wire.points)
    high = max(box.bottom for box in made.boxes)
    assert Words("x", Ink.PLAIN).size * min(NARROWEST / wide, NARROWEST / A4 / high) > (6.5 if diagram.full else 7)


@every_diagram
def test_few_wires_cross(diagram):
    assert crossings(lay_out(diagram).wires) <= 18


def crossings(wires: tuple[Wire, ...]) -> int:
    parts = [(number, *ends) for number, wire in enumerate(wires) for ends in pairwise(wire.points)]
    return sum(one[0] != other[0] and crosses(one[1:], other[1:]) for one, other in combinations(parts, 2))


def crosses(one, other) -> bool:
    (a, b), (c, d) = one
    (e, f), (g, _) = other
    if (a == c) == (e == g):
        return False
    if a != c:
        return crosses(other, one)
    return min(e, g) < a < max(e, g) and min(b, d) < f < max(b, d)


@pytest.mark.parametrize(
    ("source", "target"),
    [pair for pair in product(State, repeat=2) if State.UNSEEN not in pair and pair[0] is not pair[1]],
)
def test_whatever_pair_of_states_a_row_will_join_has_a_way(source, target):
    """A row that nobody has thought of yet is drawn without an error, from its source to its target."""
    extra = row("extra", source, Trigger.HINT_SHUTDOWN, "a new row", to=target)
    scene = lay_out(draw((*ROWS, extra)))
    found = [wire for wire in scene.wires if (wire.source, wire.target) == (source.value, target.value)]
    assert len(found) == 1
    others = [box for name, box in boxes(scene).items() if name not in {source, target}]
    assert not [box.name for box in others if through(found[0], box)]


@pytest.mark.parametrize("source", [*PHASES, *sorted(ENDS)])
def test_a_record_that_was_closed_leads_back_to_the_start_through_no_box(source):
    wide = [replace(node, notes=(Note("m" * 70),)) if node.name == "discovered" else node for node in draw().nodes]
    edge = Edge(source.value, State.UNSEEN.value, None, (), "38")
    scene = lay_out(replace(draw(), nodes=tuple(wide), edges=(*draw().edges, edge)))
    placed = boxes(scene)
    assert not [(wire.source, name) for wire in scene.wires for name, box in placed.items() if through(wire, box)]
    ends = [(wire.points[-1], placed[wire.target]) for wire in scene.wires if not wire.joins]
    assert all(box.x - 1 < x < box.right + 1 and box.y - 1 < y < box.bottom + 1 for (x, y), box in ends)


def test_more_steps_need_no_other_layout():
    """A phase may get any number of steps: its box grows, the others grow with it."""
    nodes = tuple(replace(node, steps=node.steps * 5) for node in draw().nodes)
    tall = boxes(lay_out(replace(draw(), nodes=nodes)))
    assert tall["discovered"].height == tall["inventoried"].height > boxes(lay_out(draw()))["inventoried"].height


def test_a_label_has_room_between_two_phases():
    nodes = (Node("one", Kind.PHASE, ""), Node("two", Kind.PHASE, ""), Node("three", Kind.WAITING, ""))
    placed = boxes(lay_out(Diagram(nodes, (Edge("one", "two", None, (), "17, 123, 4711"),), full=False)))
    assert placed["two"].x - placed["one"].right > Words("17, 123, 4711").width


def test_the_effects_stand_below_their_phases():
    scene = steps.lay_out(steps.draw())
    placed = boxes(scene)
    assert not [(a.name, b.name) for a, b in combinations(placed.values(), 2) if not apart(a, b)]
    for box in placed.values():
        phase, _, effect = box.name.partition(".")
        assert not effect or (box.x == placed[phase].x and box.y > placed[phase].bottom)
