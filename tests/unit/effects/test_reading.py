"""Reading a node: what it shows is checked, and whatever is wrong with it has a name."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from fsm.effects import SPECS, Effect, Port
from fsm.errors import CallError
from fsm.events import Certainty, Done, InventoryFacts, JwtFacts, Sent, Sighting
from fsm.reasons import Reason
from security.issuing import Issuer, make_issuer, make_provisioning_token
from tests.fakes.effects import IDENTITY, JWT, SECRET, EffectsBench
from tests.fakes.rpc import Said
from tests.fakes.site import DAY, ISSUER, NOW_S, SIGNER, YEAR
from usher.effects.reading import LARGEST_INVENTORY, OLDEST
from usher.effects.tokens import Tokens

URLS = ["nats://localhost:4222"]


@pytest.fixture
def bench(tmp_path: Path) -> EffectsBench:
    return EffectsBench(tmp_path)


def token(issuer: Issuer = ISSUER, at: int = NOW_S, lives: int = YEAR) -> str:
    return make_provisioning_token(issuer, at, lives, token=SECRET, urls=URLS)


async def test_a_token_is_verified_and_its_claims_are_kept_as_a_secret(bench: EffectsBench):
    outcome = await bench.perform(Effect.FETCH_JWT)
    assert bench.sent.data == {"token": SECRET}
    assert (bench.sent.agent, bench.sent.action, bench.sent.ttl, bench.sent.timeout) == (
        "choria_provision", "jwt", 30, 22.0,
    )  # fmt: skip
    facts = (await bench.done(Effect.FETCH_JWT)).facts
    assert isinstance(facts, JwtFacts)
    assert facts.digest == sha256(JWT.encode()).hexdigest()
    assert facts.provisions_by_default
    (kept,) = outcome.secrets
    assert (kept.name, orjson.loads(bench.opened(kept))["cht"]) == ("claims", SECRET)
    assert outcome.blobs == ()


def takes(bench: EffectsBench, secret: str) -> None:
    """The node takes this token alone."""
    right, wrong = Said({"jwt": JWT}), Said({}, 1, "Incorrect provision token supplied")
    bench.rpc.on(IDENTITY, "jwt", lambda request: right if request.data["token"] == secret else wrong)


def offering(bench: EffectsBench, *texts: str) -> Tokens:
    tokens = Tokens(texts)
    bench.site = replace(bench.site, tokens=tokens)
    return tokens


async def test_a_refused_token_leads_to_the_next_within_the_same_opening(bench: EffectsBench):
    tokens = offering(bench, "new", "middle", "old")
    takes(bench, "old")
    outcome = await bench.perform(Effect.FETCH_JWT)
    assert [call.data["token"] for call in bench.rpc.calls] == ["new", "middle", "old"]
    assert isinstance(outcome.body, Done)
    assert isinstance(outcome.body.facts, JwtFacts)
    assert (outcome.body.facts.let_in, outcome.note) == (tokens.mark("old"), "let in with token 3 of 3")
    assert "old" not in repr(outcome).replace("hold", "")


async def test_the_token_that_let_us_in_is_the_first_and_the_one_that_later_steps_carry(bench: EffectsBench):
    tokens = offering(bench, "new", "old")
    takes(bench, "old")
    known = replace(bench.held(Effect.FETCH_JWT), let_in=tokens.mark("old"))
    await bench.done(Effect.FETCH_JWT, known)
    assert [call.data["token"] for call in bench.rpc.calls] == ["old"]
    for effect in (Effect.NEW_KEY, Effect.CONFIGURE, Effect.RESTART, Effect.SHUTDOWN):
        await bench.done(effect, replace(bench.held(effect), let_in=tokens.mark("old")))
        assert bench.sent.data["token"] == "old"


async def test_when_none_is_right_the_refusal_says_how_many_there_were(bench: EffectsBench):
    offering(bench, "new", "old")
    takes(bench, "another")
    body = await bench.failed(Effect.FETCH_JWT)
    assert (body.certainty, body.reason, body.transient) == (Certainty.REFUSED, Reason.WRONG_TOKEN, False)
    assert body.detail == "Incorrect provision token supplied (2 tokens were tried)"


@pytest.mark.parametrize("effect", [effect for effect, spec in SPECS.items() if spec.port is Port.RPC])
async def test_only_an_effect_whose_spec_says_so_sends_a_request_for_each_token(bench: EffectsBench, effect: Effect):
    offering(bench, "new", "old")
    for action in ("jwt", "inventory", "gen25519", "gencsr", "configure", "restart", "shutdown", "daemon_stats"):
        bench.says(action, code=1, message="Incorrect provision token supplied")
    await bench.failed(effect)
    assert len(bench.rpc.calls) == (2 if SPECS[effect].each_token else 1)


@pytest.mark.parametrize("other", ["Could not obtain provisioning lock", "something else"])
async def test_any_other_refusal_ends_the_trying(bench: EffectsBench, other: str):
    offering(bench, "new", "old")
    bench.says("jwt", code=1, message=other)
    await bench.failed(Effect.FETCH_JWT)
    assert len(bench.rpc.calls) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.TOKEN_MISSING),
        ("   \n", Reason.TOKEN_MISSING),
        ("no token", Reason.TOKEN_INVALID),
        ("a.b.c", Reason.TOKEN_INVALID),
        ("\x00" * 1000, Reason.TOKEN_INVALID),
        ("é" * 100_000, Reason.TOKEN_INVALID),
        (token(make_issuer(b"x" * 32)), Reason.TOKEN_INVALID),
        (token(at=NOW_S - 2 * DAY, lives=DAY), Reason.TOKEN_EXPIRED),
        (token(at=NOW_S + 2 * DAY), Reason.TOKEN_NOT_YET_VALID),
        (SIGNER.token, Reason.TOKEN_PURPOSE),
    ],
)
async def test_a_token_that_is_not_ours_is_named(bench: EffectsBench, text: str, reason: Reason):
    bench.says("jwt", {"jwt": text})
    outcome = await bench.perform(Effect.FETCH_JWT)
    body = await bench.failed(Effect.FETCH_JWT)
    assert (body.certainty, body.reason, body.transient) == (Certainty.INVALID, reason, False)
    assert (outcome.secrets, outcome.blobs) == ((), ())
    assert len(body.detail) <= 2100
    assert body.detail.isprintable()


@pytest.mark.parametrize("value", [5, None, ["a"], {"a": 1}, True])
async def test_a_token_of_another_type_is_a_bad_reply(bench: EffectsBench, value: object):
    bench.says("jwt", {"jwt": value})
    body = await bench.failed(Effect.FETCH_JWT)
    assert (body.certainty, body.reason, body.transient) == (Certainty.INVALID, Reason.BAD_REPLY, True)
    assert "jwt should be a string" in body.detail


async def test_an_inventory_is_kept_as_the_older_program_writes_it(bench: EffectsBench):
    outcome = await bench.perform(Effect.FETCH_INVENTORY)
    assert (bench.sent.agent, bench.sent.action, bench.sent.data, bench.sent.timeout) == (
        "rpcutil", "inventory", {}, 4.0,
    )  # fmt: skip
    (blob,) = outcome.blobs
    assert bench.opened(blob) == (
        rb'{"agents":["rpcutil"],"facts":{"a":"\u003cx\u003e","b":1},"upgradable":true,"version":"0.29.4"}'
    )
    assert (await bench.done(Effect.FETCH_INVENTORY)).facts == InventoryFacts(blob.digest, "0.29.4", upgradable=True)
    assert blob.digest == sha256(bench.opened(blob)).hexdigest()


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, Reason.BAD_REPLY),
        ({"version": 5}, Reason.BAD_REPLY),
        ({"version": None}, Reason.BAD_REPLY),
        ({"version": "1", "facts": nested(2000)}, Reason.BAD_REPLY),
        ({"version": "1", "facts": float("inf")}, Reason.BAD_REPLY),
        ({"version": "1", "facts": 10**400}, Reason.BAD_REPLY),
        ({"version": "1", "facts": "x" * LARGEST_INVENTORY}, Reason.REPLY_TOO_LARGE),
    ],
)
async def test_an_inventory_that_cannot_be_used_is_named(bench: EffectsBench, data: dict[str, Any], reason: Reason):
    bench.says("inventory", data)
    outcome = await bench.perform(Effect.FETCH_INVENTORY)
    body = await bench.failed(Effect.FETCH_INVENTORY)
    assert (body.certainty, body.reason) == (Certainty.INVALID, reason)
    assert outcome.blobs == ()


@pytest.mark.parametrize("upgradable", ["true", 1, None, [], {}])
async def test_what_is_not_true_is_not_upgradable(bench: EffectsBench, upgradable: object):
    bench.says("inventory", {"version": "\x1b[31m" + "9" * 500, "upgradable": upgradable})
    facts = (await bench.done(Effect.FETCH_INVENTORY)).facts
    assert isinstance(facts, InventoryFacts)
    assert not facts.upgradable
    assert len(facts.version) == 64
    assert facts.version.isprintable()


async def test_a_look_tells_the_age_of_the_process_by_the_nodes_own_clock(bench: EffectsBench):
    bench.says("daemon_stats", {"starttime": bench.clock.now() // 1000 - 90})
    body = await bench.done(Effect.LOOK)
    assert body.facts == Sighting(present=True, age=90_000)
    assert body.sent == Sent(bench.clock.now(), "fake-1")
    assert (bench.sent.action, bench.sent.ttl, bench.sent.timeout) == ("daemon_stats", 60, 4.0)


@pytest.mark.parametrize(("start", "age"), [(NOW_S * 1000, 0), (-(2**62), OLDEST), (2**63, 0)])
async def test_a_process_that_lies_about_its_start_is_no_older_than_a_number_can_be(
    bench: EffectsBench, start: int, age: int
):
    bench.says("daemon_stats", {"starttime": start})
    assert (await bench.done(Effect.LOOK)).facts == Sighting(present=True, age=age)


@pytest.mark.parametrize("start", ["5", None, 1.5, True, [], {}])
async def test_a_start_of_another_type_is_a_bad_reply(bench: EffectsBench, start: object):
    bench.says("daemon_stats", {"starttime": start})
    assert (await bench.failed(Effect.LOOK)).reason is Reason.BAD_REPLY


async def test_nobody_is_what_a_look_may_find(bench: EffectsBench):
    bench.rpc.on(IDENTITY, "daemon_stats")
    body = await bench.done(Effect.LOOK)
    assert body.facts == Sighting(present=False)
    assert body.sent == Sent(bench.clock.now(), "fake-1")


@pytest.mark.parametrize(
    ("certainty", "reason"),
    [(Certainty.UNKNOWN, Reason.NO_ANSWER), (Certainty.NOT_SENT, Reason.DISCONNECTED)],
)
async def test_a_look_that_was_not_answered_is_no_sighting(bench: EffectsBench, certainty: Certainty, reason: Reason):
    bench.rpc.on(IDENTITY, "daemon_stats", CallError(certainty, reason))
    body = await bench.failed(Effect.LOOK)
    assert (body.certainty, body.reason) == (certainty, reason)


@pytest.mark.parametrize("effect", [Effect.FETCH_JWT, Effect.FETCH_INVENTORY])
async def test_nobody_is_a_failure_of_what_needs_somebody(bench: EffectsBench, effect: Effect):
    for action in ("jwt", "inventory"):
        bench.rpc.on(IDENTITY, action)
    body = await bench.failed(effect)
    assert (body.certainty, body.reason) == (Certainty.NOT_DELIVERED, Reason.ABSENT)
