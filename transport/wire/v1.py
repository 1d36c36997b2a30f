"""Choria protocol v1, as much of it as registration needs: the envelope of a request (wire/protocol.md §2.1 to §2.3).

Rules:
1. Pure functions over bytes; any bytes give a frozen value or a WireError.
2. Signature and certificate are not looked at: an unprovisioned node has neither, and sends words in their place
   (§2.2). So nothing that is read here is proven.
3. The payload is not opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from transport.wire.documents import integer, octets, protocol, read_object, text
from transport.wire.errors import WireError

__all__ = ["EnvelopedRequest", "WireError", "decode_request"]

TRANSPORT: Final = "choria:transport:1"
SECURE_REQUEST: Final = "choria:secure:request:1"
REQUEST: Final = "choria:request:1"


@dataclass(frozen=True, slots=True)
class EnvelopedRequest:
    """Who says to have sent a request (header and envelope), as whom, to which agent; `time` in seconds since 1970."""

    header_sender: str
    sender: str
    caller: str
    request_id: str
    collective: str
    agent: str
    time: int
    payload: str


def decode_request(data: bytes) -> EnvelopedRequest:
    """The request in a transport message, its signature not checked; raises WireError."""
    transport = read_object(data, "transport")
    protocol(transport, TRANSPORT, "transport")
    headers = transport.get("headers")
    if type(headers) is not dict:
        raise WireError("wrong_field", "transport.headers")
    secure = read_object(octets(transport, "data", "transport"), "secure")
    protocol(secure, SECURE_REQUEST, "secure_request")
    request = read_object(text(secure, "message", "secure_request").encode(), "request")
    protocol(request, REQUEST, "request")
    envelope = request.get("envelope")
    if type(envelope) is not dict:
        raise WireError("wrong_field", "request.envelope")
    return EnvelopedRequest(
        header_sender=text(headers, "mc_sender", "headers"),
        sender=text(envelope, "senderid", "envelope"),
        caller=text(envelope, "callerid", "envelope"),
        request_id=text(envelope, "requestid", "envelope"),
        collective=text(envelope, "collective", "envelope"),
        agent=text(envelope, "agent", "envelope"),
        time=integer(envelope, "time", "envelope", least=0),
        payload=text(request, "message", "request"),
    )
