"""The client's certificate: what it gives, and what is said about files that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, PublicFormat

from security.client_certificate import ClientCertificate, Paths, inspect_certificate
from security.problems import CredentialError
from tests.fakes.authority import DAY, SERVER, key_pem, make_authority, pem, put, rsa_key
from tests.fakes.site import NOW, NOW_S

CA = make_authority()
OTHER = make_authority("other-ca")
BEGIN = datetime.fromtimestamp(NOW_S, UTC)
EC = ec.generate_private_key(ec.SECP256R1())
KEY, CERTIFICATE = key_pem(rsa_key()), pem(CA.issue("usher.mcollective"))


def files(where: Path, certificate: str = CERTIFICATE, key: str = KEY, ca: str = pem(CA.certificate)) -> Paths:
    return put(where, certificate, key, ca)


def checks(paths: Paths, now: int = NOW, *, strict: bool = False) -> list[str]:
    return [problem.check for problem in inspect_certificate(paths, now, strict=strict)]


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_it_gives_the_files_text_and_signs_with_its_key(tmp_path: Path, form: PrivateFormat):
    text = f"a note before it\n{CERTIFICATE}\n"
    client = ClientCertificate(files(tmp_path, text, f"Bag Attributes\n{key_pem(rsa_key(), form)}"))
    assert client.text == text
    rsa_key().public_key().verify(client.sign(b"request"), b"request", PKCS1v15(), hashes.SHA256())
    assert (client.facts.names, client.facts.issuer) == (("usher.mcollective",), "CN=usher-test-ca")
    assert (client.warnings, client.problems(NOW)) == ((), ())
    assert "PRIVATE" not in repr(client)


def test_intermediates_stand_after_the_certificate_in_any_order(tmp_path: Path):
    first = CA.between("first")
    second = first.between("second")
    leaf = second.issue("usher.mcollective")
    for between in ((second, first), (first, second)):
        assert checks(files(tmp_path, pem(leaf, *(each.certificate for each in between)))) == []
    assert checks(files(tmp_path, pem(leaf, second.certificate))) == ["certificate_chain"]
    assert checks(files(tmp_path, pem(leaf), ca=pem(OTHER.certificate, second.certificate))) == []


def encrypted(form: PrivateFormat) -> str:
    return rsa_key().private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"x")).decode()


PUBLIC = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
Damage = dict[str, str]


@pytest.mark.parametrize(
    ("damage", "check", "says"),
    [
        ({"certificate": "hello"}, "certificate_format", "holds no certificate in PEM"),
        ({"certificate": ""}, "certificate_format", "holds no certificate in PEM"),
        ({"certificate": PUBLIC}, "certificate_format", "in PEM, but PUBLIC KEY"),
        (
            {"certificate": CERTIFICATE.replace("CERTIFICATE", "CERTIFICATE REQUEST")},
            "certificate_format",
            "but CERTIFICATE REQUEST",
        ),
        ({"certificate": CERTIFICATE[:300]}, "certificate_format", "cannot be decoded"),
        ({"certificate": CERTIFICATE.replace("MII", "AAA")}, "certificate_format", "cannot be decoded"),
        ({"certificate": PUBLIC + CERTIFICATE}, "certificate_format", "begins with PUBLIC KEY"),
        ({"certificate": CERTIFICATE + KEY}, "certificate_with_key", "every request shows this file"),
        ({"key": "hello"}, "key_format", "holds no private key in PEM"),
        ({"key": CERTIFICATE}, "key_format", "in PEM, but CERTIFICATE"),
        ({"key": PUBLIC}, "key_format", "in PEM, but PUBLIC KEY"),
        ({"key": KEY + key_pem(rsa_key(1))}, "key_format", "holds 2 private keys"),
        ({"key": KEY.replace("PRIVATE KEY", "RSA PRIVATE KEY")}, "key_format", "cannot be decoded"),
        ({"key": KEY[:200]}, "key_format", "cannot be decoded"),
        ({"key": encrypted(PrivateFormat.PKCS8)}, "key_encrypted", "encrypted with a passphrase"),
        ({"key": encrypted(PrivateFormat.TraditionalOpenSSL)}, "key_encrypted", "encrypted with a passphrase"),
        ({"key": key_pem(EC)}, "key_type", "its key is not RSA (EC)"),
        ({"key": key_pem(EC, PrivateFormat.TraditionalOpenSSL)}, "key_type", "not RSA"),
        ({"key": key_pem(rsa_key(1))}, "key_mismatch", "does not belong to it"),
        ({"certificate": pem(CA.issue("x", EC))}, "certificate_key_type", "a key that is not RSA"),
        ({"certificate": pem(CA.certificate) + CERTIFICATE}, "certificate_order", "belongs to number 2"),
        (
            {"certificate": pem(CA.issue("y", rsa_key(1))) + CERTIFICATE},
            "certificate_order",
            "belongs to number 2 of its certificates",
        ),
        ({"ca": "hello"}, "certificate_format", "holds no certificate in PEM"),
        ({"ca": KEY}, "certificate_format", "but PRIVATE KEY"),
    ],
)
def test_what_makes_them_useless_has_a_name(tmp_path: Path, damage: Damage, check: str, says: str):
    paths = files(tmp_path, **damage)
    with pytest.raises(CredentialError) as caught:
        ClientCertificate(paths)
    found = caught.value.problem
    assert (found.check, found.fatal, says in found.what) == (check, True, True), str(found)
    assert found in inspect_certificate(paths, NOW)
    assert all(part and KEY[60:90] not in part for part in (found.place, found.what, found.next))


def test_a_combined_file_may_hold_the_key_if_only_the_key_is_read_from_it(tmp_path: Path):
    assert checks(files(tmp_path, key=CERTIFICATE + KEY)) == []


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (lambda: CA.issue("usher", uses=(SERVER,)), "certificate_purpose"),
        (lambda: OTHER.issue("usher"), "certificate_chain"),
        (lambda: make_authority("usher-test-ca").issue("usher"), "certificate_chain"),
    ],
)
def test_what_only_a_broker_may_refuse_warns_and_strict_refuses(tmp_path: Path, make: Callable, check: str):
    paths = files(tmp_path, pem(make()))
    assert [(each.check, each.fatal) for each in ClientCertificate(paths).warnings] == [(check, False)]
    with pytest.raises(CredentialError) as caught:
        ClientCertificate(paths, strict=True)
    assert caught.value.problem.check == check


def test_without_a_purpose_it_is_for_everything(tmp_path: Path):
    assert checks(files(tmp_path, pem(CA.issue("usher", uses=())))) == []


@pytest.mark.parametrize(
    ("begin", "days", "check"),
    [
        (BEGIN - 2 * DAY, 1, "certificate_expired"),
        (BEGIN + DAY, 365, "certificate_not_yet_valid"),
        (BEGIN - 350 * DAY, 365, "certificate_expires"),
        (BEGIN - DAY, 1.2, "certificate_expires"),
        (BEGIN - DAY, 3, ""),
    ],
)
def test_its_times(tmp_path: Path, begin: datetime, days: float, check: str):
    paths = files(tmp_path, pem(CA.issue("usher", begin=begin, days=days)))
    assert checks(paths) == ([check] if check else [])
    fatal = [problem.check for problem in ClientCertificate(paths).problems(NOW) if problem.fatal]
    assert fatal == ([check] if check and check != "certificate_expires" else [])


def test_everything_is_found_at_once_and_the_files_are_named_by_their_settings(tmp_path: Path):
    listed = inspect_certificate(Paths(*(tmp_path / name for name in "ckx"), CA_SETTINGS), NOW)
    assert [problem.place.split(" ")[0] for problem in listed] == ["one", "two", "three"]
    assert {problem.check for problem in listed} == {"file_missing"}
    paths = files(tmp_path, pem(OTHER.issue("usher", rsa_key(1), uses=(SERVER,), begin=BEGIN + DAY)))
    paths.key.chmod(0o644)
    assert checks(paths) == [
        "secret_readable", "key_mismatch", "certificate_purpose", "certificate_chain", "certificate_not_yet_valid",
    ]  # fmt: skip
    assert all(problem.fatal for problem in inspect_certificate(paths, NOW, strict=True))


CA_SETTINGS = ("one", "two", "three")


def test_a_directory_and_what_is_no_text_are_said(tmp_path: Path):
    paths = files(tmp_path)
    paths.key.write_bytes(b"\xff\xfe")
    paths.ca.unlink()
    paths.ca.mkdir()
    assert checks(paths) == ["file_unreadable", "file_missing"]


def test_reload_reads_anew_and_what_is_in_use_stays(tmp_path: Path):
    client = ClientCertificate(files(tmp_path))
    assert client.reload().same(client)
    files(tmp_path, pem(CA.issue("usher.mcollective", days=30)))
    found = client.reload()
    assert not found.same(client)
    assert found.fingerprint != client.fingerprint
    files(tmp_path, ca=pem(CA.certificate, OTHER.certificate))
    assert not client.reload().same(client)
    files(tmp_path, key=key_pem(rsa_key(1)))
    with pytest.raises(CredentialError, match="does not belong to it"):
        client.reload()
    assert client.text == CERTIFICATE


def test_who_is_no_authority_issues_nothing(tmp_path: Path):
    good, pretended = CA.between("pretended"), CA.between("pretended", ca=False)
    assert checks(files(tmp_path, pem(good.issue("usher"), good.certificate))) == []
    assert checks(files(tmp_path, pem(pretended.issue("usher"), pretended.certificate))) == ["certificate_chain"]
