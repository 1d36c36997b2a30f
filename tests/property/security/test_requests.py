"""Certificate requests: whatever a node sends as one, the answer is a value or a TokenError."""

from __future__ import annotations

from base64 import encodebytes
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.errors import TokenError
from security.csr import RequestVerifier
from tests.fakes.csrs import IDENTITY, PRIVILEGED, named, request
from usher.config.keys import DENIED

VERIFIER = RequestVerifier(DENIED)
GOOD = x509.load_pem_x509_csr(named(x509.DNSName(IDENTITY)).encode()).public_bytes(Encoding.DER)


def pem(data: bytes) -> str:
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{encodebytes(data).decode()}-----END CERTIFICATE REQUEST-----\n"


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good request of which some bytes are others, or lacking, or too many."""
    data = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1))
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return pem(bytes(data))


@settings(max_examples=300)
@given(st.text() | st.binary().map(pem) | damaged(), st.text(max_size=30))
def test_whatever_it_is_the_answer_is_a_value_or_an_error_of_ours(text: str, beside: str):
    with suppress(TokenError):
        VERIFIER.certificate_request(text, beside, IDENTITY)


labels = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


@settings(max_examples=30)
@given(st.lists(labels, min_size=1, max_size=3), st.sampled_from(["DNS", "mail", "URI"]))
def test_no_name_of_any_kind_gets_past_the_deny_list(parts: list[str], kind: str):
    host = ".".join([*parts, PRIVILEGED])
    name: x509.GeneralName = x509.DNSName(host)
    if kind == "mail":
        name = x509.RFC822Name(f"root@{host}")
    elif kind == "URI":
        name = x509.UniformResourceIdentifier(f"https://{host}/")
    for text in (named(name), named(x509.DNSName(IDENTITY), name)):
        with suppress(TokenError):
            VERIFIER.certificate_request(text, "", IDENTITY)
            raise AssertionError(text)
    assert VERIFIER.certificate_request(request(), "", IDENTITY).checks == ()
