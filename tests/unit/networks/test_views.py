"""A node's network in every view, and in what a command decides where no daemon runs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from store.reader import open_reader
from store.repository import open_store
from tests.fakes.written import POLICY, Author, Live, provisioned
from usher import cli
from usher.state import DATABASE

NOW = 1_795_200_000_000
EAST, WEST = replace(POLICY, network="east"), replace(POLICY, network="west")
NODES = {"e1.example.net": EAST, "w1.example.net": WEST, "w2.example.net": WEST}


async def _made(folder: Path, live: Live = Author.seen) -> Path:
    store = open_store(folder / DATABASE)
    await store.begin_epoch()
    for policy in (EAST, WEST):
        await store.remember_policy(policy.hash, policy.document(), NOW)
    for node, policy in NODES.items():
        await live(Author(store, node, NOW, policy))
    await store.close()
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with nodes of two networks, each in the waiting room."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return asyncio.run(_made(folder))


@pytest.fixture
def ended(tmp_path: Path) -> Path:
    """A state directory in which a node of each network is provisioned, with a token that ends a day later."""

    async def one_of_each(author: Author) -> None:
        await (author.seen if author.node == "w2.example.net" else partial(provisioned, author))()

    folder = tmp_path / "ended"
    folder.mkdir(mode=0o700)
    return asyncio.run(_made(folder, one_of_each))


def said(capsys: pytest.CaptureFixture[str], state: Path, *words: str) -> str:
    cli.main([*words, "--state", str(state)])
    return capsys.readouterr().out


def test_a_list_has_a_column_and_a_filter(capsys: pytest.CaptureFixture[str], state: Path):
    lines = [line.split()[:2] for line in said(capsys, state, "nodes", "list").splitlines()]
    assert lines == [["NODE", "NETWORK"], *([node, policy.network] for node, policy in NODES.items())]
    found = json.loads(said(capsys, state, "nodes", "list", "--network", "west", "--json"))
    assert [(each["node"], each["network"]) for each in found] == [
        ("w1.example.net", "west"), ("w2.example.net", "west"),
    ]  # fmt: skip


def test_a_node_and_its_history_name_it(capsys: pytest.CaptureFixture[str], state: Path):
    assert "in the network west." in said(capsys, state, "nodes", "why", "w1.example.net")
    assert json.loads(said(capsys, state, "nodes", "show", "w1.example.net", "--json"))["network"] == "west"
    head, line = said(capsys, state, "history", "w1.example.net").splitlines()
    assert (head.split()[-1], line.split()[-1]) == ("NETWORK", "west")
    assert json.loads(said(capsys, state, "history", "w1.example.net", "--json"))[0]["network"] == "west"


def test_the_database_alone_tells_of_each(state: Path):
    with open_reader(state / DATABASE) as reader:
        assert {name: sum(of.values()) for name, of in reader.networks().items()} == {"east": 1, "west": 2}
        assert reader.networked


def test_tokens_that_end_are_told_with_their_network(capsys: pytest.CaptureFixture[str], ended: Path):
    head, first, second = said(capsys, ended, "nodes", "expiring", "--within", "400000d").splitlines()
    assert (head.split()[:2], first.split()[:2], second.split()[:2]) == (
        ["NODE", "NETWORK"], ["e1.example.net", "east"], ["w1.example.net", "west"],
    )  # fmt: skip
    chosen = said(capsys, ended, "nodes", "expiring", "--within", "400000d", "--network", "west", "--json")
    assert [(each["node"], each["network"]) for each in json.loads(chosen)] == [("w1.example.net", "west")]
    with open_reader(ended / DATABASE) as reader:
        day = (NOW // 1000 + 86_400) // 86_400
        assert reader.ends_by_day() == {("east", day): 1, ("west", day): 1}


def test_a_command_without_a_daemon_decides_in_the_network_of_the_record(state: Path):
    for node, policy in NODES.items():
        assert cli.main(["nodes", "quarantine", node, "--reason", "smoke", "--state", str(state)]) == 0
        assert cli.main(["nodes", "release", node, "--reason", "smoke", "--state", str(state)]) == 0
        with open_reader(state / DATABASE) as reader:
            snapshot = reader.node(node)
            assert snapshot is not None
            assert (snapshot.network, snapshot.generation) == (policy.network, 2)
            named = {reader.policy_networks[row.policy] for row in reader.history(node)}
            assert named == {policy.network}
