"""Two issuer networks in one daemon: what breaks in one while it runs holds up nothing of the other, and is mended."""

from __future__ import annotations

import json
import os
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from fsm.states import State
from security.issuing import make_signer
from store.reader import open_reader
from tests.fakes.mixed import Twins, twins
from tests.fakes.whole import Whole
from tests.integration.rotation.test_walks import issuer_of, replaced, said
from usher.simulator.material import CALLER, YEAR

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("broker")]
NODES = 2
SENT = (State.RESTARTED, State.PROVISIONED)
"""A node that is there has taken its configuration: the looks that follow are others' tests."""


def fleet(each: Whole, names: str) -> None:
    """So many servers more, under names of their own."""
    each.fleet(NODES, "--names", names + "-{:04d}")


def states(made: Twins, network: str) -> dict[State, int]:
    """How many nodes of a network are in each state."""
    with open_reader(made.east.site.state / "usher.db") as reader:
        return reader.networks().get(network, {})


async def arrived(made: Twins, network: str, nodes: int, *within: State) -> None:
    """Wait until so many nodes of a network are there."""
    await made.east.until_so(lambda: sum(states(made, network).get(state, 0) for state in within) >= nodes)


async def networks(made: Twins) -> dict[str, dict[str, Any]]:
    """What the status says of each network."""
    told = json.loads((await made.east.ask("status", "--json")).out)["networks"]
    return {each["name"]: each for each in told}


def reloads(made: Twins) -> list[dict[str, Any]]:
    """What was read anew, as the journal has it."""
    with open_reader(made.east.site.state / "usher.db") as reader:
        return [json.loads(entry.payload or b"{}") for entry in reader.fleet() if entry.kind == "reload"]


async def test_credentials_that_break_at_run_time_and_are_mended_are_one_networks(tmp_path: Path):
    async with twins(tmp_path) as made:
        daemon = made.daemon()
        await made.east.until_so((made.east.site.state / "control.sock").exists)
        seed, token = made.west.site.site / "signer.seed", made.west.site.site / "signer.jwt"
        replaced(token, "garbage\n")
        replaced(seed, "\x7fELF\x02")
        for setting in ("jwt_signing_key", "plugin.security.choria.token_file"):
            await said(made.east, daemon, f"{setting} has changed and cannot be used")
        refused = [line for line in made.east.log(daemon) if "has changed and cannot be used" in line["msg"]]
        assert {line["network"] for line in refused} == {"west"}

        for name, each in (("east", made.east), ("west", made.west)):
            fleet(each, name)  # what was read before stays in use
            await arrived(made, name, NODES, *SENT)
        told = await networks(made)
        assert (told["east"]["ready"], told["west"]["ready"]) == (True, True)

        signer = make_signer(issuer_of(made.west), CALLER, int(time.time()), 2 * YEAR)
        replaced(seed, signer.seed_hex)
        replaced(token, signer.token)
        await said(made.east, daemon, "server tokens are signed by")
        await said(made.east, daemon, "the client token is")
        assert {entry["network"] for entry in reloads(made)} == {"west"}
        for name, each in (("east", made.east), ("west", made.west)):
            fleet(each, f"{name}-more")
            await arrived(made, name, 2 * NODES, *SENT)


async def test_a_helper_that_hangs_holds_up_its_own_network_alone(tmp_path: Path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with twins(tmp_path) as made:
        behind = tmp_path / "behind"
        behind.touch(mode=0o700)
        behind.write_text(
            f'#!/bin/sh\n[ -p {shlex.quote(str(gate))} ] && read -r _ < {shlex.quote(str(gate))}\nexec "$@"\n'
        )
        made.change("west", helper=f"{behind} {made.west.site.helper}")
        made.change("", workers=1, helper_timeout="10m")
        made.daemon()
        fleet(made.west, "west")
        await made.east.until(NODES, State.INVENTORIED)
        fleet(made.east, "east")
        await arrived(made, "east", NODES, State.PROVISIONED)
        told = await networks(made)
        assert [told[name]["ready"] for name in ("east", "west")] == [True, True]
        assert told["west"]["states"] == {"inventoried": NODES}

        with gate.open("w") as opened:  # whoever waits goes on, and nobody waits any more
            gate.unlink()
            opened.write("\n")
        await arrived(made, "west", NODES, *SENT)


async def test_a_broker_that_is_away_leaves_the_plan_of_the_other_network_and_its_nodes_alone(tmp_path: Path):
    async with twins(tmp_path) as made:
        made.daemon()
        made.fleets(NODES)
        await made.east.until(2 * NODES, State.PROVISIONED)
        await made.west.broker.astop()
        fleet(made.east, "more")
        await arrived(made, "east", 2 * NODES, State.PROVISIONED)
        told = await networks(made)
        assert (told["east"]["ready"], told["west"]["ready"]) == (True, False)

        plan = ["restart", "east-0001.example.net", "west-0001.example.net", "--reason", "a new release"]
        asked = await made.east.ask(*plan, "--json")
        document = json.loads(asked.out)
        assert (asked.code, document["done"], document["failed"]) == (1, 1, 1), asked
        assert document["nodes"]["east-0001.example.net"]["end"] == "done"
        assert "it could not be sent" in document["nodes"]["west-0001.example.net"]["why"]

        await made.west.broker.astart()
        fleet(made.west, "late")
        await arrived(made, "west", NODES + 1, *SENT)
        resumed = await made.east.ask("restart", "--resume", "--json")
        assert (resumed.code, json.loads(resumed.out)["done"]) == (0, 2), resumed
