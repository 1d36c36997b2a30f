"""A machine's names without a machine: `usher.config.identity.Names` with fixed answers."""

from __future__ import annotations


class FixedNames:
    """A host name, and what DNS says to it."""

    def __init__(self, host: str, domain_name: str = "") -> None:
        """Answer these."""
        self._host, self._domain_name = host, domain_name

    def host(self) -> str:
        """The host name."""
        return self._host

    def domain_name(self, host: str) -> str:
        """What DNS says, if it is asked for the right host."""
        assert host == self._host
        return self._domain_name
