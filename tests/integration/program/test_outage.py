"""A helper that goes away while a fleet is provisioned: the breaker of a real daemon opens, and closes by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.whole import Whole, whole

pytestmark = pytest.mark.network

NODES = 12


async def helper_of(made: Whole) -> dict[str, object]:
    """The helper's breaker, as the status has it."""
    found: dict[str, object] = json.loads((await made.ask("status", "--json")).out)["breakers"]["helper"]
    return found


async def test_a_helper_that_is_missing_and_comes_back(tmp_path: Path):
    async with whole(tmp_path / "w", retry_cap="5s") as made:
        daemon, helper, aside = made.daemon(), made.site.helper, tmp_path / "helper"
        await made.until_so((made.site.state / "control.sock").exists)
        helper.rename(aside)
        made.fleet(NODES)
        await made.until_so(lambda: "its breaker is open" in daemon.log.read_text())
        breaker = await helper_of(made)
        assert breaker["state"] in {"open", "half_open"}
        assert breaker["reason"] == "helper_not_runnable"
        status = (await made.ask("status")).out
        assert "(helper_not_runnable)" in status
        assert "breakers   broker, signer closed" in status
        aside.rename(helper)
        await made.until(NODES, State.PROVISIONED)
        assert (await helper_of(made))["state"] == "closed"
        assert "the helper works again: its breaker is closed" in daemon.log.read_text()
