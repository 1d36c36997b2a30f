"""An author: writes one node's life as the engine would, without a fleet: real decisions, real units, sealed as usual.

Rules:
1. Every step is `decide` and the engine's own `unit`; what is kept beside it is sealed by the daemon's own hand.
2. A life is a generator of units: whoever commits them says how many lives go on at once.
3. Times lie in the past and move forward; nothing here asks a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

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
    Payload,
    Sent,
    Sighting,
    TokenFacts,
    Verdict,
)
from fsm.machine import Decision, decide
from fsm.policy import Policy
from fsm.ports import HelperReply
from fsm.reasons import Reason
from fsm.runtime.mailbox import Letter
from fsm.runtime.units import unit
from fsm.snapshot import unseen
from fsm.unit import Blob, Secret, Unit
from helpers.protocol import inventory_text
from usher.effects.hand import Hand, Name

POLICY: Final = Policy(signer="3f8a9c0d1e2f4a5b")
FACTS: Final = 40
STEP: Final = 400
"""Milliseconds between two steps of a life."""
_CLAIMS: Final = {
    "cht": "b7c1d3a9" * 4, "chs": True, "chu": "nats://broker.example.net:4222", "chpd": True, "chusr": "node",
    "chpwd": "9f3b" * 8, "purpose": "provisioning", "iss": "I-" + "5e" * 32, "sub": "choria_provisioning",
    "jti": "3MNtG812Kz7PHsNFHl1wiN1Tooq", "iat": 1_790_000_000, "exp": 1_820_000_000,
}  # fmt: skip


def inventory(node: str, facts: int = FACTS) -> bytes:
    """What a server answers: so many facts, most of them its own."""
    own = sha256(node.encode()).hexdigest()
    values = {f"fact_{number:02d}": f"{own[number % 32 :][:24]} of {node}" for number in range(facts)}
    data = {
        "agents": ["choria_provision", "choria_util", "discovery", "rpcutil"], "classes": [], "data_plugins": [],
        "collectives": ["provisioning"], "facts": values, "machines": [], "main_collective": "provisioning",
        "version": "0.30.2", "upgradable": False,
    }  # fmt: skip
    return inventory_text(data).encode()


@dataclass(frozen=True, slots=True)
class Kept:
    """What came beside an outcome."""

    blobs: tuple[Blob, ...] = ()
    secrets: tuple[Secret, ...] = ()


NOTHING: Final = Kept()


class Author:
    """One node's life from `at` (milliseconds) on, in an epoch."""

    def __init__(self, node: str, at: int, epoch: int, hand: Hand) -> None:
        """Begin unseen."""
        self.node, self.at, self.epoch, self._hand = node, at, epoch, hand
        self.snapshot = unseen(node)
        self._own = sha256(node.encode()).hexdigest()

    def tell(self, body: Body, kept: Kept = NOTHING) -> Unit:
        """The unit of an event."""
        self.at += STEP
        entropy = sha256(f"{self.at} {self.node}".encode()).digest()[:16]
        event = Event(self.at, entropy, body, self.epoch)
        decision = decide(self.snapshot, event, POLICY)
        if not isinstance(decision, Decision):
            raise TypeError(f"{self.node}: {body} in {self.snapshot.state}: {decision.why}")
        before, self.snapshot = self.snapshot, decision.snapshot
        return unit(before, Letter(event, kept.blobs, kept.secrets), decision, POLICY, self.epoch)

    def done(self, facts: Payload, kept: Kept = NOTHING) -> Unit:
        """The open effect succeeded."""
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        assert doing is not None
        assert identity is not None
        return self.tell(Done(doing.effect, identity, facts, Sent(self.at, "c1")), kept)

    def failed(self, certainty: Certainty, reason: Reason, detail: str = "", *, transient: bool = True) -> Unit:
        """The open effect did not succeed."""
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        assert doing is not None
        assert identity is not None
        return self.tell(Failed(doing.effect, identity, certainty, reason, detail, transient, Sent(self.at, "c1")))

    def due(self) -> Unit:
        """What is awaited is due."""
        awaited = self.snapshot.awaited
        assert awaited is not None
        self.at = max(self.at, awaited.at)
        return self.tell(Due(awaited.kind, awaited.at))

    # -- parts of lives ------------------------------------------------------------------------------------------------

    def seen(self) -> Unit:
        """A discovery listed it."""
        return self.tell(Hint(HintKind.LISTED))

    def read(self) -> Iterator[Unit]:
        """Admitted, its token verified, its inventory held: three rows."""
        yield self.tell(Due(DueKind.ADMIT))
        jwt = JwtFacts(self._own, str(_CLAIMS["jti"]), provisions_by_default=True)
        yield self.done(jwt, self._secret(Name.CLAIMS, {**_CLAIMS, "nonce": self._own}))
        blob = self._hand.keep_blob(inventory(self.node))
        yield self.done(InventoryFacts(blob.digest, "0.30.2", upgradable=False), Kept((blob,)))

    def prove(self) -> Unit:
        """Its key is proven; the helper is asked."""
        proof = {"public_key": self._own, "directory": "/etc/choria", "signature": self._own * 2}
        return self.done(KeyFacts(self._own, "/etc/choria"), self._secret(Name.PROOF, proof))

    def answered(self, verdict: Verdict, message: str = "") -> Unit:
        """The helper has answered."""
        configuration = {"identity": self.node, "loglevel": "info", "plugin.choria.server.provision": "false"}
        reply, digest = self._hand.keep_reply(self.snapshot, HelperReply(configuration=configuration, msg=message))
        return self.done(HelperFacts(digest, verdict, message), Kept(secrets=(reply,)))

    def signed(self) -> Unit:
        """Its token is made."""
        facts = TokenFacts(self._own[:32], self._own, 1_820_000_000, POLICY.signer)
        return self.done(facts, self._secret(Name.TOKEN, {"token": self._own * 11}))

    def _secret(self, name: Name, document: dict[str, Any]) -> Kept:
        return Kept(secrets=(self._hand.keep(self.snapshot, name, document),))


# -- lives: whom they leave where -------------------------------------------------------------------------------------


def put_off(author: Author) -> Iterator[Unit]:
    """A generation that the helper deferred, and the beginning of the next: six rows."""
    yield from author.read()
    yield author.prove()
    yield author.answered(Verdict.DEFER, "the rack is not cabled yet")
    yield author.due()


def waiting(_author: Author) -> Iterator[Unit]:
    """In the waiting room."""
    yield from ()


def asking(author: Author) -> Iterator[Unit]:
    """The helper is being asked; the inventory is held."""
    yield from author.read()
    yield author.prove()


def deferred(author: Author) -> Iterator[Unit]:
    """The helper said later."""
    yield from author.read()
    yield author.prove()
    yield author.answered(Verdict.DEFER, "the rack is not cabled yet")


def failing(author: Author) -> Iterator[Unit]:
    """The helper failed."""
    yield from asking(author)
    yield author.failed(Certainty.REFUSED, Reason.HELPER_FAILED, "exit status 1: no such datacentre", transient=False)


def restarted(author: Author) -> Iterator[Unit]:
    """Restarted, with a look to come; all that was learnt is held."""
    yield from asking(author)
    yield author.answered(Verdict.CONFIGURE)
    yield author.signed()
    yield author.done(Ack("Reconfigured provisioning, restart to activate", sha256(b"fleet").hexdigest()))
    yield author.done(Ack("Restarting Choria Server after 2s"))


def provisioned(author: Author) -> Iterator[Unit]:
    """It left: twelve rows after it was seen."""
    yield from restarted(author)
    for _ in range(2):
        yield author.due()
        yield author.done(Sighting(present=False))


def retired(author: Author) -> Iterator[Unit]:
    """The helper wanted it shut down, and it is gone."""
    yield from asking(author)
    yield author.answered(Verdict.SHUTDOWN, "it is too old")
    yield author.done(Ack("Shutting down"))
    yield author.due()
    yield author.done(Sighting(present=False))


def gone(author: Author) -> Iterator[Unit]:
    """Nobody was ever there."""
    yield author.tell(Due(DueKind.ADMIT))
    yield author.failed(Certainty.NOT_DELIVERED, Reason.ABSENT)
