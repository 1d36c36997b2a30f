"""One daemon with two networks: nodes of both versions of the protocol at once, and one's trouble beside the other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from fsm.states import State
from store.reader import open_reader
from tests.fakes.mixed import Mixed, mixed
from tests.fakes.whole import fetched, free_port

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
        asked = await made.ask("restart", "old-0001.example.net", "--reason", "a new release")
        assert (asked.code, asked.out.splitlines()[0].partition(" (")[0]) == (
            1,
            "old-0001.example.net: failed: nobody is in the fleet under this name",
        )


async def test_a_broker_that_is_away_from_the_start_holds_up_no_other_network(tmp_path: Path):
    async with mixed(tmp_path) as made:
        await made.front.front.astop()
        made.issuer.fleet(NODES, "--once")
        made.daemon()
        await made.issuer.until(NODES, State.PROVISIONED)
        told = await networks(made)
        assert (told["issuer"]["ready"], told["x509"]["ready"]) == (True, False)
        assert "disconnected" in told["x509"]["holds"]  # type: ignore[operator]


async def test_a_helper_that_is_missing_in_one_network_is_told_as_its_own(tmp_path: Path):
    async with mixed(tmp_path, retry_cap="5s", monitor_port=(port := await free_port())) as made:
        aside, daemon = tmp_path / "helper", made.daemon()
        await made.issuer.until_so((made.issuer.site.state / "control.sock").exists)
        made.issuer.site.helper.rename(aside)
        made.fleets(2 * NODES)
        await made.issuer.until_so(lambda: "its breaker is open" in daemon.log.read_text())
        await made.issuer.until(2 * NODES, State.PROVISIONED)
        told = await networks(made)
        helpers = {name: each["breakers"]["helper"]["state"] for name, each in told.items()}  # type: ignore[index]
        assert (helpers["x509"], helpers["issuer"] != "closed") == ("closed", True)
        said = (await made.ask("status")).out
        assert said.count("(helper_not_runnable)") == 1
        _, metrics = await fetched(port, "/metrics")
        levels = [line for line in metrics.splitlines() if line.startswith("usher_breaker{") and '"helper"' in line]
        assert {line.partition('network="')[2].partition('"')[0]: float(line[-1]) == 0 for line in levels} == {
            "x509": True, "issuer": False,
        }  # fmt: skip
        aside.rename(made.issuer.site.helper)
        await made.issuer.until(4 * NODES, State.PROVISIONED)
        lines = [line for line in made.issuer.log(daemon) if line.get("dependency") == "helper"]
        assert {line["network"] for line in lines} == {"issuer"}


async def test_who_observes_looks_at_each_network_and_touches_none(tmp_path: Path):
    async with mixed(tmp_path) as made:
        made.fleets(NODES)
        aside = str(tmp_path / "observed")
        made.issuer.start("observer", "run", "--config", str(made.config), "--observe", "--state", aside)

        def observed() -> bool:
            database = Path(aside) / "usher.db"
            if not database.exists():
                return False
            with open_reader(database) as reader:
                return reader.counts().get(State.DEFERRED, 0) == 2 * NODES

        await made.issuer.until_so(observed)
        told = json.loads((await made.issuer.say("status", "--json", "--state", aside)).out)
        assert told["observes"] is True
        assert [(each["name"], each["states"]) for each in told["networks"]] == [
            ("issuer", {"deferred": NODES}), ("x509", {"deferred": NODES}),
        ]  # fmt: skip


async def test_a_broker_that_dies_and_a_kill_in_the_middle(tmp_path: Path):
    async with mixed(tmp_path) as made:
        made.x509.fleet(NODES, "--once", "--protocol", "v1", "--rsa-keys", "4", "--names", "old-{:04d}")
        first = made.daemon()
        await made.issuer.until(NODES, State.ENROLLED, State.CONFIGURED, State.RESTARTED, State.PROVISIONED)
        await made.front.front.astop()
        made.issuer.fleet(NODES, "--once")
        await made.issuer.until(NODES + 1, State.RESTARTED, State.PROVISIONED)
        os.kill(first.pid, signal.SIGKILL)
        await first.ended
        await made.front.front.astart()
        made.daemon()
        await made.issuer.until(2 * NODES, State.PROVISIONED)
        listed = json.loads((await made.ask("nodes", "list", "--json")).out)
        assert {each["node"].partition("-")[0]: each["network"] for each in listed} == {"node": "issuer", "old": "x509"}
        assert (await made.ask("db", "check")).code == 0
