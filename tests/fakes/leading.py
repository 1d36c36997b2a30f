"""One usher that takes part in an election: a real engine in virtual time, and an election that a test decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

from fsm.errors import CallError
from fsm.ports import Reply, Request
from fsm.reasons import Reason
from store.entries import FleetEntry
from tests.fakes.clock import pass_time, settle
from tests.fakes.runtime import Rig
from transport.election import Election
from transport.fence import Gate
from transport.lease import Lease, Role
from transport.tracked import Tracked
from usher.leading import Leadership
from usher.terms import NEVER, Led


@dataclass
class FakeElection:
    """The part of transport.election.Election that is told what to do."""

    told: list[str] = field(default_factory=list)
    sequence: int = 0
    campaigns: Any = None

    async def start(self, last: int = 0) -> None:
        self.told.append(f"start {last}")

    async def settle(self) -> int:
        self.told.append("settle")
        return self.sequence

    def hand_over(self, sequence: int, wait: float) -> None:
        self.told.append(f"hand over {sequence} {wait:g}")

    def announce(self, sender: str, since: int) -> None:
        self.told.append(f"announce {sender}")


@dataclass
class Kept:
    """A journal of the fleet that can be slow."""

    rig: Rig
    told: list[str]
    entries: list[FleetEntry] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def _epoch(self) -> int:
        await self.gate.wait()
        self.rig.store.epoch += 1
        return self.rig.store.epoch

    def begin_epoch(self) -> asyncio.Future[int]:
        return asyncio.ensure_future(self._epoch())

    def fleet(self, entry: FleetEntry) -> asyncio.Future[None]:
        self.entries.append(entry)
        self.told.append(entry.kind)
        return asyncio.ensure_future(settle(1))


class Silent:
    """fsm.ports.Rpc that never answers."""

    async def call(self, request: Request) -> Reply:
        return await asyncio.get_running_loop().create_future()


class Bench:
    """One usher that takes part, and everything that it was told to do."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.election = rig, FakeElection()
        self.journal = Kept(rig, self.election.told)
        self.journal.gate.set()
        self.gate = Gate(rig.clock)
        self.tracked = Tracked(Silent(), rig.clock.monotonic)
        self.working: list[bool] = []
        self.epochs: list[int] = []
        rig.engine.hold(Reason.STANDBY)
        rig.engine.start()
        self.leading = Leadership(
            "u1", "sender", rig.clock, rig.engine, self.journal, self.gate, self.tracked,
            take_back=lambda: self.election.told.append("take back"),
            working=lambda: self.working.append(Reason.STANDBY not in rig.engine.holds),
            epoch=self.epochs.append,
            fatal=rig.fatal.append,
        )  # fmt: skip

    async def start(self, last: Led = NEVER) -> None:
        await self.leading.start(cast("Election", self.election), last)

    def become(self, role: Role, **changes: Any) -> Lease:
        """The election says so."""
        before = self.gate.lease
        at = self.rig.clock.instant()
        confirmed = at if role in {Role.ELECTED, Role.LEADER} else None
        after = replace(before, role=role, ttl=60.0, confirmed=confirmed, works=at.boot + 0.2, **changes)
        self.leading.changed(before, after)
        return after

    async def win(self, sequence: int = 7) -> None:
        """Win, and wait until that counts."""
        self.become(Role.ELECTED, sequence=sequence)
        self.become(Role.LEADER, sequence=sequence + 1)
        await pass_time(0.5)

    def may_send(self) -> bool:
        try:
            self.gate.permit(30)
        except CallError:
            return False
        return True
