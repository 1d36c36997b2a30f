"""Configuring and parting: ten inputs, one request, and what every refusal means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from fsm.effects import Effect
from fsm.errors import CallError
from fsm.events import Ack, Certainty, Sent
from fsm.reasons import Reason
from tests.fakes.effects import CONFIGURATION, IDENTITY, SECRET, EffectsBench, step
from usher.effects.answers import LONGEST
from usher.effects.hand import Hand

REFUSALS = {
    "Could not obtain provisioning lock": (Reason.LOCK_HELD, False),
    "Incorrect provision token supplied": (Reason.WRONG_TOKEN, False),
    "Cannot reconfigure a server that is not in provisioning mode": (Reason.NOT_IN_PROVISIONING, False),
    "Configuration /etc/choria/server.conf enables provisioning, restart cannot continue": (
        Reason.CONFIG_KEEPS_PROVISIONING,
        False,
    ),
    "Provisioning JWT file does not exist": (Reason.TOKEN_MISSING, False),
    "No Provisioning JWT file has been configured": (Reason.TOKEN_MISSING, False),
    "the disk is full": (Reason.REFUSED, True),
    "": (Reason.REFUSED, True),
}


@pytest.fixture
def bench(tmp_path: Path) -> EffectsBench:
    return EffectsBench(tmp_path)


async def test_configure_always_has_all_ten_inputs_and_repeats_its_bytes(bench: EffectsBench):
    first = await bench.done(Effect.CONFIGURE)
    assert bench.sent.data == {
        "token": SECRET,
        "config": orjson.dumps(CONFIGURATION, option=orjson.OPT_SORT_KEYS).decode(),
        "key": "",
        "certificate": "",
        "ca": "",
        "ssldir": "",
        "ecdh_public": "",
        "server_jwt": "a.b.c",
        "action_policies": {},
        "opa_policies": {},
    }
    assert (bench.sent.ttl, bench.sent.timeout) == (30, 22.0)
    again = await bench.done(Effect.CONFIGURE)
    assert bench.rpc.calls[0].data == bench.rpc.calls[1].data
    assert isinstance(first.facts, Ack)
    assert (first.facts, first.facts.message) == (again.facts, "Reconfigured")


@pytest.mark.parametrize(
    ("effect", "data"), [(Effect.RESTART, {"token": SECRET, "splay": 1}), (Effect.SHUTDOWN, {"token": SECRET})]
)
async def test_parting_is_sent_once_and_acknowledged(bench: EffectsBench, effect: Effect, data: dict[str, object]):
    body = await bench.done(effect)
    assert [request.data for request in bench.rpc.calls] == [data]
    assert (bench.sent.action, bench.sent.ttl) == (effect.value, 30)
    assert body.sent == Sent(bench.clock.now(), "fake-1")


@pytest.mark.parametrize(
    "effect", [Effect.FETCH_JWT, Effect.NEW_KEY, Effect.CONFIGURE, Effect.RESTART, Effect.SHUTDOWN]
)
@pytest.mark.parametrize("words", REFUSALS)
async def test_what_a_refusal_means(bench: EffectsBench, effect: Effect, words: str):
    for action in ("jwt", "gen25519", "configure", "restart", "shutdown"):
        bench.says(action, code=1, message=words)
    body = await bench.failed(effect)
    assert (body.certainty, body.reason, body.transient) == (Certainty.REFUSED, *REFUSALS[words])
    assert body.detail == words
    assert body.sent is not None


@pytest.mark.parametrize("code", [2, 3, 4, 5, 99, -1])
async def test_a_status_that_is_no_abort_will_not_get_better(bench: EffectsBench, code: int):
    bench.says("configure", code=code, message="Unknown action\x00" + "x" * 10_000)
    body = await bench.failed(Effect.CONFIGURE)
    assert (body.certainty, body.reason, body.transient) == (Certainty.REFUSED, Reason.REFUSED, False)
    assert body.detail.isprintable()
    assert len(body.detail) <= LONGEST


@pytest.mark.parametrize("effect", [Effect.CONFIGURE, Effect.RESTART, Effect.SHUTDOWN])
@pytest.mark.parametrize("message", [5, None, ["x"]])
async def test_an_acknowledgement_of_another_type_is_a_bad_reply(bench: EffectsBench, effect: Effect, message: object):
    bench.says(effect.value, {"message": message})
    assert (await bench.failed(effect)).reason is Reason.BAD_REPLY


@pytest.mark.parametrize("certainty", list(Certainty))
async def test_a_call_that_failed_keeps_how_certain_that_is(bench: EffectsBench, certainty: Certainty):
    sent = Sent(5, "c9")
    bench.rpc.on(IDENTITY, "restart", CallError(certainty, Reason.NO_ANSWER, "late\x07", sent))
    body = await bench.failed(Effect.RESTART)
    assert (body.certainty, body.detail, body.sent) == (certainty, "late\\x07", sent)


@pytest.mark.parametrize("effect", [Effect.RUN_HELPER, Effect.SIGN_TOKEN, Effect.CONFIGURE])
async def test_what_is_not_held_any_more_begins_anew(bench: EffectsBench, effect: Effect):
    body = await bench.failed(effect, step(effect))
    assert (body.certainty, body.reason) == (Certainty.NOT_SENT, Reason.FACTS_LOST)
    assert bench.rpc.calls == []
    assert bench.helper.calls == []


async def test_what_memory_forgot_is_read_from_the_store(bench: EffectsBench):
    snapshot = bench.held(Effect.CONFIGURE)
    bench.hand = Hand(bench.store, bench.vault)
    assert isinstance((await bench.done(Effect.CONFIGURE, snapshot)).facts, Ack)


async def test_another_generation_holds_nothing_of_the_last(bench: EffectsBench):
    snapshot = replace(bench.held(Effect.CONFIGURE), generation=3)
    assert (await bench.failed(Effect.CONFIGURE, snapshot)).reason is Reason.FACTS_LOST
