"""The whole daemon behind the fault proxy: the fleet beside it is well, its own way to the broker is not."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fsm.states import State
from store.reader import open_reader
from tests.fakes.proxy import FaultProxy, Way
from tests.fakes.whole import Whole, whole
from usher.simulator.broker import HOST

pytestmark = pytest.mark.network
BLAMED = ("try-again", "fail", "absent", "nobody", "no-sign", "silence", "look-in-vain")


@dataclass
class Behind:
    """A broker, a site whose daemon goes through the proxy, and the proxy."""

    made: Whole
    proxy: FaultProxy

    def rows(self) -> dict[str, int]:
        """How often each row of the table was taken."""
        with open_reader(self.made.site.state / "usher.db") as reader:
            found = reader.rows("SELECT name, count(*) AS found FROM history GROUP BY name")
        return {row["name"]: row["found"] for row in found}


@contextlib.asynccontextmanager
async def behind(directory: Path) -> AsyncIterator[Behind]:
    async with whole(directory) as made, FaultProxy(HOST, made.broker.port) as proxy:
        site = made.site.choria_config
        site.write_text(site.read_text().replace(f":{made.broker.port}", f":{proxy.port}"))
        yield Behind(made, proxy)


async def test_slow_sliced_and_cut_in_the_middle_of_messages_costs_no_node_anything(tmp_path: Path):
    async with behind(tmp_path / "w") as scene:
        made, proxy = scene.made, scene.proxy
        proxy.faults.latency, proxy.faults.pieces, proxy.faults.bandwidth = 0.002, 500, 2_000_000.0
        daemon = made.daemon()
        await made.until_so((made.site.state / "control.sock").exists)
        made.fleet(10)
        await made.until(1, State.DISCOVERED, State.INVENTORIED, State.ENROLLED)
        for way in (Way.DOWN, Way.UP):
            proxy.faults.cut_after[way] = 1500  # in the middle of somebody's answer, and of a request
            cut = proxy.accepted
            await made.until_so(lambda way=way, cut=cut: way not in proxy.faults.cut_after and proxy.accepted > cut)
        await made.until(10, State.PROVISIONED)
        rows = scene.rows()
        assert not {name: rows[name] for name in BLAMED if name in rows}
        assert "Traceback" not in daemon.log.read_text()


async def test_a_broker_that_is_away_at_the_start_and_comes_back(tmp_path: Path):
    async with behind(tmp_path / "w") as scene:
        made, proxy = scene.made, scene.proxy
        proxy.refuse()
        daemon = made.daemon()
        await made.until_so(lambda: proxy.accepted > 2)
        status = await made.ask("status", "--json")
        assert (status.code, list(json.loads(status.out)["holds"])) == (1, ["disconnected"])
        made.fleet(5)
        proxy.refuse(refusing=False)
        await made.until(5, State.RESTARTED, State.PROVISIONED)
        rows = scene.rows()
        assert not {name: rows[name] for name in BLAMED if name in rows}
        assert "Traceback" not in daemon.log.read_text()
