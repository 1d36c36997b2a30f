"""The client's credentials: what they give, and what is said about useless ones."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from security import tokens
from security.client import ClientCredentials, inspect_client
from security.issuing import SignerMaterial, make_signer
from security.keys import signed_by
from security.problems import CredentialError
from tests.fakes.site import ISSUER, NODE, NOW, NOW_S, ORGANIZATION, SIGNER, YEAR, changed, claims_of, signer_files


def credentials(where: Path, material: SignerMaterial = SIGNER, **options: Any) -> ClientCredentials:
    seed, token = signer_files(where, material)
    return ClientCredentials(token, seed, **options)


def resigned(**changes: Any) -> SignerMaterial:
    return replace(SIGNER, token=tokens.sign(changed(claims_of(SIGNER.token), **changes), ORGANIZATION))


def test_they_give_caller_and_stripped_token(tmp_path: Path):
    client = credentials(tmp_path)
    assert client.caller == "provisioner_signer"
    assert client.token == SIGNER.token
    assert client.claims["permissions"]["provisioner"] is True
    assert client.warnings == ()


def test_a_request_signature_is_64_raw_bytes(tmp_path: Path):
    signature = credentials(tmp_path).sign(b"request")
    assert signed_by(bytes.fromhex(SIGNER.public_hex), b"request", signature)
    assert len(signature) == 64


def test_a_nonce_signature_is_unpadded_base64url_over_the_nonces_bytes(tmp_path: Path):
    signature = credentials(tmp_path).nonce_signature(b"PXyGuz-vpwifudg")
    assert len(signature) == 86
    assert b"=" not in signature
    assert signed_by(bytes.fromhex(SIGNER.public_hex), b"PXyGuz-vpwifudg", urlsafe_b64decode(signature + b"=="))


@pytest.mark.parametrize(
    ("material", "check"),
    [
        (resigned(purpose="choria_server"), "token_purpose"),
        (resigned(purpose="choria_provisioning"), "token_purpose"),
        (resigned(public_key=NODE.public_hex), "seed_mismatch"),
        (resigned(public_key=""), "token_public_key"),
        (resigned(callerid=...), "token_callerid"),
        (resigned(callerid=""), "token_callerid"),
        (resigned(callerid=5), "token_claims"),
        (replace(SIGNER, token="x.y.z"), "token_format"),
        (replace(SIGNER, seed_hex=SIGNER.seed_hex + "\n"), "seed_format"),
    ],
)  # fmt: skip
def test_what_makes_them_useless_has_a_name(tmp_path: Path, material: SignerMaterial, check: str):
    with pytest.raises(CredentialError) as caught:
        credentials(tmp_path, material)
    assert (caught.value.problem.check, caught.value.problem.fatal) == (check, True)
    listed = inspect_client(tmp_path / "signer.jwt", tmp_path / "signer.seed", NOW)
    assert [problem.check for problem in listed] == [check]


@pytest.mark.parametrize(
    "permissions", [..., {}, {"provisioner": False}, {"provisioner": "true"}, ["provisioner"], None]
)
def test_without_the_permission_there_is_a_warning_and_strict_refuses(tmp_path: Path, permissions: Any):
    client = credentials(tmp_path, resigned(permissions=permissions))
    assert [(problem.check, problem.fatal) for problem in client.warnings] == [("token_provisioner", False)]
    with pytest.raises(CredentialError, match="permission `provisioner`"):
        credentials(tmp_path, resigned(permissions=permissions), strict=True)


def test_all_that_is_wrong_is_listed_at_once(tmp_path: Path):
    material = resigned(callerid="", permissions={}, public_key=NODE.public_hex, purpose="x", exp=NOW_S)
    seed, token = signer_files(tmp_path, material)
    seed.chmod(0o644)
    listed = inspect_client(token, seed, NOW)
    strictly = inspect_client(token, seed, NOW, strict=True)
    assert [problem.check for problem in strictly] == [problem.check for problem in listed]
    assert {problem.check for problem in listed if not problem.fatal} == {"secret_readable", "token_provisioner"}
    assert all(problem.fatal for problem in strictly)
    assert [problem.check for problem in listed] == [
        "secret_readable", "token_purpose", "seed_mismatch", "token_callerid", "token_provisioner", "token_expired",
    ]  # fmt: skip
    assert all(problem.place and problem.what and problem.next for problem in listed)


def test_times_are_problems_at_a_time(tmp_path: Path):
    client = credentials(tmp_path)
    assert client.problems(NOW) == ()
    assert [problem.check for problem in client.problems(NOW - 1)] == ["token_not_yet_valid"]
    assert [problem.check for problem in client.problems(NOW + YEAR * 1000)] == ["token_expired"]


def test_files_that_are_not_there_are_named_by_their_settings(tmp_path: Path):
    listed = inspect_client(tmp_path / "t", tmp_path / "s", NOW)
    assert {problem.place.split(" ")[0] for problem in listed} == {
        "plugin.security.choria.token_file",
        "plugin.security.choria.seed_file",
    }


def test_reload_reads_the_files_anew_and_leaves_the_old_ones_as_they_are(tmp_path: Path):
    client = credentials(tmp_path)
    other = make_signer(ISSUER, "second_signer", NOW_S, YEAR)
    signer_files(tmp_path, other)
    assert client.reload().caller == "second_signer"
    assert client.caller == "provisioner_signer"
    (tmp_path / "signer.jwt").unlink()
    with pytest.raises(CredentialError, match="no such file"):
        client.reload()
    assert client.token == SIGNER.token


def test_a_claim_of_another_type_is_listed_once(tmp_path: Path):
    seed, token = signer_files(tmp_path, resigned(exp="x", permissions={}))
    assert [problem.check for problem in inspect_client(token, seed, NOW)] == ["token_claims"]
