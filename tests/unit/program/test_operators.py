"""Operators with a certificate: read when they are asked for, refused by name, the same object for the same caller."""

from __future__ import annotations

from pathlib import Path

import pytest

from security.certificate import signed_by_certificate
from security.client_certificate import Paths
from security.problems import CredentialError
from tests.fakes.authority import SERVER, Authority, key_pem, make_authority, pem, put, rsa_key, the_ca
from tests.fakes.site import DAY, NOW
from transport.wire.versions import Version
from usher.config.fleet import CertificateOperator, Nobody
from usher.operators import NobodyError, Reader

SETTINGS = ("fleet_certificate_file", "fleet_key_file", "plugin.security.file.ca")


def files(where: Path, name: str = "operator.mcollective", days: float = 365, by: Authority | None = None) -> Paths:
    """Certificate, key, authority; a key of their own each time."""
    key, authority = rsa_key(), by or the_ca()
    made = put(where, pem(authority.issue(name, key, days=days)), key_pem(key), the_ca().pem)
    return Paths(*made.files, SETTINGS)


def reader(paths: Paths, login: tuple[str, str] = ("", "")) -> Reader:
    return Reader(CertificateOperator(paths, strict=False), "usher.example.net", login, None)


def test_an_operator_is_the_name_in_its_certificate_and_signs_with_its_key(tmp_path: Path):
    shown = reader(files(tmp_path), ("fleet", "s3cret")).read(NOW)
    client = shown.client
    assert (client.version, client.caller, client.sender) == (
        Version.V1,
        "choria=operator.mcollective",
        "usher.example.net",
    )
    assert (client.user, client.password, client.token) == ("fleet", "s3cret", "")
    assert client.credential == (tmp_path / "cert.pem").read_text()
    assert signed_by_certificate(client.credential, b"x", client.sign(b"x"))


def test_files_that_are_as_before_are_not_read_into_another_and_renewed_ones_are_taken(tmp_path: Path):
    paths = files(tmp_path)
    read = reader(paths)
    first = read.read(NOW)
    assert read.read(NOW + 1) is first
    before, context = first.client.credential, first.tls
    files(tmp_path, days=300)
    renewed = read.read(NOW)
    assert first.take(renewed)
    assert first.client.credential == paths.certificate.read_text() != before
    assert first.tls is renewed.tls is not context


def test_another_name_is_another_operator(tmp_path: Path):
    read = reader(files(tmp_path))
    first = read.read(NOW)
    before = first.client.credential
    files(tmp_path, "other.mcollective")
    assert not first.take(read.read(NOW))
    assert first.client.credential == before


def test_what_ends_while_it_is_held_is_refused(tmp_path: Path):
    read = reader(files(tmp_path, days=1))
    read.read(NOW)
    with pytest.raises(CredentialError, match=r"fleet_certificate_file .* it expired at"):
        read.read(NOW + 2 * DAY * 1000)


def test_what_is_missing_or_of_another_key_is_refused_though_it_was_read_before(tmp_path: Path):
    paths = files(tmp_path)
    read = reader(paths)
    read.read(NOW)
    paths.key.write_text(key_pem(rsa_key(1)))
    with pytest.raises(CredentialError, match=r"the key of fleet_key_file .* does not belong to it"):
        read.read(NOW)
    paths.key.unlink()
    with pytest.raises(CredentialError, match="fleet_key_file"):
        read.read(NOW)


def test_what_no_server_would_obey_is_refused_though_a_login_may_stand_that_a_broker_has_judged(tmp_path: Path):
    read = reader(files(tmp_path))
    read.read(NOW)
    files(tmp_path, by=make_authority("another"))
    with pytest.raises(CredentialError, match="does not lead to an authority"):
        read.read(NOW)
    put(tmp_path, pem(the_ca().issue("operator.mcollective", uses=(SERVER,))), key_pem(rsa_key()), the_ca().pem)
    with pytest.raises(CredentialError, match="it is not for clients"):
        read.read(NOW)


def test_nobody_is_why():
    with pytest.raises(NobodyError, match=r"^no token$"):
        Reader(Nobody("no token"), "u", ("", ""), None).read(NOW)
