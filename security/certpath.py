"""Whether a certificate leads to an authority: over which others does not matter, so a bundle may have any order.

Rules:
1. Whoever issues is an authority by its own extensions (one of X.509 v1, which has none, may be), and its signature is
   checked.
2. Whatever is in the authority's file is trusted, an intermediate too, as Go trusts it.
3. Times are not looked at here: who holds a certificate judges them, and TLS does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

_DEEPEST: Final = 8


def leads_to(leaf: x509.Certificate, between: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> bool:
    """Whether `leaf` was issued by one of `roots`, perhaps over some of `between`."""
    reached, seen = [leaf], {leaf}
    for _ in range(_DEEPEST):
        if any(each in roots or any(_issued(each, root) for root in roots) for each in reached):
            return True
        reached = [other for other in between if other not in seen and any(_issued(each, other) for each in reached)]
        seen.update(reached)
    return False


def _issued(child: x509.Certificate, parent: x509.Certificate) -> bool:
    try:
        if parent.version is not x509.Version.v1 and not _may_issue(parent):
            return False
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _may_issue(parent: x509.Certificate) -> bool:
    try:
        return parent.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
