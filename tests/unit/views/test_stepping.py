"""Stepping: what each key does, and what is drawn, without a terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from store.folding import open_past
from tests.fakes.written import write_database
from usher.state import DATABASE
from usher.views import common
from usher.views.book import open_book
from usher.views.stepping import Stepper
from usher.views.steps import Told, told
from usher.views.text import local

NODE = "web1.example.net"
SIZE = (100, 40)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, ...]:
    folder: Path = asyncio.run(write_database(tmp_path_factory.mktemp("state"), common.now()))
    path = folder / DATABASE
    with open_book(path) as book, open_past(path) as past:
        return tuple(told(past.steps(NODE), book.opening(NODE)))


@pytest.fixture
def stepper(steps: tuple[Told, ...]) -> Stepper:
    return Stepper(NODE, steps)


def pressed(stepper: Stepper, *keys: str) -> str:
    """The screen after these keys; a text of several letters after `:` or `/` is typed."""
    for key in keys:
        for each in key if key[0] in ":/" else (key,):
            assert stepper.press(each)
    return "\n".join(stepper.screen(*SIZE))


@pytest.mark.parametrize(
    ("keys", "seq"),
    [
        (["right"], 2), (["right", " ", "enter"], 4), (["right", "left"], 1), (["end"], 13), (["G", "b"], 12),
        (["G", "home"], 1), ([":7", "enter"], 7), ([":7", "enter", "g"], 1), (["/new_key", "enter"], 4),
        (["/new_key", "enter", "n"], 5), (["/new_key", "enter", "n", "N"], 4),
        ([":8", "rubout", "rubout", "rubout"], 1),
        ([":8", "escape", "right"], 2), (["h", "right"], 2), (["f", "right"], 2),
    ],
)  # fmt: skip
def test_a_key_leads_to_a_step(stepper: Stepper, keys: list[str], seq: int):
    said = pressed(stepper, *keys)
    assert stepper.seq == seq
    assert said.startswith(f"{NODE}: step {seq} of 13")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["left"], "this is the first step"), (["G", "right"], "this is the last step"),
        ([":99", "enter"], "there is no row 99 here: 1 to 13"), ([":soon", "enter"], "'soon' is no time, such as"),
        ([":9h", "enter"], "no row here is as old as"), (["/zebra", "enter"], "no step from here on has 'zebra'"),
        (["/first-seen", "enter", "N"], "no step before has 'first-seen'"), (["n"], "nothing was searched for"),
        (["z"], "no such key: h tells them"), ([":12"], ": 12"),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_said_in_the_last_line_and_changes_nothing(stepper: Stepper, keys: list[str], said: str):
    before = pressed(stepper, *keys).splitlines()
    assert before[-1].startswith(said)
    assert "h help" in pressed(stepper, "h", "h").splitlines()[-1] or said.startswith(":")


def test_a_time_leads_to_the_last_row_that_is_not_later(stepper: Stepper, steps: tuple[Told, ...]):
    pressed(stepper, f":{local(steps[4].step.recorded.at, 'milliseconds')}", "enter")
    assert stepper.seq == 5


def test_facts_and_help_are_pages_and_back(stepper: Stepper):
    assert "after row 1:" in pressed(stepper, "f")
    assert "after row 2:" in pressed(stepper, "right"), "facts stay while it goes on"
    assert "asked    yes admit" in pressed(stepper, "f")
    assert "jump to a row" in pressed(stepper, "?")
    assert "asked    yes admit" in pressed(stepper, "h")


def test_q_ends_it_unless_it_is_typed(stepper: Stepper):
    assert not stepper.press("q")
    pressed(stepper, "/q")
    assert stepper.press("q")
    assert stepper.press("escape")
    assert not stepper.press("Q")


@pytest.mark.parametrize("size", [(20, 2), (25, 5), (40, 9), (200, 60)])
@pytest.mark.parametrize("keys", [[], ["G"], ["f"], ["h"], ["/zebra zebra zebra zebra zebra zebra", "enter"]])
def test_a_screen_fits_the_terminal_and_its_end_can_be_scrolled_to(
    stepper: Stepper, size: tuple[int, int], keys: list[str]
):
    pressed(stepper, *keys)
    for _ in range(60):
        stepper.press("page down")
    drawn = stepper.screen(*size)
    assert len(drawn) <= size[1]
    assert all(len(line) <= size[0] for line in drawn)
    assert "more lines" not in drawn[-1]
    pressed(stepper, "up", "page up", "down")
