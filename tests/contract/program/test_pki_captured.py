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
from cryptography.hazmat.primitives.serialization import Encoding

from fsm.effects import Effect
from fsm.events import CsrFacts, Done, InventoryFacts
from fsm.ports import HelperReply
from fsm.snapshot import Snapshot
from helpers.protocol import encode_call
from security.csr import RequestVerifier
from security.keyfiles import verify_key
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
