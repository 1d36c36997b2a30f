"""A little DNS server on loopback: it answers SRV questions with what a test says, and misbehaves as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

HOST = "127.0.0.1"
Misbehave = Callable[[dns.message.Message], bytes | None]


@dataclass
class DnsServer:
    """`records` are the lines of a zone file for each name; `broken` makes other bytes of an answer, or silence."""

    records: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    broken: Misbehave | None = None
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self, data: bytes) -> bytes | None:
        """The bytes of the answer to the bytes of a question; None is silence."""
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text().rstrip(".").lower()
        self.asked.append(name)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | dns.flags.AA
        if self.broken is not None:
            return self.broken(reply)
        if self.rcode is not dns.rcode.NOERROR:
            reply.set_rcode(self.rcode)
        elif name in self.records:
            reply.answer.append(dns.rrset.from_text(f"{name}.", 30, "IN", "SRV", *self.records[name]))
        elif name not in self.names:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()

    def resolver(self, *search: str) -> dns.asyncresolver.Resolver:
        """A resolver that asks this server alone, briefly."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [HOST]
        resolver.port = self.port
        resolver.lifetime = resolver.timeout = 0.2
        resolver.search = [dns.name.from_text(domain) for domain in search]
        return resolver


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def serving(**given: object) -> AsyncIterator[DnsServer]:
    """The server, while it serves."""
    server = DnsServer(**given)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(server), local_addr=(HOST, 0))
    server.port = transport.get_extra_info("sockname")[1]
    try:
        yield server
    finally:
        transport.close()
