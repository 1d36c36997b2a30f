"""Where the brokers are: those of the configuration, else those that DNS names, else go-choria's last resort.

Rules:
1. It is asked at the beginning of each round of logins and raises nothing (go-choria: choria/framework.go).
2. The first service that has records counts; its targets keep the order that DNS gives them.
3. While DNS cannot be asked, what it said last counts; what it says for certain counts at once.
4. The connections of one round share one answer, for KEPT seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fsm.identity import is_safe
from transport.srv import SrvAnswer, SrvResolver
from usher import logs
from usher.config.client import ClientConfig
from usher.config.identity import Names
from usher.config.puppet import DOMAIN
from usher.config.servers import FALLBACK, SERVICES, Lookup, Server

KEPT: Final = 5.0
"""Seconds for which an answer counts (go-choria: srvcache)."""
_logger = logging.getLogger("broker")


@dataclass(frozen=True, slots=True)
class Found:
    """The brokers, in the order in which to try them, and in words where they are from and what was asked in vain.

    `sure` is False if they are only the best that is known.
    """

    servers: tuple[Server, ...]
    source: str
    in_vain: tuple[str, ...] = ()
    sure: bool = True

    @property
    def urls(self) -> tuple[str, ...]:
        """Their addresses."""
        return tuple(server.url for server in self.servers)


class Brokers:
    """Finds the brokers of a client configuration; call it for the addresses of a round."""

    def __init__(self, client: ClientConfig, srv: SrvResolver, names: Names, monotonic: Callable[[], float]) -> None:
        """Hold what to ask; nothing is asked yet."""
        self._client, self._srv, self._names, self._monotonic = client, srv, names, monotonic
        self._asking = asyncio.Lock()
        self._domain = client.lookup.domain if client.lookup else ""
        self._known: Found | None = None
        self._until = 0.0

    async def __call__(self) -> tuple[str, ...]:
        """The addresses for the next round of logins; a change is logged."""
        async with self._asking:
            if self._known is None or self._monotonic() >= self._until:
                found = await self.find()
                if self._known is None or not _same(found, self._known):
                    _tell(found)
                self._known, self._until = found, self._monotonic() + KEPT
            return self._known.urls

    async def find(self) -> Found:
        """Ask now."""
        client = self._client
        if client.servers:
            return Found(client.servers, f"the configuration, {client.file}")
        if client.lookup is None:
            return Found((FALLBACK,), "go-choria's last resort: nothing is configured, and looking in DNS is off")
        return await self._look(client.lookup)

    async def _look(self, lookup: Lookup) -> Found:
        domain = self._domain or await asyncio.to_thread(self._names.fact, DOMAIN)
        if not is_safe(domain.removesuffix(".")):
            said = f"{domain[:80]!r} is no domain" if domain else "it is not there, or says nothing"
            return self._last((f"{lookup.where}: {said}",), certain=True)
        self._domain = domain
        in_vain: list[str] = []
        certain = True
        for name in (f"{service}.{domain}" for service in SERVICES):
            answer = await self._srv.ask(name)
            if answer.targets:
                return _answered(name, answer, in_vain)
            in_vain.append(f"{name}: {answer.problem}")
            certain = certain and answer.certain
        return self._last(tuple(in_vain), certain=certain)

    def _last(self, in_vain: tuple[str, ...], *, certain: bool) -> Found:
        known = self._known
        if not certain and known is not None and known.servers != (FALLBACK,):
            return Found(known.servers, "what DNS said before", in_vain, sure=False)
        return Found((FALLBACK,), "go-choria's last resort", in_vain, sure=False)


def _answered(name: str, answer: SrvAnswer, in_vain: list[str]) -> Found:
    said = [*in_vain, f"{name}: {answer.problem}"] if answer.problem else in_vain
    return Found(tuple(Server(target.host, target.port) for target in answer.targets), f"SRV {name}", tuple(said))


def _same(one: Found, other: Found) -> bool:
    """Whether nothing is new: the order of equal targets is drawn anew each time."""
    return (set(one.servers), one.source, one.in_vain) == (set(other.servers), other.source, other.in_vain)


def _tell(found: Found) -> None:
    more = {"in_vain": "; ".join(found.in_vain)} if found.in_vain else {}
    level = logging.INFO if found.sure else logging.WARNING
    logs.say(_logger, level, "where the brokers are", servers=" ".join(found.urls), source=found.source, **more)
