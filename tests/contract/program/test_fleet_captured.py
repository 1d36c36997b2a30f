"""The fleet's side: what usher asks of provisioned servers is what was captured, and so are their answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fsm.effects import Effect
from fsm.events import Ack, Certainty, Done, Failed, Sighting
from fsm.reasons import Reason
from tests.fakes.effects import IDENTITY, SECRET, EffectsBench
from tests.fakes.rpc import Said
from usher.effects.tokens import Tokens

OTHER = "wrong"


@pytest.fixture(scope="module")
def entries(shared: Path) -> list[dict[str, Any]]:
    """The capture, in order."""
    return [json.loads(line) for line in (shared / "wire" / "v2-fleet-side.jsonl").read_text().splitlines()]


def of(entries: list[dict[str, Any]], action: str, code: int = 0) -> dict[str, Any]:
    """The first entry of an action with this status."""
    return next(e for e in entries if e["request"]["action"] == action and e.get("reply", {}).get("statuscode") == code)


def said(entry: dict[str, Any]) -> Said:
    """The captured answer."""
    reply = entry["reply"]
    return Said(reply["data"], reply["statuscode"], reply["statusmsg"])


@pytest.fixture
def bench(tmp_path: Path) -> EffectsBench:
    return EffectsBench(tmp_path)


async def test_reprovision_is_asked_as_captured_and_its_answer_is_an_acknowledgement(bench: EffectsBench, entries: Any):
    entry = of(entries, "reprovision")
    bench.fleet.on(IDENTITY, "reprovision", said(entry))
    body = (await bench.perform(Effect.SEND_REPROVISION)).body
    sent = bench.fleet.calls[-1]
    assert entry["request"] == {"agent": sent.agent, "action": sent.action, "data": dict(sent.data)}
    assert isinstance(body, Done)
    assert body.facts == Ack("Restarting after 11s")
    assert not bench.rpc.calls


async def test_a_token_that_is_refused_has_changed_nothing_so_the_next_is_sent(bench: EffectsBench, entries: Any):
    refused, taken = of(entries, "reprovision", 1), of(entries, "reprovision")
    bench.site = bench.site.__class__(Tokens([OTHER, SECRET]), bench.site.lineage)
    bench.fleet.on(IDENTITY, "reprovision", said(refused), said(taken))
    assert isinstance((await bench.perform(Effect.SEND_REPROVISION)).body, Done)
    assert [call.data["token"] for call in bench.fleet.calls] == [OTHER, SECRET]
    bench.fleet.on(IDENTITY, "reprovision", said(refused))
    body = (await bench.perform(Effect.SEND_REPROVISION)).body
    assert isinstance(body, Failed)
    assert (body.certainty, body.reason) == (Certainty.REFUSED, Reason.WRONG_TOKEN)


async def test_daemon_stats_of_the_fleet_says_how_old_the_process_is(bench: EffectsBench, entries: Any):
    entry = of(entries, "daemon_stats")
    started = entry["reply"]["data"]["starttime"]
    bench.clock.at = entry["time"] // 1_000_000
    bench.fleet.on(IDENTITY, "daemon_stats", said(entry))
    body = (await bench.perform(Effect.LOOK_IN_FLEET)).body
    assert isinstance(body, Done)
    assert body.facts == Sighting(present=True, age=bench.clock.at - started * 1000)


async def test_nobody_in_the_fleet_is_a_sighting_for_a_look_and_absent_for_a_request(bench: EffectsBench, entries: Any):
    assert sum("503" in e.get("outcome", "") for e in entries) == 4
    looked = (await bench.perform(Effect.LOOK_IN_FLEET)).body
    asked = (await bench.perform(Effect.SEND_SHUTDOWN)).body
    assert isinstance(looked, Done)
    assert looked.facts == Sighting(present=False)
    assert isinstance(asked, Failed)
    assert (asked.certainty, asked.reason) == (Certainty.NOT_DELIVERED, Reason.ABSENT)


@pytest.mark.parametrize("effect", [Effect.SEND_RESTART, Effect.SEND_SHUTDOWN])
async def test_restart_and_shutdown_are_asked_as_the_agent_has_them(bench: EffectsBench, effect: Effect):
    action = effect.value.removeprefix("send_")
    bench.fleet.on(IDENTITY, action, Said({"message": "Restarting Choria Server after 2s"}))
    assert isinstance((await bench.perform(effect)).body, Done)
    splay = {"splay": 1} if effect is Effect.SEND_RESTART else {}
    assert bench.fleet.calls[-1].data == {"token": SECRET, **splay}


async def test_a_server_that_is_in_provisioning_mode_refuses(bench: EffectsBench):
    words = "Server is already in provisioning mode, cannot enable provisioning mode again"
    bench.fleet.on(IDENTITY, "reprovision", Said({}, 1, words))
    body = (await bench.perform(Effect.SEND_REPROVISION)).body
    assert isinstance(body, Failed)
    assert (body.certainty, body.detail) == (Certainty.REFUSED, words)
