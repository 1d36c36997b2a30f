"""CONNECT and TLS: everything together, nothing that was not given, and never in the clear."""

from __future__ import annotations

import ssl
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from tests.fakes.link import Known
from transport.credentials import CertificateFileError, connect_options, tls_context

INFO = {"headers": True, "nonce": "PXyGuz-vpwifudg", "tls_required": True}


def options(credentials: Known, **info: object) -> dict[str, object]:
    return connect_options(credentials, {**INFO, **info}, name="usher", version="2.16.0", tls=True)


def test_user_password_token_and_signature_go_together():
    known = Known("provisioner", "s3cret", "a.b.c")
    said = options(known)
    assert (said["user"], said["pass"], said["auth_token"], said["jwt"]) == ("provisioner", "s3cret", "a.b.c", "a.b.c")
    signature = said["sig"]
    assert isinstance(signature, str)
    assert "=" not in signature
    assert urlsafe_b64decode(signature + "==") == known.sign_nonce(b"PXyGuz-vpwifudg")


def test_without_a_nonce_nothing_is_signed():
    said = options(Known("provisioner", "s3cret", "a.b.c"), nonce=None)
    assert said["auth_token"] == "a.b.c"
    assert not {"jwt", "sig"} & said.keys()


def test_what_is_empty_is_not_sent():
    assert not {"jwt", "sig", "auth_token"} & options(Known("provisioner", "s3cret")).keys()
    assert not {"user", "pass"} & options(Known("", "", "a.b.c")).keys()


def test_the_503_is_asked_for_where_the_broker_has_headers():
    assert options(Known("u", "p"))["no_responders"] is True
    assert options(Known("u", "p"), headers=None)["no_responders"] is False


def test_tls_as_choria_does_it(tmp_path: Path):
    context = tls_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname
    with pytest.raises(CertificateFileError, match=r"nothing\.pem"):
        tls_context(tmp_path / "nothing.pem")
    (tmp_path / "empty.pem").write_text("no certificate")
    with pytest.raises(CertificateFileError, match=r"empty\.pem"):
        tls_context(tmp_path / "empty.pem")


def test_with_a_ca_chain_and_name_are_verified(tmp_path: Path):
    from security.issuing import make_broker_certificate  # noqa: PLC0415 only this test needs a certificate

    ca = tmp_path / "ca.pem"
    ca.write_text(make_broker_certificate(["127.0.0.1"])[0])
    context = tls_context(ca)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
