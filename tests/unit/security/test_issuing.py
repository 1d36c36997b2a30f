"""A site of one's own: what is made verifies as what `choria jwt` makes does."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from security import chain
from security.issuing import make_broker_certificate, make_issuer, make_provisioning_token, make_signer
from security.keys import Ed25519Key
from security.ksuid import seconds_of
from security.verifier import TokenVerifier
from tests.fakes.site import ISSUER, NOW, NOW_S, SIGNER, VERIFIES, YEAR, claims_of


def test_an_issuer_is_a_pair_and_entropy_makes_it_again():
    assert make_issuer(b"i" * 32) == ISSUER
    assert make_issuer() != make_issuer()
    assert ISSUER.seed_hex not in repr(ISSUER)
    assert SIGNER.seed_hex not in repr(SIGNER)


def test_a_signer_has_the_claims_of_the_captured_one_in_its_order():
    claims = claims_of(SIGNER.token)
    assert list(claims) == [
        "callerid", "ou", "permissions", "purpose", "tcs", "public_key", "iss", "exp", "nbf", "iat", "jti",
    ]  # fmt: skip
    assert (claims["exp"], claims["nbf"], claims["iat"]) == (NOW_S + YEAR, NOW_S, NOW_S)
    assert seconds_of(claims["jti"]) == NOW_S
    assert chain.verify_holder(SIGNER.token, VERIFIES, NOW) == claims
    assert chain.signer_of(claims, VERIFIES) == VERIFIES


def test_a_signers_permissions_may_be_chosen():
    made = make_signer(ISSUER, "x", NOW_S, YEAR, permissions={"provisioner": True})
    assert claims_of(made.token)["permissions"] == {"provisioner": True}


def test_a_provisioning_token_has_the_claims_of_the_captured_one_in_its_order():
    text = make_provisioning_token(
        ISSUER, NOW_S, YEAR, token="s", urls=["nats://a:1", "nats://b:2"], user="node", password="pw"
    )
    claims = claims_of(text)
    assert list(claims) == [
        "cht", "chs", "chu", "chpd", "chusr", "chpwd", "extensions", "ou", "v2", "purpose", "iss", "sub", "exp", "nbf",
        "iat", "jti",
    ]  # fmt: skip
    assert claims["chu"] == "nats://a:1,nats://b:2"
    assert TokenVerifier(Ed25519Key.from_hex(ISSUER.public_hex)).provisioning_token(text, NOW).claims == claims


def test_what_is_not_asked_for_is_left_out():
    claims = claims_of(
        make_provisioning_token(ISSUER, NOW_S, YEAR, token="s", urls="nats://a:1", v2=False, default=False)
    )
    assert not {"v2", "chusr", "chpwd"} & set(claims)
    assert (claims["chu"], claims["chpd"], claims["extensions"]) == ("nats://a:1", False, None)
    made = make_provisioning_token(ISSUER, NOW_S, YEAR, token="s", urls=[], extensions={"a": 1})
    assert claims_of(made)["extensions"] == {"a": 1}


@pytest.mark.parametrize("hosts", [["127.0.0.1", "localhost", "::1"]])
def test_a_brokers_certificate_serves_tls_and_is_its_own_authority(tmp_path: Path, hosts: list[str]):
    certificate, key = make_broker_certificate(hosts)
    (tmp_path / "tls.pem").write_text(certificate)
    (tmp_path / "tls.key").write_text(key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.pem", tmp_path / "tls.key")
    client = ssl.create_default_context(cadata=certificate)
    for host in hosts:
        assert handshake(client, server, host) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, server, "elsewhere.example.net")
    assert x509.load_pem_x509_certificate(certificate.encode()).subject.rfc4514_string() == "CN=127.0.0.1"


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> str | None:
    """A TLS handshake in memory; the version that was agreed."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=host)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours.version()
