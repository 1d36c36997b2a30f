"""The brokers that a configuration names, as go-choria reads them.

Rules:
1. `[scheme://]host:port`, a comma between two; the port must be there; an IPv6 address is in brackets.
2. What stands before `@` or after the port in a URL is dropped, as go-choria drops it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DEFAULT_SCHEME: Final = "nats"
_SCHEMES: Final = ("nats", "tls")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^@/?#]*@)?([^/?#]*)(?:[/?#].*)?")
_PLACE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s:\[\]]+)):([0-9]+)")
_HIGHEST: Final = 65535


@dataclass(frozen=True, slots=True)
class Server:
    """One broker; an IPv6 address stands without its brackets."""

    host: str
    port: int
    scheme: str = DEFAULT_SCHEME

    @property
    def url(self) -> str:
        """The broker as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


FALLBACK: Final = Server("puppet", 4222)
"""Where go-choria goes when nothing is configured and DNS knows nothing."""


def parse_server(text: str) -> Server:
    """One broker; raises ValueError that says what is wrong."""
    scheme, place = DEFAULT_SCHEME, text.strip()
    url = _URL.fullmatch(place)
    if url:
        scheme, place = url[1].lower(), url[2]
    if scheme not in _SCHEMES:
        raise ValueError(f"the scheme {scheme} is not supported, use nats://")
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ValueError("it is not host:port; the port cannot be left out, and an IPv6 address needs brackets")
    port = int(match[3])
    if not 0 < port <= _HIGHEST:
        raise ValueError(f"{port} is no port")
    return Server(match[1] or match[2], port, scheme)
