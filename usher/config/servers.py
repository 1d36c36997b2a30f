"""The brokers that a configuration names, as go-choria reads them, and where to ask for them when it names none.

Rules:
1. `[scheme://]host:port`, a comma between two; the port must be there; an IPv6 address is in brackets.
2. What stands before `@` or after the port in a URL is dropped, as go-choria drops it, and never shown.
3. Only `ws` and `wss` mean something else than NATS; any other scheme is read as nats, as go-choria's library does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Final

DEFAULT_SCHEME: Final = "nats"
SERVICES: Final = ("_mcollective-server._tcp", "_x-puppet-mcollective._tcp")
"""What DNS is asked for, in order; the first that has records counts (go-choria: framework.go)."""
_PLAIN: Final = ("nats", "tls")
_WEB: Final = ("ws", "wss")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/?#]*)@)?([^/?#]*)([/?#].*)?")
_PLACE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[0-9A-Za-z._-]+)?)\]|([A-Za-z0-9_.-]+)):([0-9]{1,9})")
_HIGHEST: Final = 65535


@dataclass(frozen=True, slots=True)
class Server:
    """One broker; an IPv6 address stands without its brackets. `dropped` says what of the text does not count."""

    host: str
    port: int
    scheme: str = DEFAULT_SCHEME
    dropped: str = field(default="", compare=False)

    @property
    def url(self) -> str:
        """The broker as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Lookup:
    """Brokers are asked for in DNS: SERVICES in this domain; an empty one is facter's (`networking.domain`)."""

    domain: str
    where: str


FALLBACK: Final = Server("puppet", 4222)
"""Where go-choria goes when nothing is configured and DNS knows nothing."""


def parse_server(text: str) -> Server:
    """One broker; raises ValueError that says what is wrong, without what could be a password."""
    scheme, place, dropped = DEFAULT_SCHEME, text.strip(), ""
    url = _URL.fullmatch(place)
    if url:
        scheme, place = url[1].lower(), url[3]
        if scheme in _WEB:
            raise ValueError(f"the scheme {scheme} is not supported, use nats://")
        if scheme not in _PLAIN:
            scheme, dropped = DEFAULT_SCHEME, f"the scheme {scheme}, which is read as nats"
        if url[2] is not None:
            dropped = "user and password, which belong into plugin.nats.user and plugin.nats.pass"
        elif url[4] not in (None, "/"):
            dropped = "what stands after the port"
    match = _PLACE.fullmatch(place)
    if match is None or (match[1] and not _is_ipv6(match[1])):
        raise ValueError("it is not host:port; the port cannot be left out, and an IPv6 address needs brackets")
    port = int(match[3])
    if not 0 < port <= _HIGHEST:
        raise ValueError(f"{port} is no port")
    return Server(match[1] or match[2], port, scheme, dropped)


def shown(text: str) -> str:
    """A broker's text for a message: nothing that stands before `@`."""
    return text.rpartition("@")[2][:80]


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
