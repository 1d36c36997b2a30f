"""x509 nodes: a request is made and checked, the helper is given it, and nobody else is sent its certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509

from fsm.effects import Effect
from fsm.errors import CallError
from fsm.events import Ack, Certainty, CsrFacts, Done, Sent
from fsm.ports import HelperReply, NodeCsr
from fsm.reasons import Reason
from fsm.snapshot import Snapshot
from helpers.protocol import encode_call
from security.csr import RequestVerifier
from tests.fakes.csrs import beside, named, request, rsa_key, subject
from tests.fakes.effects import CONFIGURATION, IDENTITY, SECRET, EffectsBench
from tests.fakes.rpc import Said, Silent
from tests.fakes.site import NOW
from usher.config.keys import DENIED
from usher.effects.hand import Name

SSLDIR = "/etc/choria/ssl"
STARTED = NOW // 1000 - 3600
"""When the node's process began, in seconds: before anything was learnt of it."""


def said(**changes: Any) -> dict[str, Any]:
    """What a node answers to gencsr, with changes."""
    mine = {"csr": request(), "public_key": beside(rsa_key().public_key()), "ssldir": SSLDIR}
    return mine | changes


@pytest.fixture
def bench(tmp_path: Path) -> EffectsBench:
    made = EffectsBench(tmp_path)
    made.says("gencsr", said())
    made.says("daemon_stats", {"starttime": STARTED})
    return made


def certified(bench: EffectsBench, effect: Effect) -> Snapshot:
    """A node that has made its request, before this step."""
    snapshot = bench.held(effect, key=None, token=None, csr=CsrFacts("5f" * 32, "0a" * 32, SSLDIR))
    reply, _ = bench.hand.keep_reply(snapshot, HelperReply(configuration=CONFIGURATION, certificate="C"))
    for kept in (bench.hand.keep(snapshot, Name.CSR, said()), reply):
        bench.store.vault[snapshot.node, snapshot.generation, kept.name] = kept.data
    return snapshot


# -- new_csr ----------------------------------------------------------------------------------------------------------


async def test_a_request_is_asked_for_under_the_nodes_name_and_kept_sealed(bench: EffectsBench):
    outcome = await bench.perform(Effect.NEW_CSR)
    body = outcome.body
    assert isinstance(body, Done)
    assert (bench.sent.agent, bench.sent.action, bench.sent.ttl) == ("choria_provision", "gencsr", 30)
    assert bench.sent.data == {"token": SECRET, "cn": IDENTITY}
    expected = RequestVerifier(DENIED).certificate_request(said()["csr"], "", IDENTITY)
    assert body.facts == CsrFacts(expected.digest, expected.fingerprint, SSLDIR)
    (kept,) = outcome.secrets
    assert (kept.name, orjson.loads(bench.opened(kept))) == (Name.CSR, said())
    assert b"CERTIFICATE" not in kept.data


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"csr": ""}, Reason.CSR_INVALID),
        ({"csr": "x"}, Reason.CSR_INVALID),
        ({"csr": request(name=subject("n2.example.net"))}, Reason.CSR_INVALID),
        ({"public_key": "x"}, Reason.CSR_INVALID),
        ({"csr": named(x509.DNSName("x.mcollective"))}, Reason.CSR_DENIED),
        ({"csr": None}, Reason.BAD_REPLY),
        ({"public_key": 5}, Reason.BAD_REPLY),
        ({"ssldir": ["/"]}, Reason.BAD_REPLY),
    ],
)
async def test_a_request_that_nobody_may_sign_is_named_and_nothing_is_kept(
    bench: EffectsBench, changes: dict[str, object], reason: Reason
):
    bench.says("gencsr", said(**changes))
    outcome = await bench.perform(Effect.NEW_CSR)
    body = await bench.failed(Effect.NEW_CSR)
    transient = reason is Reason.BAD_REPLY  # the same node would ask for the same again, with another key
    assert (body.certainty, body.reason, body.transient) == (Certainty.INVALID, reason, transient)
    assert (outcome.secrets, bench.rpc.connection) == ((), body.sent.connection if body.sent else "")


async def test_what_strict_would_refuse_is_a_fact_and_said_to_people(bench: EffectsBench):
    bench.says("gencsr", said(csr=named(x509.DNSName("n9.example.net"))))
    outcome = await bench.perform(Effect.NEW_CSR)
    assert isinstance(outcome.body, Done)
    assert isinstance(outcome.body.facts, CsrFacts)
    assert outcome.body.facts.checks == "csr_foreign_name"
    assert outcome.note == "it has the name 'n9.example.net' besides its own"
    bench.requests = RequestVerifier(DENIED, strict=True)
    assert (await bench.failed(Effect.NEW_CSR)).reason is Reason.CSR_INVALID


async def test_a_directory_is_cut_and_made_visible_in_facts_and_kept_as_it_was(bench: EffectsBench):
    bench.says("gencsr", said(ssldir="\x1b" * 5000))
    outcome = await bench.perform(Effect.NEW_CSR)
    assert isinstance(outcome.body, Done)
    assert isinstance(outcome.body.facts, CsrFacts)
    assert (len(outcome.body.facts.directory), outcome.body.facts.directory.isprintable()) == (200, True)
    assert orjson.loads(bench.opened(outcome.secrets[0]))["ssldir"] == "\x1b" * 5000


# -- the helper, and the configuration --------------------------------------------------------------------------------


async def test_the_helper_is_given_the_request_as_the_node_said_it(bench: EffectsBench):
    await bench.done(Effect.RUN_HELPER, certified(bench, Effect.RUN_HELPER))
    (call,) = bench.helper.calls
    assert (call.csr, call.key) == (NodeCsr(**said()), None)
    assert orjson.loads(encode_call(call))["csr"] == said()


async def test_a_request_that_is_not_held_any_more_begins_anew(bench: EffectsBench):
    for effect in (Effect.RUN_HELPER, Effect.CONFIGURE):
        snapshot = certified(bench, effect)
        del bench.store.vault[snapshot.node, snapshot.generation, Name.CSR]
        bench.hand = type(bench.hand)(bench.store, bench.vault)
        body = await bench.failed(effect, snapshot)
        assert (body.certainty, body.reason) == (Certainty.NOT_SENT, Reason.FACTS_LOST)
    assert bench.helper.calls == []
    assert "configure" not in {asked.action for asked in bench.rpc.calls}


async def test_a_certificate_is_sent_to_the_process_that_made_the_key_into_the_directory_that_it_named(
    bench: EffectsBench,
):
    body = await bench.done(Effect.CONFIGURE, certified(bench, Effect.CONFIGURE))
    assert [asked.action for asked in bench.rpc.calls] == ["daemon_stats", "configure"]
    assert isinstance(body.facts, Ack)
    assert (bench.sent.data["ssldir"], bench.sent.data["certificate"]) == (SSLDIR, "C")
    assert (bench.sent.data["server_jwt"], bench.sent.data["key"]) == ("", "")


SECONDS = 1000


@pytest.mark.parametrize(("after", "sent"), [(0, True), (999, True), (1_000, False), (60_000, False)])
async def test_another_process_is_not_sent_the_certificate(bench: EffectsBench, after: int, sent: bool):
    """`after` is how many milliseconds after the first fact the process began; its second is cut off, towards older."""
    snapshot = certified(bench, Effect.CONFIGURE)
    bench.clock.at = snapshot.facts.at // SECONDS * SECONDS + 120_000
    bench.says("daemon_stats", {"starttime": (snapshot.facts.at + after) // SECONDS})
    outcome = await bench.perform(Effect.CONFIGURE, snapshot)
    assert isinstance(outcome.body, Done) is sent
    assert [asked.action for asked in bench.rpc.calls] == ["daemon_stats"] + ["configure"] * sent
    if not isinstance(outcome.body, Done):
        assert (outcome.body.certainty, outcome.body.reason) == (Certainty.NOT_SENT, Reason.FACTS_LOST)


async def test_nobody_is_sent_nothing(bench: EffectsBench):
    bench.rpc.on(IDENTITY, "daemon_stats", CallError(Certainty.NOT_DELIVERED, Reason.ABSENT, sent=Sent(5, "c9")))
    body = await bench.failed(Effect.CONFIGURE, certified(bench, Effect.CONFIGURE))
    assert (body.effect, body.certainty, body.reason) == (Effect.CONFIGURE, Certainty.NOT_DELIVERED, Reason.ABSENT)
    assert [asked.action for asked in bench.rpc.calls] == ["daemon_stats"]


@pytest.mark.parametrize(
    ("script", "certainty"),
    [
        (CallError(Certainty.UNKNOWN, Reason.NO_ANSWER, sent=Sent(5, "c9")), Certainty.UNKNOWN),
        (CallError(Certainty.NOT_SENT, Reason.DISCONNECTED), Certainty.NOT_SENT),
        (Said({}, 1, "no"), Certainty.REFUSED),
        (Said({"starttime": "x"}), Certainty.INVALID),
    ],
)
async def test_a_look_that_says_nothing_sends_nothing(
    bench: EffectsBench, script: Said | CallError | Silent, certainty: Certainty
):
    bench.rpc.on(IDENTITY, "daemon_stats", script)
    body = await bench.failed(Effect.CONFIGURE, certified(bench, Effect.CONFIGURE))
    assert (body.effect, body.certainty) == (Effect.CONFIGURE, certainty)
    assert [asked.action for asked in bench.rpc.calls] == ["daemon_stats"]


async def test_a_node_with_a_token_is_not_looked_at_before_its_configuration(bench: EffectsBench):
    await bench.done(Effect.CONFIGURE)
    assert [asked.action for asked in bench.rpc.calls] == ["configure"]
    assert bench.sent.data["ssldir"] == ""
