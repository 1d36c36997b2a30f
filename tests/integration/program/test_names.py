"""Names that a real daemon never asks anything: those of its file, and those that an operator denies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.whole import whole

pytestmark = pytest.mark.network

NODES = 12


async def test_a_name_that_is_denied_is_never_asked_and_told_so(tmp_path: Path):
    async with whole(tmp_path / "w", identity_deny=["0003"]) as made:
        made.fleet(NODES)
        made.daemon()
        await made.until(NODES - 1, State.PROVISIONED)
        names = json.loads((await made.ask("nodes", "list", "--json")).out)
        denied = names[0]["node"].replace("0001", "0003").replace("0000", "0003")
        assert denied not in {node["node"] for node in names}
        why = await made.ask("nodes", "why", denied)
        assert why.code == 0
        assert "identity_deny[0] is '0003', which its name has" in why.out


async def test_a_denial_outlives_a_restart_until_it_is_allowed(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        first, socket = made.daemon(), made.site.state / "control.sock"
        await made.until_so(socket.exists)
        assert (await made.ask("deny", "/000/", "--reason", "their image is broken")).code == 0
        await first.stop()
        made.daemon()
        await made.until_so(socket.exists)
        made.fleet(NODES)
        await made.until(NODES - 9, State.PROVISIONED)
        names = {node["node"] for node in json.loads((await made.ask("nodes", "list", "--json")).out)}
        assert len(names) == NODES - 9
        assert not [name for name in names if "000" in name]
        assert "has denied /000/" in (await made.ask("nodes", "why", "node-0001.example.net")).out
        assert (await made.ask("allow", "/000/", "--reason", "the image is mended")).code == 0
        assert (await made.ask("allow", "/000/", "--reason", "again")).code == 1
