"""Every module keeps the rules of the house: its law, its length, and what it must not do."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median

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
PROGRAM, ALL = modules(), modules() + scripts()
TESTS = [path for path in scripts() if not name(path).startswith("benchmarks/")]


def test_each_opens_with_its_law():
    lawless = [name(path) for path in PROGRAM if path.name not in {"__init__.py", "__main__.py"} and not lawful(path)]
    assert not lawless, "the docstring needs 'Rules:' and two to five numbered rules"


def lawful(path: Path) -> bool:
    law = "".join(LAW.split(ast.get_docstring(tree(path)) or "")[1:])
    return 2 <= len(RULE.findall(law)) <= 5


def test_each_is_short():
    lengths = {name(path): len(path.read_text().splitlines()) for path in ALL}
    assert not {path: length for path, length in lengths.items() if length >= LONGEST}


def test_only_the_command_line_prints():
    assert not [name(path) for path in PROGRAM if not is_command(path) and "print" in called(path)]


def is_command(path: Path) -> bool:
    names = {node.name for node in tree(path).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return name(path).startswith("usher/") and any(found == "main" or found.startswith("add_") for found in names)


def called(path: Path) -> set[str]:
    return {each for each, _ in calls(path)}


def test_nothing_sleeps_away_its_time():
    assert not [name(path) for path in ALL if "time.sleep" in set(imported(path)) | called(path)]


def test_tests_wait_for_events():
    waits = [
        (name(path), ast.unparse(call))
        for path in TESTS
        for each, call in calls(path)
        if each in {"asyncio.sleep", "sleep"} and ast.unparse(call) != "asyncio.sleep(0)"
    ]
    assert not waits


def test_tests_use_fakes_and_no_patches():
    mocks = [(name(path), used) for path in scripts() for used in imported(path) if "mock" in used.split(".")]
    assert not mocks
    assert not [name(path) for path in scripts() if "monkeypatch.setattr" in called(path)]


def test_deciding_has_no_clock():
    pure = [path for path in PROGRAM if name(path).startswith("fsm/") and name(path) != KEEPS_TIME]
    assert not [name(path) for path in pure if CLOCKS & called(path)]


def test_public_names_say_what_they_are():
    mute = [(name(path), said) for path in PROGRAM for said, node in public(tree(path)) if not ast.get_docstring(node)]
    assert not mute


def test_an_exception_to_the_linter_says_why():
    assert not [name(path) for path in PROGRAM if unexplained(path)], "# noqa: X reason"


def unexplained(path: Path) -> list[str]:
    exceptions = [found.groups() for found in NOQA.finditer(path.read_text())]
    explained = {codes for codes, reason in exceptions if reason.strip()}
    return [codes for codes, _ in exceptions if codes not in explained]


def test_nothing_is_left_to_be_done_later():
    assert not [name(path) for path in ALL if UNFINISHED.search(path.read_text())]


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
