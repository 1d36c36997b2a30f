"""The sample's certificate: a request as a node would make it, and the helper's answer to it judged as a node's.

Rules:
1. The key is made for the trial and thrown away: no node ever has a certificate for it.
2. What the helper supplied is never shown; what is wrong with it is, under the reason that a node would have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fsm.certifying import Supplied
from fsm.errors import TokenError
from fsm.ports import HelperCall, HelperReply, NodeCsr
from security.csr import RequestVerifier
from security.node_tls import RsaPair
from security.supplied import SuppliedVerifier
from usher.config.site import Site
from usher.preflight.verdicts import Check, doubtful, fine, wrong

NAME: Final = "certificate"
_DIRECTORY: Final = "/etc/choria/ssl"


def sample_request(identity: str) -> NodeCsr:
    """A request for this name, as a server makes it."""
    pair = RsaPair.generate()
    return NodeCsr(pair.request({"cn": identity}), pair.public_pem, _DIRECTORY)


def certified(
    site: Site, call: HelperCall, reply: HelperReply, configuration: Mapping[str, str], now: int
) -> Iterator[Check]:
    """What a node would make of the certificate in a helper's answer, at `now` (milliseconds)."""
    if not (call.csr or reply.certificate or reply.key):
        return
    fingerprint = ""
    if call.csr is not None:
        checked = RequestVerifier(site.cert_deny_list).certificate_request(call.csr.csr, "", call.identity)
        fingerprint = checked.fingerprint
    names = (call.identity, configuration.get("identity", ""))
    directory = call.csr.ssldir if call.csr else reply.ssldir
    offer = Supplied(names, reply.certificate, reply.ca, reply.key, fingerprint, directory)
    try:
        examined = SuppliedVerifier(site.cert_deny_list, strict=site.strict).supplied(offer, now)
    except TokenError as error:
        yield wrong(NAME, f"{error.reason}: {error.detail}", f"correct the helper; usher explain {error.reason}")
        return
    for check, warning in zip(examined.checks, examined.warnings, strict=True):
        yield doubtful(NAME, f"{warning} (refused with strictness: strict, check {check})", "correct the helper")
    if not examined.checks:
        yield fine(NAME, "the one in this answer is for the request, and chains to its ca")
