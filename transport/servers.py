"""Addresses of brokers, as a site writes them.

Rules:
1. An address is a host and a port; credentials, paths and queries are refused, never ignored.
2. An error never repeats what could be a password.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fsm.errors import UsherError


class BadServerError(UsherError):
    """This is not the address of a broker: nats://HOST:PORT is expected"""

    def __init__(self, server: str) -> None:
        """Hold the address without anything that could be a password."""
        super().__init__()
        self.server = server.rpartition("@")[2]


def server_url(address: str) -> str:
    """`nats://host:port` of what a site writes; raises BadServerError."""
    text = address.strip()
    try:
        parts = urlsplit(text if "://" in text else f"nats://{text}")
        port = parts.port or 4222
    except ValueError:  # no port, or brackets around what is no address
        raise BadServerError(address) from None
    plain = parts.path in {"", "/"} and not (parts.query or parts.fragment)
    if parts.scheme not in {"nats", "tls"} or not parts.hostname or "@" in parts.netloc or not plain:
        raise BadServerError(address)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"nats://{host}:{port}"
