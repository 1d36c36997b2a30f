"""Nodes' whole lives in one process without a broker: what each part of the daemon is given, to measure it alone.

Rules:
1. Everything is the daemon's own, made from a site's files as `usher run` does it: table, effects, wire, security.
   The other side is a simulated server; only the network between the two, the journal and the clock are stand-ins.
2. Everything is kept as it was handed over: what is measured later is given the same values again.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from benchmarks.inline_daemon import answer
from fsm.effects import Intent
from fsm.errors import CallError
from fsm.events import Certainty, Due, DueKind, Event, Hint, HintKind, Sent
from fsm.instant import Instant
from fsm.machine import Decision, decide
from fsm.ports import Outcome, Reply, Request, Store
from fsm.reasons import Reason
from fsm.runtime.mailbox import Letter
from fsm.runtime.units import unit
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from fsm.unit import Unit
from helpers.runners.inline import InlineHelper
from security.vault import KeyRing, SealedVault, VaultKey
from transport.wire.caller import Caller
from transport.wire.mcorpc import decode_answer, encode_call
from transport.wire.versions import WIRES, Wire
from usher import run
from usher.effects.hand import Hand
from usher.effects.performer import Effects
from usher.effects.site import Ports, SiteFacts
from usher.effects.tokens import Tokens
from usher.network import Network
from usher.simulator import node as server
from usher.simulator.material import make_broker, make_site
from usher.simulator.model import ENTROPY, Answer, Setup

EPOCH: Final = 1
FACTS: Final = 40
CONNECTION: Final = "c-1"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the engine: what was decided from what, and the unit that it made."""

    before: Snapshot
    letter: Letter
    decision: Decision
    unit: Unit


@dataclass(frozen=True, slots=True)
class Performed:
    """One effect that was carried out."""

    intent: Intent
    snapshot: Snapshot
    outcome: Outcome


@dataclass(slots=True)
class Life:
    """All of one node, in order; `replies` are None where nobody was there any more."""

    node: str
    turns: list[Turn] = field(default_factory=list)
    performed: list[Performed] = field(default_factory=list)
    asked: list[tuple[Request, str, int]] = field(default_factory=list)  # with its id and its time
    replies: list[bytes | None] = field(default_factory=list)


class Nothing:
    """A store that holds nothing: what the effects need of an earlier step is still in the hand's memory."""

    def secret(self, node: str, generation: int, name: str) -> None:
        """Nothing."""

    def blob(self, digest: str) -> None:
        """Nothing."""


class Clock:
    """A clock that is moved on to what is due."""

    def __init__(self) -> None:
        """Begin now."""
        self.at = time.time_ns() // 1_000_000

    def now(self) -> int:
        """Milliseconds since 1970."""
        return self.at

    @property
    def leaps(self) -> int:
        """None."""
        return 0

    def wall(self) -> int:
        """The same."""
        return self.now()

    def monotonic(self) -> float:
        """Seconds."""
        return self.at / 1000

    def instant(self) -> Instant:
        """Both."""
        return Instant(self.monotonic(), self.wall())

    def entropy(self) -> bytes:
        """Random bytes."""
        return os.urandom(16)


class World:
    """A site in a directory, the daemon's parts over it, and the servers that it provisions."""

    def __init__(self, directory: Path) -> None:
        """Make the site, and read it as `usher run` would."""
        broker = make_broker(directory, port=4222)  # it is never started
        site = make_site(directory, broker, int(time.time()))
        parser = argparse.ArgumentParser()
        run.add_arguments(parser)
        self.settings = run.read(parser.parse_args(site.daemon()[1:]))
        facts = {f"fact_{number:02d}": f"a value of the usual length, number {number:04d}" for number in range(FACTS)}
        self.setup = Setup(
            site.provisioning_token.read_text(), self.settings.site.token, facts=facts, broker=broker.url,
            version=self.settings.networks[0].outside.way.caller.version,
        )  # fmt: skip
        self.clock = Clock()
        self.vault = SealedVault(KeyRing((VaultKey.fresh(),)))
        asks = self.settings.networks[0].outside.way.caller
        self.caller = Caller(asks.version, asks.sender, asks.caller, asks.credential, asks.sign)
        self.wire = WIRES[self.caller.version]
        self.life = Life("")
        self._server = server.start("", self.setup, 0, bytes(ENTROPY)).node

    def performer(self, rpc: object) -> tuple[Effects, Ports]:
        """The daemon's effects over this port `rpc`."""
        hand = Hand(cast("Store", Nothing()), self.vault)
        made = self.settings.networks[0].outside.ports(
            cast("Network", SimpleNamespace(tracked=rpc, fleet=None)),
            hand,
        )
        ports = replace(made, helper=InlineHelper(answer), clock=self.clock)
        return Effects(ports, SiteFacts(Tokens(self.settings.site.tokens), "0123456789abcdef")), ports

    def lives(self, count: int) -> Iterator[Life]:
        """As many nodes, each from its first hint until it is provisioned."""
        effects, _ = self.performer(self)
        for number in range(1, count + 1):
            yield self._live(f"node-{number:05}.example.net", effects)

    def _live(self, node: str, effects: Effects) -> Life:
        self.life = Life(node)
        self._server = server.start(node, self.setup, self.clock.at * 1_000_000, os.urandom(ENTROPY)).node
        snapshot = self._turn(unseen(node), Letter(self._event(Hint(HintKind.STARTUP))))
        while snapshot.state is not State.PROVISIONED:
            opened = self.life.turns[-1].decision.opens
            if opened is not None:
                outcome = driven(effects.perform(opened, snapshot))
                self.life.performed.append(Performed(opened, snapshot, outcome))
                letter = Letter(self._event(outcome.body), outcome.blobs, outcome.secrets, outcome.note)
            elif snapshot.awaited is not None:
                self.clock.at = max(self.clock.at, snapshot.awaited.at)
                letter = Letter(self._event(Due(snapshot.awaited.kind, snapshot.awaited.at)))
            else:
                letter = Letter(self._event(Due(DueKind.ADMIT)))
            snapshot = self._turn(snapshot, letter)
        return self.life

    def _event(self, body: Any) -> Event:
        return Event(self.clock.at, self.clock.entropy(), body, EPOCH)

    def _turn(self, before: Snapshot, letter: Letter) -> Snapshot:
        policy = self.settings.networks[0].policy
        decision = decide(before, letter.event, policy)
        if not isinstance(decision, Decision):
            raise TypeError(f"{before.node}: {letter.event.body} in {before.state}: {decision.why}")
        self.life.turns.append(Turn(before, letter, decision, unit(before, letter, decision, policy, EPOCH)))
        return decision.snapshot

    async def call(self, request: Request) -> Reply:
        """The port Rpc: the server answers at once; after its restart nobody does."""
        at = self.clock.at
        identity = self.wire.make_id(at, self.clock.entropy())
        self.life.asked.append((request, identity, at))
        if request.action == "daemon_stats":
            self.life.replies.append(None)
            raise CallError(Certainty.NOT_DELIVERED, Reason.ABSENT, sent=Sent(at, CONNECTION))
        read = self.wire.decode_request(self.encode(request, identity, at))
        step = server.receive(self._server, self.setup, read, at * 1_000_000, os.urandom(ENTROPY))
        self._server = step.node
        said = next(output.payload for output in step.outputs if isinstance(output, Answer))
        self.life.replies.append(said)
        return decoded(self.wire, said, at)

    def encode(self, request: Request, identity: str, at: int, *, signed: bool = True) -> bytes:
        """A request as transport.rpc makes it; unsigned, to tell the signature's share."""
        return self.wire.encode_request(
            encode_call(request.agent, request.action, request.data),
            caller=self.caller if signed else replace(self.caller, sign=_unsigned),
            agent=request.agent,
            request_id=identity,
            reply_to=f"provisioning.reply.{identity}",
            ttl=request.ttl,
            time_ns=at * 1_000_000,
            filter_agents=(request.agent,),
            server="nats://127.0.0.1:4222",
        )


def decoded(wire: Wire, said: bytes, at: int) -> Reply:
    """A reply as transport.rpc reads it."""
    reply = wire.decode_reply(said)
    found = decode_answer(reply.payload)
    return Reply(found.code, found.message, found.data, reply.time_ns, Sent(at, CONNECTION))


def driven(waiting: Coroutine[Any, Any, Outcome]) -> Outcome:
    """The result of a coroutine that never waits."""
    try:
        waiting.send(None)
    except StopIteration as done:
        return cast("Outcome", done.value)
    raise TypeError("it waits")


def _unsigned(_data: bytes) -> bytes:
    return bytes(64)
