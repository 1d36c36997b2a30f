"""The named checks: what the older program let pass and `strictness: strict` refuses (design §7).

Rules:
1. A check has a stable name; `compatible` warns and goes on, `strict` refuses; both say the name.
2. Those of a node are made while it is provisioned, and counted; those of a site when its files are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fsm.reasons import Reason


@dataclass(frozen=True, slots=True)
class Check:
    """What is the case where it fires, and the reason with which `strict` refuses."""

    what: str
    refused: Reason


OF_NODES: Final[Mapping[str, Check]] = {
    "csr_foreign_name": Check(
        "the node's certificate request has an alternative name that is not its identity", Reason.CSR_INVALID
    ),
    "csr_denied_case": Check("a name in it matches `cert_deny_list` but for its capitals", Reason.CSR_INVALID),
    "csr_extension": Check("it asks for an extension that a server does not need", Reason.CSR_INVALID),
    "certificate_denied_case": Check(
        "a name in the helper's certificate matches `cert_deny_list` but for its capitals", Reason.CERTIFICATE_DENIED
    ),
    "certificate_key_size": Check("its RSA key has less than 2048 bits", Reason.CERTIFICATE_KEY),
    "certificate_name": Check(
        "neither its common name nor an alternative name is the node's identity", Reason.CERTIFICATE_NAME
    ),
    "certificate_identity": Check(
        "it is for the `identity` of the configuration, not for the node's", Reason.CERTIFICATE_NAME
    ),
    "certificate_chain": Check("no certificate in `ca` that is valid now leads to it", Reason.CERTIFICATE_CHAIN),
    "certificate_extra": Check("`certificate` also holds what is no certificate", Reason.CERTIFICATE_INVALID),
    "certificate_missing": Check(
        "the node made a request, and the helper supplied no certificate for it", Reason.CERTIFICATE_INVALID
    ),
    "certificate_ignored": Check(
        "certificate, `ca` or directory is missing, so the node ignores the others", Reason.CERTIFICATE_INVALID
    ),
    "collective_spaces": Check("a collective of the server's token is empty or has spaces", Reason.HELPER_BAD_OUTPUT),
    "expiry_beyond_9999": Check("`server_claims.exp` is later than the year 9999", Reason.HELPER_BAD_OUTPUT),
}
"""Counted in `usher_compat_total{check}` and warned about once a node."""

OF_SITES: Final[Mapping[str, str]] = {
    "ca_missing": "the file of `plugin.security.choria.ca` is not there, so that the broker is not verified",
    "secret_readable": "everybody may read a file that holds a secret",
    "token_provisioner": "the client token lacks the permission `provisioner`",
    "certificate_purpose": "usher's own certificate is not for clients",
    "certificate_chain": "usher's own certificate does not lead to an authority of its file",
}
"""Warned about by `usher check-config` and at the start; with `strict` the start is refused."""
