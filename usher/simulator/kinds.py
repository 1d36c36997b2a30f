"""Kinds of servers: whoever of a fleet is not like the rest, by its facts, its protocol, its age; and their RSA keys.

Rules:
1. Nodes of one kind share one setup.
2. A node shows the token of the protocol that it speaks, if the fleet has one for each.
3. RSA keys are made once for the whole fleet, since making one takes 70 ms, and only if somebody may need them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any, Final

import orjson

from security.node_tls import RsaPair
from transport.wire.versions import Version
from usher.simulator.model import Setup
from usher.simulator.profile import Facts, Profile, Servers, cast

KEYS: Final = 32
"""How many RSA keys there are unless something says else."""


def setups(
    setup: Setup, tokens: Mapping[Version, str], seed: int, profile: Profile, names: Sequence[str]
) -> dict[str, Setup]:
    """The setup of each node that is not like `setup`; `tokens` are the provisioning tokens by protocol."""
    facts = _groups(seed, "facts", profile.facts, names)
    servers = _groups(seed, "servers", profile.servers, names)

    @cache  # a kind is a line of `facts`, a line of `servers`, or both
    def kind(shown: int | None, spoken: int | None) -> Setup:
        made = setup if shown is None else _showing(setup, profile.facts[shown])
        return made if spoken is None else _speaking(made, profile.servers[spoken], tokens)

    return {name: kind(facts.get(name), servers.get(name)) for name in (*facts, *servers)}


def _groups(seed: int, what: str, lines: Sequence[Facts | Servers], names: Sequence[str]) -> dict[str, int]:
    """Which line speaks of each node that is spoken of."""
    groups = cast(seed, what, [line.amount for line in lines], names)
    return {name: number for number, group in enumerate(groups) for name in group}


def _showing(setup: Setup, facts: Facts) -> Setup:
    return replace(setup, facts=sized_facts({**setup.facts, **facts.given}, facts.size))


def _speaking(setup: Setup, servers: Servers, tokens: Mapping[Version, str]) -> Setup:
    version = servers.version or setup.version
    return replace(setup, version=version, token=tokens[version], lacks=setup.lacks | servers.lacks)


def keys_wanted(setup: Setup, profile: Profile, given: int | None) -> int:
    """How many RSA keys to make: as many as were asked for, else KEYS if somebody speaks v1."""
    if given is not None:
        return given
    versions = {setup.version, *(servers.version for servers in profile.servers)}
    return KEYS if Version.V1 in versions else 0


def made_keys(count: int) -> tuple[RsaPair, ...]:
    """So many new RSA keys, on all processors: 15 a second and processor."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(pool.map(lambda _: RsaPair.generate(), range(count)))


def sized_facts(facts: dict[str, Any], size: int) -> dict[str, Any]:
    """The facts and as much more as makes them about `size` bytes of JSON."""
    missing = size - len(orjson.dumps(facts))
    if missing <= 0:
        return facts
    each = 100
    filler = {f"fact_{number:05d}": "x" * (each - 16) for number in range(max(1, missing // each))}
    return facts | {"simulated": filler}
