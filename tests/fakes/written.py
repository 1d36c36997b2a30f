"""A small database as usher writes it: real decisions, real units, the real store; six nodes at different places."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from fsm.effects import Effect
from fsm.events import (
    Ack,
    Body,
    Certainty,
    Done,
    Due,
    DueKind,
    Event,
    Failed,
    HelperFacts,
    Hint,
    HintKind,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    Operator,
    Payload,
    Sent,
    Sighting,
    TokenFacts,
    Verb,
    Verdict,
)
from fsm.machine import Decision, decide
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.runtime.mailbox import Letter
from fsm.runtime.units import unit
from fsm.snapshot import Snapshot, unseen
from store.entries import FleetEntry
from store.journal import Journal
from store.repository import open_store
from usher.state import DATABASE

MINUTE = 60_000
ENTROPY = bytes(range(16))
POLICY = Policy(signer="ab12")
DIGEST = "5f" * 32
KEY = "1c" * 32
HOSTILE = "\x1b[31mred\x07"


@dataclass
class Author:
    """Writes one node's history: each call is an event, `at` moves by a second between two."""

    store: Journal
    node: str
    at: int
    snapshot: Snapshot = field(init=False)

    def __post_init__(self) -> None:
        self.snapshot = unseen(self.node)

    async def tell(self, body: Body, note: str = "") -> None:
        self.at += 1000
        event = Event(self.at, ENTROPY, body, epoch=self.store.epoch)
        decision = decide(self.snapshot, event, POLICY)
        assert isinstance(decision, Decision), decision
        before, self.snapshot = self.snapshot, decision.snapshot
        await self.store.commit(unit(before, Letter(event, note=note), decision, POLICY, self.store.epoch))

    async def seen(self) -> None:
        await self.tell(Hint(HintKind.LISTED))

    async def admitted(self) -> None:
        await self.seen()
        await self.tell(Due(DueKind.ADMIT))

    async def done(self, facts: Payload, note: str = "") -> None:
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        assert doing is not None
        assert identity is not None
        await self.tell(Done(doing.effect, identity, facts, Sent(self.at, "c1")), note)

    async def failed(
        self, certainty: Certainty, reason: Reason, detail: str = "", note: str = "", *, transient: bool = True
    ) -> None:
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        assert doing is not None
        assert identity is not None
        sent = Sent(self.at, "c1")
        await self.tell(Failed(doing.effect, identity, certainty, reason, detail, transient, sent), note)

    async def due(self) -> None:
        awaited = self.snapshot.awaited
        assert awaited is not None
        self.at = max(self.at, awaited.at)
        await self.tell(Due(awaited.kind, awaited.at))

    async def to_the_helper(self) -> None:
        await self.admitted()
        await self.done(JwtFacts(DIGEST, "3MNtG812Kz7PHsNFHl1wiN1Tooq", provisions_by_default=False))
        await self.done(InventoryFacts(DIGEST, "0.30.2", upgradable=False))
        await self.done(KeyFacts(KEY, "/etc/choria"))
        assert self.snapshot.open is not None
        assert self.snapshot.open.effect is Effect.RUN_HELPER


async def provisioned(author: Author) -> None:
    await author.to_the_helper()
    await author.done(HelperFacts(DIGEST, Verdict.CONFIGURE, ""), note="asked the inventory service\n")
    await author.done(TokenFacts("2Qx", DIGEST, author.at // 1000 + 86_400, "ab12"))
    await author.done(Ack("Reconfigured", DIGEST))
    await author.done(Ack("Restarting Choria Server after 2s"))
    await author.due()
    await author.done(Sighting(present=False))
    await author.due()
    await author.done(Sighting(present=False))


async def failing(author: Author) -> None:
    await author.to_the_helper()
    said = "exit status 1: no such datacentre"
    await author.failed(
        Certainty.REFUSED, Reason.HELPER_FAILED, said, note=f"lookup: {HOSTILE}\nno such datacentre", transient=False
    )


async def deferred(author: Author) -> None:
    await author.to_the_helper()
    await author.done(HelperFacts(DIGEST, Verdict.DEFER, "the rack is not cabled yet"))


async def held(author: Author) -> None:
    await author.admitted()
    await author.tell(Operator(Verb.QUARANTINE, "anna", "disk errors"))


Live = Callable[[Author], Awaitable[None]]
LIVES: dict[str, Live] = {
    "db1.example.net": deferred,
    "db2.example.net": held,
    "web1.example.net": provisioned,
    "web2.example.net": failing,
    "web3.example.net": Author.seen,
    "web4.example.net": Author.to_the_helper,
}


async def write_database(
    folder: Path, now: int, *, paused: bool = False, lives: Mapping[str, Live] = MappingProxyType(LIVES)
) -> Path:
    """Write into a directory the database of six nodes that were seen five minutes before `now` (milliseconds)."""
    store = open_store(folder / DATABASE)
    await store.begin_epoch()
    await store.remember_policy(POLICY.hash, POLICY.document(), now)
    for node, live in lives.items():
        await live(Author(store, node, now - 5 * MINUTE))
    if paused:
        await store.fleet(FleetEntry(now - MINUTE, "pause", "anna", "the broker is moved"))
    await store.close()
    return folder
