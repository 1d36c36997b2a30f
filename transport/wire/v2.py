"""Choria protocol v2: transport, secure request or reply, request or reply, payload (wire/protocol.md §3).

Rules:
1. Pure functions over bytes: no clock, no randomness, no connection.
2. What is signed or hashed is exactly the bytes that travel; nothing is parsed and written again.
3. A reply counts by its hash; a signature is not asked for, since provisioning replies have none (§3.4).
4. Any bytes give a frozen value or a WireError.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

import orjson

from transport.ksuid import ksuid
from transport.wire.caller import Asks
from transport.wire.documents import encode64, integer, octets, protocol, read_object, text
from transport.wire.errors import WireError
from transport.wire.messages import (
    Version,
    WireReply,
    WireRequest,
    filter_of,
    header,
    no_filter,
    open_transport,
    transport_of,
)

__all__ = ["decode_reply", "decode_request", "encode_reply", "encode_request", "make_id"]

TRANSPORT: Final = "io.choria.protocol.v2.transport"
SECURE_REQUEST: Final = "io.choria.protocol.v2.secure_request"
SECURE_REPLY: Final = "io.choria.protocol.v2.secure_reply"
REQUEST: Final = "io.choria.protocol.v2.request"
REPLY: Final = "io.choria.protocol.v2.reply"
SHORTEST_TTL: Final = 1
"""Seconds; a request with less is thrown away unheard (§3.3)."""


def make_id(now: int, entropy: bytes) -> str:
    """A request id: a KSUID of a moment (milliseconds since 1970) and 16 random bytes (§3.3)."""
    return ksuid(now, entropy)


def encode_request(
    payload: bytes,
    *,
    caller: Asks,
    agent: str,
    request_id: str,
    reply_to: str,
    ttl: int,
    time_ns: int,
    collective: str = "provisioning",
    filter_agents: Sequence[str] = (),
    server: str = "",
) -> bytes:
    """The transport message of a signed request (§3.1 to §3.3); `server` fills the optional trace header.

    Raises WireError if `caller` does not sign: there is no unsecured v2 (§3.6).
    """
    if caller.sign is None:
        raise WireError("not_signed", "secure_request")
    request = orjson.dumps(
        {
            "protocol": REQUEST,
            "message": encode64(payload),
            "id": request_id,
            "sender": caller.sender,
            "caller": caller.caller,
            "collective": collective,
            "agent": agent,
            "ttl": ttl,
            "time": time_ns,
            "filter": no_filter(list(filter_agents)),
        }
    )
    secure = orjson.dumps(
        {
            "protocol": SECURE_REQUEST,
            "request": encode64(request),
            "signature": encode64(caller.sign(request)),
            "caller": caller.credential,
        }
    )
    return _transport(secure, {"reply": reply_to, "sender": caller.sender}, server)


def encode_reply(payload: bytes, *, request_id: str, sender: str, agent: str, time_ns: int, server: str = "") -> bytes:
    """The transport message of an unsigned reply, as a server in provisioning mode sends it (§3.4)."""
    reply = orjson.dumps(
        {
            "protocol": REPLY,
            "message": encode64(payload),
            "request": request_id,
            "sender": sender,
            "agent": agent,
            "time": time_ns,
        }
    )
    secure = orjson.dumps(
        {"protocol": SECURE_REPLY, "reply": encode64(reply), "hash": encode64(sha256(reply).digest())}
    )
    return _transport(secure, {"sender": sender}, server)


def _transport(secure: bytes, headers: dict[str, Any], server: str) -> bytes:
    if server:
        headers["trace"] = [[server, headers["sender"], server]]
    return orjson.dumps(transport_of(TRANSPORT, secure, headers))


def decode_reply(data: bytes) -> WireReply:
    """The reply in a transport message, its hash checked; raises WireError."""
    headers, secure = open_transport(data, TRANSPORT)
    protocol(secure, SECURE_REPLY, "secure_reply")
    document = octets(secure, "reply", "secure_reply")
    if not compare_digest(octets(secure, "hash", "secure_reply"), sha256(document).digest()):
        raise WireError("wrong_hash", "secure_reply.hash")
    reply = read_object(document, "reply")
    protocol(reply, REPLY, "reply")
    return WireReply(
        header_sender=text(headers, "sender", "headers"),
        sender=text(reply, "sender", "reply"),
        request_id=text(reply, "request", "reply"),
        agent=text(reply, "agent", "reply"),
        time_ns=integer(reply, "time", "reply", least=1),
        payload=octets(reply, "message", "reply"),
    )


def decode_request(data: bytes) -> WireRequest:
    """The request in a transport message by §3.2 and §3.3, its signature not checked; raises WireError."""
    headers, secure = open_transport(data, TRANSPORT)
    protocol(secure, SECURE_REQUEST, "secure_request")
    signed = octets(secure, "request", "secure_request")
    request = read_object(signed, "request")
    protocol(request, REQUEST, "request")
    return WireRequest(
        version=Version.V2,
        header_sender=header(headers, "sender"),
        request_id=text(request, "id", "request"),
        sender=text(request, "sender", "request"),
        caller=text(request, "caller", "request"),
        credential=text(secure, "caller", "secure_request"),
        signature=octets(secure, "signature", "secure_request"),
        signed=signed,
        collective=text(request, "collective", "request"),
        agent=text(request, "agent", "request"),
        ttl=integer(request, "ttl", "request", least=1),
        time_ns=integer(request, "time", "request", least=1),
        filter=filter_of(request["filter"], "request") if "filter" in request else None,
        payload=octets(request, "message", "request"),
        reply_to=header(headers, "reply"),
    )
