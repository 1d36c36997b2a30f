"""On demand over two networks: each node is asked in its own fleet, with its own network's operator."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.mixed import Twins, mixed, twins

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("broker")]
NODES = 2
WHY = ("--reason", "new configuration")


def names(network: str) -> list[str]:
    return [f"{network}-{number:04d}.example.net" for number in range(1, NODES + 1)]


ALL = [*names("east"), *names("west")]


def reached(made: Twins, network: str) -> Counter[str]:
    """How many requests to reprovision reached each server of a network, as it says itself."""
    lines = [json.loads(line) for line in made.report(network).read_text().splitlines()]
    return Counter({line["node"]: line["requests"].get("reprovision", 0) for line in lines})


async def test_a_plan_over_both_networks_asks_each_node_in_its_own(tmp_path: Path):
    async with twins(tmp_path) as made:
        made.daemon()
        fleets = made.fleets(NODES)
        await made.east.until(2 * NODES, State.PROVISIONED)

        shown = await made.east.ask("reprovision", "--in", "provisioned", "--dry-run", "--json")
        assert (shown.code, shown.err) == (0, "")
        assert {node: told["asked"] for node, told in json.loads(shown.out)["nodes"].items()} == dict.fromkeys(
            ALL, True
        )

        found = await made.east.ask("restart", "--discover", "--dry-run", "--json")
        assert (found.err, sorted(json.loads(found.out)["nodes"])) == ("", ALL)
        chosen = await made.east.ask("restart", "--discover", "--network", "west", "--dry-run", "--json")
        assert (chosen.err, sorted(json.loads(chosen.out)["nodes"])) == ("", names("west"))
        wrong = await made.east.ask("restart", "--discover", "--network", "wset", "--dry-run")
        assert (wrong.code, wrong.err) == (2, "usher: there is no network 'wset': the networks are east, west\n")

        done = await made.east.ask("reprovision", *ALL, *WHY, "--json")
        assert (done.code, json.loads(done.out)["done"]) == (0, 2 * NODES), done
        for name, fleet in zip(("east", "west"), fleets, strict=True):
            os.kill(fleet.pid, signal.SIGUSR1)
            await made.east.until_so(lambda name=name: sum(reached(made, name).values()) == NODES)
            assert reached(made, name) == Counter(names(name))
        status = json.loads((await made.east.ask("status", "--json")).out)
        for network in status["networks"]:
            assert network["connections"]["fleet"]["state"] == "connected", network
        assert status["fleets"] == {"east": "", "west": ""}


async def test_a_network_without_an_operator_is_named_and_the_other_goes_on(tmp_path: Path):
    async with twins(tmp_path) as made:
        made.change("west", fleet_token_file=None, fleet_seed_file=None)
        made.daemon()
        made.fleets(NODES)
        await made.east.until(2 * NODES, State.PROVISIONED)
        said = "network west: no fleet_token_file is configured: make one with `choria jwt client --fleet-management`"

        shown = await made.east.ask("restart", "--in", "provisioned", "--dry-run")
        assert shown.code == 1
        assert shown.out.splitlines()[NODES:] == [
            *(f"{node}: would not be asked: {said}" for node in names("west")),
            f"{NODES} of {2 * NODES} would be asked, in 1 batch of 10; nobody was asked",
        ]
        done = await made.east.ask("restart", "--in", "provisioned", *WHY)
        assert (done.code, done.err) == (1, "")
        assert [f"{node}: refused: {said}" in done.out for node in names("west")] == [True] * NODES
        assert f"restart: {2 * NODES} nodes: {NODES} done, 0 failed, {NODES} refused, 0 left" in done.out
        assert (await made.east.ask("history", names("west")[0], "--json")).out.count("operator") == 0

        found = await made.east.ask("restart", "--discover", "--dry-run")
        assert (found.code, found.err) == (0, f"usher: not searched: {said}\n")
        assert found.out.count(": would be asked: ") == NODES
        chosen = await made.east.ask("restart", "--discover", "--network", "west", "--dry-run")
        assert (chosen.code, chosen.err) == (1, f"usher: The fleet cannot be searched: {said}\n")


async def test_servers_with_tokens_and_with_certificates_are_asked_by_one_plan_each_in_its_own_way(
    tmp_path: Path,
):
    async with mixed(tmp_path) as made:
        made.daemon()
        made.issuer.fleet(NODES, "--names", "new-{:04d}")
        made.x509.fleet(NODES, "--protocol", "v1", "--rsa-keys", "4", "--names", "old-{:04d}")
        await made.issuer.until(2 * NODES, State.PROVISIONED)
        assert json.loads((await made.ask("status", "--json")).out)["fleets"] == {"issuer": "", "x509": ""}

        both = [*names("new"), *names("old")]
        found = await made.ask("restart", "--discover", "--dry-run", "--json")
        assert (found.err, sorted(json.loads(found.out)["nodes"])) == ("", both)
        done = await made.ask("restart", *both, *WHY, "--json")
        assert (done.code, json.loads(done.out)["done"]) == (0, 2 * NODES), done
