"""Mermaid and DOT: the same diagram gives the same text, and every row's sentence is in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape

import pytest

from diagrams import dot, mermaid, words
from diagrams.model import Diagram, Edge, Kind, Node, draw
from fsm.table import ROWS
from tests.architecture.house import ROOT

RENDERERS = pytest.mark.parametrize("renderer", [mermaid, dot], ids=["mermaid", "dot"])
DRAWN = [row for row in ROWS if not row.ignored]


@RENDERERS
@pytest.mark.parametrize("full", [False, True], ids=["overview", "full"])
def test_another_process_with_another_hash_seed_gives_the_same_bytes(renderer, full):
    name = renderer.__name__.rpartition(".")[2]
    code = f"from diagrams import {name} as r, model as m; print(r.render(m.draw(full={full})), end='')"
    texts = {
        subprocess.run(
            [sys.executable, "-P", "-c", code], capture_output=True, check=True, cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert texts == {renderer.render(draw(full=full)).encode()}


@RENDERERS
def test_a_full_diagram_carries_every_sentence(renderer):
    text = unescape(renderer.render(draw(full=True)).replace('\\"', '"'))
    assert not [row.name for row in DRAWN if row.why not in text]
    assert not [row.name for row in DRAWN if row.question not in text]


def test_the_overview_in_dot_carries_the_sentence_of_every_row_that_moves():
    text = unescape(dot.render(draw()))
    assert not [row.name for row in DRAWN if row.target and not row.sources <= {row.target} and row.why not in text]


def test_mermaid_begins_at_the_pseudo_state():
    text = mermaid.render(draw())
    assert text.startswith("stateDiagram-v2\n")
    assert "  [*] --> discovered : first-seen\n" in text
    assert not re.search(r"\bunseen (-->|:)|--> unseen|as unseen", text)
    assert "  any --> [*] : forget\n" in text


@pytest.mark.parametrize("full", [False, True], ids=["overview", "full"])
def test_mermaid_has_only_lines_of_its_grammar(full):
    word = r"(?:\w+|\[\*\])"
    forms = [
        r"stateDiagram-v2",
        r"  direction LR",
        r"  classDef \w+ [\w:#,]+",
        r"  %% .+",
        r'  state "[^":;]+" as \w+',
        rf"  {word} --> {word} : [^:;]+",
        r"  class \w+ \w+",
    ]
    lines = mermaid.render(draw(full=full)).splitlines()
    assert not [line for line in lines if not any(re.fullmatch(form, line) for form in forms)]
    assert len([line for line in lines if "-->" in line]) == len(draw(full=full).edges)


def test_dot_quotes_what_would_end_a_string():
    node = Node('a"b\\c', Kind.PHASE, 'a "fact"\nof two lines')
    text = dot.render(Diagram((node,), (), full=False))
    assert '"a\\"b\\\\c" [' in text
    assert 'a \\"fact\\"\\nof two lines' in text


def test_dot_escapes_what_html_would_read():
    text = dot.render(Diagram((Node("<i>&", Kind.PHASE, ""),), (), full=False))
    assert "<b>&lt;i&gt;&amp;</b>" in text


def test_the_overview_counts_what_it_does_not_name():
    edge = next(edge for edge in draw().edges if (edge.source, edge.target) == ("inventoried", "failed"))
    assert words.label(edge, full=False) == ["fail", "two-machines", f"{len(edge.lines) - 2} more"]
    assert len(words.label(edge, full=True)) == len(edge.lines)
    assert "more" not in words.label(replace(edge, lines=edge.lines[:3]), full=False)


def test_a_sentence_says_everything_of_its_row():
    lines = {line.name: line for edge in draw(full=True).edges for line in edge.lines}
    assert words.sentence(lines["inventoried"]) == (
        "inventoried (done): its token is verified, its inventory is held; "
        "opens new_key (ed25519) or new_csr (pki) or run_helper"
    )
    assert words.sentence(lines["forget"]).endswith("; not from unseen")
    loops = {line.name: line for node in draw(full=True).nodes for line in node.loops}
    assert words.sentence(loops["step-again"]) == "step-again (due_step): the wait is over; opens the same step"


def test_an_edge_is_coloured_by_where_it_leads():
    edges = {(edge.source, edge.target): edge for edge in draw().edges}
    assert words.main_cause(edges["configured", "failed"]).value == "failed"
    assert words.main_cause(edges["discovered", "inventoried"]).value == "done"
    assert words.main_cause(Edge("any", "failed", None, edges["any", "failed"].lines)).value == "operator"
