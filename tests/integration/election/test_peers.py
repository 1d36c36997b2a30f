"""Real daemons at one broker: what an operator decides at one is in force at all, and outlives whoever heard it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.pair import Pair, pair

pytestmark = pytest.mark.network


async def status(both: Pair, name: str) -> dict[str, Any]:
    """What one of them says; empty while nobody answers."""
    said = await both.made.say("status", "--json", "--state", str(both.ushers[name].state))
    return json.loads(said.out) if said.out else {}


async def until(both: Pair, name: str, condition: Any) -> dict[str, Any]:
    """Ask until the answer is so."""
    for _ in range(200):
        told = await status(both, name)
        if told and condition(told):
            return told
    raise AssertionError(told)


async def do(both: Pair, name: str, *words: str) -> None:
    """A command of an operator at one of them."""
    said = await both.made.say(*words, "--state", str(both.ushers[name].state))
    assert said.code == 0, said


async def why(both: Pair, name: str, node: str) -> str:
    """The story of a node as one of them tells it."""
    return (await both.made.say("nodes", "why", node, "--state", str(both.ushers[name].state))).out


def seen(by: str) -> Any:
    """Whether this peer has seen everything."""
    return lambda told: any(each["name"] == by and not each["unseen"] for each in told["cluster"]["peers"])


async def test_what_was_decided_at_a_leader_that_dies_is_in_force_at_its_successor(tmp_path: Path):
    async with pair(tmp_path / "pair", ttl=3.0) as both:
        both.start("c")
        await until(both, "a", lambda told: seen("b")(told) and seen("c")(told))
        away = both.ushers["c"].child
        assert away is not None
        await away.stop()
        await do(both, "a", "pause", "--reason", "a new helper")
        await do(both, "a", "nodes", "quarantine", "--force", "r1-0001", "--reason", "wrong rack")
        await do(both, "a", "deny", "/^ci-/", "--reason", "too many")
        await until(both, "b", lambda told: told["paused"] and told["states"].get("failed") == 1 and told["denied"])
        child, struck = both.ushers["a"].child, time.time()
        assert child is not None
        os.kill(child.pid, signal.SIGKILL)
        await both.until_won("b", struck)
        told = await status(both, "b")
        assert told["paused"]["by"].endswith(" at a")
        assert told["paused"]["reason"] == "a new helper"
        assert " at a: wrong rack" in await why(both, "b", "r1-0001")
        assert {each["unseen"] for each in told["cluster"]["peers"] if each["name"] == "c"} == {3}
        (denied,) = told["denied"]
        assert (denied["pattern"], denied["reason"]) == ("/^ci-/", "too many")
        assert denied["by"].endswith(" at a")
        assert " at a has denied /^ci-/" in await why(both, "b", "ci-7.example.net")
        both.start("c")
        told = await until(both, "c", lambda told: told["paused"] and told["states"].get("failed") == 1)
        assert told["paused"]["by"].endswith(" at a")
        assert told["denied"]
        await until(both, "b", seen("c"))
        await do(both, "b", "resume", "--reason", "it works")
        await do(both, "b", "nodes", "release", "r1-0001", "--reason", "it is the right rack")
        told = await status(both, "b")
        (dead,) = (each for each in told["cluster"]["peers"] if each["name"] == "a")
        assert {each["kind"] for each in dead["not_yet_seen"]} == {"resume", "release"}
        await child.ended
        both.start("a")
        told = await until(both, "a", lambda told: told["paused"] is None and not told["states"].get("failed"))
        await until(both, "b", seen("a"))
