"""`usher run --observe` beside a provisioner at work: it sees all, touches nothing, and disturbs nobody."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from fsm.states import State
from store.reader import open_reader
from tests.fakes.whole import whole

pytestmark = pytest.mark.network

NODES = 12


def observed(state: Path) -> int:
    """How many nodes the observer has put off."""
    database = state / "usher.db"
    if not database.exists():
        return 0
    with open_reader(database) as reader:
        return reader.counts().get(State.DEFERRED, 0)


def reported(report: Path) -> list[dict[str, Any]]:
    """What the simulator says that reached its nodes."""
    return [json.loads(line) for line in report.read_text().splitlines()]


async def test_it_watches_a_fleet_and_leaves_it_to_the_provisioner(tmp_path: Path):
    async with whole(tmp_path / "w", identity_deny=["0003"]) as made:
        report = tmp_path / "report"
        fleet = made.fleet(NODES, "--report", str(report))
        aside = tmp_path / "observed"
        made.start("observer", *made.site.daemon(), "--observe", "--state", str(aside))
        await made.until_so(lambda: observed(aside) >= NODES - 1)
        status = await made.say("status", "--state", str(aside))
        assert "observes, and touches nothing" in status.out
        assert f"it would have provisioned {NODES - 1} nodes" in status.out
        document = json.loads((await made.say("status", "--json", "--state", str(aside))).out)
        assert document["observes"] is True
        assert {breaker["state"] for breaker in document["breakers"].values()} == {"closed"}
        assert document["intake"]["identity_deny"] == ["0003"]
        assert fleet.pid
        os.kill(fleet.pid, signal.SIGUSR1)
        await made.until_so(lambda: sum("inventory" in node["requests"] for node in reported(report)) >= NODES - 1)
        assert {action for node in reported(report) for action in node["requests"]} == {"discovery", "inventory"}
        (denied,) = [node["requests"] for node in reported(report) if "0003" in node["identity"]]
        assert set(denied) == {"discovery"}

        made.daemon()
        await made.until(NODES - 1, State.PROVISIONED)
        used = await made.say(*made.site.daemon(), "--observe")
        assert used.code == 2
        assert "lock" in used.err
        await made.children[-1].stop()
        used = await made.say(*made.site.daemon(), "--observe")
        assert (used.code, used.out) == (2, "")
        assert used.err.startswith("usher: a usher that provisions has used")
