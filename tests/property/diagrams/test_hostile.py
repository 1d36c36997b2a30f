"""Whatever a node, a helper or a person is called or says: no format is broken by it, and the same gives the same."""

from __future__ import annotations

import json
import re
import shutil
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diagrams import document, dot, mermaid
from diagrams.model import Cause, Diagram, Edge, Kind, Line, Node, Note
from fsm.effects import Effect
from fsm.events import Certainty, Trigger
from fsm.reasons import Reason
from fsm.states import State
from usher import graphviz
from usher.views import path
from usher.views.past import Ended, Past

NASTY = (
    'a"b', "a\\", "a\\n", "<b>x</b>", "&lt;&#10;", "]; evil -> b [", "-->", "%%{init: {}}%%", "\x1b[2J", "\u202eabc",
    "a\nb", "\n  evil --> gone : x", "\ud800", "#quot;", "]]>", "<!-- x -->", "--", "", "é ✗ 漢",
)  # fmt: skip
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=40), st.lists(st.sampled_from(NASTY)).map("".join))
MERMAID = re.compile(
    r"---|title: \"[^\n]*\"|stateDiagram-v2|  direction LR|  classDef \w+ [\w:#,]+|  %% [^\n]*"
    r"|  state \"(?:[^\"#;<>{}%`\\]|#\d+;|<br/>)*\" as \w+"
    r"|  (?:\w+|\[\*\]) --> (?:\w+|\[\*\])(?: : (?:[^\"#;:<>{}%`\\]|#\d+;|<br/>)*)?|  class \w+ \w+"
)
DOT_STRING = r'"(?:[^"\\\n]|\\[\\"n])*"'
DOT = re.compile(
    rf"digraph usher \{{|  layout=[^\n]*|  node \[[^\n\"]*\];|  edge \[[^\n\"]*\];|\}}"
    rf"|  {DOT_STRING} \[label=(?:{DOT_STRING}|<<table[^\n]*</table>>), pos=[^\n]*, tooltip={DOT_STRING}\];"
    rf"|  {DOT_STRING} -> {DOT_STRING} \[pos={DOT_STRING}(?:, [a-z]+=(?:{DOT_STRING}|[\w.]+))*\];"
)


def diagram(one: str, other: str, full: bool) -> Diagram:
    line = Line(one or "x", (Trigger.DONE,), other, one)
    note = Note(other, Cause.FAILED, one)
    nodes = (
        Node("discovered", Kind.PHASE, one, loops=(line,), notes=(note,), count=3),
        Node("failed", Kind.WAITING, other, notes=(note,)),
    )
    edges = (Edge("discovered", "failed", Cause.DONE, (line,), one, (other,)),)
    return Diagram(nodes, edges, full=full, title=one, under=other)


hostile = given(one=texts, other=texts, full=st.booleans())


@hostile
@example(one='"', other="\n", full=True)
def test_mermaid_has_only_lines_of_its_grammar(one, other, full):
    lines = mermaid.render(diagram(one, other, full)).split("\n")
    assert lines.pop() == ""
    assert not [line for line in lines if not MERMAID.fullmatch(line)]
    assert not [line for line in lines if line.startswith("  %%") and "%%{" in line]


@hostile
def test_dot_has_only_lines_of_its_grammar_and_its_labels_are_xml(one, other, full):
    lines = dot.render(diagram(one, other, full)).split("\n")
    assert lines.pop() == ""
    assert not [line for line in lines if not DOT.fullmatch(line)]
    for line in lines:
        found = re.search(r"label=<(<table.*?</table>)>", line)
        if found:
            ET.fromstring(found[1])  # noqa: S314 our own text


@hostile
def test_json_holds_it_unchanged(one, other, full):
    made = json.loads(document.render(diagram(one, other, full)))
    assert (made["title"], made["under"]) == (one, other)


@hostile
def test_all_of_it_can_be_written_as_utf_8_and_rules_no_terminal(one, other, full):
    for render in (mermaid.render, dot.render, document.render):
        text = render(diagram(one, other, full))
        assert text == render(diagram(one, other, full))
        assert text.encode().decode() == text
        assert text.replace("\n", "").isprintable()


@settings(max_examples=25)
@hostile
def test_graphviz_draws_it_and_the_picture_is_xml(one, other, full):
    if shutil.which(graphviz.PROGRAM) is None:
        pytest.skip("needs dot of Graphviz")
    drawn = ET.fromstring(graphviz.picture(dot.render(diagram(one, other, full)), "svg"))  # noqa: S314 our own text
    assert {"discovered", "failed"} <= {title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")}


@st.composite
def lives(draw):
    """Lines as no usher writes them: any row name, any states, times that go back."""
    states = st.sampled_from(State)
    certainties, reasons = st.none() | st.sampled_from(Certainty), st.none() | st.sampled_from(Reason)
    ended = st.none() | st.builds(Ended, st.sampled_from(Effect), st.integers(1, 9), certainties, reasons)
    events = st.sampled_from([*Trigger, "who_knows"])
    count = draw(st.integers(0, 12))
    return [
        Past(seq, draw(st.integers(0, 2**42)), 1, draw(st.integers(1, 3)), seq, draw(events), draw(texts), draw(states),
             draw(states), draw(ended), detail=draw(texts))
        for seq in range(1, count + 1)
    ]  # fmt: skip


@given(node=texts, lines=lives())
def test_any_history_has_a_path(node, lines):
    made = path.draw(node, lines)
    assert path.draw(node, iter(lines)) == made
    moves = {(line.source.value, line.target.value) for line in lines if line.moved}
    assert {(edge.source, edge.target) for edge in made.edges} == moves
    for render in (mermaid.render, dot.render, document.render):
        assert render(made).replace("\n", "").isprintable()
    assert not [line for line in mermaid.render(made).splitlines() if not MERMAID.fullmatch(line)]
