"""The versions of the wire: one implementation each, and who speaks which.

Rules:
1. Whoever sends or reads messages takes its wire from here, by the version of who asks; nobody else chooses a version.
2. Versions differ in their bytes and in nothing else: what they carry is the same frozen values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from transport.wire import v1, v2
from transport.wire.caller import Asks
from transport.wire.documents import read_object
from transport.wire.errors import WireError
from transport.wire.messages import Version, WireReply, WireRequest

__all__ = [
    "SHORTEST_TTL",
    "WIRES",
    "Version",
    "Wire",
    "WireReply",
    "WireRequest",
    "decode_reply",
    "decode_request",
    "version_of",
]


class Wire(Protocol):
    """A version of the protocol: pure functions over bytes. All that is decoded raises WireError and nothing else."""

    def make_id(self, now: int, entropy: bytes, /) -> str:
        """A request id of a moment (milliseconds since 1970) and 16 random bytes."""
        ...

    def encode_request(
        self,
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
        """The transport message of a request, signed if `caller` signs; `server` fills the trace header."""
        ...

    def encode_reply(
        self, payload: bytes, *, request_id: str, sender: str, agent: str, time_ns: int, server: str = ""
    ) -> bytes:
        """The transport message of a reply, as a server in provisioning mode sends it."""
        ...

    def decode_reply(self, data: bytes) -> WireReply:
        """The reply in a transport message, its hash checked."""
        ...

    def decode_request(self, data: bytes) -> WireRequest:
        """The request in a transport message, its signature not checked."""
        ...


WIRES: Final[Mapping[Version, Wire]] = {Version.V1: v1, Version.V2: v2}
SHORTEST_TTL: Final[Mapping[Version, int]] = {Version.V1: v1.SHORTEST_TTL, Version.V2: v2.SHORTEST_TTL}
"""Seconds; a request with less is thrown away unheard."""
_SAID: Final[Mapping[object, Version]] = {v1.TRANSPORT: Version.V1, v2.TRANSPORT: Version.V2}


def version_of(data: bytes) -> Version:
    """The version that a transport message says it is of (§1); raises WireError."""
    said = read_object(data, "transport").get("protocol")
    if type(said) is not str or said not in _SAID:
        raise WireError("wrong_protocol", "transport")
    return _SAID[said]


def decode_reply(data: bytes) -> WireReply:
    """A reply of either version, its hash checked; raises WireError."""
    return WIRES[version_of(data)].decode_reply(data)


def decode_request(data: bytes) -> WireRequest:
    """A request of either version, its signature not checked; raises WireError."""
    return WIRES[version_of(data)].decode_request(data)
