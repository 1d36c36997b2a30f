"""What is wrong with a site's credentials, as values: so that all of them can be listed at once.

Rules:
1. A problem names the check, the place, what is wrong and the next step.
2. What only warns says so; `strict` makes the same problem fatal (design §7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from fsm.errors import UsherError


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: `check` is its stable name, `place` a file or a setting; `fatal` says whether it stops a start."""

    check: str
    place: str
    what: str
    next: str
    fatal: bool = True

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.place}: {self.what}; {self.next}"


class CredentialError(UsherError):
    """A key or a token of this site cannot be used"""

    def __init__(self, problem: Problem) -> None:
        """Hold the finding."""
        super().__init__()
        self.problem = problem

    def __str__(self) -> str:
        """The finding."""
        return str(self.problem)


def refuse(check: str, place: str, what: str, next_step: str) -> NoReturn:
    """Raise CredentialError with this finding."""
    raise CredentialError(Problem(check, place, what, next_step))
