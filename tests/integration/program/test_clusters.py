"""`usher run` while the broker that it is logged in to says that it is about to go: no node notices."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.cluster import cluster
from tests.fakes.whole import Whole
from usher.simulator.material import make_site

pytestmark = pytest.mark.network
NODES = 40
UNDER_WAY = (State.INVENTORIED, State.ENROLLED, State.CONFIGURED, State.RESTARTED)


async def test_a_lame_duck_costs_no_node_a_try(tmp_path: Path):
    async with cluster(tmp_path / "c", 2) as members:
        first, second = members
        site = make_site(tmp_path, second, int(time.time()))
        text = site.choria_config.read_text().replace(second.url, first.url)
        site.choria_config.write_text(text.replace(str(site.ca), str(second.certificate)))
        made = Whole(second, site)
        try:
            daemon = made.daemon()
            fleet = ["--nodes", str(NODES), "--token", str(site.provisioning_token), "--ca", str(second.certificate)]
            made.start("fleet", "simulate", *fleet)
            await made.until(1, *UNDER_WAY)
            first.duck()
            await made.until(NODES, State.PROVISIONED)
            lines = made.log(daemon)
        finally:
            await asyncio.gather(*(child.stop() for child in made.children))
    moves = [line for line in lines if line["component"] == "machine" and "row" in line]
    assert {line["generation"] for line in moves} == {1}
    in_vain = [line for line in moves if "failed" in line]
    assert {line["certainty"] for line in in_vain} <= {"not_sent", "interrupted"}, in_vain  # these cost no try
    connected = [(line["connection"], line["server"]) for line in lines if line["msg"] == "connected"]
    assert sorted(connected) == sorted((name, url) for name in ("events", "rpc") for url in (first.url, second.url))
    said = [line["msg"] for line in lines if line["component"] == "broker"]
    assert said.count("the broker says: the broker is about to go") == 2
    assert not [line for line in said if line.startswith(("disconnected", "not connected"))]
