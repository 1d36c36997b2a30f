"""The course of a preflight: steps in order, each told when it is done, those that depend on a failed one left out.

Rules:
1. A step that needs a step that failed is not taken, and says which.
2. The whole course has one time limit: what was not begun by then was not checked.
3. A bug of one step is told as such, without its words, and is not the end of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from fsm.traces import told
from usher.preflight.verdicts import Check, passed, skipped, wrong

Work = Callable[[], Awaitable[Iterable[Check]]]


class Course:
    """Steps by name: `await step(name, work, *needs)`; `checks` is what was found so far."""

    def __init__(self, within: float, tell: Callable[[Check], None]) -> None:
        """Begin: `within` seconds from now on; `tell` hears of each check at once."""
        self.checks: list[Check] = []
        self._within = within
        self._tell = tell
        self._until = asyncio.get_running_loop().time() + within
        self._failed: set[str] = set()

    async def step(self, name: str, work: Work, *needs: str) -> bool:
        """Take a step if what it needs is there; whether it went well."""
        missing = next((need for need in needs if need in self._failed), None)
        if missing is not None:
            return self.note(name, (skipped(name, f"{missing} failed"),))
        if asyncio.get_running_loop().time() >= self._until:
            return self.note(name, (skipped(name, f"the time limit of {self._within:g}s is over"),))
        return self.note(name, await self._taken(name, work))

    def note(self, name: str, found: Iterable[Check]) -> bool:
        """Tell what a step found; whether it went well."""
        checks = tuple(found)
        for check in checks:
            self.checks.append(check)
            self._tell(check)
        if not passed(checks):
            self._failed.add(name)
        return name not in self._failed

    def failing(self, name: str) -> None:
        """What others need is not there, which several checks have told already."""
        self._failed.add(name)

    async def _taken(self, name: str, work: Work) -> Iterable[Check]:
        try:
            async with asyncio.timeout_at(self._until) as limit:
                return await work()
        except TimeoutError as error:
            if not limit.expired():
                return (_bug(name, error),)
            what = f"it did not end within the time limit of {self._within:g}s"
            return (wrong(name, what, "look at what is slow, or give it more with --within SECONDS"),)
        except Exception as error:  # noqa: BLE001 rule 3
            return (_bug(name, error),)


def _bug(name: str, error: Exception) -> Check:
    return wrong(name, f"a bug: {told(error)}", "report it; usher itself may still run")
