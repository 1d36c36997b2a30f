"""`usher nodes list --looping`: who comes back again and again, and who did once or is well by now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.events import Due, DueKind, Hint, HintKind, Sighting
from fsm.states import State
from tests.fakes.written import LIVES, Author, provisioned, to_the_end, write_database
from usher.cli import main
from usher.views import common


def back(times: int, *, held: bool = False, last: bool = False):
    """It is provisioned and back at once, so often; `last` has it provisioned once more."""

    async def live(author: Author) -> None:
        for turn in range(times + held):
            if turn:
                await author.due()
                await again(author)
            else:
                await provisioned(author)
            await author.tell(Hint(HintKind.LISTED))
            await author.done(Sighting(present=True, age=0))
        if last:
            await author.due()
            await again(author)

    return live


async def again(author: Author) -> None:
    """Another generation, to its end."""
    await author.tell(Due(DueKind.ADMIT))
    await author.read()
    await to_the_end(author)


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    lives = {
        "once.example.net": back(1),
        "thrice.example.net": back(3),
        "held.example.net": back(7, held=True),
        "lately.example.net": back(2, last=True),
        "web1.example.net": LIVES["web1.example.net"],
        "db2.example.net": LIVES["db2.example.net"],
    }
    await write_database(tmp_path, common.now(), lives=lives)
    return tmp_path


async def test_those_that_came_back_twice_or_more_are_named(state: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["nodes", "list", "--looping", "--json", "--state", str(state)]) == 0
    found = {node["node"]: node["state"] for node in json.loads(capsys.readouterr().out)}
    assert found == {
        "held.example.net": State.FAILED,
        "lately.example.net": State.PROVISIONED,
        "thrice.example.net": State.REPROVISION,
    }


async def test_a_filter_is_one_of_several(state: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["nodes", "list", "--looping", "--reason", "looping", "--state", str(state)]) == 0
    said = capsys.readouterr().out
    assert "held.example.net" in said
    assert "thrice" not in said


async def test_nobody_loops_in_a_fleet_that_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    await write_database(tmp_path, common.now())
    assert main(["nodes", "list", "--looping", "--state", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no node is like that\n"
