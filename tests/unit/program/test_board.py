"""The board: a status, what moves and the newest transitions on one screen, in a line, for programs; and in a pipe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.control import STATUS, FakeDaemon, listening
from tests.fakes.units import AT
from tests.fakes.written import HOSTILE, write_database
from usher.board import HELP, Board, Moves, plain, programs, screen
from usher.live import board, in_a_pipe
from usher.state import StateDirectory
from usher.views import common
from usher.views.moving import Moved
from usher.views.past import Past
from usher.views.text import columns, utc

NOW = AT + 3_600_000
MOVED = Moved(
    "web1.example.net", Past(9, NOW, 1, 1, 3, "done", "inventoried", State.DISCOVERED, State.INVENTORIED, detail="ok")
)
STANDING = STATUS | {"credentials": [], "aged": None}
BOARD = Board(NOW, STANDING, moves=Moves({State.PROVISIONED: 30, State.GONE: 1}, 30.0, (MOVED,) * 40))


def test_a_screen_has_the_status_the_rates_and_the_newest_transitions():
    shown = screen(BOARD, 120, 40)
    assert HELP in shown[0]
    text = "\n".join(shown)
    assert "usher 0.1.0 (process 4711, epoch 3): takes work" in text
    assert "  rpc      connected nats://b:4222" in text
    assert "in flight  0 of at most 64" in text
    assert "failed     helper_failed 1" in text
    assert "60 provisioned, 0 deferred, 0 failed, 2 gone" in text
    assert "discovered -> inventoried" in shown[-1]


@pytest.mark.parametrize("height", [2, 8, 14, 24, 60])
@pytest.mark.parametrize("width", [20, 80, 200])
def test_it_fits_every_window(width: int, height: int):
    shown = screen(BOARD, width, height)
    assert 0 < len(shown) <= height
    assert max(map(columns, shown)) <= width


def test_what_others_said_cannot_rule_the_terminal():
    links = {"rpc": {"state": "refused", "server": HOSTILE, "reason": HOSTILE}}
    hostile = replace(MOVED, past=replace(MOVED.past, detail=HOSTILE))
    paused = {"since": 1, "by": HOSTILE, "reason": HOSTILE}
    status = STANDING | {"connections": links, "paused": paused, "holds": {"paused": "x"}}
    shown = Board(NOW, status, moves=Moves(last=(hostile,)))
    assert all(line.isprintable() for line in screen(shown, 200, 60))
    assert plain(shown).isprintable()


def test_without_a_status_it_says_why():
    shown = Board(NOW, None, "no usher answers for /x")
    assert screen(shown, 80, 24)[-1] == "no usher answers for /x"
    assert plain(shown) == "no usher answers for /x"
    assert programs(shown)["why"] == "no usher answers for /x"


def test_a_line_says_the_same():
    assert plain(BOARD) == (
        f"takes work; 1 failed, 2 provisioned; 0 of 64 in flight; the oldest waits since {ago()}; failed: "
        "helper_failed 1; a minute: 0 discovered, 0 inventoried, 0 configured, 60 provisioned, 0 deferred, 0 failed, "
        "2 gone"
    )


def ago() -> str:
    return f"{NOW // 86_400_000}d {NOW // 3_600_000 % 24}h ago"


def test_nothing_moves_in_no_time():
    assert Moves({State.GONE: 5}, 0.0).a_minute(State.GONE) == 0


# -- where it is from -------------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    asyncio.run(write_database(tmp_path, common.now()))
    return StateDirectory(tmp_path)


def test_without_a_daemon_the_database_is_told_and_it_says_so(state: StateDirectory):
    shown = board(state, common.now())
    assert plain(shown).startswith("no daemon answers; this is what its database holds; 1 deferred, ")
    assert sum(shown.moves.counts.values()) == 0, "all of it happened five minutes ago"
    assert {moved.node for moved in shown.moves.last} >= {"web1.example.net", "web2.example.net"}
    assert all(moved.past.moved for moved in shown.moves.last)


def test_what_moved_within_a_minute_is_counted(state: StateDirectory):
    newest = board(state, common.now()).moves.last[-1].past.at
    moves = board(state, newest - 240_000).moves
    assert moves.counts[State.PROVISIONED] == 1
    assert moves.counts[State.DISCOVERED] == 6


def test_with_a_daemon_it_is_asked(state: StateDirectory):
    with listening(state.path, FakeDaemon()):
        assert plain(board(state, common.now())).startswith("takes work; 1 failed, 2 provisioned; 0 of 64 in flight")


def test_with_neither_it_says_what_to_do(tmp_path: Path):
    shown = board(StateDirectory(tmp_path), NOW)
    assert "start it with usher run" in plain(shown)
    (tmp_path / "usher.db").write_bytes(b"no database" * 100)
    assert "usher.db" in plain(board(StateDirectory(tmp_path), NOW))


def looks(times: int) -> Callable[[], bool]:
    left = iter(range(times - 1))
    return lambda: next(left, None) is not None


def test_a_pipe_gets_a_line_when_there_is_something_new(capsys: pytest.CaptureFixture[str]):
    boards = iter([BOARD, replace(BOARD, at=NOW), replace(BOARD, status=None, why="it ended"), BOARD])
    in_a_pipe(lambda: next(boards), looks(4), as_json=False)
    told = capsys.readouterr().out.splitlines()
    assert [line.split(": ", 1)[1][:10] for line in told] == ["takes work", "it ended", "takes work"]


def test_programs_get_a_document_a_look(capsys: pytest.CaptureFixture[str]):
    in_a_pipe(lambda: BOARD, looks(2), as_json=True)
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == second
    assert (first["pid"], first["at"], first["a_minute"]) == (4711, utc(NOW), {"provisioned": 60, "gone": 2})
    assert first["last"][0]["node"] == "web1.example.net"


def test_ctrl_c_ends_it_without_a_word(capsys: pytest.CaptureFixture[str]):
    def stopped() -> bool:
        raise KeyboardInterrupt

    in_a_pipe(lambda: BOARD, stopped, as_json=False)
    assert len(capsys.readouterr().out.splitlines()) == 1
