"""SRV records: where DNS says that brokers are, asked as Go's net.LookupSRV asks for go-choria.

Rules:
1. Nothing is raised: an answer is targets, or a sentence that says why there are none and whether that is certain.
2. DNS is a stranger: a target counts if it is a safe name with a port, and no more than MOST of them do.
3. Lower priorities first, and within one drawn by weight (RFC 2782); the root as target means that there is none.
4. dnspython is loaded at the first question: whoever names the brokers never needs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fsm.identity import is_safe

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

MOST: Final = 64
"""Targets of one answer that are used."""
LONGEST: Final = 10.0
"""Seconds for one question, all name servers and search domains included."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target; `host` has no dot at its end."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SrvAnswer:
    """What DNS said to one name: `problem` is why there are no targets, or what is wrong with others.

    `certain` is False if nobody who knows could be asked.
    """

    targets: tuple[Target, ...] = ()
    problem: str = ""
    certain: bool = True


def system_resolver() -> Resolver:
    """The resolver that /etc/resolv.conf describes now."""
    resolver: Resolver = import_module("dns.asyncresolver").Resolver()
    return resolver


class SrvResolver:
    """Asks for SRV records; `make` gives the resolver of each question, so that a changed resolv.conf counts."""

    def __init__(self, make: Callable[[], Resolver] = system_resolver) -> None:
        """Hold how a resolver is made."""
        self._make = make

    async def ask(self, name: str) -> SrvAnswer:
        """The targets of a name, in the order in which to try them; the search domains of this machine count."""
        try:
            async with asyncio.timeout(LONGEST):
                found = await self._make().resolve(name, "SRV", search=True)
        except TimeoutError:
            return SrvAnswer(problem="DNS did not answer in time", certain=False)
        except OSError as error:
            return SrvAnswer(problem=f"DNS cannot be asked: {error.strerror}", certain=False)
        except Exception as error:  # noqa: BLE001 rule 1: dnspython's errors end here
            return _failure(error)
        return _targets(found)


_CERTAIN: Final = {
    "resolver.NXDOMAIN": "DNS knows no such name",
    "resolver.NoAnswer": "DNS knows the name, and no SRV record of it",
    "resolver.YXDOMAIN": "it is no name for DNS",
    "name.LabelTooLong": "it is no name for DNS",
    "name.NameTooLong": "it is no name for DNS",
    "name.EmptyLabel": "it is no name for DNS",
}
_UNCERTAIN: Final = {
    "exception.Timeout": "DNS did not answer in time",
    "resolver.NoResolverConfiguration": "/etc/resolv.conf names no DNS server",
    "resolver.NoNameservers": "no DNS server could answer",
}


def _failure(error: Exception) -> SrvAnswer:
    """What dnspython raised, in words; its own bugs are failures too, and not certain."""
    kinds = {f"{kind.__module__.removeprefix('dns.')}.{kind.__name__}": kind for kind in type(error).__mro__}
    for words, certain in ((_CERTAIN, True), (_UNCERTAIN, False)):
        for kind in words.keys() & kinds.keys():
            return SrvAnswer(problem=words[kind], certain=certain)
    return SrvAnswer(problem=f"DNS cannot be asked ({type(error).__name__})", certain=False)


def _targets(found: Any) -> SrvAnswer:
    records = found.rrset.processing_order() if found.rrset is not None else []
    named = [record for record in records if record.target.labels != (b"",)]
    if not named:
        return SrvAnswer(problem="DNS says that there is no such service")
    good = [Target(host, record.port) for record in named if (host := _host(record.target.labels)) and record.port]
    used = tuple(dict.fromkeys(good))[:MOST]
    problem = "" if len(good) == len(named) else f"{len(named) - len(good)} of {len(named)} SRV records are unusable"
    return SrvAnswer(used, problem)


def _host(labels: tuple[bytes, ...]) -> str:
    """The name of a target; empty if it is not one that anybody should connect to."""
    text = b".".join(label for label in labels if label).decode("ascii", "replace")
    return text if is_safe(text) and not any(b"." in label for label in labels) else ""
