"""Everything signed that crossed the wire between real programs verifies here, and what we make has its form."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm.errors import TokenError
from security import chain, tokens
from security.claims import Purpose, provisioning_claims, purpose_of
from security.keyfiles import verify_key
from security.keys import Ed25519Key, RsaKey, signed_by
from security.ksuid import seconds_of
from security.node import server_token_misfit
from security.verifier import TokenVerifier
from tests.fakes.site import file_signer, order

NOW = 1_795_206_500_000  # when the captures had been made, and before anything in them expires
JWT = "eyJ"


@pytest.fixture(scope="module")
def wire(shared: Path) -> Path:
    return shared / "wire"


@pytest.fixture(scope="module")
def keys(wire: Path) -> Path:
    return wire / "keys"


@pytest.fixture(scope="module")
def issuer(keys: Path) -> Ed25519Key:
    key = verify_key(str(keys / "issuer-ed25519-public.hex"))
    assert isinstance(key, Ed25519Key)
    return key


@pytest.fixture(scope="module")
def rsa_key(keys: Path) -> RsaKey:
    key = verify_key(str(keys / "provisioning-v1-signer.pem"))
    assert isinstance(key, RsaKey)
    return key


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def texts(value: Any) -> Iterator[str]:
    """Every text in a document, and in the documents that its texts hold, plain or in base64."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value
        yield from texts(nested(value))


def nested(text: str) -> Any:
    for read in (lambda: text, lambda: b64decode(text, validate=True)):
        try:
            return json.loads(read())
        except ValueError:
            continue
    return None


def all_tokens(*captures: Path) -> list[str]:
    found = (text.strip() for path in captures for line in lines(path) for text in texts(line))
    return sorted({text for text in found if text.startswith(JWT) and text.count(".") == 2})


def secured(path: Path, kind: str) -> list[dict[str, Any]]:
    """The secure requests or replies of a v2 capture, decoded."""
    payloads = [nested(line.get("payload") or "") for line in lines(path)]
    data = [payload.get("data") for payload in payloads if isinstance(payload, dict)]
    documents = [nested(text) for text in data if isinstance(text, str)]
    return [document for document in documents if isinstance(document, dict) and kind in document]


def test_every_token_verifies(wire: Path, issuer: Ed25519Key, rsa_key: RsaKey):
    found = all_tokens(*sorted(wire.glob("*.jsonl")))
    purposes = []
    for text in found:
        token = tokens.decode(text)
        purpose = purpose_of(token.claims)
        if purpose is Purpose.PROVISIONING:
            verifier = TokenVerifier(issuer if token.algorithm == "EdDSA" else rsa_key)
            assert verifier.provisioning_token(text, NOW).provisions_by_default
        else:
            assert chain.verify_holder(text, issuer, NOW) == token.claims
        forged = replace(token, signature=bytes([token.signature[0] ^ 1]) + token.signature[1:])
        with pytest.raises(TokenError):
            tokens.verify(forged, issuer if token.algorithm == "EdDSA" else rsa_key)
        purposes.append(purpose)
    assert sorted(str(purpose) for purpose in purposes) == [
        "choria_client_id",
        *["choria_provisioning"] * 3,
        *["choria_server"] * 3,
    ]


def test_every_id_carries_its_second(wire: Path):
    found = all_tokens(wire / "v1-pki.jsonl", wire / "v2-ed25519.jsonl")
    for claims in (tokens.decode(text).claims for text in found):
        assert seconds_of(claims["jti"]) == claims["iat"] == claims["nbf"]


def test_every_chain_verifies_and_no_other_issuer_vouches_for_it(wire: Path, keys: Path, issuer: Ed25519Key):
    provisioner = Ed25519Key.from_hex((keys / "provisioner-ed25519-public.hex").read_text())
    checked = 0
    for claims in (tokens.decode(text).claims for text in all_tokens(wire / "v2-ed25519.jsonl")):
        if not claims.get("tcs"):
            continue
        expected = provisioner if claims["iss"].startswith("C-") else issuer
        assert chain.signer_of(claims, issuer) == expected
        with pytest.raises(TokenError):
            chain.signer_of(claims, provisioner)
        checked += 1
    assert checked == 3


def test_every_login_signs_the_brokers_nonce(wire: Path):
    nonces: dict[tuple[str, int], str] = {}
    checked = 0
    for line in lines(wire / "v2-ed25519.jsonl"):
        connection = (line["from"], line["connection"])
        if line["op"] == "info" and line["nonce"]:
            nonces[connection] = line["nonce"]
        if line["op"] == "connect" and "sig" in line["options"]:
            claims = tokens.decode(line["options"]["jwt"]).claims
            signature = urlsafe_b64decode(line["options"]["sig"] + "==")
            assert signed_by(bytes.fromhex(claims["public_key"]), nonces[connection].encode(), signature)
            checked += 1
    assert checked == 42


def test_every_request_is_signed_by_its_caller(wire: Path):
    requests = secured(wire / "v2-ed25519.jsonl", "request")
    for request in requests:
        public = bytes.fromhex(tokens.decode(request["caller"]).claims["public_key"])
        body, signature = b64decode(request["request"]), b64decode(request["signature"])
        assert signed_by(public, body, signature)
        assert not signed_by(public, body + b" ", signature)
    assert len(requests) == 16


def proofs(path: Path) -> list[tuple[str, str, str]]:
    """Public key, signature and nonce of every `gen25519` that was answered, paired by the request's id."""
    asked: dict[str, str] = {}
    for document in secured(path, "request"):
        request = json.loads(b64decode(document["request"]))
        body = nested(b64decode(request["message"]).decode())
        if isinstance(body, dict) and body["action"] == "gen25519":
            asked[request["id"]] = body["data"]["nonce"]
    found = []
    for document in secured(path, "reply"):
        reply = json.loads(b64decode(document["reply"]))
        if reply["request"] in asked:
            data = json.loads(b64decode(reply["message"]))["data"]
            found.append((data["public_key"], data["signature"], asked[reply["request"]]))
    return found


def test_every_node_proved_its_key(wire: Path, issuer: Ed25519Key):
    found = proofs(wire / "v2-ed25519.jsonl")
    rare = [line for line in lines(wire / "v2-rare.jsonl") if line.get("request", {}).get("action") == "gen25519"]
    for line in rare:
        data, nonce = line["reply"]["data"], line["request"]["data"]["nonce"]
        if data:
            found.append((data["public_key"], data["signature"], nonce))
    verifier = TokenVerifier(issuer)
    for public_key, signature, nonce in found:
        verifier.proof(public_key, signature, nonce)
        with pytest.raises(TokenError):
            verifier.proof(public_key, signature, nonce[::-1])
    assert len(found) == 4


@pytest.mark.parametrize("name", ["ed25519-1", "ed25519-2", "ed25519-3", "pki"])
def test_the_helper_is_shown_exactly_what_it_was_shown(
    wire: Path, keys: Path, issuer: Ed25519Key, rsa_key: RsaKey, name: str
):
    said = json.loads((wire / f"helper-stdin-{name}.json").read_text())["jwt"]
    kind = "v1-rs256" if name == "pki" else "v2"
    verifier = TokenVerifier(rsa_key if name == "pki" else issuer)
    shown = verifier.provisioning_token((keys / f"provisioning-{kind}.jwt").read_text(), NOW)
    assert json.dumps(shown.claims) == json.dumps(said)
    assert provisioning_claims(said) == said


def test_the_node_used_its_captured_token_and_our_own_has_the_same_form(wire: Path, tmp_path: Path):
    captured = [tokens.decode(text) for text in all_tokens(wire / "v2-ed25519.jsonl")]
    servers = [token.claims for token in captured if purpose_of(token.claims) is Purpose.SERVER]
    ours = file_signer(tmp_path).server_token(order(claims={"permissions": {"streams": True}}))
    claims = tokens.decode(ours.text).claims
    for theirs in servers:
        assert list(claims) == list(theirs)
        assert [type(value) for value in claims.values()] == [type(value) for value in theirs.values()]
        assert [len(claims[name]) for name in ("tcs", "public_key", "iss", "jti")] == [
            len(theirs[name]) for name in ("tcs", "public_key", "iss", "jti")
        ]
    assert len(servers) == 2
    assert ours.text.split(".")[0] == all_tokens(wire / "v2-ed25519.jsonl")[0].split(".")[0]


def test_a_node_would_use_its_captured_token(wire: Path):
    for text in all_tokens(wire / "v2-ed25519.jsonl"):
        claims = tokens.decode(text).claims
        if claims["purpose"] == "choria_server":
            assert server_token_misfit(text, claims["public_key"], claims["identity"], NOW) is None


def test_the_reference_configuration_names_a_key_that_is_read(shared: Path):
    text = (shared / "reference" / "issuer-network.yaml").read_text()
    value = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("jwt_verify_cert"))
    assert verify_key(value) == Ed25519Key.from_hex(value)
