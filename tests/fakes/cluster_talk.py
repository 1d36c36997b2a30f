"""Several ushers that decide and tell each other, on real engines in virtual time, over a wire that a test rules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from fsm.events import Operator
from fsm.runtime.engine import Answer
from fsm.snapshot import Snapshot
from security.peers import PeerSeal
from store.entries import FleetEntry
from tests.fakes.clock import settle
from tests.fakes.link import Discarded
from tests.fakes.runtime import Rig
from transport.connection import Connection
from transport.wire.decisions import Decision, Kind
from usher.cluster.council import Council
from usher.cluster.peers import Peers
from usher.denied import Denial, after

PASSWORD = "s3cret"
LINEAGES = {"a": "a" * 16, "b": "b" * 16, "c": "c" * 16}


def decision(
    node: str = "n1", stamp: int = 5, kind: Kind = Kind.QUARANTINE, origin: str = "a", **more: str
) -> Decision:
    """One that was made at `origin`."""
    return Decision(kind, node, stamp, origin, LINEAGES[origin], more.get("by", "root"), more.get("reason", "why"))


@dataclass
class Wire:
    """Carries what is published to every usher, its own included; `away` hear nothing and are not heard."""

    ushers: dict[str, Usher] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    said: list[bytes] = field(default_factory=list)

    def publish(self, sender: str, data: bytes) -> None:
        self.said.append(data)
        for name, usher in self.ushers.items():
            if not self.away & {sender, name}:
                asyncio.get_running_loop().call_soon(usher.peers.hear, "", data, 0)


@dataclass
class Line:
    """The part of transport.connection.Connection that peers use."""

    wire: Wire
    name: str

    async def ready(self) -> None:
        await settle(1)

    async def subscribe(self, subject: str, handler: Any) -> None:
        assert (subject, handler) == ("provisioning.usher.peers", self.wire.ushers[self.name].peers.hear)

    def publish(self, _subject: str, data: bytes) -> None:
        self.wire.publish(self.name, data)


@dataclass
class Stands:
    """Who this usher is in the election."""

    name: str
    sender: str = "site"
    since: int = 0


@dataclass
class Usher:
    """One usher: what it wrote, whether it is paused, and the engine that carries out."""

    name: str
    rig: Rig
    wire: Wire
    entries: list[FleetEntry] = field(default_factory=list)
    paused: FleetEntry | None = None
    denied: tuple[Denial, ...] = ()
    password: str = PASSWORD
    discarded: Discarded = field(default_factory=Discarded)
    broken: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lineage = LINEAGES[self.name]
        self.council = Council(self.name, self.rig.clock, self, self)
        seal, process = PeerSeal(lambda: self.password), self.lineage[::-1]
        self.peers = Peers(process, Stands(self.name), self.council, seal, self.rig.clock, self.discarded)
        self.wire.ushers[self.name] = self

    async def start(self, kept: Iterable[tuple[Decision, int]] = ()) -> None:
        self.council.start(kept, self.broken.append)
        await self.peers.start(cast("Connection", Line(self.wire, self.name)), self.lineage)

    def stop(self) -> None:
        self.peers.stop()
        self.council.stop()

    def fleet(self, entry: FleetEntry) -> asyncio.Future[None]:
        self.entries.append(entry)
        return asyncio.ensure_future(settle(1))

    def load(self, node: str) -> Snapshot | None:
        return self.rig.store.load(node)

    def stand(self, paused: FleetEntry | None) -> None:
        self.paused = paused

    def refuse(self, decision: Decision) -> None:
        self.denied = after(self.denied, [decision], self.lineage)

    def carry(self, node: str, wish: Operator) -> Answer:
        return self.rig.engine.ask(node, wish)
