"""The JSON document says all that the model holds, and always the same text."""

from __future__ import annotations

import json

import pytest

from diagrams.document import render
from diagrams.model import draw
from fsm.states import State


@pytest.mark.parametrize("full", [False, True])
def test_every_node_edge_and_sentence_is_in_it(full: bool):
    drawn = draw(full=full)
    document = json.loads(render(drawn))
    assert {node["name"] for node in document["nodes"]} >= {state.value for state in State}
    told = [(edge["source"], edge["target"], [line["why"] for line in edge["lines"]]) for edge in document["edges"]]
    assert told == [(edge.source, edge.target, [line.why for line in edge.lines]) for edge in drawn.edges]


def test_it_is_the_same_text_each_time():
    assert render(draw()) == render(draw())
