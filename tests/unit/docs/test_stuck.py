"""docs/stuck.md leads from every symptom to a command, and names nothing that does not exist."""

from __future__ import annotations

import re

import pytest

from fsm.reasons import Reason
from fsm.table import ROWS
from tests.architecture.house import ROOT
from usher.metrics.catalogue import families
from usher.views.signs import SIGNS

PAGE = (ROOT / "docs" / "stuck.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SYMPTOMS = [title for title in SECTIONS if title != "And afterwards"]


def place(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def test_every_symptom_is_in_the_table_and_leads_somewhere():
    head = PAGE.partition("\n## ")[0]
    assert re.findall(r"^\| .+ \| \[.+\]\(#([\w-]+)\) \|$", head, re.MULTILINE) == list(map(place, SYMPTOMS))


@pytest.mark.parametrize("title", SYMPTOMS)
def test_a_symptom_begins_with_the_one_command_to_type(title: str):
    lines = SECTIONS[title].strip().splitlines()
    assert lines[0] in {"```sh", "```console"}
    assert re.match(r"(\$ )?(usher|df) ", lines[1])
    if lines[0] == "```sh":
        assert lines[2] == "```"


@pytest.mark.parametrize("page", ["operating", "recovery", "continuity", "secrets", "rotation", "alerts", "metrics"])
def test_the_pages_behind_it_are_linked(page: str):
    assert f"({page}.md" in PAGE


def test_reasons_rows_and_series_that_are_named_exist():
    reasons = set(re.findall(r"^\| `(\w+)`", SECTIONS["Everything fails with one reason"], re.MULTILINE))
    reasons |= set(re.findall(r"^- `(\w+)`: ", SECTIONS["A node is held"], re.MULTILINE))
    assert len(reasons) >= 8
    assert reasons <= {reason.value for reason in Reason}
    assert {"came-back"} <= {row.name for row in ROWS}
    assert set(re.findall(r"usher_\w+", PAGE)) <= set(families())


def test_every_reason_that_holds_a_node_is_told():
    for reason in (Reason.QUARANTINED, Reason.DUPLICATE_IDENTITY, Reason.LOOPING):
        assert f"- `{reason.value}`: " in SECTIONS["A node is held"]


def test_every_sign_is_told():
    table = [line for line in SECTIONS["One node fails"].splitlines() if line.startswith("| ")]
    assert len(table) - 1 == len(SIGNS) - 1, "the helper and the token share a line"
