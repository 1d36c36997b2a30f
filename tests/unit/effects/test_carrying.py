"""A helper's key on its way: exchanged with the process that was verified, wrapped, sealed, and sent as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fsm.effects import Effect
from fsm.events import Certainty, CsrFacts, Done, HelperFacts, JwtFacts, PairFacts, Verdict, WrapFacts
from fsm.ports import HelperReply
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from security.exchange import public_of, shared
from tests.fakes.certificates import authority, private, the_ca
from tests.fakes.csrs import checked, request, rsa_key
from tests.fakes.effects import CONFIGURATION, JWT, SECRET, EffectsBench
from usher.effects.hand import Name

NODE = bytes(range(32))
"""The secret half of the node."""
CERTIFICATE = the_ca().leaf()


def supplied(**changes: str) -> HelperReply:
    """What a helper answers that supplies certificate and key."""
    values = {"certificate": CERTIFICATE, "ca": the_ca().pem, "key": private(rsa_key()), "ssldir": "/ssl"} | changes
    return HelperReply(configuration=CONFIGURATION, **values)


@pytest.fixture
def bench(tmp_path: Path) -> EffectsBench:
    made = EffectsBench(tmp_path)
    made.helper.reply = supplied()
    made.says("jwt", {"jwt": JWT, "ecdh_public": public_of(NODE).hex()})
    return made


async def carried(bench: EffectsBench, effect: Effect) -> Snapshot:
    """A node before this step, all steps before it carried out."""
    jwt = (await bench.done(Effect.FETCH_JWT)).facts
    assert isinstance(jwt, JwtFacts)
    snapshot = bench.held(effect, jwt=jwt, key=None, token=None)
    bench.store.vault[snapshot.node, snapshot.generation, Name.REPLY] = bench.hand.keep_reply(snapshot, supplied())[
        0
    ].data
    if effect is Effect.EXCHANGE_KEY:
        return snapshot
    await kept(bench, Effect.EXCHANGE_KEY, snapshot)
    if effect is Effect.WRAP_KEY:
        return snapshot
    wrap = (await kept(bench, Effect.WRAP_KEY, snapshot)).facts
    assert isinstance(wrap, WrapFacts)
    return replace(snapshot, facts=replace(snapshot.facts, wrap=wrap))


async def kept(bench: EffectsBench, effect: Effect, snapshot: Snapshot) -> Done:
    """A step that succeeds, and what it sealed is committed."""
    doing = snapshot.doing
    assert doing is not None
    outcome = await bench.perform(effect, replace(snapshot, doing=replace(doing, effect=effect)))
    assert isinstance(outcome.body, Done), outcome.body
    for secret in outcome.secrets:
        bench.store.vault[snapshot.node, snapshot.generation, secret.name] = secret.data
    return outcome.body


# -- run_helper -------------------------------------------------------------------------------------------------------


async def test_that_a_key_was_supplied_is_a_fact_and_the_key_is_sealed(bench: EffectsBench):
    outcome = await bench.perform(Effect.RUN_HELPER)
    assert isinstance(outcome.body, Done)
    assert isinstance(outcome.body.facts, HelperFacts)
    assert (outcome.body.facts.key, outcome.body.facts.checks, outcome.note) == (True, "", "")
    assert "PRIVATE" not in repr(outcome)


@pytest.mark.parametrize(
    ("reply", "verdict"), [({"defer": True}, Verdict.DEFER), ({"shutdown": True}, Verdict.SHUTDOWN)]
)
async def test_a_helper_that_defers_or_shuts_down_supplies_nothing(
    bench: EffectsBench, reply: dict[str, bool], verdict: Verdict
):
    bench.helper.reply = replace(supplied(key="x", certificate="y"), **reply)  # type: ignore[arg-type]
    facts = (await bench.done(Effect.RUN_HELPER)).facts
    assert isinstance(facts, HelperFacts)
    assert (facts.verdict, facts.key, facts.checks) == (verdict, False, "")


async def test_strict_refuses_a_key_and_so_does_a_site_without_tokens(tmp_path: Path, bench: EffectsBench):
    body = await bench.failed(Effect.RUN_HELPER, bench.held(Effect.RUN_HELPER, jwt=None))
    assert (body.reason, body.transient) == (Reason.HELPER_UNSUPPORTED, False)
    (tmp_path / "strict").mkdir()
    strict = EffectsBench(tmp_path / "strict", strict=True)
    strict.helper.reply = supplied()
    body = await strict.failed(Effect.RUN_HELPER)
    assert (body.certainty, body.reason, body.transient) == (Certainty.INVALID, Reason.HELPER_KEY_REFUSED, False)


async def test_what_strict_would_refuse_of_a_certificate_is_a_fact_and_said_to_people(bench: EffectsBench):
    bench.helper.reply = supplied(ca=authority().pem)
    outcome = await bench.perform(Effect.RUN_HELPER)
    assert isinstance(outcome.body, Done)
    assert isinstance(outcome.body.facts, HelperFacts)
    assert outcome.body.facts.checks == "certificate_chain"
    assert outcome.note == "no certificate in `ca` that is valid now leads to it"


async def test_a_certificate_must_be_for_the_nodes_own_request(bench: EffectsBench):
    said = {"csr": request(), "public_key": "", "ssldir": "/etc/choria/ssl"}
    facts = CsrFacts("5f" * 32, checked(request()).fingerprint, "/etc/choria/ssl")
    snapshot = bench.held(Effect.RUN_HELPER, key=None, token=None, csr=facts)
    bench.hand.keep(snapshot, Name.CSR, said)
    bench.helper.reply = supplied(key="")
    assert isinstance((await bench.done(Effect.RUN_HELPER, snapshot)).facts, HelperFacts)
    other = replace(snapshot, facts=replace(snapshot.facts, csr=replace(facts, fingerprint="0a" * 32)))
    assert (await bench.failed(Effect.RUN_HELPER, other)).reason is Reason.CERTIFICATE_KEY


# -- exchange_key -----------------------------------------------------------------------------------------------------


async def test_the_nodes_half_is_fetched_and_ours_drawn_and_sealed(bench: EffectsBench):
    snapshot = await carried(bench, Effect.EXCHANGE_KEY)
    body = await kept(bench, Effect.EXCHANGE_KEY, snapshot)
    assert (bench.sent.agent, bench.sent.action, bench.sent.ttl) == ("choria_provision", "jwt", 30)
    assert bench.sent.data == {"token": SECRET}
    held = bench.hand.find(snapshot, Name.SECRET)
    assert bytes.fromhex(held["secret"]) == shared(NODE, held["ours"])
    assert body.facts == PairFacts(public_of(NODE).hex()[:16], held["ours"][:16])
    assert held["secret"] not in repr(body)


@pytest.mark.parametrize("half", ["", "ab" * 31, "ab" * 33, "00" * 32, "x"])
async def test_a_half_that_is_none_is_named(bench: EffectsBench, half: str):
    snapshot = await carried(bench, Effect.EXCHANGE_KEY)
    bench.says("jwt", {"jwt": JWT, "ecdh_public": half})
    body = await bench.failed(Effect.EXCHANGE_KEY, snapshot)
    assert (body.certainty, body.reason, body.transient) == (Certainty.INVALID, Reason.EXCHANGE_INVALID, False)


@pytest.mark.parametrize("said", [{"jwt": JWT}, {"jwt": JWT, "ecdh_public": None}, {"jwt": 5, "ecdh_public": ""}])
async def test_a_half_that_is_missing_or_of_another_type_is_named(bench: EffectsBench, said: dict[str, object]):
    snapshot = await carried(bench, Effect.EXCHANGE_KEY)
    bench.says("jwt", said)
    reason = Reason.EXCHANGE_INVALID if said == {"jwt": JWT} else Reason.BAD_REPLY
    assert (await bench.failed(Effect.EXCHANGE_KEY, snapshot)).reason is reason


async def test_whoever_shows_another_token_is_given_nothing(bench: EffectsBench):
    snapshot = await carried(bench, Effect.EXCHANGE_KEY)
    bench.says("jwt", {"jwt": JWT + "A", "ecdh_public": public_of(NODE).hex()})
    outcome = await bench.perform(Effect.EXCHANGE_KEY, snapshot)
    assert (outcome.body.reason, outcome.secrets) == (Reason.FACTS_LOST, ())  # type: ignore[union-attr]


# -- wrap_key and configure -------------------------------------------------------------------------------------------


async def test_configure_sends_what_only_the_node_can_read_and_repeats_the_same_bytes(bench: EffectsBench):
    snapshot = await carried(bench, Effect.CONFIGURE)
    first = (await bench.done(Effect.CONFIGURE, snapshot)).facts
    sent = dict(bench.sent.data)
    key = load_pem_private_key(str(sent["key"]).encode(), shared(NODE, str(sent["ecdh_public"])))
    assert isinstance(key, RSAPrivateKey)
    assert key.private_numbers() == rsa_key().private_numbers()
    assert (sent["certificate"], sent["ca"], sent["ssldir"]) == (CERTIFICATE, the_ca().pem, "/ssl")
    bench.hand = type(bench.hand)(bench.store, bench.vault)  # another process: nothing is remembered
    assert (await bench.done(Effect.CONFIGURE, snapshot)).facts == first
    assert dict(bench.sent.data) == sent


@pytest.mark.parametrize("why", ["x509: decryption password incorrect", "private key not set", "key is not encrypted"])
async def test_a_node_that_could_not_decrypt_says_so_by_name(bench: EffectsBench, why: str):
    snapshot = await carried(bench, Effect.CONFIGURE)
    bench.says("configure", {}, 1, f"TLS Setup Failed: could not decrypt private key: {why}")
    body = await bench.failed(Effect.CONFIGURE, snapshot)
    assert (body.certainty, body.reason, body.transient) == (Certainty.REFUSED, Reason.KEY_NOT_DECRYPTED, False)


@pytest.mark.parametrize(
    ("effect", "name"),
    [(Effect.WRAP_KEY, Name.SECRET), (Effect.WRAP_KEY, Name.REPLY), (Effect.CONFIGURE, Name.WRAPPED)],
)
async def test_what_is_not_held_any_more_begins_anew(bench: EffectsBench, effect: Effect, name: Name):
    snapshot = await carried(bench, effect)
    del bench.store.vault[snapshot.node, snapshot.generation, name]
    bench.hand = type(bench.hand)(bench.store, bench.vault)
    assert (await bench.failed(effect, snapshot)).reason is Reason.FACTS_LOST


async def test_nothing_of_the_key_or_the_secret_is_kept_in_the_clear(bench: EffectsBench):
    snapshot = await carried(bench, Effect.CONFIGURE)
    secret = bench.hand.find(snapshot, Name.SECRET)["secret"]
    for sealed in bench.store.vault.values():
        assert b"PRIVATE" not in sealed
        assert secret.encode() not in sealed


async def test_what_a_node_says_of_its_key_is_told_without_it(bench: EffectsBench):
    snapshot = await carried(bench, Effect.CONFIGURE)
    bench.says("configure", {"message": f"wrote {private(rsa_key())}"})
    outcome = await bench.perform(Effect.CONFIGURE, snapshot)
    assert private(rsa_key()).splitlines()[1] not in repr(outcome)
