"""Whom a simulated server obeys once it is provisioned: who speaks its protocol, and shows what its files trust.

Rules:
1. In provisioning mode nothing of a request is verified (wire/protocol.md §0, 10).
2. A server hears only its own protocol (§0, 2), which the configuration chose that it was started with; of v2 no more
   is looked at.
3. One with certificates verifies with its own authority, as it was configured (§2.8), unless TLS is anonymous.
"""

from __future__ import annotations

from typing import Final

from security.obeying import obeyed
from transport.wire.versions import Version, WireRequest
from usher.simulator.model import SECOND, Mode, Node
from usher.simulator.startup import hears, shows_token

_AUTHORITY: Final = "plugin.security.file.ca"


def obeys(node: Node, request: WireRequest, now: int) -> bool:
    """Whether the process takes a request from its sender at `now` (nanoseconds)."""
    if node.process.mode is not Mode.SERVER:
        return True
    options = node.process.options
    if request.version is not hears(options):
        return False
    if request.version is Version.V2 or shows_token(options):
        return True
    authority = node.files.get(options.get(_AUTHORITY, ""), "")
    signed = request.signed, request.signature or b""
    return obeyed(request.credential, authority, request.caller, signed, now // SECOND)
