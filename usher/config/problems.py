"""What is wrong with a configuration, as values: all of it is found and shown at once.

Rules:
1. A problem says where, what, and what to do next; it never shows a secret.
2. An ERROR stops a start. A MISTAKE is a warning for `usher run`, since the older program ignored it, and an error for
   `usher check-config`. A WARNING is only said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fsm.errors import UsherError


class Severity(StrEnum):
    """How bad a problem is."""

    ERROR = "error"
    MISTAKE = "mistake"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `where` is a file and a setting, `check` a stable name if the finding depends on `strictness`."""

    where: str
    what: str
    next_step: str
    severity: Severity = Severity.ERROR
    check: str = ""

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.where}: {self.what}; {self.next_step}"


class ConfigErrors(UsherError):  # noqa: N818 it holds all of them, that is its point
    """The configuration cannot be used"""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Hold everything that was found, warnings too."""
        super().__init__()
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """A line for each error."""
        return "\n".join(str(problem) for problem in self.problems if problem.severity is Severity.ERROR)


def fatal(problems: Iterable[Problem]) -> bool:
    """Whether any of them stops a start."""
    return any(problem.severity is Severity.ERROR for problem in problems)
