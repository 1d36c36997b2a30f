"""A machine's names without a machine: `usher.config.identity.Names` with fixed answers."""

from __future__ import annotations


class FixedNames:
    """A host name, what DNS says to it, what facter and puppet say, and whether we are root.

    `asked` are the facts and settings that were asked for.
    """

    def __init__(self, host: str, domain_name: str = "", *, root: bool = False, ssldir: str = "", **facts: str) -> None:
        """Answer these; a fact `networking.domain` is given as `domain`."""
        self._host, self._domain_name, self._facts = host, domain_name, facts
        self._root, self._settings = root, {"ssldir": ssldir}
        self.asked: list[str] = []

    def host(self) -> str:
        """The host name."""
        return self._host

    def domain_name(self, host: str) -> str:
        """What DNS says, if it is asked for the right host."""
        assert host == self._host
        return self._domain_name

    def fact(self, name: str) -> str:
        """What facter says."""
        self.asked.append(name)
        return self._facts.get(name.rpartition(".")[2], "")

    def puppet(self, setting: str) -> str:
        """What puppet says."""
        self.asked.append(setting)
        return self._settings[setting]

    def root(self) -> bool:
        """Whether we are root."""
        return self._root
