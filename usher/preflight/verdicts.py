"""What a preflight found, as values: one for each thing that was looked at.

Rules:
1. A check says what was seen and, unless it is fine, what to do next; it never shows a secret.
2. What could not be looked at says so, and because of what.
3. The words for a person and the document for a program are made from the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from security.problems import CredentialError
from usher.config.problems import Problem, Severity

_WIDTH: Final = 11
_CONTROL: Final = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), "?")


class Verdict(StrEnum):
    """What is to be thought of a thing."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, the verdict, what was seen, and the next step if there is one.

    `network` is the one of several that it is about.
    """

    name: str
    verdict: Verdict
    what: str
    next_step: str = ""
    network: str = ""

    def __str__(self) -> str:
        """One line for a person; whatever a stranger said stays on it."""
        where = f"{self.network}: " if self.network else ""
        said = f"{self.verdict:{_WIDTH}} {where}{self.name}: {self.what}" + (
            f"; {self.next_step}" if self.next_step else ""
        )
        return said.translate(_CONTROL)


def fine(name: str, what: str) -> Check:
    """It is as it should be."""
    return Check(name, Verdict.OK, what)


def refused(name: str, error: CredentialError) -> Check:
    """A key, a token or a certificate cannot be used."""
    return wrong(name, f"{error.problem.place}: {error.problem.what}", error.problem.next)


def doubtful(name: str, what: str, next_step: str) -> Check:
    """It works, and should be looked at."""
    return Check(name, Verdict.WARNING, what, next_step)


def wrong(name: str, what: str, next_step: str) -> Check:
    """It does not work."""
    return Check(name, Verdict.WRONG, what, next_step)


def skipped(name: str, because: str) -> Check:
    """It could not be looked at."""
    return Check(name, Verdict.NOT_CHECKED, f"because {because}")


def of_problems(problems: Iterable[Problem]) -> Iterator[Check]:
    """The findings of the configuration files; what is refused by `usher check-config` is wrong."""
    order = tuple(Severity)
    for problem in sorted(problems, key=lambda problem: order.index(problem.severity)):
        verdict = Verdict.WARNING if problem.severity is Severity.WARNING else Verdict.WRONG
        yield Check("files", verdict, f"{problem.where}: {problem.what}", problem.next_step)


def passed(checks: Iterable[Check]) -> bool:
    """Whether nothing is wrong, and nothing stayed unchecked because of something else."""
    return not any(check.verdict in {Verdict.WRONG, Verdict.NOT_CHECKED} for check in checks)


def document(checks: Iterable[Check]) -> dict[str, object]:
    """The checks as plain JSON values."""
    values = tuple(checks)
    return {
        "ok": passed(values),
        "checks": [
            {
                **({"network": each.network} if each.network else {}),
                "name": each.name,
                "verdict": str(each.verdict),
                "what": each.what,
                "next": each.next_step,
            }
            for each in values
        ],
    }
