"""docs/recovery.md quotes what usher says, and tells each state and each reason why a node is held."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from fsm.reasons import Reason
from fsm.states import State
from fsm.table import ROWS
from tests.architecture.house import ROOT, modules
from usher.standing import taken_up

PAGE = (ROOT / "docs" / "recovery.md").read_text(encoding="utf-8")
SAID = ("a new database was made, it knows no node", "nothing is sent for a minute", "what it sealed is lost")


@pytest.mark.parametrize("words", SAID)
def test_what_a_walk_quotes_is_said(words: str):
    assert words in " ".join(PAGE.split())
    assert any(words in module.read_text(encoding="utf-8") for module in modules())


def test_the_line_of_a_start_is_quoted():
    said = taken_up({"nodes": 812, "not_sent": 143, "interrupted": 57, "waiting": 0})
    assert said in " ".join(PAGE.split())


@pytest.mark.parametrize("walk", ["The disk is lost", "Last night's backup"])
def test_a_walk_tells_what_it_costs_in_each_state(walk: str):
    section = PAGE.split(f"\n## {walk}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    words = set(chain.from_iterable(re.findall(r"`(\w+)`", row) for row in rows))
    named = {state.value for state in State if state is not State.UNSEEN}
    if "`discovered` … `restarted`" in section:
        words |= {"inventoried", "enrolled", "configured"}
    assert named <= words


def test_rows_and_reasons_that_are_named_exist():
    assert {"asked-to-reprovision"} <= {row.name for row in ROWS}
    named = set(re.findall(r"failures\.md#(\w+)", PAGE))
    assert named
    assert named <= {reason.value for reason in Reason}


def test_the_index_names_every_walk():
    index = set(re.findall(r"\| \[.+\]\(#([\w-]+)\) \|$", PAGE, re.MULTILINE))
    walks = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert index == {re.sub(r"[^\w -]", "", walk.lower()).replace(" ", "-") for walk in walks}
