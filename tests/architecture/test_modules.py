"""Every module keeps the rules of the house: its law, its length, and what it must not do."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median

import pytest

from tests.architecture.house import ROOT, calls, imported, modules, name, public, scripts, tree

LONGEST = 300
LAW = re.compile(r"^Rules\b[^\n]*:$", re.MULTILINE)
RULE = re.compile(r"^\d+\. ", re.MULTILINE)
NOQA = re.compile(r"# noqa:? ?((?:[A-Z]+\d+(?:, ?)?)*)([^\n]*)")
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")))
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"} | {
    f"time.{clock}" for clock in ("time", "time_ns", "monotonic", "monotonic_ns")
}
KEEPS_TIME = "fsm/runtime/clock.py"
every_module = pytest.mark.parametrize("path", modules(), ids=name)
every_file = pytest.mark.parametrize("path", modules() + scripts(), ids=name)


@every_module
def test_it_opens_with_its_law(path: Path):
    said = ast.get_docstring(tree(path)) or ""
    if path.name in {"__init__.py", "__main__.py"}:
        return
    law = "".join(LAW.split(said)[1:])
    assert 2 <= len(RULE.findall(law)) <= 5, "the docstring needs 'Rules:' and two to five numbered rules"


@every_file
def test_it_is_short(path: Path):
    length = len(path.read_text().splitlines())
    assert length < LONGEST


@every_module
def test_only_the_command_line_prints(path: Path):
    names = {node.name for node in tree(path).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    if name(path).startswith("usher/") and any(found == "main" or found.startswith("add_") for found in names):
        return
    assert "print" not in {called for called, _ in calls(path)}


@every_file
def test_nothing_sleeps_away_its_time(path: Path):
    assert "time.sleep" not in set(imported(path)) | {called for called, _ in calls(path)}


@pytest.mark.parametrize("path", scripts(), ids=name)
def test_tests_wait_for_events(path: Path):
    if name(path).startswith("benchmarks/"):
        return
    waits = [ast.unparse(call) for called, call in calls(path) if called in {"asyncio.sleep", "sleep"}]
    assert set(waits) <= {"asyncio.sleep(0)"}


@pytest.mark.parametrize("path", scripts(), ids=name)
def test_tests_use_fakes_and_no_patches(path: Path):
    assert not {used for used in imported(path) if "mock" in used.split(".")}
    assert "monkeypatch.setattr" not in {called for called, _ in calls(path)}


@every_module
def test_deciding_has_no_clock(path: Path):
    if not name(path).startswith("fsm/") or name(path) == KEEPS_TIME:
        return
    assert not CLOCKS & {called for called, _ in calls(path)}


@every_module
def test_public_names_say_what_they_are(path: Path):
    assert not [said for said, node in public(tree(path)) if not ast.get_docstring(node)]


@every_module
def test_an_exception_to_the_linter_says_why(path: Path):
    exceptions = [found.groups() for found in NOQA.finditer(path.read_text())]
    explained = {codes for codes, reason in exceptions if reason.strip()}
    assert not [codes for codes, _ in exceptions if codes not in explained], "# noqa: X reason"


@every_file
def test_nothing_is_left_to_be_done_later(path: Path):
    assert not UNFINISHED.findall(path.read_text())


def test_functions_have_a_median_of_a_dozen_lines():
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert median(lengths) <= 12


def test_the_rules_are_applied_to_something():
    found = {name(path) for path in modules()}
    assert {"fsm/states.py", "usher/house.py", "usher/simulator/broker.py"} <= found
    assert ROOT / "tests" / "conftest.py" in scripts()
