"""On demand, all of it: a broker, a fleet whose provisioned servers listen, the daemon, an operator's commands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from fsm.demand import Standing
from fsm.errors import StoreError
from fsm.states import State
from security.issuing import make_issuer, make_signer
from store.reader import open_reader
from tests.fakes.whole import Whole, whole
from usher.children import usher

pytestmark = pytest.mark.network
NODES = 6
WHY = ("--reason", "new configuration")


def names(first: int, last: int) -> list[str]:
    return [f"node-{number:04d}.example.net" for number in range(first, last + 1)]


def reached(file: Path) -> Counter[str]:
    """How many requests to reprovision reached each server, as it says itself."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return Counter({line["node"]: line["requests"].get("reprovision", 0) for line in lines})


def standings(made: Whole) -> list[Standing]:
    """How what was asked stands."""
    try:
        with open_reader(made.site.state / "usher.db") as reader:
            found = [reader.node(node) for node in names(1, NODES)]
    except StoreError:
        return []
    return [snapshot.demand.standing for snapshot in found if snapshot is not None and snapshot.demand is not None]


async def answers(made: Whole) -> None:
    """Wait for a daemon: a killed one has left its socket."""
    async with asyncio.timeout(60):
        while (await made.ask("status")).code:
            pass


async def test_asked_in_batches_interrupted_killed_and_resumed_nobody_is_told_twice(tmp_path: Path):
    report = tmp_path / "report"
    async with whole(tmp_path / "w") as made:
        daemon = made.daemon()
        fleet = made.fleet(NODES, "--report", str(report))
        await made.until(NODES, State.PROVISIONED)

        shown = await made.ask("reprovision", *names(1, 4), "nobody", "--dry-run")
        assert (shown.code, standings(made)) == (1, [])
        assert "nobody: would not be asked: no such node is known" in shown.out

        words = [
            "reprovision",
            *names(1, 4),
            "--batch",
            "2",
            "--stop-on-errors",
            "100",
            *WHY,
            "--state",
            str(made.site.state),
        ]
        asking = await asyncio.create_subprocess_exec(*usher(*words), stdout=asyncio.subprocess.PIPE)
        await made.until_so(lambda: len(standings(made)) == 2)
        os.kill(daemon.pid, signal.SIGKILL)
        asking.send_signal(signal.SIGINT)
        out = (await asking.communicate())[0].decode()
        assert asking.returncode == 130, out
        assert "to go on: usher reprovision --resume" in out
        assert await daemon.ended == -signal.SIGKILL

        away = await made.ask("reprovision", "--resume")
        assert (away.code, "no usher answers" in away.err) == (3, True)
        made.daemon()
        await answers(made)
        resumed = await made.ask("reprovision", "--resume", "--json")
        assert resumed.err == ""
        told = json.loads(resumed.out)
        assert (told["done"] + told["failed"], told["left"]) == (4, 0)
        if told["failed"]:  # it was killed before the request left: that is known now, and it may be asked anew
            resumed = await made.ask("reprovision", "--resume", "--json")
            assert json.loads(resumed.out)["done"] == 4, resumed
        again = await made.ask("reprovision", "--resume")
        assert (again.code, again.err) == (
            2,
            "usher: there is nothing to resume: the last plan to reprovision came to its end\n",
        )
        os.kill(fleet.pid, signal.SIGUSR1)
        await made.until_so(lambda: sum(reached(report).values()) == 4)
        assert reached(report) == Counter(dict.fromkeys(names(1, 4), 1) | dict.fromkeys(names(5, 6), 0))
        with open_reader(made.site.state / "usher.db") as reader:
            generations = [snapshot.generation for node in names(1, NODES) if (snapshot := reader.node(node))]
        assert generations == [2, 2, 2, 2, 1, 1]


async def test_a_restart_a_shutdown_and_a_node_that_is_not_there(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        made.daemon()
        fleet = made.fleet(3)
        await made.until(3, State.PROVISIONED)
        restarted = await made.ask("restart", *names(2, 3), "--in", "provisioned", *WHY)
        assert (restarted.code, restarted.out.count(": done: it restarts")) == (0, 2)
        found = await made.ask("restart", "--discover", "-I", "node-000[1]*", "--dry-run")
        assert (found.code, found.out.count("would be asked: ")) == (0, 1)
        down = await made.ask("shutdown", *names(1, 1), *names(1, 1), *WHY)
        assert (down.code, down.err) == (0, "usher: 1 repetition of names: each node is asked once\n")
        assert made.counts()[State.RETIRED] == 1
        await fleet.stop()
        absent = await made.ask("restart", *names(2, 2), *WHY)
        assert (absent.code, absent.out.splitlines()[0]) == (
            1,
            f"{names(2, 2)[0]}: failed: nobody is in the fleet under this name (absent)",
        )


async def test_an_operator_without_the_permission_is_told_so_and_nothing_is_sent(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        provisions = make_signer(make_issuer(), "up=other", int(time.time()), 3600, permissions={"provisioner": True})
        for written, text in zip(made.site.operator, (provisions.token, provisions.seed_hex), strict=True):
            written.write_text(text)
        checked = await made.say(
            "check-config", "--config", str(made.site.config), "--choria-config", str(made.site.choria_config)
        )
        assert "fleet_management" in checked.out + checked.err
        made.daemon()
        made.fleet(1)
        await made.until(1, State.PROVISIONED)
        said = await made.ask("restart", *names(1, 1), *WHY)
        assert said.code == 1
        assert "it could not be sent (fleet_closed: " in said.out
        assert "does not have the permission `fleet_management`" in said.out
