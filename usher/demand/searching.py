"""Searching the fleet: who answers there now, by name and by what each says of its facts.

Rules:
1. One broadcast finds who is there; each that is left by name is then asked for its facts (`rpcutil#get_fact`), so that
   no version of the protocol needs to know of filters.
2. A node that does not tell its facts is left out, and counted: a guess would be worse.
3. Patterns are the operator's: a name, a shell pattern, or an expression between slashes, as with Choria's commands.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol

from fsm.errors import CallError, UsherError
from fsm.ports import Reply, Request

AT_ONCE: Final = 256
_TIMEOUT: Final = 4.0
_TTL: Final = 60


class SearchError(UsherError):
    """The fleet cannot be searched"""

    def __init__(self, problem: str) -> None:
        """Hold what is wrong."""
        super().__init__()
        self.problem = problem

    def __str__(self) -> str:
        """What is wrong."""
        return f"{self.__doc__}: {self.problem}"


class Searched(Protocol):
    """What is needed of the fleet."""

    async def names(self) -> list[str]:
        """Who answers there now."""
        ...

    async def call(self, request: Request) -> Reply:
        """Ask one."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom an operator looks for: names that fit, and what each must say of its facts."""

    fits: Callable[[str], bool]
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Who is there and fits, by name; how many did not tell their facts."""

    nodes: tuple[str, ...]
    silent: int = 0


def wanted(arguments: Mapping[str, Any]) -> Wanted:
    """What `facts` (FACT=VALUE) and `identities` (patterns) say; raises SearchError."""
    facts = tuple(_fact(each) for each in _texts(arguments, "facts"))
    return Wanted(_pattern(_texts(arguments, "identities")), facts)


async def search(fleet: Searched, what: Wanted) -> Found:
    """Who is there and wanted; raises SearchError."""
    try:
        names = [name for name in await fleet.names() if what.fits(name)]
    except CallError as error:
        raise SearchError(error.detail or str(error)) from None
    gate = asyncio.Semaphore(AT_ONCE)

    async def told(name: str) -> bool | None:
        async with gate:
            return await _has(fleet, name, what.facts)

    answers = await asyncio.gather(*map(told, names))
    nodes = tuple(name for name, answer in zip(names, answers, strict=True) if answer)
    return Found(nodes, sum(answer is None for answer in answers))


def unknown(network: str, networks: Iterable[str]) -> str:
    """What is said of a network that is none of these; a single one has no name."""
    names = ", ".join(filter(None, networks))
    here = f"the networks are {names}" if names else "there is one alone: leave --network out"
    return f"there is no network {network!r:.80}: {here}"


async def _has(fleet: Searched, name: str, facts: Sequence[tuple[str, str]]) -> bool | None:
    """Whether a node has all these facts; None if it does not say."""
    for fact, wanted in facts:
        try:
            reply = await fleet.call(Request(name, "rpcutil", "get_fact", {"fact": fact}, _TTL, _TIMEOUT))
        except CallError:
            return None
        if reply.code:
            return None
        if _written(reply.data.get("value")) != wanted:
            return False
    return True


def _written(value: object) -> str | None:
    """A fact as it is typed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _texts(arguments: Mapping[str, Any], name: str) -> list[str]:
    found = arguments.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise SearchError(f"{name} must be a list of texts")
    return found


def _fact(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise SearchError(f"{text!r:.80} is not FACT=VALUE")
    return name, value


def _pattern(patterns: Sequence[str]) -> Callable[[str], bool]:
    tests: list[Callable[[str], bool]] = [_test(pattern) for pattern in patterns]
    return lambda name: not tests or any(test(name) for test in tests)


def _test(pattern: str) -> Callable[[str], bool]:
    if len(pattern) > 2 and pattern[0] == pattern[-1] == "/":
        try:
            expression = re.compile(pattern[1:-1])
        except re.error as error:
            raise SearchError(f"{pattern!r:.80} is no regular expression: {error}") from None
        return lambda name: expression.search(name) is not None
    return lambda name: fnmatchcase(name, pattern)
