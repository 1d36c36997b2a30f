"""The trust chain, both directions: what is built verifies, and each rule of wire/provisioning.md §1.7 refuses."""

from __future__ import annotations

from typing import Any

import pytest

from fsm.errors import TokenError
from fsm.reasons import Reason
from security import chain, tokens
from security.issuing import make_issuer, make_signer
from security.keys import Ed25519Key, SigningKey
from security.ksuid import ksuid
from tests.fakes.site import ENTROPY, ISSUER, NODE, NOW, NOW_S, ORGANIZATION, SIGNER, VERIFIES, YEAR, changed, claims_of

HOLDER = claims_of(SIGNER.token)
HOLDER_KEY = SigningKey.from_hex(SIGNER.seed_hex)


def server(**changes: Any) -> dict[str, Any]:
    """The claims of a chained server token, with changes made after the chain was built."""
    jti = ksuid(NOW_S, ENTROPY)
    link = chain.issued(HOLDER, HOLDER_KEY, jti)
    claims = {
        "identity": "n1", "collectives": ["choria"], "ou": "choria", "purpose": "choria_server", "tcs": link.tcs,
        "public_key": NODE.public_hex, "issexp": link.issexp, "iss": link.iss, "exp": NOW_S + 3600, "nbf": NOW_S,
        "iat": NOW_S, "jti": jti,
    }  # fmt: skip
    return changed(claims, **changes)


def refusal(claims: dict[str, Any], organization: Ed25519Key = VERIFIES) -> str:
    with pytest.raises(TokenError) as caught:
        chain.signer_of(claims, organization)
    assert caught.value.reason is Reason.TOKEN_INVALID
    return caught.value.detail


def test_what_is_built_has_the_documented_form():
    claims = server()
    assert HOLDER["iss"] == f"I-{ISSUER.public_hex}"
    assert len(HOLDER["tcs"]) == 128
    assert claims["iss"] == f"C-{HOLDER['jti']}.{SIGNER.public_hex}"
    assert claims["tcs"].startswith(HOLDER["tcs"] + ".")
    assert len(claims["tcs"]) == 257
    assert claims["issexp"] == HOLDER["exp"]


def test_a_built_chain_verifies_and_names_who_signed_the_token():
    assert chain.signer_of(server(), VERIFIES) == Ed25519Key(HOLDER_KEY.public)
    assert chain.signer_of(HOLDER, VERIFIES) == VERIFIES


@pytest.mark.parametrize("name", ["iss", "public_key", "tcs", "jti", "iat", "exp"])
@pytest.mark.parametrize("empty", [..., None, 0, ""])
@pytest.mark.parametrize("kind", ["server", "holder"])
def test_rule_1_every_claim_that_the_chain_needs_must_be_there(name: str, empty: Any, kind: str):
    claims = changed(server() if kind == "server" else HOLDER, **{name: empty})
    assert name in refusal(claims)


def test_rule_1_the_id_carries_the_time_of_issue():
    assert "id is not based on issued time" in refusal(server(iat=NOW_S + 1))
    assert "no KSUID" in refusal(server(jti="not-a-ksuid"))


def test_rule_2_another_organization_is_refused():
    other = Ed25519Key.from_hex(make_issuer(b"o" * 32).public_hex)
    assert "another organization's key" in refusal(HOLDER, other)
    assert "another organization's key" in refusal(changed(HOLDER, iss=f"I-{NODE.public_hex}"))


def test_rule_2_the_signature_covers_id_and_key():
    assert "not the organization issuer's" in refusal(changed(HOLDER, public_key=NODE.public_hex))
    assert "not the organization issuer's" in refusal(changed(HOLDER, jti=ksuid(NOW_S, b"x" * 16)))
    assert "not the organization issuer's" in refusal(changed(HOLDER, tcs="0" * 128))
    assert "hexadecimal" in refusal(changed(HOLDER, tcs="00"))


def test_rule_3_the_expiry_of_the_issuer_is_required():
    assert "no issuer expires set" in refusal(server(issexp=...))


@pytest.mark.parametrize("name", ["iss", "tcs"])
@pytest.mark.parametrize("text", ["{}", "{}.", ".{}", "{}.{}.{}"])
def test_rule_3_issuer_and_signature_have_exactly_two_parts(name: str, text: str):
    value = text.replace("{}", "0" * 64)
    assert f"its {name} is not two parts" in refusal(server(**{name: "C-" + value if name == "iss" else value}))


def test_rule_3_the_chain_issuer_must_be_vouched_for():
    other = make_signer(make_issuer(b"o" * 32), "x", NOW_S, YEAR)
    link = chain.issued(claims_of(other.token), SigningKey.from_hex(other.seed_hex), ksuid(NOW_S, ENTROPY))
    assert "not vouched for" in refusal(server(iss=link.iss, tcs=link.tcs))
    assert "not vouched for" in refusal(server(iss=f"C-{HOLDER['jti']}.{NODE.public_hex}"))


def test_rule_3_the_chain_issuer_must_have_signed_this_id():
    assert "not the chain issuer's" in refusal(server(jti=ksuid(NOW_S, b"x" * 16)))
    assert "hexadecimal" in refusal(server(tcs=f"{HOLDER['tcs']}.zz"))


def test_rule_3_the_key_in_the_issuer_is_a_key():
    trust = ORGANIZATION.sign(b"x.abc").hex()
    assert "the key in its iss" in refusal(server(iss="C-x.abc", tcs=f"{trust}.{'0' * 128}"))


@pytest.mark.parametrize("issuer", ["X-abc", "Choria Provisioner", "c-abc.def", "-"])
def test_rule_4_another_issuer_is_no_chain(issuer: str):
    assert "unsupported issuer format" in refusal(server(iss=issuer))


def verified(claims: dict[str, Any], key: SigningKey = HOLDER_KEY, now: int = NOW) -> dict[str, Any]:
    return chain.verify_holder(tokens.sign(claims, key), VERIFIES, now)


def reason(claims: dict[str, Any], key: SigningKey = HOLDER_KEY, now: int = NOW) -> Reason:
    with pytest.raises(TokenError) as caught:
        verified(claims, key, now)
    return caught.value.reason


def test_a_chained_token_is_signed_by_the_chain_issuer_and_by_nobody_else():
    assert verified(server())["identity"] == "n1"
    assert reason(server(), ORGANIZATION) is Reason.TOKEN_INVALID
    assert reason(server(), NODE) is Reason.TOKEN_INVALID


def test_rule_5_a_server_token_must_be_unexpired_by_the_earlier_time():
    assert reason(server(issexp=NOW_S - 1)) is Reason.TOKEN_EXPIRED
    assert verified(server(issexp=NOW_S), now=NOW)
    assert reason(server(issexp=NOW_S), now=NOW + 1) is Reason.TOKEN_EXPIRED
    assert reason(server(exp=NOW_S)) is Reason.TOKEN_EXPIRED


def test_rule_5_a_server_token_with_an_organization_issuer_is_refused():
    claims = changed(HOLDER, purpose="choria_server", identity="n1")
    assert reason(claims, ORGANIZATION) is Reason.TOKEN_EXPIRED


def test_a_signer_token_is_verified_by_its_signature_alone():
    assert verified(changed(HOLDER, tcs="00"), ORGANIZATION)["callerid"] == "provisioner_signer"


def test_a_server_token_without_a_chain_is_verified_with_the_organizations_key():
    plain = server(iss="Choria Provisioner", tcs=..., issexp=...)
    assert verified(plain, ORGANIZATION)
    assert reason(plain, HOLDER_KEY) is Reason.TOKEN_INVALID


def test_a_token_of_another_purpose_is_refused():
    plain = server(iss="x", tcs=..., issexp=..., purpose="choria_provisioning")
    assert reason(plain, ORGANIZATION) is Reason.TOKEN_PURPOSE


@pytest.mark.parametrize("name", ["jti", "public_key", "exp", "tcs"])
def test_who_lacks_a_claim_cannot_issue(name: str):
    with pytest.raises(TokenError, match=f"{name} is not set"):
        chain.issued(changed(HOLDER, **{name: ...}), HOLDER_KEY, "id")


def test_the_effective_expiry_is_the_earlier_one_that_exists():
    assert chain.expiry({"exp": 5, "issexp": 7}) == 5
    assert chain.expiry({"exp": 9, "issexp": 7}) == 7
    assert chain.expiry({"issexp": 7}) == 7
    assert chain.expiry({"exp": 5}) == 5
    assert chain.expiry({}) is None
