"""Certificate requests: names of every kind, the identity and the deny list; extensions that ask for rights."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from fsm.errors import TokenError
from fsm.reasons import Reason
from security.csr import RequestVerifier
from tests.fakes.csrs import (
    IDENTITY,
    PRIVILEGED,
    USAGE,
    checked,
    denied,
    extended,
    named,
    refused,
    request,
    subject,
)

# -- names ------------------------------------------------------------------------------------------------------------

NAMES = {
    "none": (lambda: request(name=x509.Name([])), "0 common names"),
    "no common name": (lambda: request(name=subject(ORGANIZATION_NAME="x")), "0 common names"),
    "two": (lambda: request(name=subject(IDENTITY, IDENTITY)), "2 common names"),
    "another": (lambda: request(name=subject("n2.example.net")), "'n2.example.net' is not the node's identity"),
    "capitals": (lambda: request(name=subject("N1.example.net")), "is not the node's identity"),
    "a space": (lambda: request(name=subject(IDENTITY + " ")), "is not the node's identity"),
    "a wildcard": (lambda: named(x509.DNSName("*.example.net")), "stands for many"),
    "a newline": (lambda: named(x509.DNSName("n1\nx")), "is not a name"),
    "nul": (lambda: named(x509.DNSName("n1.example.net\x00.evil")), "is not a name"),
    "nothing": (lambda: named(x509.DNSName("")), "is not a name"),
    "more than a hundred": (lambda: named(*[x509.DNSName("n2.example.net")] * 101), "more than 100 alternative names"),
    "another kind": (
        lambda: named(x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01x")), "cannot be compared",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NAMES)
def test_a_name_that_is_not_the_nodes_is_said(what: str):
    made, says = NAMES[what]
    assert says in refused(made())


ANYWHERE = {
    "DNS": lambda: named(x509.DNSName(PRIVILEGED)),
    "the second": lambda: named(x509.DNSName(IDENTITY), x509.DNSName(PRIVILEGED)),
    "a last dot": lambda: named(x509.DNSName(PRIVILEGED + ".")),
    "mail": lambda: named(x509.RFC822Name("root@" + PRIVILEGED)),
    "a URI's host": lambda: named(x509.UniformResourceIdentifier(f"https://{PRIVILEGED}:8140/x?y#z")),
    "a URI's end": lambda: named(x509.UniformResourceIdentifier(f"urn:x:{PRIVILEGED}")),
    "a directory name": lambda: named(x509.DirectoryName(subject(PRIVILEGED))),
    "the unit": lambda: request(name=subject(IDENTITY, ORGANIZATIONAL_UNIT_NAME=PRIVILEGED)),
    "the mail of the subject": lambda: request(name=subject(IDENTITY, EMAIL_ADDRESS="a@" + PRIVILEGED)),
}


@pytest.mark.parametrize("what", ANYWHERE)
def test_a_denied_pattern_is_searched_in_names_of_every_kind(what: str):
    assert r"matches the denied pattern \.privileged.mcollective$" in denied(ANYWHERE[what]())


def test_a_denied_pattern_is_searched_in_the_identity_too():
    with pytest.raises(TokenError) as caught:
        checked(request(name=subject("x.mcollective")), identity="x.mcollective")
    assert caught.value.reason is Reason.CSR_DENIED


def test_a_pattern_is_found_anywhere_in_a_name_as_the_older_program_finds_it():
    verifier = RequestVerifier(["xamp", "^10\\."])
    for text in (request(), named(x509.IPAddress(ipaddress.ip_address("10.0.0.1")))):
        with pytest.raises(TokenError, match="csr_denied"):
            verifier.certificate_request(text, "", IDENTITY)
    assert RequestVerifier(["^xamp"]).certificate_request(request(), "", IDENTITY).checks == ()
    assert RequestVerifier([]).certificate_request(request(), "", IDENTITY).checks == ()


def test_a_refusal_repeats_no_more_of_a_name_than_a_line_holds():
    assert len(refused(request(name=subject("a" * 60)))) < 200
    assert len(denied(named(x509.DNSName("a." * 2000 + "choria")))) < 200


# -- extensions that ask for rights -----------------------------------------------------------------------------------

RIGHTS = {
    "an authority": (lambda: extended(x509.BasicConstraints(ca=True, path_length=None), critical=True), "an authority"),
    "signing certificates": (
        lambda: extended(x509.KeyUsage(**dict.fromkeys(USAGE, False) | {"key_cert_sign": True})), "sign certificates",
    ),
    "signing revocations": (
        lambda: extended(x509.KeyUsage(**dict.fromkeys(USAGE, False) | {"crl_sign": True})), "sign certificates",
    ),
    "any purpose": (
        lambda: extended(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])), "other purposes",
    ),
    "signing code": (
        lambda: extended(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.CODE_SIGNING])),
        "other purposes",
    ),
    "Puppet's command line": (
        lambda: extended(x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.34380.1.3.39"), b"\x0c\x04true")),
        "rights at a Puppet authority",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", RIGHTS)
def test_an_extension_that_asks_for_rights_is_refused(what: str):
    made, says = RIGHTS[what]
    assert says in refused(made())
