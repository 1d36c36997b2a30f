"""What the effects send is what the older program sent, and what real nodes answered is understood."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm.effects import Effect
from fsm.events import Certainty, Done, Failed, InventoryFacts, KeyFacts
from fsm.ports import HelperReply
from fsm.reasons import Reason
from helpers.protocol import encode_call
from security.keyfiles import verify_key
from security.verifier import TokenVerifier
from tests.fakes.effects import IDENTITY, EffectsBench
from tests.fakes.rpc import Said
from transport.wire import v2
from usher.effects.hand import Name

CAPTURED_AT = 1_795_202_327_000
Pair = tuple[dict[str, Any], dict[str, Any]]


class Witness(TokenVerifier):
    """Checks proofs against the nonce that was captured: ours is another."""

    nonce = ""

    def proof(self, public_key: str, signature: str, nonce: str) -> None:
        super().proof(public_key, signature, self.nonce)


@pytest.fixture(scope="module")
def pairs(shared: Path) -> dict[str, Pair]:
    """Of each action the request to v2a and what it answered: data in, data out."""
    requests: dict[str, tuple[str, dict[str, Any]]] = {}
    found: dict[str, Pair] = {}
    for line in (shared / "wire" / "v2-ed25519.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["op"] != "pub":
            continue
        if row["subject"] == "provisioning.node.v2a.example.net":
            request = v2.decode_request(row["payload"].encode())
            asked = json.loads(request.payload)
            requests[request.request_id] = (asked["action"], asked["data"])
        elif row["subject"].startswith("provisioning.reply.") and row["from"] == "server":
            reply = v2.decode_reply(row["payload"].encode())
            if reply.request_id in requests and b"statuscode" in reply.payload:
                action, data = requests[reply.request_id]
                found.setdefault(action, (data, json.loads(reply.payload)["data"]))
    assert set(found) == {"jwt", "inventory", "gen25519", "configure", "restart"}
    return found


@pytest.fixture
def bench(shared: Path, tmp_path: Path, pairs: dict[str, Pair]) -> EffectsBench:
    made = EffectsBench(tmp_path)
    made.clock.at = CAPTURED_AT
    made.verifier = Witness(verify_key((shared / "wire/keys/issuer-ed25519-public.hex").read_text().strip()))
    made.verifier.nonce = pairs["gen25519"][0]["nonce"]
    for action, (_, answered) in pairs.items():
        made.rpc.on(IDENTITY, action, Said(answered))
    return made


@pytest.mark.parametrize(
    ("effect", "action"),
    [(Effect.FETCH_JWT, "jwt"), (Effect.FETCH_INVENTORY, "inventory"), (Effect.RESTART, "restart")],
)
async def test_the_request_is_the_captured_one(
    bench: EffectsBench, pairs: dict[str, Pair], effect: Effect, action: str
):
    body = (await bench.perform(effect)).body
    assert isinstance(body, Done), body
    assert (bench.sent.action, dict(bench.sent.data)) == (action, pairs[action][0])


async def test_a_new_key_is_asked_for_as_captured_but_for_the_nonce(bench: EffectsBench, pairs: dict[str, Pair]):
    body = (await bench.perform(Effect.NEW_KEY)).body
    assert isinstance(body, Done), body
    asked, answered = pairs["gen25519"]
    sent = dict(bench.sent.data)
    assert sent.keys() == asked.keys()
    assert len(str(sent["nonce"])) == len(asked["nonce"])
    assert sent | {"nonce": 0} == asked | {"nonce": 0}
    assert isinstance(body.facts, KeyFacts)
    assert body.facts.public_key == answered["public_key"]


def helper_reply(asked: dict[str, Any]) -> HelperReply:
    """What the helper must have answered for this to be sent."""
    given = {name: asked[name] for name in ("certificate", "ca", "ssldir", "action_policies", "opa_policies")}
    return HelperReply(configuration=json.loads(asked["config"]), **given)


async def test_a_configuration_is_sent_as_captured_but_for_the_token(bench: EffectsBench, pairs: dict[str, Pair]):
    asked, _ = pairs["configure"]
    snapshot = bench.held(Effect.CONFIGURE)
    bench.hand.keep_reply(snapshot, helper_reply(asked))
    bench.hand.keep(snapshot, Name.TOKEN, {"token": asked["server_jwt"]})
    body = (await bench.perform(Effect.CONFIGURE, snapshot)).body
    assert isinstance(body, Done), body
    assert len(asked) == 10
    assert dict(bench.sent.data) == asked


async def test_the_helper_reads_what_it_read_from_the_older_program(bench: EffectsBench, shared: Path):
    inventory = await bench.perform(Effect.FETCH_INVENTORY)
    body = inventory.body
    assert isinstance(body, Done)
    held = bench.held(Effect.RUN_HELPER)
    claims = json.loads(bench.opened((await bench.perform(Effect.FETCH_JWT)).secrets[0]))
    proof = json.loads(bench.opened((await bench.perform(Effect.NEW_KEY)).secrets[0]))
    bench.hand.keep(held, Name.CLAIMS, claims)
    bench.hand.keep(held, Name.PROOF, proof)
    assert isinstance(body.facts, InventoryFacts)
    await bench.perform(Effect.RUN_HELPER, replace(held, facts=replace(held.facts, inventory=body.facts)))
    written = [encode_call(call).replace(IDENTITY.encode(), b"v2a.example.net") for call in bench.helper.calls]
    captured = (shared / "wire" / "helper-stdin-ed25519-1.json").read_bytes()
    assert json.loads(written[0])["inventory"] == json.loads(captured)["inventory"]
    assert written == [captured]


REFUSED = {
    "Could not obtain provisioning lock": Reason.LOCK_HELD,
    "Incorrect provision token supplied": Reason.WRONG_TOKEN,
    "enables provisioning, restart cannot continue": Reason.CONFIG_KEEPS_PROVISIONING,
}
EFFECTS = {
    "jwt": Effect.FETCH_JWT,
    "gen25519": Effect.NEW_KEY,
    "configure": Effect.CONFIGURE,
    "restart": Effect.RESTART,
}


async def test_every_captured_refusal_has_its_reason(bench: EffectsBench, shared: Path):
    lines = (shared / "wire" / "v2-rare.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row.get("reply", {}).get("statuscode")]
    seen = set()
    for row in rows:
        action, reply = row["request"]["action"], row["reply"]
        if action not in EFFECTS:
            continue
        bench.says(action, reply["data"], reply["statuscode"], reply["statusmsg"])
        body = (await bench.perform(EFFECTS[action])).body
        assert isinstance(body, Failed)
        wanted = [reason for sign, reason in REFUSED.items() if sign in reply["statusmsg"]] or [Reason.REFUSED]
        assert (body.certainty, body.reason) == (Certainty.REFUSED, wanted[0]), reply
        seen.add(body.reason)
    assert set(REFUSED.values()) <= seen
