"""Denied: names that operators refuse by a command, as `identity_deny` of the YAML file does, until they allow them.

A denial is a decision on a pattern, written as `/regular expression/`; a word without slashes is one name, and its
pattern is that name alone. It stands in the journal of the fleet, so it outlives a restart, and where there is an
election every usher of the cluster has it (usher.cluster.council).

Rules:
1. Of two decisions on one pattern the later one stands; what is allowed again is the pattern, never a name of it.
2. It takes nothing in: whom the file refuses stays refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fsm.errors import UsherError
from fsm.identity import is_safe
from transport.wire.decisions import Decision, Kind, is_pattern
from usher.cluster.kept import who
from usher.views.text import distance, utc, visible

MOST: Final = 100
"""Patterns in one command."""


class WordError(UsherError):
    """This can be denied neither as a name nor as a pattern"""

    def __init__(self, word: str) -> None:
        """Hold it."""
        super().__init__()
        self.word = word

    def __str__(self) -> str:
        """What is wrong, and what would be right."""
        what = f"{visible(self.word)} is no name of a node"
        if self.word.startswith("/"):
            what = f"{visible(self.word)} is no pattern"
        return f"{what}: say web1.example.net for one name, or '/^ci-/' for a regular expression that names have"


class NotDeniedError(UsherError):
    """No operator has denied this pattern"""

    def __init__(self, pattern: str, denied: Iterable[str]) -> None:
        """Hold which, and what is denied."""
        super().__init__()
        self.pattern, self.denied = pattern, tuple(denied)

    def __str__(self) -> str:
        """What is denied instead."""
        others = f"denied are {' '.join(map(plain, self.denied))}" if self.denied else "nothing is"
        return f"nobody has denied {plain(self.pattern)}: {others}"


@dataclass(frozen=True, slots=True)
class Denial:
    """A pattern that is denied: since when (milliseconds since 1970), by whom, and why."""

    pattern: str
    at: int
    by: str
    reason: str

    @property
    def expression(self) -> re.Pattern[str]:
        """What is looked for in a name."""
        return re.compile(self.pattern[1:-1])


def subject(word: str) -> str:
    """The pattern of a word; raises WordError."""
    if is_pattern(word):
        return word
    if is_safe(word):
        return f"/^{re.escape(word)}$/"
    raise WordError(word)


def plain(pattern: str) -> str:
    """What an operator says for a pattern: the name, where it is that of one name."""
    name = re.sub(r"\\(.)", r"\1", pattern[2:-2])
    return name if is_safe(name) and subject(name) == pattern else pattern


def refuse_unknown(kind: Kind, patterns: Iterable[str], denied: Iterable[str]) -> None:
    """Raise NotDeniedError for the first pattern that is to be allowed and is not denied."""
    known = set(denied)
    for pattern in patterns:
        if kind is Kind.ALLOW and pattern not in known:
            raise NotDeniedError(pattern, sorted(known))


def after(denials: Iterable[Denial], decisions: Iterable[Decision], lineage: str) -> tuple[Denial, ...]:
    """What is denied after decisions that stand, by pattern; `lineage` is that of the usher that tells it."""
    found = {denial.pattern: denial for denial in denials}
    for decision in decisions:
        found.pop(decision.node, None)
        if decision.kind is Kind.DENY:
            found[decision.node] = Denial(decision.node, decision.stamp, who(decision, lineage), decision.reason)
    return tuple(found[pattern] for pattern in sorted(found))


def document(denials: Iterable[Denial]) -> list[dict[str, Any]]:
    """For the status."""
    return [{"pattern": each.pattern, "since": each.at, "by": each.by, "reason": each.reason} for each in denials]


def programs(denied: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same for programs: its times in UTC, in ISO 8601."""
    return [{**each, "since": utc(each["since"])} for each in denied]


def lines(denied: Iterable[Mapping[str, Any]], at: int) -> Iterator[str]:
    """A line for each in a status."""
    for each in denied:
        by = f"by {visible(each['by'])}: {visible(each['reason'])}"
        yield f"denied     {visible(plain(each['pattern']))} {distance(each['since'], at)} {by}"
