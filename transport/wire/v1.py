"""Choria protocol v1: transport, secure request or reply, request or reply, payload (wire/protocol.md §2).

Documents are nested as JSON text in a string, but for the transport's `data`. What is signed and hashed are the UTF-8
bytes of that text.

Rules:
1. Pure functions over bytes: no clock, no randomness, no connection.
2. What is signed or hashed is exactly the bytes that travel; nothing is parsed and written again.
3. A reply counts by its hash: nothing of it is signed (§2.4).
4. Any bytes give a frozen value or a WireError.
5. A signature is taken from the message and not checked; an unprovisioned node has none, and sends words instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final
from uuid import UUID

import orjson

from transport.wire.caller import INSECURE, Asks
from transport.wire.documents import encode64, integer, member, octets, protocol, read_object, text
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

TRANSPORT: Final = "choria:transport:1"
SECURE_REQUEST: Final = "choria:secure:request:1"
SECURE_REPLY: Final = "choria:secure:reply:1"
REQUEST: Final = "choria:request:1"
REPLY: Final = "choria:reply:1"
SHORTEST_TTL: Final = 30
"""Seconds; a request with less is thrown away unheard (§2.3)."""
_ID: Final = 32
_SECOND: Final = 1_000_000_000
_LATEST: Final = 2**63 // _SECOND - 1


def make_id(_now: int, entropy: bytes) -> str:
    """A request id: a random UUID without its dashes, of 16 random bytes; any other length is not heard (§2.3)."""
    return UUID(bytes=entropy[:16].ljust(16, b"\0"), version=4).hex


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
    """The transport message of a request (§2.1 to §2.3); `server` fills the optional `seen-by` header.

    Raises WireError for a ttl that nobody would hear, and for a payload that is no text.
    """
    if ttl < SHORTEST_TTL:
        raise WireError("wrong_field", "envelope.ttl")
    envelope = {
        "requestid": request_id,
        "senderid": caller.sender,
        "callerid": caller.caller,
        "collective": collective,
        "agent": agent,
        "ttl": ttl,
        "time": time_ns // _SECOND,
        "filter": no_filter(list(filter_agents)),
    }
    request = orjson.dumps({"protocol": REQUEST, "message": _text(payload), "envelope": envelope})
    sign = caller.sign
    secure = {
        "protocol": SECURE_REQUEST,
        "message": request.decode(),
        "signature": INSECURE if sign is None else encode64(sign(request)),
        "pubcert": caller.credential,
    }
    return _transport(secure, {"reply-to": reply_to, "mc_sender": caller.sender}, server)


def encode_reply(payload: bytes, *, request_id: str, sender: str, agent: str, time_ns: int, server: str = "") -> bytes:
    """The transport message of a reply (§2.4, §2.5); raises WireError for a payload that is no text."""
    envelope = {"requestid": request_id, "senderid": sender, "agent": agent, "time": time_ns // _SECOND}
    reply = orjson.dumps({"protocol": REPLY, "message": _text(payload), "envelope": envelope})
    secure = {"protocol": SECURE_REPLY, "message": reply.decode(), "hash": encode64(sha256(reply).digest())}
    return _transport(secure, {"mc_sender": sender}, server)


def decode_reply(data: bytes) -> WireReply:
    """The reply in a transport message, its hash checked; raises WireError."""
    headers, secure = open_transport(data, TRANSPORT)
    protocol(secure, SECURE_REPLY, "secure_reply")
    document = text(secure, "message", "secure_reply").encode()
    if not compare_digest(octets(secure, "hash", "secure_reply"), sha256(document).digest()):
        raise WireError("wrong_hash", "secure_reply.hash")
    reply = read_object(document, "reply")
    protocol(reply, REPLY, "reply")
    envelope = member(reply, "envelope", "reply")
    return WireReply(
        header_sender=text(headers, "mc_sender", "headers"),
        sender=text(envelope, "senderid", "envelope"),
        request_id=text(envelope, "requestid", "envelope"),
        agent=text(envelope, "agent", "envelope"),
        time_ns=_time(envelope) + _SECOND - 1,
        payload=text(reply, "message", "reply").encode(),
    )


def decode_request(data: bytes) -> WireRequest:
    """The request in a transport message by §2.2 and §2.3, its signature not checked; raises WireError."""
    headers, secure = open_transport(data, TRANSPORT)
    protocol(secure, SECURE_REQUEST, "secure_request")
    signed = text(secure, "message", "secure_request").encode()
    request = read_object(signed, "request")
    protocol(request, REQUEST, "request")
    envelope = member(request, "envelope", "request")
    return WireRequest(
        version=Version.V1,
        header_sender=header(headers, "mc_sender"),
        request_id=_request_id(envelope),
        sender=text(envelope, "senderid", "envelope"),
        caller=text(envelope, "callerid", "envelope"),
        credential=text(secure, "pubcert", "secure_request"),
        signature=_signature(secure),
        signed=signed,
        collective=text(envelope, "collective", "envelope"),
        agent=text(envelope, "agent", "envelope"),
        ttl=integer(envelope, "ttl", "envelope", least=SHORTEST_TTL),
        time_ns=_time(envelope),
        filter=filter_of(envelope.get("filter"), "envelope"),
        payload=text(request, "message", "request").encode(),
        reply_to=header(headers, "reply-to"),
    )


def _transport(secure: dict[str, Any], headers: dict[str, Any], server: str) -> bytes:
    if server:
        headers["seen-by"] = [[server, headers["mc_sender"], server]]
    return orjson.dumps(transport_of(TRANSPORT, orjson.dumps(secure), headers))


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise WireError("not_text", "message") from None


def _request_id(envelope: dict[str, Any]) -> str:
    value = text(envelope, "requestid", "envelope")
    if len(value) != _ID:
        raise WireError("wrong_field", "envelope.requestid")
    return value


def _signature(secure: dict[str, Any]) -> bytes | None:
    return None if secure.get("signature") == INSECURE else octets(secure, "signature", "secure_request")


def _time(envelope: dict[str, Any]) -> int:
    seconds = integer(envelope, "time", "envelope", least=0)
    if seconds > _LATEST:
        raise WireError("wrong_field", "envelope.time")
    return seconds * _SECOND
