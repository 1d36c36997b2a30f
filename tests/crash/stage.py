"""The stage of a crash: a broker, a fleet that reports what it holds, and daemons that die and are started again.

Rules:
1. The fleet is there before the first daemon: its nodes are in flight together.
2. A daemon ends by its own SIGKILL, by our TERM, or it is a failure with its last lines.
3. Each death is looked at before the next start: what the dead process left is a sound database already.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from fsm.errors import StoreError
from fsm.states import State
from tests.crash.checks import Violation
from tests.crash.failpoints import Death
from tests.crash.invariants import at_rest, read_report, violations
from tests.fakes.whole import Whole
from usher.children import Child
from usher.simulator.networks import Kind, network

LIMIT: Final = 900.0
"""Seconds that a life may take."""
_EVERY: Final = 0.1


class StageError(AssertionError):
    """A life that did not come to its end, with what the processes said last."""


@dataclass
class Stage(Whole):
    """A fleet of so many nodes; `retires` says how they end, `times` of the policy (milliseconds) shorten a test."""

    nodes: int = 0
    kind: Kind = Kind.ISSUER
    retires: bool = False
    times: Mapping[str, int] = field(default_factory=dict)
    deaths: int = 0
    flying: list[int] = field(default_factory=list)
    broken: list[Violation] = field(default_factory=list)
    _until: float = 0.0

    @property
    def database(self) -> Path:
        """The daemon's database."""
        return self.site.state / "usher.db"

    @property
    def report(self) -> Path:
        """What the nodes hold, once the fleet has ended."""
        return self.site.directory / "report.jsonl"

    @property
    def end(self) -> State:
        """Where every node has to end."""
        return State.RETIRED if self.retires else State.PROVISIONED

    async def gather(self) -> Child:
        """Start the fleet; until all its nodes want to be provisioned."""
        words = ("--together", "--json", "--every", "0.1", "--connections", "20", "--report", str(self.report))
        fleet = self.fleet(self.nodes, *words)

        def stands() -> bool:
            lines = fleet.tail(1)
            whole = lines and lines[0].startswith("{") and lines[0].endswith("}")
            return bool(whole) and orjson.loads(lines[0])["phases"]["unprovisioned"] == self.nodes

        await self._wait(stands, fleet)
        return fleet

    def victim(self, death: Death | None) -> Child:
        """A daemon that dies this death, or none."""
        words = [] if death is None else death.words()
        words += ["--retire"] if self.retires else []
        words += ["--certify", str(self.site.site)] if self.kind is Kind.X509 else []
        words += [f"--time={name}={value}" for name, value in self.times.items()]
        command = [sys.executable, "-m", "tests.crash.victim", *words, "--", *self.site.daemon()[1:]]
        child = Child("victim", command, self.site.directory / f"victim-{len(self.children)}.log")
        child.start()
        self.children.append(child)
        return child

    async def die(self, death: Death) -> bool:
        """Start a daemon that dies this death; False if it had nothing to die at and still runs when all is done."""
        child = self.victim(death)
        await self._wait(self.done, child)
        if child.pid:
            await self._stop(child)
            return False
        if child.ended.result() != -signal.SIGKILL:
            raise StageError(f"{death} ended with {child.ended.result()}: {child.tail()}")
        self.deaths += 1
        with suppress(StoreError):  # an older database is not read, it is brought up to date
            self.broken += violations(self.database)
            self.flying.append(sum(count for state, count in self.counts().items() if state is not self.end))
        return True

    async def survive(self) -> None:
        """Start a daemon that does not die; until every node is where it has to end."""
        child = self.victim(None)
        await self._wait(self.done, child)
        if not child.pid:
            raise StageError(f"the last daemon ended with {child.ended.result()}: {child.tail()}")
        await self._stop(child)

    def done(self) -> bool:
        """Whether every node is where it has to end, and nothing is under way."""
        return self.counts() == {self.end: self.nodes} and not at_rest(self.database)

    async def verdict(self, fleet: Child) -> list[Violation]:
        """End the fleet, and hold the database against what its nodes hold."""
        os.kill(fleet.pid, signal.SIGTERM)
        if await fleet.ended != 0:
            raise StageError(f"the fleet ended with {fleet.ended.result()}: {fleet.tail()}")
        for child in self.children:
            if "Traceback" in child.log.read_text():
                raise StageError(f"{child.name}: {child.tail()}")
        return self.broken + violations(self.database, read_report(self.report))

    async def _stop(self, child: Child) -> None:
        os.kill(child.pid, signal.SIGTERM)
        if await child.ended != 0:
            raise StageError(f"{child.name} ended with {child.ended.result()}: {child.tail()}")

    async def _wait(self, condition: Any, child: Child) -> None:
        """Until something is so, or the child has ended."""
        while child.pid and not condition():
            if time.monotonic() > self._until:
                raise StageError(f"not done after {LIMIT:.0f} s: {dict(self.counts())}, {child.tail()}")
            await asyncio.wait({child.ended}, timeout=_EVERY)


@asynccontextmanager
async def stage(
    directory: Path,
    nodes: int,
    kind: Kind = Kind.ISSUER,
    *,
    retires: bool = False,
    times: Mapping[str, int] | None = None,
) -> AsyncIterator[Stage]:
    """A stage in a new directory; all its processes end with it."""
    async with network(kind, directory, int(time.time()), {"retry_cap": "5s"}) as running:
        made = Stage(running.broker, running.site, nodes=nodes, kind=kind, retires=retires, times=times or {})
        made._until = time.monotonic() + LIMIT
        try:
            yield made
        finally:
            await asyncio.gather(*(child.stop() for child in made.children))
