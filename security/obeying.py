"""Whom a provisioned server of protocol v1 obeys, as it judges a request itself (wire/protocol.md §2.8).

Rules:
1. The certificate in the request is for clients, in its time, and leads to the server's authority; over its other
   certificates if need be.
2. It names the caller, by a name that is obeyed at all, or one that may speak for everybody.
3. What cannot be read is not obeyed.
"""

from __future__ import annotations

import re
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from security.certificate import UNREADABLE, asking_names, signed_by_certificate
from security.certpath import leads_to
from security.node_tls import in_its_time

OBEYED: Final = re.compile(r"\.(mcollective|choria)$")
"""What `plugin.choria.security.certname_whitelist` is unless a server says otherwise."""
_PRIVILEGED: Final = re.compile(r"\.privileged\.(mcollective|choria)$")
_CALLER: Final = re.compile(r"[a-z]+=([\w.-]+)")
_FOR_CLIENTS: Final = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})


def obeyed(shown: str, authority: str, caller: str, signed: tuple[bytes, bytes], now_s: int) -> bool:
    """Whether a server with this authority (PEM) obeys who shows this certificate (PEM) as this caller.

    `signed` are the request's bytes and their signature; `now_s` is in Unix seconds.
    """
    try:
        leaf, *between = x509.load_pem_x509_certificates(shown.encode())
        roots = x509.load_pem_x509_certificates(authority.encode())
        trusted = for_clients(leaf) and leads_to(leaf, between, roots) and in_its_time(shown, now_s)
        return trusted and _may_ask(leaf, caller) and signed_by_certificate(shown, *signed)
    except UNREADABLE:
        return False


def for_clients(leaf: x509.Certificate) -> bool:
    """Whether a certificate may be shown by a client: who does not say what it is for may."""
    try:
        uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return True
    return bool(uses & _FOR_CLIENTS)


def _may_ask(leaf: x509.Certificate, caller: str) -> bool:
    names, found = asking_names(leaf), _CALLER.match(caller)
    if found is None:
        return False
    return any(_PRIVILEGED.search(name) for name in names) or (
        found[1] in names and OBEYED.search(found[1]) is not None
    )
