"""The generated documents say the whole table, and those in docs/ are current."""

from __future__ import annotations

from pathlib import Path

import pytest

from diagrams import documents
from fsm.effects import Effect
from fsm.events import Trigger
from fsm.states import State
from fsm.table import ROWS
from tests.architecture.house import ROOT


def cells(state: State) -> list[list[str]]:
    """The cells of one state's table, header and rule left out."""
    section = documents.machine().split(f"\n### {state.value}\n")[1].split("\n### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.strip("| ").replace(" |  |", " | |").split(" | ") for line in lines[1:]]


def test_the_documents_are_current():
    assert not documents.stale(ROOT / "docs"), "run make docs"


@pytest.mark.parametrize("state", State)
def test_every_cell_is_printed_with_its_rows_in_order(state):
    expected = [
        (f"`{trigger.value}`", row.name) for trigger in Trigger for row in ROWS
        if row.trigger is trigger and state in row.sources
    ]  # fmt: skip
    assert [(cell[0], cell[1]) for cell in cells(state)] == expected
    assert {cell[0] for cell in cells(state)} == {f"`{trigger.value}`" for trigger in Trigger}


def test_a_row_is_told_in_the_words_of_the_table():
    text = documents.machine()
    for row in ROWS:
        assert row.why in text
        assert row.question in text
        assert row.ignored or all((action.__doc__ or "?").strip() in text for action in row.actions)


def test_the_picture_is_in_it():
    assert "```mermaid\nstateDiagram-v2\n" in documents.machine()


@pytest.mark.parametrize("effect", Effect)
def test_every_effect_is_told(effect):
    assert documents.effects().count(f"\n| `{effect.value}` | ") == 1


def test_stale_documents_are_named(tmp_path: Path, capsys):
    documents.write(tmp_path)
    assert documents.stale(tmp_path) == []
    (tmp_path / "effects.md").write_text("old")
    (tmp_path / "machine.md").unlink()
    assert documents.main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path / 'machine.md'} is stale: run make docs", f"{tmp_path / 'effects.md'} is stale: run make docs",
    ]  # fmt: skip
    assert documents.main(["--write", str(tmp_path)]) == 0
    assert documents.main(["--check", str(tmp_path)]) == 0
