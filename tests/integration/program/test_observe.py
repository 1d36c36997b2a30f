"""`usher run --observe` beside a provisioner at work: it sees all, touches nothing, and disturbs nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.effects import Effect
from fsm.states import State
from store.reader import open_reader
from tests.fakes.whole import Whole, whole
from usher.effects.observing import HARMLESS

pytestmark = pytest.mark.network

NODES = 12


def observed(made: Whole, state: Path) -> int:
    """How many nodes the observer has put off."""
    database = state / "usher.db"
    if not database.exists():
        return 0
    with open_reader(database) as reader:
        return reader.counts().get(State.DEFERRED, 0)


async def test_it_watches_a_fleet_and_leaves_it_to_the_provisioner(tmp_path: Path):
    async with whole(tmp_path / "w", identity_deny=["0003"]) as made:
        fleet = made.fleet(NODES)
        aside = tmp_path / "observed"
        observer = made.start("observer", *made.site.daemon(), "--observe", "--state", str(aside))
        await made.until_so(lambda: observed(made, aside) >= NODES - 1)
        status = await made.say("status", "--state", str(aside))
        assert "observes, and touches nothing" in status.out
        assert f"it would have provisioned {NODES - 1} nodes" in status.out
        document = json.loads((await made.say("status", "--json", "--state", str(aside))).out)
        assert document["observes"] is True
        assert {breaker["state"] for breaker in document["breakers"].values()} == {"closed"}
        assert document["intake"]["identity_deny"] == ["0003"]
        effects = {line["effect"] for line in made.log(observer) if "effect" in line}
        assert effects <= {effect.value for effect in HARMLESS}
        with open_reader(aside / "usher.db") as reader:
            done = {json.loads(row["payload"])["body"].get("effect") for row in reader.rows("SELECT payload FROM history")}
            assert done == {None, Effect.FETCH_INVENTORY.value}

        made.daemon()
        await made.until(NODES - 1, State.PROVISIONED)
        assert fleet.pid
        used = await made.say(*made.site.daemon(), "--observe")
        assert used.code == 2
        assert "already" in used.err or "lock" in used.err
        await made.children[-1].stop()
        used = await made.say(*made.site.daemon(), "--observe")
        assert (used.code, used.out) == (2, "")
        assert used.err.startswith("usher: a usher that provisions has used")


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
