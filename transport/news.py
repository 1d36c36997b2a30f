"""What a broker says of its cluster in an INFO: which servers there are, and whether it is about to go.

Only an INFO that came after the login is read: the first one is sent before TLS, and anybody could have written it.

Rules:
1. Nothing is raised: what is not understood is no news.
2. An address is a name or an IP address with a port, as nats-server writes it, and no more than MOST of them count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import orjson

from fsm.identity import is_safe

MOST: Final = 32
"""Servers of a cluster that are remembered."""
_PLACE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([^\[\]:]{1,253})):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server of the cluster listens; an IPv6 address stands without its brackets."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """`nats://host:port`."""
        return f"nats://[{self.host}]:{self.port}" if ":" in self.host else f"nats://{self.host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether it is an IP address, which a certificate seldom names."""
        return _is_address(self.host)


@dataclass(frozen=True, slots=True)
class News:
    """The servers of the cluster, this one too, and whether this one is about to go (lame duck mode)."""

    places: tuple[Place, ...] = ()
    lame: bool = False


def read_news(text: bytes) -> News:
    """What an INFO says, its JSON text given."""
    try:
        info = orjson.loads(text)
    except orjson.JSONDecodeError:
        return News()
    if not isinstance(info, dict):
        return News()
    urls = info.get("connect_urls")
    named = [place for url in urls if (place := _place(url))] if isinstance(urls, list) else []
    return News(tuple(dict.fromkeys(named))[:MOST], info.get("ldm") is True)


def _place(url: object) -> Place | None:
    match = _PLACE.fullmatch(url) if isinstance(url, str) else None
    if match is None or not 0 < int(match[3]) < 1 << 16:
        return None
    host = match[1] or match[2]
    is_named = is_safe(host) if match[2] else _is_address(host)
    return Place(host, int(match[3])) if is_named else None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
