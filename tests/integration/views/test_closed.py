"""What the reading commands say of a node whose record was closed, by age or by an operator."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from fsm.events import Operator, Verb
from store.repository import open_store
from tests.fakes.written import Author, provisioned
from usher.cli import main
from usher.state import DATABASE
from usher.views import common

OLD, TOLD = "old.example.net", "told.example.net"
WORDS = (
    "usher: at rest for 30d (keep_nodes); its history stays, and if it is seen again it begins anew, as generation 2."
)


async def write(folder: Path) -> None:
    store = open_store(folder / DATABASE)
    await store.begin_epoch()
    for node, name, why in ((OLD, "usher", "at rest for 30d (keep_nodes)"), (TOLD, "anna", "it was scrapped")):
        author = Author(store, node, common.now() - 60_000)
        await provisioned(author)
        await author.tell(Operator(Verb.FORGET, name, why))
    await store.close()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    asyncio.run(write(folder))
    return folder


def answered(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [("nodes", "show"), ("nodes", "why"), ("history",)])
def test_it_says_when_and_why_and_what_comes_if_it_is_seen_again(
    capsys: pytest.CaptureFixture[str], state: Path, words: tuple[str, ...]
):
    said = " ".join(answered(capsys, *words, OLD, "--state", state).split())
    assert "Its record was closed " in said
    assert WORDS in said
    assert "by anna: it was scrapped;" in " ".join(answered(capsys, *words, TOLD, "--state", state).split())


def test_programs_are_told_too(capsys: pytest.CaptureFixture[str], state: Path):
    assert json.loads(answered(capsys, "nodes", "show", OLD, "--json", "--state", state))["closed"].endswith(WORDS)


def test_closed_records_are_listed_where_they_are_asked_for(capsys: pytest.CaptureFixture[str], state: Path):
    assert "no node is like that" in answered(capsys, "nodes", "list", "--state", state)
    listed = answered(capsys, "nodes", "list", "--in", "unseen", "--json", "--state", state)
    assert [each["node"] for each in json.loads(listed)] == [OLD, TOLD]
