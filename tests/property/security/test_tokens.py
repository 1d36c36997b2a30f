"""Whatever a node, a helper or a file says: a value or TokenError, and nothing else."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fsm.errors import TokenError
from security import chain
from security.authority import Authority
from security.issuing import make_provisioning_token
from security.keys import SigningKey
from security.ksuid import EPOCH, ksuid, seconds_of
from security.node import server_token_misfit
from security.signer import FileSigner
from security.verifier import TokenVerifier
from tests.fakes.site import (
    ISSUER,
    NODE,
    NOW,
    NOW_S,
    ORGANIZATION,
    SIGNER,
    VERIFIES,
    YEAR,
    changed,
    claims_of,
    file_signer,
    order,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
PROVISIONING = claims_of(make_provisioning_token(ISSUER, NOW_S, YEAR, token="s", urls=["nats://a:1"]))
NAMES = sorted({*PROVISIONING, *claims_of(SIGNER.token), "issexp", "identity", "aud", "update"})
WISHES = st.dictionaries(
    st.sampled_from(["ou", "collectives", "pub_subjects", "permissions", "exp", "Exp", "identity"]) | st.text(), JSON
)


def part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Any, claims: Any, key: SigningKey = ORGANIZATION) -> str:
    covered = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{covered}.{part(key.sign(covered.encode()))}"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> FileSigner:
    where: Path = tmp_path_factory.mktemp("signer")
    return file_signer(where)


@given(st.text() | st.binary().map(lambda data: f"{part(data)}.{part(data)}.{part(data)}") | JSON)
@example("." * 3)
@example("eyJhbGciOiJFZERTQSJ9." + "W" * 60_000 + ".YQ")
def test_any_text_is_refused_by_every_reader(text: Any):
    verifier = TokenVerifier(VERIFIES)
    with pytest.raises(TokenError):
        verifier.provisioning_token(text, NOW)
    with pytest.raises(TokenError):
        chain.verify_holder(text, VERIFIES, NOW)
    assert isinstance(server_token_misfit(text, NODE.public_hex, "n1", NOW), str)


@given(st.dictionaries(st.sampled_from(["alg", "typ", "crit", "kid", "b64"]), JSON), JSON)
def test_a_good_signature_over_anything_makes_no_other_error(header: dict[str, Any], claims: Any):
    text = signed({"alg": "EdDSA", **header}, claims)
    with suppress(TokenError):
        TokenVerifier(VERIFIES).provisioning_token(text, NOW)
    with suppress(TokenError):
        chain.verify_holder(text, VERIFIES, NOW)
    server_token_misfit(text, NODE.public_hex, "n1", NOW)


@given(st.dictionaries(st.sampled_from(NAMES), JSON, min_size=1, max_size=4))
def test_claims_of_any_type_make_no_other_error(changes: dict[str, Any]):
    header = {"alg": "EdDSA", "typ": "JWT"}
    with suppress(TokenError):
        shown = TokenVerifier(VERIFIES).provisioning_token(signed(header, changed(PROVISIONING, **changes)), NOW)
        assert {"cht", "chs", "chpd", "extensions", "ou", "purpose"} <= set(shown.claims)
    with suppress(TokenError):
        chain.signer_of(changed(claims_of(SIGNER.token), **changes), VERIFIES)


@given(st.data())
def test_a_token_with_one_changed_character_never_verifies(data: st.DataObject):
    text = make_provisioning_token(ISSUER, NOW_S, YEAR, token="s", urls=["nats://a:1"])
    place = data.draw(st.integers(0, len(text) - 2))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda drawn: drawn != text[place] and not drawn.isspace()))
    with pytest.raises(TokenError):
        TokenVerifier(VERIFIES).provisioning_token(text[:place] + letter + text[place + 1 :], NOW)


@given(JSON, JSON, st.text())
def test_a_proof_of_anything_is_refused(public_key: Any, signature: Any, nonce: str):
    with pytest.raises(TokenError):
        TokenVerifier(VERIFIES).proof(public_key, signature, nonce)


@given(st.text(st.sampled_from("0123456789abcdef"), min_size=64, max_size=64), st.binary(min_size=64, max_size=64))
def test_no_random_proof_is_accepted(public_key: str, signature: bytes):
    with pytest.raises(TokenError):
        TokenVerifier(VERIFIES).proof(public_key, signature.hex(), "nonce")


@given(WISHES, st.dictionaries(st.sampled_from(["collectives", "plugin.security.provider"]), st.text()))
def test_any_wish_gives_a_token_that_verifies_or_a_named_field(signer: FileSigner, claims: Any, configuration: Any):
    try:
        made = signer.server_token(order(claims=claims, configuration=configuration))
    except TokenError as error:
        assert error.detail.startswith(("server_claims.", "configuration.collectives"))  # noqa: PT017 either ends well
        return
    said = chain.verify_holder(made.text, VERIFIES, NOW + 60_123) if made.expires > NOW_S + 61 else claims_of(made.text)
    assert said["identity"] == "n1.example.net"
    assert said["public_key"] == NODE.public_hex
    assert NOW_S + 60 < said["exp"] <= said["issexp"]
    assert not any(letter in name for name in said["collectives"] for letter in "\n\r\t*>\0")


@given(st.integers(NOW, NOW + YEAR * 1000 - 1), st.binary(min_size=16, max_size=16))
def test_the_same_order_always_gives_the_same_bytes(signer: FileSigner, at: int, entropy: bytes):
    given_order = order(at=at, entropy=entropy)
    again = Authority.of(SigningKey.from_hex(SIGNER.seed_hex), None)
    assert signer.server_token(given_order) == signer.server_token(given_order)
    assert again.server_token(given_order, YEAR).jti == signer.server_token(given_order).jti


@given(st.integers(EPOCH, EPOCH + 0xFFFFFFFF), st.binary(min_size=16, max_size=16))
def test_an_id_carries_its_second_and_sorts_by_it(seconds: int, entropy: bytes):
    text = ksuid(seconds, entropy)
    assert seconds_of(text) == seconds
    assert len(text) == 27
    if seconds > EPOCH:
        assert ksuid(seconds - 1, b"\xff" * 16) < text


@given(st.text())
def test_any_text_is_an_id_or_a_value_error(text: str):
    with suppress(ValueError):
        assert ksuid(seconds_of(text), bytes(16))[:5] <= text[:5]
