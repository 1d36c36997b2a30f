"""`usher replay NODE --step` on a terminal: steps forward and back, jumps, searches, and the terminal as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.screen import Screen, on_a_terminal
from tests.fakes.written import write_database
from usher.terminal import ENTER, LEAVE
from usher.views import common

NODE = "web2.example.net"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(write_database(tmp_path_factory.mktemp("state"), common.now()))


def shows(screen: Screen, keys: bytes, *words: str) -> None:
    """After these keys a screen is drawn that has these words."""
    screen.press(keys)
    screen.until(lambda drawn: all(word in drawn.split("\x1b[H")[-1] for word in words) and "\x1b[J" in drawn)


def test_a_life_is_walked_through_and_the_terminal_is_as_before(state: Path):
    with on_a_terminal("replay", NODE, "--step", "--state", str(state)) as screen:
        assert screen.drawn.startswith(ENTER)
        assert f"{NODE}: step 1 of 6" in screen.drawn
        shows(screen, b" ", "step 2 of 6", "yes admit: It waits for admission")
        shows(screen, b"\x1b[C", "step 3 of 6", "fetch_jwt was done")
        shows(screen, b"\x1b[D", "step 2 of 6")
        shows(screen, b"G", "step 6 of 6", "run_helper was refused (helper_failed)", "failures 0 -> 1")
        shows(screen, b":4\r", "step 4 of 6")
        shows(screen, b"g/public_key\r", "step 5 of 6")
        shows(screen, b"f", "after row 5:", "run_helper")
        shows(screen, b"h", "two hours ago")
        screen.press(b"q")
        screen.until(lambda drawn: LEAVE in drawn)
        assert screen.end() == 0


def test_it_fits_a_small_window_and_what_does_not_can_be_scrolled_to(state: Path):
    with on_a_terminal("replay", NODE, "--step", "--state", str(state)) as screen:
        screen.resize(40, 9)
        shows(screen, b"G", "step 6 of 6", "more lines: down")
        frame = screen.drawn.split("\x1b[H")[-1].split("\x1b[J", maxsplit=1)[0].split("\r\n")
        assert len(frame) <= 9
        assert max(len(line.strip("\r").removesuffix("\x1b[K")) for line in frame) <= 40
        shows(screen, b"\x1b[6~" * 12, "awaited.span")


def test_ctrl_c_and_the_end_of_the_terminal_end_it(state: Path):
    with on_a_terminal("replay", NODE, "--step", "--state", str(state)) as screen:
        screen.press(b"\x03")
        screen.until(lambda drawn: LEAVE in drawn)
        assert screen.end() == 0
    with on_a_terminal("replay", NODE, "--step", "--state", str(state)) as screen:
        screen.hang_up()
        assert isinstance(screen.end(), int)
