"""What a request and a reply say, whichever version of the protocol carried them (wire/protocol.md §2, §3).

Rules:
1. Times are nanoseconds since 1970 and ttls are seconds. v1 writes whole seconds: a request's is the first nanosecond
   of its second, a reply's the last one, since a process must never seem younger than it is (design §3).
2. Payloads and signed documents are the bytes that travelled.
3. Nothing in here is proven but what its docstring says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from transport.wire.documents import encode64, member, octets, protocol, read_object, text
from transport.wire.errors import WireError


class Version(StrEnum):
    """The version of the protocol: x509 networks speak v1, issuer networks v2; nobody translates (§0, §4)."""

    V1 = "v1"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class WireReply:
    """A reply whose hash fits: who says to have sent it (header and document), to which request, the agent's output."""

    header_sender: str
    sender: str
    request_id: str
    agent: str
    time_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Filter:
    """Whom a broadcast is for (§2.6); `agent` is None if it was not sent, and then the real server never answers."""

    fact: tuple[Any, ...] = ()
    cf_class: tuple[Any, ...] = ()
    agent: tuple[Any, ...] | None = ()
    identity: tuple[Any, ...] = ()
    compound: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as a server reads it; `signed` are the bytes that `signature` is over.

    `credential` is what the caller shows of itself: its client JWT (v2), the PEM text of its certificate (v1), or the
    word `insecure`; `signature` is None if the word stands there too. `filter` is None if it was not sent (v2 only);
    `header_sender` and `reply_to` are empty if there is none.
    """

    version: Version
    header_sender: str
    request_id: str
    sender: str
    caller: str
    credential: str
    signature: bytes | None
    signed: bytes
    collective: str
    agent: str
    ttl: int
    time_ns: int
    filter: Filter | None
    payload: bytes
    reply_to: str


def open_transport(data: bytes, expected: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The headers and the secured document of a transport message, by either version; raises WireError."""
    transport = read_object(data, "transport")
    protocol(transport, expected, "transport")
    return member(transport, "headers", "transport"), read_object(octets(transport, "data", "transport"), "secure")


def transport_of(kind: str, secure: bytes, headers: dict[str, Any]) -> dict[str, Any]:
    """A transport message, to be written as JSON."""
    return {"protocol": kind, "data": encode64(secure), "headers": headers}


def no_filter(agents: list[str]) -> dict[str, list[str]]:
    """The filter of a request for these agents; `agent` always travels, for the reply to work (§2.6)."""
    return {"fact": [], "cf_class": [], "agent": agents, "identity": [], "compound": []}


def filter_of(given: object, layer: str) -> Filter:
    """A filter that was sent; raises WireError."""
    if type(given) is not dict:
        raise WireError("wrong_field", f"{layer}.filter")
    return Filter(
        fact=_terms(given, "fact"),
        cf_class=_terms(given, "cf_class"),
        agent=_terms(given, "agent") if "agent" in given else None,
        identity=_terms(given, "identity"),
        compound=_terms(given, "compound"),
    )


def header(headers: dict[str, Any], name: str) -> str:
    """An optional header, empty if it was not sent; raises WireError."""
    return text(headers, name, "headers") if name in headers else ""


def _terms(given: dict[str, Any], name: str) -> tuple[Any, ...]:
    terms = given.get(name)
    if type(terms) is not list:
        raise WireError("wrong_field", f"filter.{name}")
    return tuple(terms)
