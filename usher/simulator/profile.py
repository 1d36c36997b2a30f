"""A profile: what a fleet is made of, read from a YAML or JSON file, every mistake at once with its place.

Rules:
1. Nothing is guessed: a key that is not known, and one that stands twice, is a mistake.
2. An amount of nodes is a share such as `2%` or a number; which nodes they are follows from the seed and their names.
3. A profile says what a fleet is; how it reaches a broker is said by options, and an option wins over the profile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from fsm.errors import UsherError
from transport.wire.versions import Version
from usher.simulator.cruelty import FLOODS, RETURNS, WHAT, Cruelty, Part
from usher.simulator.marked import Entry, read_entries
from usher.simulator.provision import ACTIONS
from usher.simulator.unkind import Fault, Rule, RuleError, parse_rule

MOST: Final = 1_000_000
LONGEST: Final = 24 * 3600.0
LARGEST_FACTS: Final = 400_000
"""Bytes of facts that still fit a message of a broker's usual 1 MiB, of which encoding takes more than half."""
MOST_MANY: Final = 10_000


class ProfileError(UsherError):
    """This is no profile of a fleet"""

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Hold a sentence for each mistake, each with its place."""
        super().__init__()
        self.mistakes = list(mistakes)


@dataclass(frozen=True, slots=True)
class Amount:
    """So many nodes: a share (0 to 1) or a number, the other is 0."""

    share: float = 0.0
    number: int = 0

    def of(self, nodes: int) -> int:
        """How many of so many; a share that is not nothing is at least one."""
        return self.number or max(1, round(self.share * nodes))

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.number} nodes" if self.number else f"{self.share * 100:g}%"


@dataclass(frozen=True, slots=True)
class Facts:
    """What some of the nodes show: these facts, and as many more as make `size` bytes of JSON."""

    amount: Amount
    size: int
    given: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Servers:
    """What some of the nodes are: the protocol that they speak (None: as all), and the actions that they lack."""

    amount: Amount
    version: Version | None
    lacks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Churn:
    """New names that come and go: so many a second, each stays so many seconds, for so many seconds."""

    each_second: float
    stays: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Profile:
    """What a file says; 0 or nothing is what it does not say."""

    nodes: int = 0
    seed: int = 0
    facts: tuple[Facts, ...] = ()
    servers: tuple[Servers, ...] = ()
    rules: tuple[Rule, ...] = ()
    parts: tuple[tuple[Part, Amount], ...] = ()
    churn: Churn | None = None

    def told(self, nodes: int) -> Iterator[str]:
        """What a fleet of so many nodes will do, a line each."""
        for part, amount in self.parts:
            yield f"{_nodes(amount.of(nodes))} {part}: {WHAT[part.cruelty]}"
        for facts in self.facts:
            named = f" with {', '.join(sorted(facts.given))}" if facts.given else ""
            yield f"{_nodes(facts.amount.of(nodes))} facts of {facts.size:,} bytes{named}"
        for servers in self.servers:
            spoken = [f"speak protocol {servers.version.value}"] if servers.version else []
            without = [f"are too old for {', '.join(sorted(servers.lacks))}"] if servers.lacks else []
            yield f"{_nodes(servers.amount.of(nodes))} {' and '.join(spoken + without) or 'as all'}"
        for rule in self.rules:
            times = f", {rule.least:g} to {rule.most:g} s" if rule.most else ""
            yield f"messages   {rule.fault.value} {rule.chance:.3g} of {rule.action}{times}"
        if churn := self.churn:
            yield (
                f"churn      {churn.each_second:g} new names a second for {churn.seconds:g} s, "
                f"each gone after {churn.stays:g} s"
            )


def _nodes(count: int) -> str:
    return f"{count:>6,} of them:" if count != 1 else "     1 of them:"


def cast(seed: int, what: str, amounts: Sequence[Amount], names: Sequence[str]) -> list[list[str]]:
    """Which nodes are meant by each amount: disjoint, the same for the same seed, `what` and names."""
    shuffled = sorted(names, key=lambda name: blake2b(f"{seed}/{what}/{name}".encode(), digest_size=8).digest())
    chosen, at = [], 0
    for amount in amounts:
        count = amount.of(len(names))
        chosen.append(shuffled[at : at + count])
        at += count
    return chosen


def excess(profile: Profile, nodes: int) -> list[str]:
    """Mistakes that only show with the number of nodes: amounts that are more than there are."""
    groups = (
        ("cruelties", [amount for _, amount in profile.parts]),
        ("facts", [each.amount for each in profile.facts]),
        ("servers", [each.amount for each in profile.servers]),
    )
    sums = ((name, sum(amount.of(nodes) for amount in amounts)) for name, amounts in groups)
    return [f"{name}: {total} nodes are spoken of, and there are {nodes}" for name, total in sums if total > nodes]


def read_profile(path: Path) -> Profile:
    """The profile in a file; raises ProfileError with every mistake."""
    mistakes: list[str] = []
    top = read_entries(path, mistakes)
    profile = Profile() if mistakes else _profile(top)
    mistakes += top.mistakes
    if mistakes:
        raise ProfileError(mistakes)
    return profile


def _profile(top: Entry) -> Profile:
    keys = top.members("nodes", "seed", "facts", "servers", "unkindness", "cruelties", "churn")
    return Profile(
        nodes=keys["nodes"].whole(1, MOST) if "nodes" in keys else 0,
        seed=keys["seed"].whole(0, 1 << 62) if "seed" in keys else 0,
        facts=tuple(_facts(entry) for entry in keys["facts"].items()) if "facts" in keys else (),
        servers=tuple(_servers(entry) for entry in keys["servers"].items()) if "servers" in keys else (),
        rules=tuple(_rules(keys["unkindness"])) if "unkindness" in keys else (),
        parts=tuple(_parts(keys["cruelties"])) if "cruelties" in keys else (),
        churn=_churn(keys["churn"]) if "churn" in keys else None,
    )


def _amount(entry: Entry) -> Amount:
    given = entry.plain()
    if type(given) is int and 1 <= given <= MOST:
        return Amount(number=given)
    if isinstance(given, str) and given.endswith("%"):
        try:
            share = float(given[:-1]) / 100
        except ValueError:
            share = -1.0
        if 0 < share <= 1:
            return Amount(share=share)
    entry.wrong("is no amount of nodes: a share such as 2%, or a number such as 3")
    return Amount(number=1)


def _facts(entry: Entry) -> Facts:
    keys = entry.members("nodes", "size", "set", needed=("nodes",))
    given = keys["set"].mapping() if "set" in keys else {}
    size = keys["size"].whole(0, LARGEST_FACTS) if "size" in keys else 0
    return Facts(_amount(keys["nodes"]) if "nodes" in keys else Amount(number=1), size, given)


def _servers(entry: Entry) -> Servers:
    keys = entry.members("nodes", "protocol", "without", needed=("nodes",))
    version = keys["protocol"].plain() if "protocol" in keys else None
    if version is not None and version not in list(Version):
        keys["protocol"].wrong("is no protocol: v1 or v2")
        version = None
    lacks = frozenset(_action(each) for each in keys["without"].items()) if "without" in keys else frozenset()
    amount = _amount(keys["nodes"]) if "nodes" in keys else Amount(number=1)
    return Servers(amount, Version(version) if version else None, lacks)


def _action(entry: Entry) -> str:
    given = str(entry.plain())
    if given not in ACTIONS:
        entry.wrong(f"is no action of a server: {', '.join(ACTIONS)}")
    return given


def _rules(entry: Entry) -> Iterator[Rule]:
    for name, given in entry.members(*(fault.value for fault in Fault)).items():
        for one in given.items() if given.is_list else [given]:
            text = one.plain()
            try:
                yield parse_rule(Fault(name), str(text))
            except RuleError as error:
                one.wrong(error.why or str(error).splitlines()[0])


def _parts(entry: Entry) -> Iterator[tuple[Part, Amount]]:
    for name, given in entry.members(*(cruelty.value for cruelty in Cruelty)).items():
        cruelty = Cruelty(name)
        if not given.is_mapping:
            yield Part(cruelty), _amount(given)
            continue
        known = ("nodes", *(("away", "times") if cruelty in RETURNS else ()), *(("many",) if cruelty in FLOODS else ()))
        keys = given.members(*known, needed=("nodes",))
        part = Part(
            cruelty,
            away=keys["away"].number(0.01, LONGEST) if "away" in keys else 1.0,
            times=keys["times"].whole(1, MOST) if "times" in keys else 1,
            many=keys["many"].whole(1, MOST_MANY) if "many" in keys else 100,
        )
        yield part, _amount(keys["nodes"]) if "nodes" in keys else Amount(number=1)


def _churn(entry: Entry) -> Churn:
    names = ("each_second", "stays", "seconds")
    keys = entry.members(*names, needed=names)
    least, most = (0.1, 0.1, 1.0), (10_000.0, LONGEST, LONGEST)
    return Churn(
        *(keys[name].number(*at) if name in keys else 1.0 for name, *at in zip(names, least, most, strict=True))
    )
