"""`usher status --watch` on a terminal: drawn in place, resized, ended by a key, a signal, or the terminal's end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.fakes.screen import Screen, on_a_terminal
from tests.fakes.written import write_database
from usher.board import HELP
from usher.terminal import ENTER, LEAVE
from usher.views import common


def watching(state: Path) -> AbstractContextManager[Screen]:
    return on_a_terminal("status", "--watch", "--state", str(state))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(write_database(tmp_path_factory.mktemp("state"), common.now()))


def test_it_is_drawn_in_place_and_q_ends_it_with_the_terminal_as_before(state: Path):
    with watching(state) as screen:
        assert screen.drawn.startswith(ENTER)
        assert HELP in screen.drawn
        assert "no daemon answers; this is what its database holds" in screen.drawn
        screen.press(b"x")
        screen.until(lambda drawn: "\x1b[H" in drawn)
        screen.press(b"q")
        after = screen.until(lambda drawn: LEAVE in drawn and "provisioned" in drawn.split(LEAVE)[1])
        assert "\x1b" not in after.split(LEAVE)[1]
        assert screen.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_terminal_as_before(state: Path, number: signal.Signals):
    with watching(state) as screen:
        screen.process.send_signal(number)
        screen.until(lambda drawn: LEAVE in drawn)
        assert screen.end() == 0


def test_ctrl_c_ends_it(state: Path):
    with watching(state) as screen:
        screen.press(b"\x03")
        screen.until(lambda drawn: LEAVE in drawn)
        assert screen.end() == 0


def test_a_window_of_another_size_is_drawn_anew_and_fits(state: Path):
    with watching(state) as screen:
        screen.resize(40, 9)
        frame = screen.until(lambda drawn: "\x1b[J" in drawn).split("\x1b[H")[-1]
        lines = frame.split("\x1b[J", maxsplit=1)[0].split("\r\n")
        assert len(lines) <= 9
        assert max(len(line.strip("\r").removesuffix("\x1b[K")) for line in lines) <= 40


def test_the_end_of_the_terminal_ends_it(state: Path):
    with watching(state) as screen:
        screen.hang_up()
        assert isinstance(screen.end(), int)
