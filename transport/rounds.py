"""Which broker is tried next: round by round, the servers that are configured first, then those that a cluster named.

Rules:
1. What a cluster names is tried after what is configured and never instead of it: it may be unreachable from here.
2. A round asks anew where the brokers are; while nobody can say, the last that was known counts.
3. The server that was left is the last of what is configured: whoever threw us out is not asked first; one that is
   about to go is the last of all, once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from transport.news import Place
from transport.servers import BadServerError, server_url

Servers = Sequence[str] | Callable[[], Awaitable[Sequence[str]]]
"""The addresses of the brokers, or how to find them out; they are asked for at the beginning of each round."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server; `tls_name` is the name that its certificate is for, if that is not its host."""

    url: str
    tls_name: str = ""


class Rounds:
    """The order in which servers are tried: `await next()`."""

    def __init__(self, servers: Servers) -> None:
        """Hold the servers; raises BadServerError, unless they are still to be found."""
        self._find = servers if callable(servers) else None
        self._configured = [] if callable(servers) else [Address(server_url(server)) for server in servers]
        if not self._configured and self._find is None:
            raise BadServerError("")
        self._learned: list[Address] = []
        self._waiting: list[Address] = []
        self._left = self._going = ""

    @property
    def more(self) -> bool:
        """Whether this round has more to try."""
        return bool(self._waiting)

    async def next(self) -> Address | None:
        """The server to try now; None if no server is known."""
        if not self._waiting:
            await self._begin()
        return self._waiting.pop(0) if self._waiting else None

    def left(self, address: Address, *, going: bool = False) -> None:
        """The login at this server is over, or the server is about to go: a new round, in which it comes last."""
        self._left, self._going, self._waiting = address.url, address.url if going else "", []

    def learn(self, places: Sequence[Place], source: Address) -> None:
        """What a server said about its cluster; nothing said changes nothing."""
        if places:
            name = source.tls_name or _name(source.url)
            self._learned = [Address(place.url, name if place.is_address else "") for place in places]

    async def _begin(self) -> None:
        if self._find is not None:
            with suppress(Exception):  # whoever finds them raises nothing; a bug there must not be the end of us
                self._configured = _addresses(await self._find()) or self._configured
        known = {address.url for address in self._configured}
        ordered = sorted(self._configured, key=lambda address: address.url == self._left)
        more = [address for address in self._learned if address.url not in known | {self._left}]
        self._waiting = sorted([*dict.fromkeys(ordered), *more], key=lambda address: address.url == self._going)
        self._going = ""


def _addresses(found: Sequence[str]) -> list[Address]:
    addresses = []
    for server in found:
        try:
            addresses.append(Address(server_url(server)))
        except BadServerError:  # whoever finds them has checked them
            continue
    return addresses


def _name(url: str) -> str:
    """The host of a URL if it is a name."""
    host = urlsplit(url).hostname or ""
    return "" if Place(host, 1).is_address else host
