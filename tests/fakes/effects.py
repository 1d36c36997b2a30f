"""The effects over fakes of the ports, with the real verifier and signer: one effect at a time, or a whole life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fsm.certifying import Certificates, Transport
from fsm.effects import Effect, Intent
from fsm.errors import HelperError, TokenError
from fsm.events import Done, Failed, HelperFacts, InventoryFacts, JwtFacts, KeyFacts, TokenFacts, Verdict
from fsm.instant import Instant
from fsm.ports import (
    HelperCall,
    HelperReply,
    Outcome,
    Request,
    Requests,
    ServerToken,
    Signer,
    TokenOrder,
    Verifier,
)
from fsm.snapshot import Doing, Facts, Snapshot
from fsm.states import State
from fsm.unit import Blob, Secret
from helpers.configuration import inject_provision_false, keeps_provisioning, unsafe_configuration
from security.csr import RequestVerifier
from security.exchange import KeyTransport
from security.issuing import make_provisioning_token
from security.supplied import SuppliedVerifier
from security.vault import KeyRing, SealedVault, VaultKey
from security.verifier import TokenVerifier
from tests.fakes.rpc import FakeRpc, Said
from tests.fakes.site import ENTROPY, ISSUER, NODE, NOW, NOW_S, VERIFIES, YEAR, file_signer
from tests.fakes.store import MemoryStore
from usher.config.keys import DENIED
from usher.effects.hand import Hand, Name, blob_place, entry_place
from usher.effects.performer import Effects
from usher.effects.site import ConfigurationRules, Ports, SiteFacts
from usher.effects.tokens import Tokens

IDENTITY = "n1.example.net"
SECRET = "s3cret"
RULES = ConfigurationRules(keeps_provisioning, unsafe_configuration, inject_provision_false)
JWT = make_provisioning_token(ISSUER, NOW_S, YEAR, token=SECRET, urls=["nats://localhost:4222"])
INVENTORY = {"version": "0.29.4", "upgradable": True, "facts": {"b": 1, "a": "<x>"}, "agents": ["rpcutil"]}
CONFIGURATION = {"plugin.choria.server.provision": "false", "plugin.security.provider": "choria", "identity": IDENTITY}
REPLY = HelperReply(configuration=CONFIGURATION, stderr="asked the site\n")


@dataclass
class FixedClock:
    """fsm.ports.Clock that a test moves."""

    at: int = NOW + 60_000

    def now(self) -> int:
        return self.at

    @property
    def leaps(self) -> int:
        return 0

    def wall(self) -> int:
        return self.now()

    def monotonic(self) -> float:
        return self.at / 1000

    def instant(self) -> Instant:
        return Instant(self.monotonic(), self.wall())

    def entropy(self) -> bytes:
        return ENTROPY


@dataclass
class FakeHelper:
    """fsm.ports.Helper that answers as it is told and keeps what it was given."""

    reply: HelperReply | HelperError = REPLY
    calls: list[HelperCall] = field(default_factory=list)

    async def run(self, call: HelperCall) -> HelperReply:
        self.calls.append(call)
        if isinstance(self.reply, HelperError):
            raise self.reply
        return self.reply


@dataclass
class FailingSigner:
    """fsm.ports.Signer without a usable key."""

    error: TokenError
    id: str = "ab12"

    def server_token(self, order: TokenOrder) -> ServerToken:
        raise self.error


def signs(request: Request) -> Said:
    """A node that makes its key and signs the nonce of the request."""
    signature = NODE.sign(str(request.data["nonce"]).encode()).hex()
    return Said({"public_key": NODE.public_hex, "directory": "/etc/choria", "signature": signature})


def answers(rpc: FakeRpc, node: str = IDENTITY) -> None:
    """A node that does all that it is asked."""
    rpc.on(node, "jwt", Said({"jwt": JWT, "ecdh_public": ""}))
    rpc.on(node, "inventory", Said(INVENTORY))
    rpc.on(node, "gen25519", signs)
    rpc.on(node, "configure", Said({"message": "Reconfigured"}))
    rpc.on(node, "restart", Said({"message": "Restarting Choria Server after 2s"}))
    rpc.on(node, "shutdown", Said({"message": "Shutting Choria Server down after 2s"}))


class EffectsBench:
    """The effects, and all that they reach."""

    def __init__(self, where: Path, *, inject: bool = False, strict: bool = False) -> None:
        self.clock = FixedClock()
        self.rpc = FakeRpc(self.clock)
        self.fleet = FakeRpc(self.clock)
        self.helper = FakeHelper()
        self.store = MemoryStore()
        self.vault = SealedVault(KeyRing((VaultKey.of(b"v" * 32),)))
        self.hand = Hand(self.store, self.vault)
        self.signer: Signer = file_signer(where, strict=strict)
        self.verifier: Verifier = TokenVerifier(VERIFIES)
        self.requests: Requests = RequestVerifier(DENIED)
        self.certificates: Certificates = SuppliedVerifier(DENIED, strict=strict)
        self.transport: Transport = KeyTransport()
        self.site = SiteFacts(Tokens([SECRET]), self.store.lineage, inject)
        answers(self.rpc)

    @property
    def effects(self) -> Effects:
        checks = (self.requests, self.certificates, self.transport, self.fleet)
        ports = Ports(self.rpc, self.helper, self.signer, self.verifier, self.clock, self.hand, RULES, *checks)
        return Effects(ports, self.site)

    async def perform(self, effect: Effect, snapshot: Snapshot | None = None) -> Outcome:
        """Carry one effect out for a node that holds all that comes before it."""
        snapshot = snapshot or self.held(effect)
        return await self.effects.perform(self.intent(effect, snapshot), snapshot)

    def intent(self, effect: Effect, snapshot: Snapshot) -> Intent:
        """The intent of a node's open step."""
        identity = snapshot.effect_id()
        assert identity is not None
        return Intent(identity, effect, NOW, ENTROPY)

    async def done(self, effect: Effect, snapshot: Snapshot | None = None) -> Done:
        body = (await self.perform(effect, snapshot)).body
        assert isinstance(body, Done), body
        return body

    async def failed(self, effect: Effect, snapshot: Snapshot | None = None) -> Failed:
        body = (await self.perform(effect, snapshot)).body
        assert isinstance(body, Failed), body
        return body

    def held(self, effect: Effect, **facts: Any) -> Snapshot:
        """The snapshot of a node whose step this is, with what earlier steps of its generation kept."""
        snapshot = step(effect, **facts)
        kept = [
            self.hand.keep(snapshot, Name.CLAIMS, {"cht": SECRET, "chpd": True}),
            self.hand.keep(snapshot, Name.PROOF, {"public_key": NODE.public_hex, "directory": "/d", "signature": "ab"}),
            self.hand.keep(snapshot, Name.TOKEN, {"token": "a.b.c"}),
            self.hand.keep_reply(snapshot, REPLY)[0],
        ]
        for secret in kept:
            self.store.vault[snapshot.node, snapshot.generation, secret.name] = secret.data
        blob = self.hand.keep_blob(b'{"version":"1"}')
        held = replace(snapshot.facts, inventory=InventoryFacts(blob.digest, "1", upgradable=False))
        return replace(snapshot, facts=held)

    def opened(self, kept: Secret | Blob) -> bytes:
        """What a step of this bench sealed."""
        snapshot = step(Effect.LOOK)
        if isinstance(kept, Blob):
            place = blob_place(kept.digest)
        else:
            place = entry_place(snapshot.node, snapshot.generation, kept.name)
        data = self.vault.open(place, kept.data)
        assert data is not None
        return data

    def says(self, action: str, data: Mapping[str, Any] | None = None, code: int = 0, message: str = "OK") -> None:
        """What the node answers from now on."""
        self.rpc.on(IDENTITY, action, Said(data or {}, code, message))

    @property
    def sent(self) -> Request:
        """The last request."""
        return self.rpc.calls[-1]


def step(effect: Effect, *, tries: int = 1, opened: int = 9, **facts: Any) -> Snapshot:
    """A node whose step this is."""
    known: dict[str, Any] = {
        "jwt": JwtFacts("0" * 64, "3MN", provisions_by_default=True),
        "key": KeyFacts(NODE.public_hex, "/etc/choria"),
        "helper": HelperFacts("0" * 64, Verdict.CONFIGURE, ""),
        "token": TokenFacts("2Q", "0" * 64, 1, "ab"),
    }
    doing = Doing(effect, 7, opened, 3, tries, NOW, ENTROPY, NOW, open=True)
    return Snapshot(
        IDENTITY, State.INVENTORIED, generation=2, seq=opened, doing=doing, facts=Facts(at=NOW, **(known | facts))
    )
