"""Profiles in a running fleet: those that are shipped, names that come and go, mistakes."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.architecture.house import ROOT
from tests.integration.simulator.test_command import simulating, words
from tests.patience import PATIENCE
from usher.simulator.broker import EmbeddedBroker

pytestmark = pytest.mark.network
__all__ = ["words"]
PROFILES = ROOT / "docs" / "profiles"


def options(broker: EmbeddedBroker, profile: Path, nodes: int = 0) -> list[str]:
    more = ["--nodes", str(nodes)] if nodes else []
    login = ["--password", broker.passwords.node]
    return [*login, "--json", "--connections", "20", "--profile", str(profile), *more]


async def until(child: Any, enough: Any) -> dict[str, Any]:
    while line := await child.stdout.readline():
        found: dict[str, Any] = orjson.loads(line)
        if enough(found):
            return found
    pytest.fail((await child.stderr.read()).decode())


@pytest.mark.parametrize(
    ("name", "nodes", "machines"),
    [("cruel", 40, 41), ("flaky", 40, 40), ("rogues", 300, 300), ("deferred", 300, 300), ("churn", 10, 60)],
)
async def test_what_is_shipped_runs(
    words: list[str], broker: EmbeddedBroker, name: str, nodes: int, machines: int
) -> None:
    plain = [word for pair in zip(words[::2], words[1::2], strict=True) if pair[0] != "--nodes" for word in pair]
    profile = PROFILES / f"{name}.yaml"
    async with asyncio.timeout(PATIENCE), simulating(*plain, *options(broker, profile, nodes)) as child:
        await until(child, lambda line: line["phases"]["unprovisioned"] >= machines)
        child.send_signal(signal.SIGTERM)
        _, told = await child.communicate()
        assert child.returncode == 0
        assert told.decode().startswith(f"{nodes} nodes, seed 1, as {profile} says\n")


async def test_names_come_and_go(words: list[str], broker: EmbeddedBroker, tmp_path: Path) -> None:
    profile = tmp_path / "churn.json"
    profile.write_text('{"churn": {"each_second": 100, "stays": 0.2, "seconds": 1}}')
    async with asyncio.timeout(PATIENCE), simulating(*words, *options(broker, profile)) as child:
        most = 0

        def over(line: dict[str, Any]) -> bool:
            nonlocal most
            most = max(most, line["nodes"])
            return bool(line["events"] >= 103 and line["nodes"] == 3)

        line = await until(child, over)
        assert line["phases"]["unprovisioned"] == 3
        assert most > 3
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0


async def test_mistakes_are_told_at_once_and_nothing_is_sent(
    words: list[str], broker: EmbeddedBroker, tmp_path: Path
) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("nodes: 0\ncruelties: {twins: 3}\n")
    async with asyncio.timeout(PATIENCE), simulating(*words, *options(broker, profile)) as child:
        said, told = await child.communicate()
        assert (child.returncode, said) == (2, b"")
        assert told.decode().splitlines() == [
            f"usher simulate: --profile: {profile} line 1: nodes: '0' must be a whole number from 1 to 1000000",
            f"usher simulate: --profile: {profile} line 2: cruelties: 'twins' is not known; did you mean twin?",
        ]
