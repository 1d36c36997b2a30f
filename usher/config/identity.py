"""The name of this machine, as go-choria finds it when the configuration does not say.

Rules:
1. The system's host name if it has two dots or more, else the name that DNS has for its first IPv4 address, else what
   facter says, else the host name (go-choria: config.go).
2. Nothing is raised: a machine without a name has the empty one, and its reader says so.
"""

from __future__ import annotations

import os
import socket
from typing import Protocol

from usher.config import puppet


class Names(Protocol):
    """Where the names come from, of this machine and of who runs this process."""

    def host(self) -> str:
        """The system's host name."""
        ...

    def domain_name(self, host: str) -> str:
        """What DNS calls the first IPv4 address of a host; empty if nothing."""
        ...

    def fact(self, name: str) -> str:
        """What facter says; empty if nothing."""
        ...

    def puppet(self, setting: str) -> str:
        """What puppet says that one of its settings is; empty if nothing."""
        ...

    def root(self) -> bool:
        """Whether this process is root's."""
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

    def fact(self, name: str) -> str:
        """What facter says; empty if nothing."""
        return puppet.fact(name)

    def puppet(self, setting: str) -> str:
        """What puppet says that one of its settings is; empty if nothing."""
        return puppet.setting(setting)

    def root(self) -> bool:
        """Whether this process is root's."""
        return os.geteuid() == 0


def machine_identity(names: Names) -> tuple[str, str]:
    """The identity of this machine, and where it is from."""
    host = names.host()
    if host.count(".") > 1:
        return host, "the host name of this machine"
    name = names.domain_name(host)
    if name not in ("", "localhost"):
        return name, "the name that DNS has for this machine"
    if told := names.fact(puppet.FQDN):
        return told, f"facter {puppet.FQDN}"
    return host, "the host name of this machine"
