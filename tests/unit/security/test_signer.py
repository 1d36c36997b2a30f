"""The signer of server tokens: every rule of wire/provisioning.md §3.7, and what makes it refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm.errors import TokenError
from fsm.reasons import Reason
from security import chain, tokens
from security.issuing import make_issuer, make_signer
from security.keys import Ed25519Key, SigningKey
from security.ksuid import ksuid
from security.node import server_token_misfit
from security.problems import CredentialError
from security.signer import FileSigner, inspect_signer
from tests.fakes.site import (
    DAY,
    ENTROPY,
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
    signer_files,
    written,
)

AT = NOW_S + 60


def resigned(key: SigningKey = ORGANIZATION, **changes: Any) -> Any:
    """The signer with other claims in its token, signed by that key."""
    return replace(SIGNER, token=tokens.sign(changed(claims_of(SIGNER.token), **changes), key))


def refusal(signer: FileSigner, **fields: Any) -> tuple[Reason, str]:
    with pytest.raises(TokenError) as caught:
        signer.server_token(order(**fields))
    return caught.value.reason, caught.value.detail


def test_a_chained_token_says_exactly_what_the_captured_ones_say(tmp_path: Path):
    made = file_signer(tmp_path).server_token(order(configuration={"plugin.security.provider": "choria"}))
    claims = claims_of(made.text)
    holder = claims_of(SIGNER.token)
    assert list(claims) == [
        "identity", "collectives", "ou", "purpose", "tcs", "public_key", "issexp", "iss", "exp", "nbf", "iat", "jti",
    ]  # fmt: skip
    assert (claims["identity"], claims["collectives"], claims["ou"]) == ("n1.example.net", ["choria"], "choria")
    assert (claims["nbf"], claims["iat"], claims["jti"]) == (AT, AT, ksuid(AT, ENTROPY))
    assert (claims["exp"], claims["issexp"]) == (holder["exp"], holder["exp"])
    assert (made.jti, made.expires, made.warnings) == (claims["jti"], claims["exp"], ())


def test_a_chained_token_is_accepted_by_the_broker_and_by_the_node(tmp_path: Path):
    made = file_signer(tmp_path).server_token(order())
    assert chain.verify_holder(made.text, VERIFIES, NOW + 61_000)["identity"] == "n1.example.net"
    assert server_token_misfit(made.text, NODE.public_hex, "n1.example.net", NOW + 61_000) is None


def test_the_same_order_gives_the_same_bytes_and_another_does_not(tmp_path: Path):
    signer = file_signer(tmp_path)
    first = signer.server_token(order())
    (tmp_path / "again").mkdir()
    assert file_signer(tmp_path / "again").server_token(order()) == first
    assert signer.server_token(order(at=NOW + 60_999)).text == first.text
    assert signer.server_token(order(at=NOW + 61_000)).text != first.text
    assert signer.server_token(order(entropy=bytes(16))).text != first.text


def test_all_wishes_are_in_the_token(tmp_path: Path):
    claims = {
        "ou": "acme",
        "collectives": ["a"],
        "pub_subjects": ["x.y"],
        "permissions": {"streams": True},
        "exp": AT + 9,
    }
    made = file_signer(tmp_path).server_token(order(claims=claims))
    said = claims_of(made.text)
    assert {name: said[name] for name in claims} == claims
    assert made.expires == AT + 9


def test_the_helper_cannot_choose_identity_key_or_chain(tmp_path: Path):
    evil = {"identity": "evil", "public_key": "00", "iss": "x", "jti": "x", "purpose": "x", "tcs": "", "nbf": 1}
    signer = file_signer(tmp_path)
    assert signer.server_token(order(claims=evil)) == signer.server_token(order())


def test_the_sample_helpers_expiry_means_the_default_with_a_warning(tmp_path: Path):
    made = file_signer(tmp_path, validity=DAY).server_token(order(claims={"exp": 157_680_000}))
    assert made.expires == AT + DAY
    assert "exp is a point in time" in made.warnings[0]


def test_a_short_validity_is_honoured(tmp_path: Path):
    made = file_signer(tmp_path).server_token(order(claims={"exp": AT + 600}))
    assert (made.expires, made.warnings) == (AT + 600, ())


def test_a_wrong_field_of_the_helper_is_named(tmp_path: Path):
    reason, detail = refusal(file_signer(tmp_path), claims={"collectives": "a"})
    assert reason is Reason.HELPER_BAD_OUTPUT
    assert "server_claims.collectives" in detail


def test_without_a_signer_token_the_issuer_is_the_older_programs(tmp_path: Path):
    signer = FileSigner(written(tmp_path / "seed", ISSUER.seed_hex), None, YEAR)
    made = signer.server_token(order())
    claims = claims_of(made.text)
    assert claims["iss"] == "Choria Provisioner"
    assert not {"tcs", "issexp"} & set(claims)
    assert claims["exp"] == AT + YEAR
    assert chain.verify_holder(made.text, VERIFIES, NOW + 61_000)


def test_an_expired_signer_token_refuses_to_sign_and_says_so(tmp_path: Path):
    signer = file_signer(tmp_path)
    reason, detail = refusal(signer, at=(NOW_S + YEAR) * 1000)
    assert reason is Reason.SIGNER_UNUSABLE
    assert detail.startswith("the signer token (jwt_signing_token) expired at 2027-11-20T")
    assert signer.server_token(order(at=(NOW_S + YEAR) * 1000 - 1))


def test_a_signer_token_of_the_future_or_without_expiry_refuses_to_sign(tmp_path: Path):
    assert "not valid before" in refusal(file_signer(tmp_path), at=NOW - 1)[1]
    assert "no exp" in refusal(file_signer(tmp_path, resigned(exp=...)))[1]


@pytest.mark.parametrize(("key", "reason"), [("", Reason.KEY_INVALID), ("00", Reason.KEY_INVALID)])
def test_a_key_of_another_length_is_refused(tmp_path: Path, key: str, reason: Reason):
    assert refusal(file_signer(tmp_path), public_key=key)[0] is reason


@pytest.mark.parametrize("identity", ["", ">", "*", "a b", "a/b", "..", "a\n"])
def test_an_unsafe_identity_is_never_signed(tmp_path: Path, identity: str):
    assert refusal(file_signer(tmp_path), identity=identity)[0] is Reason.SIGNER_UNUSABLE


def test_an_order_without_a_time_that_fits_is_refused(tmp_path: Path):
    signer = FileSigner(written(tmp_path / "seed", ISSUER.seed_hex), None, YEAR)
    assert refusal(signer, at=0)[0] is Reason.SIGNER_UNUSABLE
    assert refusal(signer, entropy=b"")[0] is Reason.SIGNER_UNUSABLE


def test_the_key_in_the_token_is_lower_case(tmp_path: Path):
    made = file_signer(tmp_path).server_token(order(public_key=NODE.public_hex.upper()))
    assert claims_of(made.text)["public_key"] == NODE.public_hex


OTHER = make_issuer(b"o" * 32)


@pytest.mark.parametrize(
    ("material", "check"),
    [
        (resigned(tcs=...), "signer_tcs"),
        (resigned(tcs=""), "signer_tcs"),
        (resigned(iss="Choria Tokens Package"), "signer_issuer"),
        (resigned(iss="C-a.b"), "signer_issuer"),
        (resigned(iss="I-abc"), "signer_issuer"),
        (resigned(iss=ISSUER.public_hex), "signer_issuer"),
        (resigned(iss=f"I-{OTHER.public_hex}"), "signer_chain"),
        (resigned(tcs="0" * 128), "signer_chain"),
        (resigned(NODE), "signer_chain"),
        (resigned(jti=ksuid(NOW_S, b"x" * 16)), "signer_chain"),
        (resigned(purpose="choria_server"), "token_purpose"),
        (resigned(public_key=NODE.public_hex), "seed_mismatch"),
        (resigned(public_key=...), "token_public_key"),
        (resigned(tcs=5), "token_claims"),
        (resigned(exp="x"), "token_claims"),
        (replace(SIGNER, token="nonsense"), "token_format"),
        (replace(SIGNER, token=""), "token_empty"),
        (replace(SIGNER, seed_hex="short"), "seed_format"),
        (replace(SIGNER, seed_hex=NODE.seed_hex), "seed_mismatch"),
    ],
)  # fmt: skip
def test_what_makes_a_signer_useless_is_found_at_construction_and_listed(tmp_path: Path, material: Any, check: str):
    with pytest.raises(CredentialError) as caught:
        file_signer(tmp_path, material)
    assert caught.value.problem.check == check
    assert caught.value.problem.fatal
    assert caught.value.problem.next
    listed = inspect_signer(tmp_path / "signer.seed", tmp_path / "signer.jwt", NOW)
    assert check in {problem.check for problem in listed}


def test_good_files_have_no_problems_and_times_are_listed(tmp_path: Path):
    files = signer_files(tmp_path)
    assert inspect_signer(*files, NOW) == ()
    (late,) = inspect_signer(*files, NOW + 2 * YEAR * 1000)
    (early,) = inspect_signer(*files, NOW - 1)
    assert (late.check, early.check) == ("token_expired", "token_not_yet_valid")
    signer = FileSigner(*files, YEAR)
    assert signer.problems(NOW) == ()
    assert signer.problems(NOW + 2 * YEAR * 1000) == (late,)
    (tmp_path / "endless").mkdir()
    (endless,) = inspect_signer(*signer_files(tmp_path / "endless", resigned(exp=...)), NOW)
    assert endless.check == "token_expiry_missing"


def test_both_wrong_files_are_listed_at_once(tmp_path: Path):
    written(tmp_path / "signer.seed", SIGNER.seed_hex + "\n", 0o644)
    listed = inspect_signer(tmp_path / "signer.seed", tmp_path / "none", NOW)
    assert [problem.check for problem in listed] == ["seed_format", "file_missing"]
    assert [problem.check for problem in inspect_signer(tmp_path / "none", None, NOW)] == ["file_missing"]


def test_a_readable_seed_warns_and_strict_refuses(tmp_path: Path):
    signer_files(tmp_path)
    (tmp_path / "signer.seed").chmod(0o644)
    files = (tmp_path / "signer.seed", tmp_path / "signer.jwt")
    assert [problem.check for problem in FileSigner(*files, YEAR).warnings] == ["secret_readable"]
    with pytest.raises(CredentialError, match="everybody may read"):
        FileSigner(*files, YEAR, strict=True)


def test_the_id_names_key_and_token_and_nothing_else(tmp_path: Path):
    signer = file_signer(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    assert len(signer.id) == 16
    assert file_signer(tmp_path / "b").id == signer.id == signer.server_token(order()).signer
    renewed = file_signer(tmp_path / "c", resigned(exp=NOW_S + 2 * YEAR))
    assert renewed.id != signer.id
    assert SIGNER.seed_hex[:8] not in signer.id
    assert FileSigner(tmp_path / "signer.seed", None, YEAR).id not in {signer.id, renewed.id}


def replaced(path: Path, text: str) -> None:
    """Replace a file as a careful tool does: a new one is renamed over it."""
    written(path.with_suffix(".new"), text).rename(path)


def test_files_that_are_replaced_are_used_once_they_were_read_and_taken(tmp_path: Path):
    signer = file_signer(tmp_path)
    before = signer.server_token(order())
    other = make_signer(ISSUER, "provisioner_signer", NOW_S, YEAR)
    replaced(tmp_path / "signer.seed", other.seed_hex)
    with pytest.raises(CredentialError, match="the seed of jwt_signing_key"):
        signer.renewed()
    replaced(tmp_path / "signer.jwt", other.token)
    found = signer.renewed()
    assert (signer.server_token(order()), signer.id) == (before, before.signer)
    signer.take(found)
    after = signer.server_token(order())
    assert after.signer == signer.id == found.id != before.signer
    assert other.public_hex in claims_of(after.text)["iss"]
    assert chain.verify_holder(after.text, Ed25519Key.from_hex(ISSUER.public_hex), NOW + 61_000)


def test_files_that_vanish_change_nothing(tmp_path: Path):
    signer = file_signer(tmp_path)
    made = signer.server_token(order())
    (tmp_path / "signer.jwt").unlink()
    with pytest.raises(CredentialError, match="no such file"):
        signer.renewed()
    assert signer.server_token(order()) == made


def test_a_claim_of_another_type_is_listed_once(tmp_path: Path):
    assert [problem.check for problem in inspect_signer(*signer_files(tmp_path, resigned(exp="x")), NOW)] == [
        "token_claims"
    ]


def test_a_signer_token_is_good_from_its_first_millisecond_on(tmp_path: Path):
    assert file_signer(tmp_path).server_token(order(at=NOW))
