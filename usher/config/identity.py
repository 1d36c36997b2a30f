"""The name of this machine, as go-choria finds it when the configuration does not say.

Rules:
1. The system's host name if it has two dots or more, else the name that DNS has for its first IPv4 address, else the
   host name (go-choria: config.go). Facter, which go-choria asks in between, is not run: `identity` can be configured.
2. Nothing is raised: a machine without a name has the empty one, and its reader says so.
"""

from __future__ import annotations

import socket
from typing import Protocol


class Names(Protocol):
    """Where the names come from."""

    def host(self) -> str:
        """The system's host name."""
        ...

    def domain_name(self, host: str) -> str:
        """What DNS calls the first IPv4 address of a host; empty if nothing."""
        ...


class SystemNames:
    """The names that this system has."""

    def host(self) -> str:
        """The system's host name."""
        return socket.gethostname()

    def domain_name(self, host: str) -> str:
        """What DNS calls the first IPv4 address of a host; empty if nothing."""
        try:
            addresses = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
            return socket.gethostbyaddr(str(addresses[0][4][0]))[0].removesuffix(".")
        except (OSError, UnicodeError, IndexError):
            return ""


def machine_identity(names: Names) -> str:
    """The identity of this machine."""
    host = names.host()
    if host.count(".") > 1:
        return host
    name = names.domain_name(host)
    return name if name not in ("", "localhost") else host
