"""The diagrams hold the whole table and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from diagrams.model import ANY, Cause, Diagram, Kind, Line, cause, draw, kind, opened
from fsm.effects import Effect, Feature, Step
from fsm.events import Trigger
from fsm.rows import Row, row
from fsm.states import ENDS, PHASES, State
from fsm.table import ROWS


def named(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


def drawn(diagram: Diagram) -> Counter[tuple[str, Trigger, str, str]]:
    """How often each row is drawn: by name, trigger, source and target."""
    found: Counter[tuple[str, Trigger, str, str]] = Counter()

    def count(line: Line, source: str, target: str) -> None:
        found.update((line.name, trigger, source, target) for trigger in line.triggers)

    for edge in diagram.edges:
        for line in edge.lines:
            count(line, edge.source, edge.target)
    for node in diagram.nodes:
        for line in node.loops:
            count(line, node.name, node.name)
    return found


def wide(row: Row) -> bool:
    return row.name in {"forget", "quarantine", "asked-to-reprovision"}


def test_a_full_diagram_draws_every_row_once_and_no_ignored_one():
    expected: Counter[tuple[str, Trigger, str, str]] = Counter()
    for each in ROWS:
        if each.ignored:
            continue
        for source in [None] if wide(each) else each.sources:
            start = ANY if source is None else source.value
            target = each.target.value if source is None else each.goes_to(source).value
            expected[each.name, each.trigger, start, target] += 1
    assert drawn(draw(full=True)) == expected
    assert set(expected.values()) == {1}


def test_the_overview_has_one_edge_for_each_pair_and_no_loops():
    overview = draw()
    pairs = Counter((edge.source, edge.target) for edge in overview.edges)
    assert set(pairs.values()) == {1}
    assert all(edge.source != edge.target and edge.cause is None for edge in overview.edges)
    assert all(not node.loops for node in overview.nodes)
    assert set(pairs) == {(edge.source, edge.target) for edge in draw(full=True).edges}


def test_a_full_diagram_has_an_edge_for_each_group_of_triggers():
    edges = draw(full=True).edges
    assert Counter((edge.source, edge.target, edge.cause) for edge in edges).most_common(1)[0][1] == 1
    assert all(line.cause is edge.cause for edge in edges for line in edge.lines)
    groups = {edge.cause for edge in edges if (edge.source, edge.target) == ("failed", "discovered")}
    assert groups == {Cause.DUE, Cause.OPERATOR}


def test_every_state_is_a_node_with_its_kind():
    nodes = {node.name: node for node in draw().nodes}
    assert set(nodes) == {*(state.value for state in State), ANY}
    assert nodes["unseen"].kind is Kind.START
    assert {node.name for node in nodes.values() if node.kind is Kind.PHASE} == {state.value for state in PHASES}
    assert {node.name for node in nodes.values() if node.kind is Kind.END} == {state.value for state in ENDS}
    assert nodes["discovered"].steps == (Step(Effect.FETCH_JWT, Feature.JWT), Step(Effect.FETCH_INVENTORY))


@pytest.mark.parametrize("trigger", Trigger)
def test_every_trigger_has_a_group(trigger: Trigger):
    assert trigger.value.startswith(cause(trigger).value)


@pytest.mark.parametrize(
    ("name", "source", "effects"),
    [
        ("admit", State.DISCOVERED, [Effect.FETCH_JWT, Effect.FETCH_INVENTORY]),
        ("read-on", State.DISCOVERED, [Effect.FETCH_INVENTORY]),
        ("inventoried", State.DISCOVERED, [Effect.NEW_KEY, Effect.NEW_CSR, Effect.RUN_HELPER]),
        ("enrol-on", State.INVENTORIED, [Effect.RUN_HELPER, Effect.SIGN_TOKEN, Effect.EXCHANGE_KEY, Effect.WRAP_KEY]),
        ("enrolled", State.INVENTORIED, [Effect.CONFIGURE]),
        ("configured", State.ENROLLED, [Effect.RESTART]),
        ("shut-down", State.INVENTORIED, [Effect.SHUTDOWN]),
        ("look", State.RESTARTED, [Effect.LOOK]),
        ("defer", State.INVENTORIED, []),
        ("step-again", State.ENROLLED, []),
    ],
)
def test_what_a_row_opens_is_read_from_the_list_of_steps(name, source, effects):
    assert [step.effect for step in opened(named(name), source)] == effects


def test_a_row_that_is_added_is_drawn():
    extra = row("extra", State.GONE, Trigger.HINT_SHUTDOWN, "a new row", to=State.RETIRED)
    edges = {(edge.source, edge.target) for edge in draw((*ROWS, extra)).edges}
    assert ("gone", "retired") in edges - {(edge.source, edge.target) for edge in draw().edges}


def test_a_small_table_needs_no_any_state():
    diagram = draw([row("only", State.UNSEEN, Trigger.HINT_LISTED, "seen", to=State.DISCOVERED)])
    assert ANY not in {node.name for node in diagram.nodes}
    assert [(edge.source, edge.target) for edge in diagram.edges] == [("unseen", "discovered")]


def test_the_any_state_says_where_its_rows_do_not_start():
    lines = {line.name: line for edge in draw(full=True).edges if edge.source == ANY for line in edge.lines}
    assert {name: line.excepted for name, line in lines.items()} == {
        "forget": (State.UNSEEN,),
        "quarantine": (),
        "asked-to-reprovision": (State.UNSEEN, State.PROVISIONED),
    }


def test_kinds_cover_every_state():
    assert {kind(state) for state in State} == set(Kind) - {Kind.ANY, Kind.STEP}
