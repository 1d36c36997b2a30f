"""What helpers supply: each thing that may be wrong with it, under its name, in both modes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from ssl import DER_cert_to_PEM_cert

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from fsm.certifying import Examined, Supplied
from fsm.errors import TokenError
from fsm.reasons import Reason
from security.supplied import LONGEST, SuppliedVerifier
from tests.fakes.authority import BEGAN, authority, named, private, the_ca
from tests.fakes.csrs import IDENTITY, checked, request, rsa_key
from tests.fakes.site import NOW
from usher.config.keys import DENIED

HOUR = timedelta(hours=1)
GARBAGE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def offer(certificate: str | None = None, ca: str | None = None, key: str = "", **changes: object) -> Supplied:
    """What a helper supplied for a node that has made a request."""
    found = the_ca().leaf() if certificate is None else certificate
    fingerprint = checked(request()).fingerprint
    values = {"names": (IDENTITY, ""), "fingerprint": fingerprint, "directory": "/etc/choria/ssl"} | changes
    return Supplied(certificate=found, ca=the_ca().pem if ca is None else ca, key=key, **values)  # type: ignore[arg-type]


def examined(found: Supplied, *, strict: bool = False, now: int = NOW) -> Examined:
    return SuppliedVerifier(DENIED, strict=strict).supplied(found, now)


def refusal(found: Supplied, *, strict: bool = False, now: int = NOW) -> tuple[Reason, str]:
    with pytest.raises(TokenError) as caught:
        examined(found, strict=strict, now=now)
    return caught.value.reason, caught.value.detail


def signed(*names: str, key: object = None, extension: x509.ExtensionType | None = None, **times: timedelta) -> str:
    extensions = [extension] if extension else []
    made = the_ca().signs(named(*(names or (IDENTITY,))), key, *extensions, **times)  # type: ignore[arg-type]
    return made.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("strict", [False, True])
def test_a_certificate_for_the_request_of_this_node_by_the_given_authority_passes(strict: bool):
    assert examined(offer(), strict=strict) == Examined()
    by_alternative = signed("web", extension=x509.SubjectAlternativeName([x509.DNSName(IDENTITY)]))
    assert examined(offer(by_alternative), strict=strict) == Examined()


# -- always refused ---------------------------------------------------------------------------------------------------


def other_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


ODD_NAMES = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, bytes.fromhex("3002a300"))
"""An X.400 address, which the library cannot read."""


def on_an_unknown_curve() -> str:
    der = x509.load_pem_x509_certificate(the_ca().leaf(key=other_key()).encode()).public_bytes(Encoding.DER)
    known = bytes.fromhex("2a8648ce3d030107")
    assert known in der
    return DER_cert_to_PEM_cert(der.replace(known, known[:-1] + b"\x7f"))


REFUSED: dict[str, tuple[Callable[[], Supplied], Reason]] = {
    "no PEM": (lambda: offer("MIIB"), Reason.CERTIFICATE_INVALID),
    "garbage in PEM": (lambda: offer(GARBAGE), Reason.CERTIFICATE_INVALID),
    "a request instead": (lambda: offer(request()), Reason.CERTIFICATE_INVALID),
    "too long": (lambda: offer(the_ca().leaf() + "x" * LONGEST), Reason.CERTIFICATE_INVALID),
    "too many": (lambda: offer(the_ca().leaf() * 21), Reason.CERTIFICATE_INVALID),
    "a private key beside it": (lambda: offer(the_ca().leaf() + private(rsa_key())), Reason.CERTIFICATE_INVALID),
    "an authority that is garbage": (lambda: offer(ca=GARBAGE), Reason.CERTIFICATE_INVALID),
    "an authority that is no PEM": (lambda: offer(ca="x"), Reason.CERTIFICATE_INVALID),
    "another key": (lambda: offer(the_ca().leaf(key=other_key())), Reason.CERTIFICATE_KEY),
    "the authority first": (lambda: offer(the_ca().pem + the_ca().leaf()), Reason.CERTIFICATE_ORDER),
    "expired": (lambda: offer(signed(lasts=HOUR)), Reason.CERTIFICATE_EXPIRED),
    "not yet valid": (lambda: offer(signed(begins=HOUR + timedelta(seconds=6))), Reason.CERTIFICATE_NOT_YET_VALID),
    "an authority's": (
        lambda: offer(signed(extension=x509.BasicConstraints(ca=True, path_length=0))),
        Reason.CERTIFICATE_AUTHORITY,
    ),
    "may sign": (lambda: offer(signed(extension=usage("key_cert_sign"))), Reason.CERTIFICATE_AUTHORITY),
    "may revoke": (lambda: offer(signed(extension=usage("crl_sign"))), Reason.CERTIFICATE_AUTHORITY),
    "a client's name": (lambda: offer(signed("boss.mcollective")), Reason.CERTIFICATE_DENIED),
    "a client's alternative name": (
        lambda: offer(signed(extension=x509.SubjectAlternativeName([x509.DNSName("a.privileged.choria")]))),
        Reason.CERTIFICATE_DENIED,
    ),
    "a client's address": (
        lambda: offer(signed(extension=x509.SubjectAlternativeName([x509.RFC822Name("boss@x.choria")]))),
        Reason.CERTIFICATE_DENIED,
    ),
    "alternative names of a kind that nobody reads": (
        lambda: offer(signed(extension=ODD_NAMES)),
        Reason.CERTIFICATE_INVALID,
    ),
    "a key on a curve that nobody knows, where none was asked for": (
        lambda: offer(on_an_unknown_curve(), fingerprint=""),
        Reason.CERTIFICATE_INVALID,
    ),
    "a key that is none": (lambda: offer(key="x"), Reason.HELPER_KEY_INVALID),
}


def usage(*on: str) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: name in on for name in names})


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_leave_a_node_dead_or_with_rights_is_refused_in_both_modes(name: str):
    made, reason = REFUSED[name]
    assert refusal(made())[0] is reason
    if not made().key:
        assert refusal(made(), strict=True)[0] is reason


@pytest.mark.parametrize(("seconds", "passes"), [(0, True), (5, True), (6, False)])
def test_a_few_seconds_of_skew_are_allowed(seconds: int, passes: bool):
    found, now = offer(signed(begins=HOUR)), round(BEGAN.timestamp() + 3600) * 1000 - seconds * 1000
    if passes:
        assert examined(found, strict=True, now=now) == Examined()
    else:
        assert refusal(found, now=now)[0] is Reason.CERTIFICATE_NOT_YET_VALID


@pytest.mark.parametrize("name", ["boss.mcollective", "n2.example.net", "x.MCollective"])
def test_no_name_that_the_helper_wrote_is_repeated(name: str):
    try:
        said = " ".join(examined(offer(signed(name))).warnings)
    except TokenError as error:
        said = error.detail
    assert said
    assert name not in said


def test_nothing_of_a_private_key_is_repeated():
    key = private(rsa_key())
    _, said = refusal(offer(the_ca().leaf() + key))
    assert key.splitlines()[1] not in said
    assert key.splitlines()[1] not in repr(offer(key=key))


# -- bundles ----------------------------------------------------------------------------------------------------------


def test_bundles_of_authorities_have_no_order():
    other, middle = authority("other"), the_ca().between("middle")
    for ca in (other.pem + the_ca().pem, the_ca().pem + other.pem):
        assert examined(offer(ca=ca), strict=True) == Examined()
    leaf = middle.leaf()
    for bundle in (leaf + middle.pem, leaf + other.pem + middle.pem, leaf + middle.pem + the_ca().pem):
        assert examined(offer(bundle), strict=True) == Examined()
    for ca in (middle.pem + the_ca().pem, the_ca().pem + middle.pem, middle.pem):
        assert examined(offer(leaf, ca), strict=True) == Examined()


# -- named checks -----------------------------------------------------------------------------------------------------


def weak() -> str:
    return the_ca().leaf(key=rsa_key(bits=1024))


CHECKS: dict[str, tuple[Callable[[], Supplied], Reason]] = {
    "certificate_name": (lambda: offer(signed("n2.example.net")), Reason.CERTIFICATE_NAME),
    "certificate_identity": (
        lambda: offer(signed("web1.example.net"), names=(IDENTITY, "web1.example.net")),
        Reason.CERTIFICATE_NAME,
    ),
    "certificate_chain": (lambda: offer(ca=authority().pem), Reason.CERTIFICATE_CHAIN),
    "certificate_missing": (lambda: offer(""), Reason.CERTIFICATE_INVALID),
    "certificate_ignored": (lambda: offer(ca=""), Reason.CERTIFICATE_INVALID),
    "certificate_denied_case": (lambda: offer(signed(IDENTITY, "x.MCollective")), Reason.CERTIFICATE_DENIED),
    "certificate_extra": (lambda: offer(the_ca().leaf() + request()), Reason.CERTIFICATE_INVALID),
    "certificate_key_size": (lambda: offer(weak(), fingerprint=""), Reason.CERTIFICATE_KEY),
}


@pytest.mark.parametrize("check", CHECKS)
def test_what_the_older_program_sent_is_a_named_check_that_strict_refuses(check: str):
    made, reason = CHECKS[check]
    found = made()
    passed = examined(found)
    assert passed.checks == (check,)
    assert len(passed.warnings) == 1
    assert refusal(found, strict=True) == (reason, passed.warnings[0])


@pytest.mark.parametrize(
    "ca",
    [
        lambda: authority().pem,
        lambda: the_ca().between("leaf", ca=False).pem,
        lambda: authority("site ca", lasts=timedelta(minutes=1)).pem,
    ],
)
def test_an_authority_of_the_same_name_that_did_not_sign_leads_nowhere(ca: Callable[[], str]):
    assert examined(offer(ca=ca())).checks == ("certificate_chain",)


def test_a_node_without_a_request_or_a_key_may_have_any_key():
    assert examined(offer(the_ca().leaf(key=other_key()), fingerprint=""), strict=True) == Examined()


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_of_the_helpers_is_what_its_certificate_must_be_for_and_strict_refuses_it():
    key = rsa.generate_private_key(65537, 2048)
    found = offer(the_ca().leaf(key=key), key=private(key))
    assert examined(found) == Examined()
    assert refusal(found, strict=True)[0] is Reason.HELPER_KEY_REFUSED
    assert refusal(offer(the_ca().leaf(), key=private(key)))[0] is Reason.CERTIFICATE_KEY


@pytest.mark.parametrize("missing", [{"certificate": ""}, {"ca": ""}, {"directory": ""}])
def test_a_key_without_what_the_node_takes_it_with_is_ignored_by_the_node(missing: dict[str, str]):
    values = {"key": private(rsa_key())} | missing
    assert examined(offer(**values)).checks == ("certificate_ignored",)  # type: ignore[arg-type]
