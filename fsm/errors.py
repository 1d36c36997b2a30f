"""The errors that cross the ports: what they say is their docstring, which node and why are fields.

Rules:
1. An error's message is its docstring; its fields say which node, which effect, which reason.
2. Adapters raise these and nothing else; a library's error never crosses a port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsm.events import Certainty, Sent
    from fsm.reasons import Reason


class UsherError(Exception):
    """Something went wrong in usher"""

    def __str__(self) -> str:
        """The docstring, and the fields that are set."""
        said = (self.__doc__ or "").strip().splitlines()[0]
        fields = ", ".join(f"{name}={value}" for name, value in vars(self).items() if value not in (None, ""))
        return f"{said} ({fields})" if fields else said


class ProblemError(UsherError):
    """What was asked cannot be done"""

    def __init__(self, problem: str) -> None:
        """Hold what is wrong and what to do, in words: a whole sentence, which is all that is said."""
        super().__init__()
        self.problem = problem

    def __str__(self) -> str:
        """Its words."""
        return self.problem


class CallError(UsherError):
    """The request to the node did not succeed"""

    def __init__(self, certainty: Certainty, reason: Reason, detail: str = "", sent: Sent | None = None) -> None:
        """Hold how certain it is, why, in whose words, and when it was sent over which connection."""
        super().__init__()
        self.certainty = certainty
        self.reason = reason
        self.detail = detail
        self.sent = sent


class HelperError(UsherError):
    """The helper did not give a usable answer"""

    def __init__(self, reason: Reason, detail: str = "", stderr: str = "", stdout: str = "") -> None:
        """Hold why, in usher's own words, and what the helper printed, which may hold secrets (capped).

        `stdout` is only what cannot be read as an answer.
        """
        super().__init__()
        self.reason = reason
        self.detail = detail
        self.stderr = stderr
        self.stdout = stdout

    def __str__(self) -> str:
        """Why, and nothing of what the helper printed."""
        return f"{self.__doc__} (reason={self.reason}, detail={self.detail})"


class TokenError(UsherError):
    """A token or a key was refused, or could not be made"""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Hold why, and the words of the check that refused it."""
        super().__init__()
        self.reason = reason
        self.detail = detail


class StoreError(UsherError):
    """The database could not take a transition: a bug, a second writer, or a broken disk"""

    def __init__(self, detail: str, node: str = "", seq: int = 0) -> None:
        """Hold what the database said, and of which row."""
        super().__init__()
        self.detail = detail
        self.node = node
        self.seq = seq

    def __str__(self) -> str:
        """What was said, which names the next step; of a row, that it could not be taken."""
        if not self.node:
            return self.detail
        return f"the database could not take row {self.seq} of node {self.node}: {self.detail}"


class StoreFullError(UsherError):
    """The disk is full: nothing was committed, and it will be tried again"""
