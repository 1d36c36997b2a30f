"""Harmless: which of a node's values may be shown, by their names; every other value is taken for a secret.

Rules:
1. Names are always shown, values only where the name is on the list below: what is new is hidden until it is listed.
2. `redact_keys` takes names off the list; nothing puts one on it but a change of this module. An address with a login
   in it is hidden under every name.
3. A value that is hidden is also replaced wherever usher keeps or prints a node's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

_LOGIN: Final = re.compile(r"//(?:[^/\s@:]*:)?([^/\s@]+)@")
"""What stands before the host of an address: a user and a password, or a token."""
SHORTEST: Final = 4
"""Characters of the shortest value that is replaced in texts: shorter ones stand in ordinary words."""


class Section(StrEnum):
    """Where a name stands."""

    CONFIGURATION = "configuration"
    CLAIMS = "claims"
    INVENTORY = "inventory"
    SERVER_CLAIMS = "server_claims"


LISTED: Final[Mapping[Section, tuple[str, ...]]] = {
    Section.CONFIGURATION: (
        "identity", "collectives", "main_collective", "registration_collective", "loglevel", "logfile", "classesfile",
        "plugin.choria.server.provision", "plugin.choria.use_srv", "plugin.choria.middleware_hosts",
        "plugin.choria.federation.collectives", "plugin.security.provider", "plugin.security.choria.ca",
        "plugin.security.choria.token_file", "plugin.security.choria.seed_file", "plugin.security.issuer.names",
        "plugin.security.issuer.*.public",
    ),
    Section.CLAIMS: (
        "chs", "chpd", "chu", "chsrv", "v2", "update", "ou", "purpose", "public_key", "issexp", "iss", "sub", "aud",
        "exp", "nbf", "iat", "jti",
    ),
    Section.INVENTORY: ("version", "upgradable", "main_collective", "collectives", "agents", "classes"),
    Section.SERVER_CLAIMS: ("exp", "permissions", "collectives"),
}  # fmt: skip
"""The names whose values may be shown, in lower case; `*` stands for any text."""


@dataclass(frozen=True, slots=True)
class Harmless:
    """The list, less what a site's `redact_keys` takes off: names or patterns, with their section or without it."""

    redact: tuple[str, ...] = ()

    def shows(self, section: Section, name: str) -> bool:
        """Whether the value of this name may be shown."""
        return _shows(self.redact, section, name)

    def shown(self, section: Section, name: str, value: Any) -> Any:
        """The value if it may be shown, else None: an address with a password in it may not, whatever its name."""
        return None if not self.shows(section, name) or any(map(_LOGIN.search, _texts(value))) else value

    def secrets(self, section: Section, document: Mapping[str, Any]) -> Iterator[str]:
        """Every text within the values that may not be shown, and the passwords within addresses."""
        for name, value in document.items():
            if not self.shows(section, name):
                yield from _texts(value)
                continue
            for text in _texts(value):
                yield from (login[1] for login in _LOGIN.finditer(text) if len(login[1]) >= SHORTEST)


NOTHING_MORE: Final = Harmless()
"""The list as it is, where a site has no redact_keys."""


@lru_cache(maxsize=4096)
def _shows(redact: tuple[str, ...], section: Section, name: str) -> bool:
    folded = name.lower()
    if not any(fnmatchcase(folded, pattern) for pattern in LISTED[section]):
        return False
    full = f"{section.value}.{folded}"
    return not any(fnmatchcase(folded, each.lower()) or fnmatchcase(full, each.lower()) for each in redact)


def _texts(value: Any) -> Iterator[str]:
    """The texts of a JSON value, those that are too short to be told from words left out."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if len(each) >= SHORTEST and each not in {"true", "false"}:
                yield each
        elif isinstance(each, Mapping):
            waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            waiting.extend(each)
