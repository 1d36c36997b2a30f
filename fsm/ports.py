"""The ports: what the machine needs of the world, in its own words.

Rules:
1. A port belongs to who uses it; adapters translate at the boundary, no library's type or error crosses it.
2. A call either gives a frozen value or raises the one error that its docstring names.
3. Times are milliseconds since 1970 unless a name says otherwise.
4. What may hold a secret is no part of a value's repr: an error or a debugger that shows one shows none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fsm.effects import EffectId, Intent
from fsm.events import Done, Failed, Sent
from fsm.frozen import quick
from fsm.instant import Instant
from fsm.snapshot import Snapshot
from fsm.unit import Blob, Secret, Unit


class Clock(Protocol):
    """Time and chance."""

    def now(self) -> int:
        """Milliseconds since 1970, for decisions: a wall clock that jumps is not followed at once."""

    @property
    def leaps(self) -> int:
        """Milliseconds by which `now` has been set in all, at its last call (fsm.leaps)."""

    def wall(self) -> int:
        """Milliseconds since 1970 as the machine's clock has it at this moment, for the wire."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def instant(self) -> Instant:
        """This moment; `boot` never goes back and passes while the machine or the process sleeps."""

    def entropy(self) -> bytes:
        """16 random bytes."""


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """One directed RPC request: `ttl` in whole seconds, `timeout` in seconds from the moment of sending.

    `changes` says that it changes the node: until it is answered, or dead, nobody else may change that node.
    """

    node: str
    agent: str
    action: str
    data: Mapping[str, object] = field(repr=False)
    ttl: int
    timeout: float
    changes: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the node that was asked: the RPC status, its text, its data, the node's clock (nanoseconds)."""

    code: int
    message: str = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    time_ns: int
    sent: Sent


class Rpc(Protocol):
    """Directed requests to nodes in provisioning mode."""

    async def call(self, request: Request) -> Reply:
        """Ask and wait for the answer; raises fsm.errors.CallError."""


@dataclass(frozen=True, slots=True)
class NodeKey:
    """The node's ed25519 key as the helper sees it (wire/provisioning.md §4): hex, directory, hex signature."""

    public_key: str
    directory: str
    signature: str


@dataclass(frozen=True, slots=True)
class NodeCsr:
    """The node's certificate request as the helper sees it (wire/provisioning.md §4): PEM, PEM, directory.

    The public key has the label `PUBLIC KEY` over what is labelled `RSA PUBLIC KEY` elsewhere: as the node says it.
    """

    csr: str
    public_key: str
    ssldir: str


@dataclass(frozen=True, slots=True)
class HelperCall:
    """What a helper is given; `inventory` is JSON text with sorted keys, `claims` the verified token's."""

    identity: str
    inventory: str = field(repr=False)
    key: NodeKey | None
    claims: Mapping[str, object] | None = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    csr: NodeCsr | None = None


@dataclass(frozen=True, slots=True)
class HelperReply:
    """What a helper answered, decoded; absent fields are empty. `stderr` is capped, and may hold secrets."""

    defer: bool = False
    shutdown: bool = False
    msg: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    certificate: str = ""
    ca: str = ""
    ssldir: str = ""
    configuration: Mapping[str, str] = field(default_factory=dict, repr=False)
    action_policies: Mapping[str, str] = field(default_factory=dict, repr=False)
    opa_policies: Mapping[str, str] = field(default_factory=dict, repr=False)
    server_claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    upgrade: str = ""
    stderr: str = field(default="", repr=False)


class Helper(Protocol):
    """The site's own logic."""

    async def run(self, call: HelperCall) -> HelperReply:
        """Ask the site; raises fsm.errors.HelperError."""


@quick
@dataclass(frozen=True, slots=True)
class ProvisioningClaims:
    """A verified provisioning token: all its claims as the helper gets them, its id, whether `chpd` is set."""

    claims: Mapping[str, Any] = field(repr=False)
    jti: str
    provisions_by_default: bool


class Verifier(Protocol):
    """Checks what nodes show."""

    def provisioning_token(self, text: str, now: int) -> ProvisioningClaims:
        """The claims of a provisioning token that verifies at `now` (milliseconds); raises fsm.errors.TokenError."""

    def proof(self, public_key: str, signature: str, nonce: str) -> None:
        """Check a key (64 hex) and its signature (128 hex) over the nonce's bytes; raises fsm.errors.TokenError."""


@quick
@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A certificate request that may be signed: digest of its DER, fingerprint of its key (both hex SHA-256).

    `checks` is what `strict` would have refused, `warnings` says it in words.
    """

    digest: str
    fingerprint: str
    checks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Requests(Protocol):
    """Checks what nodes want to have certified."""

    def certificate_request(self, text: str, public_key: str, identity: str) -> CheckedRequest:
        """Check a request (PEM), the key that was said beside it (PEM, or empty); raises fsm.errors.TokenError."""


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """A server token to be made: all that decides its bytes.

    `at` (milliseconds) and `entropy` (16 bytes) fix iat and jti; `claims` are the helper's server_claims and
    `configuration` its configuration, from which the collectives follow (wire/provisioning.md §3.7).
    """

    identity: str
    public_key: str
    at: int
    entropy: bytes
    claims: Mapping[str, Any] = field(repr=False)
    configuration: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerToken:
    """A signed server token; `expires` in Unix seconds, `signer` an id, `checks` what `strict` would have refused."""

    text: str = field(repr=False)
    jti: str
    expires: int
    signer: str
    warnings: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


class Signer(Protocol):
    """Makes server tokens."""

    @property
    def id(self) -> str:
        """Names the key and the signer token that are used now."""

    def server_token(self, order: TokenOrder) -> ServerToken:
        """Sign a server token; the same order gives the same bytes; raises fsm.errors.TokenError."""


class Vault(Protocol):
    """Seals what may hold secrets, so that the journal keeps it without knowing it."""

    def seal(self, place: str, data: bytes) -> bytes:
        """The bytes, sealed for that place and no other."""

    def open(self, place: str, sealed: bytes) -> bytes | None:
        """The bytes that were sealed for that place; None if they cannot be opened any more."""


class Store(Protocol):
    """The journal. A unit is durable when its awaitable is done; units of one node are committed in order."""

    def commit(self, unit: Unit) -> Awaitable[None]:
        """Make one transition durable; raises fsm.errors.StoreError, which ends the process, or StoreFullError."""

    def started(self, ids: Sequence[EffectId]) -> Awaitable[frozenset[EffectId]]:
        """Mark intents as started, durably; answers those that were still intended (compare-and-swap)."""

    def load(self, node: str) -> Snapshot | None:
        """The committed snapshot of a node that is not in memory; None if it was never seen."""

    def active(self) -> Iterable[Snapshot]:
        """Every node that has something under way, due, or waits for admission: what a start has to load.

        They are read while they are asked for, a bounded number at a time: nothing is to be committed meanwhile.
        """

    def blob(self, digest: str) -> bytes | None:
        """The bytes of a blob that a committed unit brought; None if it is not held any more."""

    def secret(self, node: str, generation: int, name: str) -> bytes | None:
        """The bytes of a vault entry; None if it is not held any more."""

    def open_effects(self) -> Sequence[tuple[EffectId, bool]]:
        """Every effect that an earlier process left open, and whether it had been started."""


@quick
@dataclass(frozen=True, slots=True)
class Outcome:
    """How an effect ended: the event's body, and what is kept beside it.

    `note` is text of usher's own for the node's history; what a helper or a CA said is a secret (fsm.unit.OUTPUT).
    """

    body: Done | Failed
    blobs: Sequence[Blob] = ()
    secrets: Sequence[Secret] = ()
    note: str = ""


class Performer(Protocol):
    """Carries effects out, over the ports above."""

    async def perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:
        """Do it once and say how it ended; every failure that is foreseen is an Outcome, none is an exception."""
