"""A small database as usher writes it: real decisions, real units, the real store; six nodes at different places."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import orjson

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
from fsm.unit import Blob, Secret
from security.vault import KeyRing, SealedVault, VaultKey
from security.vaultfile import write_ring
from store.entries import FleetEntry
from store.journal import Journal
from store.repository import open_store
from usher.audit.table import remember
from usher.effects.enrolling import SEALED
from usher.effects.hand import Hand, Name
from usher.state import DATABASE, VAULT_KEY

MINUTE = 60_000
ENTROPY = bytes(range(16))
POLICY = Policy(signer="ab12")
DIGEST = "5f" * 32
KEY = "1c" * 32
CLAIMS = {"cht": "s3cret", "chu": "nats://broker.example.net:4222", "chpwd": "n0de", "purpose": "choria_provisioning"}
INVENTORY = {"agents": ["rpcutil"], "collectives": ["provisioning"], "facts": {"os": "linux"}, "version": "0.30.2"}
RING = KeyRing((VaultKey.of(b"w" * 32),))
HOSTILE = "\x1b[31mred\x07"


@dataclass
class Author:
    """Writes one node's history: each call is an event, `at` moves by a second between two."""

    store: Journal
    node: str
    at: int
    policy: Policy = POLICY
    snapshot: Snapshot = field(init=False)
    hand: Hand = field(init=False)

    def __post_init__(self) -> None:
        self.snapshot = unseen(self.node)
        self.hand = Hand(self.store, SealedVault(RING))

    async def tell(self, body: Body, secrets: Sequence[Secret] = (), blobs: Sequence[Blob] = ()) -> None:
        self.at += 1000
        event = Event(self.at, ENTROPY, body, epoch=self.store.epoch)
        decision = decide(self.snapshot, event, self.policy)
        assert isinstance(decision, Decision), decision
        before, self.snapshot = self.snapshot, decision.snapshot
        await self.store.commit(unit(before, Letter(event, blobs, secrets), decision, self.policy, self.store.epoch))

    async def seen(self) -> None:
        await self.tell(Hint(HintKind.LISTED))

    async def admitted(self) -> None:
        await self.seen()
        await self.tell(Due(DueKind.ADMIT))

    async def done(self, facts: Payload, secrets: Sequence[Secret] = (), blobs: Sequence[Blob] = ()) -> None:
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        assert doing is not None
        assert identity is not None
        await self.tell(Done(doing.effect, identity, facts, Sent(self.at, "c1")), secrets, blobs)

    async def failed(
        self,
        certainty: Certainty,
        reason: Reason,
        detail: str = "",
        secrets: Sequence[Secret] = (),
        *,
        transient: bool = True,
    ) -> None:
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        assert doing is not None
        assert identity is not None
        sent = Sent(self.at, "c1")
        await self.tell(Failed(doing.effect, identity, certainty, reason, detail, transient, sent), secrets)

    def said(self, **streams: str) -> tuple[Secret]:
        """The entry of what the helper said."""
        return (self.hand.keep(self.snapshot, Name.OUTPUT, {"at": self.at, **streams}),)

    async def due(self) -> None:
        awaited = self.snapshot.awaited
        assert awaited is not None
        self.at = max(self.at, awaited.at)
        await self.tell(Due(awaited.kind, awaited.at))

    async def to_the_helper(self) -> None:
        await self.admitted()
        await self.read()

    async def read(self) -> None:
        """From its admission to its helper."""
        claims = self.hand.keep(self.snapshot, Name.CLAIMS, CLAIMS)
        await self.done(JwtFacts(DIGEST, "3MNtG812Kz7PHsNFHl1wiN1Tooq", provisions_by_default=False), [claims])
        blob = self.hand.keep_blob(orjson.dumps(INVENTORY))
        await self.done(InventoryFacts(blob.digest, "0.30.2", upgradable=False), blobs=[blob])
        await self.done(KeyFacts(KEY, "/etc/choria"))
        assert self.snapshot.open is not None
        assert self.snapshot.open.effect is Effect.RUN_HELPER


async def provisioned(author: Author) -> None:
    await author.to_the_helper()
    await to_the_end(author)


async def to_the_end(author: Author) -> None:
    """From its helper to its second look."""
    await author.done(HelperFacts(DIGEST, Verdict.CONFIGURE, ""))
    await author.done(TokenFacts("2Qx", DIGEST, author.at // 1000 + 86_400, "ab12"))
    await author.done(Ack("Reconfigured", DIGEST))
    await author.done(Ack("Restarting Choria Server after 2s"))
    await author.due()
    await author.done(Sighting(present=False))
    await author.due()
    await author.done(Sighting(present=False))


async def failing(author: Author) -> None:
    await author.to_the_helper()
    said = author.said(stderr=f"lookup: {HOSTILE}\nno such datacentre")
    detail = f"it ended with exit status 1; {SEALED}"
    await author.failed(Certainty.REFUSED, Reason.HELPER_FAILED, detail, said, transient=False)


async def deferred(author: Author) -> None:
    await author.to_the_helper()
    said = author.said(msg="the rack is not cabled yet")
    await author.done(HelperFacts(DIGEST, Verdict.DEFER, SEALED), said)


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
    write_ring(folder / VAULT_KEY, RING)
    await store.begin_epoch()
    await store.remember_vault_keys(RING.ids, now)
    await store.remember_policy(POLICY.hash, POLICY.document(), now)
    await remember(store, now)
    for node, live in lives.items():
        await live(Author(store, node, now - 5 * MINUTE))
    if paused:
        await store.fleet(FleetEntry(now - MINUTE, "pause", "anna", "the broker is moved"))
    await store.close()
    return folder
