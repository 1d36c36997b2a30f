"""Enrolling and parting: keys are proven, the helper is told and judged, tokens repeat, ten inputs are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from fsm.effects import Effect
from fsm.errors import HelperError, TokenError
from fsm.events import Certainty, HelperFacts, KeyFacts, TokenFacts, Verdict
from fsm.ports import HelperReply, NodeKey, Outcome
from fsm.reasons import Reason
from tests.fakes.effects import CONFIGURATION, IDENTITY, REPLY, SECRET, EffectsBench, FailingSigner, signs, step
from tests.fakes.rpc import Said
from tests.fakes.site import NODE, claims_of
from usher.effects.enrolling import SEALED
from usher.effects.hand import Name


@pytest.fixture
def bench(tmp_path: Path) -> EffectsBench:
    return EffectsBench(tmp_path)


async def test_a_key_counts_when_it_has_signed_our_nonce(bench: EffectsBench):
    outcome = await bench.perform(Effect.NEW_KEY)
    nonce = bench.sent.data["nonce"]
    assert isinstance(nonce, str)
    assert len(nonce) == 32
    assert int(nonce, 16) >= 0
    assert bench.sent.data == {"token": SECRET, "nonce": nonce}
    assert (bench.sent.action, bench.sent.ttl) == ("gen25519", 30)
    assert (await bench.done(Effect.NEW_KEY)).facts == KeyFacts(NODE.public_hex, "/etc/choria")
    (kept,) = outcome.secrets
    assert orjson.loads(bench.opened(kept))["public_key"] == NODE.public_hex


async def test_every_try_has_a_nonce_of_its_own(bench: EffectsBench):
    for opened in (9, 10, 11):
        await bench.done(Effect.NEW_KEY, step(Effect.NEW_KEY, opened=opened))
    assert len({str(request.data["nonce"]) for request in bench.rpc.calls}) == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"public_key": ""}, Reason.KEY_INVALID),
        ({"public_key": "ab" * 31}, Reason.KEY_INVALID),
        ({"public_key": "ab" * 33}, Reason.KEY_INVALID),
        ({"public_key": "zz" * 32}, Reason.KEY_INVALID),
        ({"public_key": "é" * 64}, Reason.KEY_INVALID),
        ({"public_key": "a" * 1_000_000}, Reason.KEY_INVALID),
        ({"signature": ""}, Reason.PROOF_INVALID),
        ({"signature": "00" * 64}, Reason.PROOF_INVALID),
        ({"signature": "00" * 63}, Reason.PROOF_INVALID),
        ({"public_key": "00" * 32}, Reason.PROOF_INVALID),
        ({"public_key": 5}, Reason.BAD_REPLY),
        ({"signature": None}, Reason.BAD_REPLY),
        ({"directory": ["/"]}, Reason.BAD_REPLY),
    ],
)
async def test_a_key_that_is_none_is_named_and_nothing_is_kept(
    bench: EffectsBench, changes: dict[str, object], reason: Reason
):
    bench.rpc.on(IDENTITY, "gen25519", lambda request: Said({**signs(request).data, **changes}))
    outcome = await bench.perform(Effect.NEW_KEY)
    body = await bench.failed(Effect.NEW_KEY)
    assert (body.certainty, body.reason, body.transient) == (Certainty.INVALID, reason, True)
    assert outcome.secrets == ()


async def test_a_directory_is_cut_and_made_visible(bench: EffectsBench):
    bench.rpc.on(IDENTITY, "gen25519", lambda request: Said({**signs(request).data, "directory": "\x1b" * 5000}))
    facts = (await bench.done(Effect.NEW_KEY)).facts
    assert isinstance(facts, KeyFacts)
    assert len(facts.directory) == 200
    assert facts.directory.isprintable()


async def test_the_helper_is_given_all_that_is_known(bench: EffectsBench):
    outcome = await bench.perform(Effect.RUN_HELPER)
    (call,) = bench.helper.calls
    assert (call.identity, call.inventory) == (IDENTITY, '{"version":"1"}')
    assert call.key == NodeKey(NODE.public_hex, "/d", "ab")
    assert call.claims == {"cht": SECRET, "chpd": True}
    assert call.environment == {
        "USHER_EFFECT_ID": f"{bench.store.lineage}/{IDENTITY}/2/7",
        "USHER_NODE": IDENTITY,
        "USHER_GENERATION": "2",
        "USHER_EPOCH": "3",
        "USHER_TRY": "1",
    }
    assert outcome.note == ""
    assert said(bench, outcome) == {"at": bench.clock.at, "stderr": REPLY.stderr}


def said(bench: EffectsBench, outcome: Outcome) -> dict[str, object]:
    """What the entry for people holds of what the helper said by itself; nothing if there is none."""
    (found,) = [secret for secret in outcome.secrets if secret.name == Name.OUTPUT] or [None]
    return {} if found is None else orjson.loads(bench.opened(found))


@pytest.mark.parametrize("reply", [HelperError(Reason.HELPER_FAILED, "x"), HelperReply(defer=True), HelperReply()])
async def test_a_helper_that_fails_or_defers_silently_leaves_nothing_of_what_it_said_before(
    bench: EffectsBench, reply: HelperReply | HelperError
):
    bench.helper.reply = reply
    outcome = await bench.perform(Effect.RUN_HELPER)
    assert said(bench, outcome) == {"at": bench.clock.at}
    assert SEALED not in str(outcome.body)


async def test_a_silent_helper_leaves_nothing_to_read(bench: EffectsBench):
    bench.helper.reply = replace(REPLY, stderr="", msg="configured as a server of the site")
    outcome = await bench.perform(Effect.RUN_HELPER)
    assert [secret.name for secret in outcome.secrets] == [Name.REPLY]


@pytest.mark.parametrize(
    "reply", [HelperReply(defer=True, msg="corr\x1bect"), HelperReply(shutdown=True, msg="correct")]
)
async def test_what_it_says_for_people_is_sealed(bench: EffectsBench, reply: HelperReply):
    bench.helper.reply = reply
    outcome = await bench.perform(Effect.RUN_HELPER)
    facts = (await bench.done(Effect.RUN_HELPER)).facts
    assert isinstance(facts, HelperFacts)
    assert facts.message == SEALED
    assert said(bench, outcome) == {"at": bench.clock.at, "msg": reply.msg}
    assert b"corr" not in b"".join(secret.data for secret in outcome.secrets)


async def test_a_repetition_has_the_same_id_and_another_try(bench: EffectsBench):
    snapshot = bench.held(Effect.RUN_HELPER)
    assert snapshot.doing is not None
    await bench.done(Effect.RUN_HELPER, snapshot)
    await bench.done(Effect.RUN_HELPER, replace(snapshot, doing=replace(snapshot.doing, opened=12, tries=2, epoch=4)))
    one, two = (call.environment for call in bench.helper.calls)
    assert one["USHER_EFFECT_ID"] == two["USHER_EFFECT_ID"]
    assert (two["USHER_TRY"], two["USHER_EPOCH"]) == ("2", "4")


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (HelperReply(defer=True, msg="later"), Verdict.DEFER),
        (HelperReply(defer=True, shutdown=True, configuration={"a": "b"}), Verdict.DEFER),
        (HelperReply(shutdown=True, key="x"), Verdict.SHUTDOWN),
        (HelperReply(configuration=CONFIGURATION), Verdict.CONFIGURE),
    ],
)
async def test_deferring_wins_over_a_shutdown_and_that_over_the_rest(
    bench: EffectsBench, reply: HelperReply, verdict: Verdict
):
    bench.helper.reply = reply
    facts = (await bench.done(Effect.RUN_HELPER)).facts
    assert isinstance(facts, HelperFacts)
    assert facts.verdict is verdict
    assert not facts.keeps_provisioning


@pytest.mark.parametrize(
    ("reply", "reason", "named"),
    [
        (HelperReply(), Reason.EMPTY_CONFIGURATION, "configuration"),
        (HelperReply(configuration={"a": "b"}, key="PEM"), Reason.HELPER_KEY_INVALID, "key"),
        (HelperReply(configuration={"a": "b"}, certificate="PEM"), Reason.CERTIFICATE_INVALID, "certificate"),
        (HelperReply(configuration={"a": "b\nc = d"}), Reason.UNSAFE_CONFIGURATION, "a"),
        (HelperReply(configuration={"a\r": "b"}), Reason.UNSAFE_CONFIGURATION, "a"),
    ],
)
async def test_what_must_not_be_sent_stops_here(bench: EffectsBench, reply: HelperReply, reason: Reason, named: str):
    bench.helper.reply = replace(reply, stderr="its words")
    outcome = await bench.perform(Effect.RUN_HELPER)
    body = await bench.failed(Effect.RUN_HELPER)
    assert (body.certainty, body.reason, body.transient) == (Certainty.INVALID, reason, False)
    assert named in body.detail
    assert body.detail.endswith(SEALED)
    assert (outcome.note, [secret.name for secret in outcome.secrets]) == ("", [Name.OUTPUT])
    assert said(bench, outcome) == {"at": bench.clock.at, "stderr": "its words"}


@pytest.mark.parametrize("off", ["0", "no", "false", "n", "f", "FALSE"])
async def test_a_configuration_that_turns_provisioning_off_is_recognised(bench: EffectsBench, off: str):
    bench.helper.reply = HelperReply(configuration={"plugin.choria.server.provision": off})
    facts = (await bench.done(Effect.RUN_HELPER)).facts
    assert isinstance(facts, HelperFacts)
    assert not facts.keeps_provisioning


@pytest.mark.parametrize("configuration", [{"identity": "x"}, {"plugin.choria.server.provision": "true"}])
@pytest.mark.parametrize("inject", [False, True])
async def test_a_configuration_that_keeps_provisioning_is_seen_or_mended(
    tmp_path: Path, configuration: Mapping[str, str], inject: bool
):
    bench = EffectsBench(tmp_path, inject=inject)
    bench.helper.reply = HelperReply(configuration=configuration)
    outcome = await bench.perform(Effect.RUN_HELPER)
    facts = (await bench.done(Effect.RUN_HELPER)).facts
    assert isinstance(facts, HelperFacts)
    sent = orjson.loads(bench.opened(outcome.secrets[0]))["configuration"]
    if inject and configuration == {"identity": "x"}:
        assert sent == {"identity": "x", "plugin.choria.server.provision": "false"}
        assert not facts.keeps_provisioning
    else:
        assert facts.keeps_provisioning is ("true" in sent.values() or not inject)
        assert ('set it to "false"' in facts.message) is facts.keeps_provisioning


async def test_a_helper_that_fails_is_told_and_its_words_are_sealed(bench: EffectsBench):
    bench.helper.reply = HelperError(Reason.HELPER_TIMEOUT, "10 s\x1b", "stack trace", "the CA says no")
    outcome = await bench.perform(Effect.RUN_HELPER)
    body = await bench.failed(Effect.RUN_HELPER)
    assert (body.certainty, body.reason) == (Certainty.REFUSED, Reason.HELPER_TIMEOUT)
    assert body.detail == f"10 s\\x1b; {SEALED}"
    assert outcome.note == ""
    assert said(bench, outcome) == {"at": bench.clock.at, "stderr": "stack trace", "stdout": "the CA says no"}
    assert "stack" not in str(bench.helper.reply)


async def test_the_same_order_makes_the_same_token(bench: EffectsBench):
    first, second = await bench.perform(Effect.SIGN_TOKEN), await bench.perform(Effect.SIGN_TOKEN)
    assert first.body == second.body
    assert bench.opened(first.secrets[0]) == bench.opened(second.secrets[0])
    text = orjson.loads(bench.opened(first.secrets[0]))["token"]
    assert claims_of(text)["public_key"] == NODE.public_hex
    assert claims_of(text)["identity"] == IDENTITY
    facts = (await bench.done(Effect.SIGN_TOKEN)).facts
    assert isinstance(facts, TokenFacts)
    assert (facts.jti, facts.warning, facts.checks) == (claims_of(text)["jti"], "", "")


@pytest.mark.parametrize(
    ("claims", "said", "checks"),
    [
        ({"exp": 1}, "exp is a point in time", ""),
        ({"collectives": ["a", " b"]}, "taken as it is written", "collective_spaces"),
        ({"exp": 10**15}, "later than the year 9999", "expiry_beyond_9999"),
        ({"exp": 10**15, "collectives": ["a "]}, "has spaces", "collective_spaces expiry_beyond_9999"),
        ({"permissions": {"root": True}}, "left out", ""),
    ],
)
async def test_what_a_token_warns_about_is_a_fact(
    bench: EffectsBench, claims: dict[str, object], said: str, checks: str
):
    snapshot = bench.held(Effect.SIGN_TOKEN)
    bench.hand.keep_reply(snapshot, replace(REPLY, server_claims=claims))
    facts = (await bench.done(Effect.SIGN_TOKEN, snapshot)).facts
    assert isinstance(facts, TokenFacts)
    assert said in facts.warning
    assert facts.checks == checks


async def test_strict_refuses_what_compatible_warns_about(tmp_path: Path):
    bench = EffectsBench(tmp_path, strict=True)
    snapshot = bench.held(Effect.SIGN_TOKEN)
    bench.hand.keep_reply(snapshot, replace(REPLY, server_claims={"collectives": ["a "]}))
    body = await bench.failed(Effect.SIGN_TOKEN, snapshot)
    assert (body.reason, body.transient) == (Reason.HELPER_BAD_OUTPUT, False)


async def test_a_signer_that_cannot_be_used_may_be_mended(bench: EffectsBench):
    bench.signer = FailingSigner(TokenError(Reason.SIGNER_UNUSABLE, "/etc/seed: there is no such file"))
    body = await bench.failed(Effect.SIGN_TOKEN)
    assert (body.reason, body.transient) == (Reason.SIGNER_UNUSABLE, True)
    assert "/etc/seed" in body.detail
