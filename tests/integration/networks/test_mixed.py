"""One daemon with two networks: nodes of both versions of the protocol at once, and one's trouble beside the other."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.mixed import Mixed, mixed

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("broker")]
NODES = 5


async def networks(made: Mixed) -> dict[str, dict[str, object]]:
    """What the status says of each network."""
    said = await made.ask("status", "--json")
    return {each["name"]: each for each in json.loads(said.out)["networks"]}


async def test_nodes_of_both_versions_are_provisioned_by_one_daemon(tmp_path: Path):
    async with mixed(tmp_path) as made:
        fleets = made.fleets(NODES)
        made.daemon()
        await made.issuer.until(2 * NODES, State.PROVISIONED)
        async with asyncio.timeout(60):
            assert [await fleet.ended for fleet in fleets] == [0, 0]
        told = await networks(made)
        assert {name: (each["states"], each["protocol"]) for name, each in told.items()} == {
            "issuer": ({"provisioned": NODES}, "v2"),
            "x509": ({"provisioned": NODES}, "v1"),
        }
