"""What the effects send to an x509 node is what the older program sent one, and what it answered is understood."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fsm.certifying import Examined, Supplied
from fsm.effects import Effect
from fsm.errors import TokenError
from fsm.events import CsrFacts, Done, HelperFacts, InventoryFacts, WrapFacts
from fsm.ports import HelperReply
from fsm.snapshot import Snapshot
from helpers.protocol import encode_call
from security.csr import RequestVerifier
from security.keyfiles import verify_key
from security.supplied import SuppliedVerifier
from security.verifier import TokenVerifier
from tests.fakes.effects import IDENTITY, EffectsBench
from tests.fakes.rpc import Said
from usher.config.keys import DENIED
from usher.effects.hand import Name

NODE = "v1a.example.net"
CAPTURED_AT = 1_795_202_327_000
Pair = tuple[dict[str, Any], dict[str, Any]]


def inside(payload: str) -> dict[str, Any] | None:
    """The innermost document of protocol 1: transport, then secured, then request or reply (wire/protocol.md §2)."""
    transport = json.loads(payload)
    if transport.get("protocol") != "choria:transport:1":
        return None
    secured = json.loads(b64decode(transport["data"]))
    inner = json.loads(secured["message"])
    message: dict[str, Any] = json.loads(inner["message"]) if inner["message"].startswith("{") else {}
    return message | {"id": inner["envelope"]["requestid"]}


@pytest.fixture(scope="module")
def pairs(shared: Path) -> dict[str, Pair]:
    """Of each action the request to v1a and what it answered: data in, data out."""
    asked: dict[str, dict[str, Any]] = {}
    found: dict[str, Pair] = {}
    for line in (shared / "wire" / "v1-pki.jsonl").read_text().splitlines():
        row = json.loads(line)
        said = inside(row["payload"]) if row["op"] == "pub" else None
        if said is None:
            continue
        if row["subject"] == f"provisioning.node.{NODE}":
            asked[said["id"]] = said
        elif said["id"] in asked and "statuscode" in said:
            found[said["action"]] = (asked[said["id"]]["data"], said["data"])
    assert set(found) == {"jwt", "inventory", "gencsr", "configure", "restart"}
    return found


@pytest.fixture
def bench(shared: Path, tmp_path: Path, pairs: dict[str, Pair]) -> EffectsBench:
    """A bench where v1a answers as it did; it is called n1 here, so the request's name is asked for as v1a's."""
    made = EffectsBench(tmp_path)
    made.clock.at = CAPTURED_AT
    made.verifier = TokenVerifier(verify_key(str(shared / "wire/keys/provisioning-v1-signer.pem")))
    made.requests = Renamed(DENIED, strict=True)
    for action, (_, answered) in pairs.items():
        made.rpc.on(IDENTITY, action, Said(answered))
    made.rpc.on(IDENTITY, "daemon_stats", Said({"starttime": CAPTURED_AT // 1000 - 86_400 * 7}))
    return made


class Renamed(RequestVerifier):
    """Asks whether the request is v1a's."""

    def certificate_request(self, text: str, public_key: str, identity: str) -> Any:
        return super().certificate_request(text, public_key, identity.replace(IDENTITY, NODE))


class RenamedCertificates(SuppliedVerifier):
    """Asks whether the certificate is v1a's."""

    def supplied(self, offer: Supplied, now: int) -> Examined:
        return super().supplied(replace(offer, names=(NODE, *offer.names[1:])), now)


async def test_a_request_is_asked_for_as_captured_and_the_captured_one_passes_every_check(
    bench: EffectsBench, pairs: dict[str, Pair]
):
    body = (await bench.perform(Effect.NEW_CSR)).body
    assert isinstance(body, Done), body
    asked, answered = pairs["gencsr"]
    assert dict(bench.sent.data) | {"cn": NODE} == asked
    assert isinstance(body.facts, CsrFacts)
    der = x509.load_pem_x509_csr(answered["csr"].encode()).public_bytes(Encoding.DER)
    assert (body.facts.digest, body.facts.directory) == (sha256(der).hexdigest(), answered["ssldir"])
    assert body.facts.checks == ""


async def test_the_certificate_of_the_capture_is_for_the_captured_request(bench: EffectsBench, pairs: dict[str, Pair]):
    body = (await bench.perform(Effect.NEW_CSR)).body
    assert isinstance(body, Done)
    assert isinstance(body.facts, CsrFacts)
    certificate = x509.load_pem_x509_certificate(pairs["configure"][0]["certificate"].encode())
    request = x509.load_pem_x509_csr(pairs["gencsr"][1]["csr"].encode())
    assert certificate.public_key() == request.public_key()


async def held(bench: EffectsBench, effect: Effect) -> Snapshot:
    """The node before this step, with what it answered to the steps before."""
    snapshot = bench.held(effect, key=None, token=None)
    csr = await bench.perform(Effect.NEW_CSR)
    assert isinstance(csr.body, Done)
    assert isinstance(csr.body.facts, CsrFacts)
    bench.hand.keep(snapshot, Name.CSR, json.loads(bench.opened(csr.secrets[0])))
    return replace(snapshot, facts=replace(snapshot.facts, csr=csr.body.facts))


async def test_the_helper_reads_what_it_read_from_the_older_program(bench: EffectsBench, shared: Path):
    snapshot = await held(bench, Effect.RUN_HELPER)
    inventory = (await bench.perform(Effect.FETCH_INVENTORY)).body
    claims = json.loads(bench.opened((await bench.perform(Effect.FETCH_JWT)).secrets[0]))
    bench.hand.keep(snapshot, Name.CLAIMS, claims)
    assert isinstance(inventory, Done)
    assert isinstance(inventory.facts, InventoryFacts)
    await bench.perform(Effect.RUN_HELPER, replace(snapshot, facts=replace(snapshot.facts, inventory=inventory.facts)))
    written = [encode_call(call).replace(IDENTITY.encode(), NODE.encode()) for call in bench.helper.calls]
    captured = (shared / "wire" / "helper-stdin-pki.json").read_bytes()
    assert {**json.loads(written[0]), "jwt": 0} == {**json.loads(captured), "jwt": 0}
    assert written == [captured]


async def test_a_configuration_is_sent_as_captured(bench: EffectsBench, pairs: dict[str, Pair]):
    asked, _ = pairs["configure"]
    snapshot = await held(bench, Effect.CONFIGURE)
    given = {name: asked[name] for name in ("certificate", "ca", "action_policies", "opa_policies")}
    reply = HelperReply(configuration=json.loads(asked["config"]), ssldir="/elsewhere", **given)
    bench.hand.keep_reply(snapshot, reply)
    body = (await bench.perform(Effect.CONFIGURE, snapshot)).body
    assert isinstance(body, Done), body
    assert len(asked) == 10
    assert dict(bench.sent.data) == asked


def supplied(pairs: dict[str, Pair], **changes: str) -> HelperReply:
    """What the helper of the capture answered, as far as the node was sent it."""
    asked, _ = pairs["configure"]
    given = {name: asked[name] for name in ("certificate", "ca", "action_policies", "opa_policies")} | changes
    return HelperReply(configuration=json.loads(asked["config"]), **given)


async def test_the_certificate_of_the_capture_passes_every_check(bench: EffectsBench, pairs: dict[str, Pair]):
    snapshot = await held(bench, Effect.RUN_HELPER)
    bench.hand.keep(snapshot, Name.CLAIMS, {})
    bench.certificates = RenamedCertificates(DENIED, strict=True)
    bench.helper.reply = supplied(pairs)
    body = (await bench.perform(Effect.RUN_HELPER, snapshot)).body
    assert isinstance(body, Done), body
    assert isinstance(body.facts, HelperFacts)
    assert (body.facts.key, body.facts.checks) == (False, "")


async def test_a_site_that_supplied_keys_sends_the_same_ten_inputs_and_the_two_of_the_key_filled(
    bench: EffectsBench, pairs: dict[str, Pair]
):
    asked, _ = pairs["configure"]
    snapshot = await held(bench, Effect.CONFIGURE)
    bench.hand.keep_reply(snapshot, supplied(pairs))
    wrapped = {"key": "-----BEGIN RSA PRIVATE KEY-----", "ecdh_public": "ab" * 32}
    bench.hand.keep(snapshot, Name.WRAPPED, wrapped)
    facts = replace(snapshot.facts, wrap=WrapFacts("0a" * 32))
    body = (await bench.perform(Effect.CONFIGURE, replace(snapshot, facts=facts))).body
    assert isinstance(body, Done), body
    assert dict(bench.sent.data) == asked | wrapped


def test_the_provisioning_token_of_the_capture_verifies_with_the_rsa_certificate_and_no_other_key(shared: Path):
    keys = shared / "wire" / "keys"
    text, certificate = (keys / "provisioning-v1-rs256.jwt").read_text(), keys / "provisioning-v1-signer.pem"
    verified = TokenVerifier(verify_key(str(certificate))).provisioning_token(text, CAPTURED_AT)
    assert verified.claims["purpose"] == "choria_provisioning"
    for other in ("ca.pem", "issuer-ed25519-public.hex"):
        with pytest.raises(TokenError):
            TokenVerifier(verify_key(str(keys / other))).provisioning_token(text, CAPTURED_AT)


def test_it_verifies_with_the_bare_public_key_too(shared: Path, tmp_path: Path):
    keys = shared / "wire" / "keys"
    certificate = x509.load_pem_x509_certificate((keys / "provisioning-v1-signer.pem").read_bytes())
    public = tmp_path / "public.pem"
    public.write_bytes(certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    text = (keys / "provisioning-v1-rs256.jwt").read_text()
    assert TokenVerifier(verify_key(str(public))).provisioning_token(text, CAPTURED_AT).jti
