"""`usher tokens` and `nodes list --token`: who let usher in with which token, from the database alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.events import JwtFacts
from store.repository import open_store
from tests.fakes.written import DIGEST, LIVES, MINUTE, Author, write_database
from usher.cli import main
from usher.rotation.tokens import tokens_entry
from usher.state import DATABASE

NOW = 1_795_200_000_000


def with_token(mark: str):
    async def live(author: Author) -> None:
        await author.admitted()
        await author.done(JwtFacts(DIGEST, "3MN", provisions_by_default=False, let_in=mark))

    return live


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    lives = {
        "a.example.net": with_token("aaaaaaaa"),
        "b.example.net": with_token("bbbbbbbb"),
        "c.example.net": with_token("bbbbbbbb"),
        "d.example.net": with_token("99999999"),
        "e.example.net": LIVES["web3.example.net"],
    }
    await write_database(tmp_path, NOW, lives=lives)
    store = open_store(tmp_path / DATABASE)
    await store.begin_epoch()
    await store.fleet(tokens_entry(["cccccccc", "bbbbbbbb", "aaaaaaaa"], NOW - MINUTE))
    await store.close()
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], state: Path, *words: str) -> tuple[int, str, str]:
    code = main([*words, "--state", str(state)])
    said = capsys.readouterr()
    return code, said.out, said.err


async def test_each_token_of_the_list_then_what_was_withdrawn_and_who_is_not_known(state: Path, capsys):
    found = json.loads(asked(capsys, state, "tokens", "--json")[1])
    assert [(each["token"], each["mark"], each["nodes"], each["sample"]) for each in found] == [
        (1, "cccccccc", 0, None),
        (2, "bbbbbbbb", 2, found[1]["sample"]),
        (3, "aaaaaaaa", 1, "a.example.net"),
        (None, None, 1, "e.example.net"),
        (None, "99999999", 1, "d.example.net"),
    ]
    lines = asked(capsys, state, "tokens")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["TOKEN", "1", "2", "3", "not", "withdrawn"]


@pytest.mark.parametrize(
    ("named", "nodes"), [("2", ["b", "c"]), ("bbbbbbbb", ["b", "c"]), ("3", ["a"]), ("99999999", ["d"]), ("1", [])]
)
async def test_nodes_are_listed_by_the_place_or_the_mark_of_their_token(
    state: Path, capsys, named: str, nodes: list[str]
):
    found = json.loads(asked(capsys, state, "nodes", "list", "--token", named, "--json")[1])
    assert [each["node"] for each in found] == [f"{node}.example.net" for node in nodes]


@pytest.mark.parametrize("named", ["4", "0", "00000002", "dddddddd", "\x1b[31m", "²"])
async def test_a_token_that_is_not_there_is_named(state: Path, capsys, named: str):
    code, out, err = asked(capsys, state, "nodes", "list", "--token", named)
    assert code != 0
    assert out == ""
    assert "usher tokens lists them by place and mark" in err
    assert "\x1b" not in err
