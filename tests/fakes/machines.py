"""Servers in virtual time: what reaches one happens there, also when the usher that asked has ended meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import sha256

from fsm.effects import SPECS, Effect, Intent, Port
from fsm.events import (
    Ack,
    Certainty,
    CsrFacts,
    HelperFacts,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    Payload,
    Sighting,
    TokenFacts,
    Verdict,
)
from fsm.ports import Outcome
from fsm.quiet import AGENT, configuration
from fsm.reasons import Reason
from fsm.snapshot import Facts
from tests.fakes.clock import pass_time, sent_over
from tests.fakes.runtime import DIGEST, Rig, done, failed

TIMEOUT = 5.0
LEAVES_AFTER = 2.0
_CHANGING = frozenset({Effect.CONFIGURE, Effect.RESTART, Effect.NEW_CSR})


class Mode(Enum):
    """Where a server is."""

    PROVISIONING = auto()
    LEFT = auto()
    DEAD = auto()


@dataclass
class Server:
    """One server: the key that it holds, the key that its token or certificate names, and what is on its way to it."""

    started: float = 0.0
    mode: Mode = Mode.PROVISIONING
    key: str = ""
    named: str = ""
    x509: bool = False
    leaving: bool = False
    coming: list[tuple[Effect, str]] = field(default_factory=list)
    last: dict[int, float] = field(default_factory=dict)
    look_lost: bool = False

    def restarts(self, now: float) -> None:
        """It starts into what it was given: an ed25519 server without its key comes back, an x509 one is lost."""
        self.leaving = False
        if self.named and self.named == self.key:
            self.mode = Mode.LEFT
        elif self.x509 and self.named:
            self.mode = Mode.DEAD
        else:
            self.started, self.key, self.named = now, "", ""


class Servers:
    """A fleet; `serve` has a rig ask it. `slow`: the chance that a request takes long, `mute`: that no answer comes.

    Of two looks in a row one gets its answer: whom three looks in vain lose sight of ends as `gone`, by design (§3).
    """

    def __init__(self, seed: int, slow: float = 0.0, mute: float = 0.0) -> None:
        self._random = random.Random(seed)  # noqa: S311 a test repeats itself
        self._slow, self._mute = slow, mute
        self.servers: defaultdict[str, Server] = defaultdict(Server)
        self.signed: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.violations: list[str] = []

    def serve(self, rig: Rig) -> None:
        """Have this process ask these servers."""

        async def act(intent: Intent) -> Outcome:
            return await self._act(intent, rig)

        for effect in Effect:
            rig.performer.scripts[effect] = act

    async def _act(self, intent: Intent, rig: Rig) -> Outcome:
        facts = rig.snapshot(intent.id.node).facts
        if SPECS[intent.effect].port is not Port.RPC:
            await pass_time(self._random.uniform(0.0, 0.5))
            return done(intent, self._own(intent, facts))
        sent = sent_over(rig.clock, f"connection-{rig.store.epoch}")
        server = self.servers[intent.id.node]
        if server.mode is not Mode.PROVISIONING:
            gone = Sighting(present=False)
            absent = failed(intent, Certainty.NOT_DELIVERED, Reason.ABSENT, sent=sent)
            return done(intent, gone, sent) if intent.effect is Effect.LOOK else absent
        answer = self._send(intent, facts, server)
        await asyncio.wait({answer}, timeout=TIMEOUT)
        return done(intent, answer.result(), sent) if answer.done() else failed(intent, sent=sent)

    def _own(self, intent: Intent, facts: Facts) -> Payload:
        if intent.effect is Effect.RUN_HELPER:
            return HelperFacts(DIGEST, Verdict.CONFIGURE, "")
        key = facts.key.public_key if facts.key else ""
        jti = sha256(f"{key} {intent.at}".encode() + intent.entropy).hexdigest()
        self.signed[intent.id.node, key].add(jti)
        return TokenFacts(jti[:16], jti, 1_900_000_000, "ab12")

    # -- the way there, and back --------------------------------------------------------------------------------------

    def _send(self, intent: Intent, facts: Facts, server: Server) -> asyncio.Future[Payload]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Payload] = loop.create_future()
        sending = (intent.effect, configuration(facts) if intent.effect is Effect.CONFIGURE else "")
        self._alive(intent, sending, server, facts)
        server.coming.append(sending)
        late, mute = self._random.random() < self._slow, self._random.random() < self._mute
        if intent.effect is Effect.LOOK:
            late, mute = late and not server.look_lost, mute and not server.look_lost
            server.look_lost = late or mute
        delay = self._random.uniform(5.0, 29.0) if late else 0.3 if not self._slow else self._random.uniform(0.05, 1.0)
        when = loop.time() + delay
        if intent.effect in AGENT:  # one agent, one mutex: what comes over one connection keeps its order
            when = server.last[intent.id.epoch] = max(when, server.last.get(intent.id.epoch, 0.0))
        loop.call_at(when, self._arrives, sending, facts, server, None if mute else answer)
        return answer

    def _alive(self, intent: Intent, sending: tuple[Effect, str], server: Server, facts: Facts) -> None:
        """Invariant 7: what changes the node is not sent while something else that does is still on its way."""
        effect, _ = sending
        if effect not in _CHANGING:
            return
        for other in server.coming:
            same = other == (Effect.CONFIGURE, configuration(facts)) and effect is not Effect.NEW_CSR
            if other[0] in _CHANGING and not same:
                self.violations.append(f"{effect} is sent while {other[0]} may live: {intent.id}")

    def _arrives(
        self, sending: tuple[Effect, str], facts: Facts, server: Server, answer: asyncio.Future[Payload] | None
    ) -> None:
        server.coming.remove(sending)
        if server.mode is not Mode.PROVISIONING:
            return
        said = self._does(sending[0], facts, server)
        if answer is not None:
            asyncio.get_running_loop().call_later(0.1, _tell, answer, said)

    def _does(self, effect: Effect, facts: Facts, server: Server) -> Payload:  # noqa: PLR0911 one for each effect
        loop = asyncio.get_running_loop()
        match effect:
            case Effect.FETCH_JWT:
                return JwtFacts(DIGEST, "jti", provisions_by_default=True)
            case Effect.NEW_KEY:
                server.key = self._random.randbytes(32).hex()
                return KeyFacts(server.key, "/etc/choria")
            case Effect.NEW_CSR:
                server.key, server.x509 = self._random.randbytes(32).hex(), True
                return CsrFacts(sha256(server.key.encode()).hexdigest(), server.key, "/etc/choria/ssl")
            case Effect.CONFIGURE:
                server.named = facts.key.public_key if facts.key else facts.csr.fingerprint if facts.csr else ""
                return Ack("Wrote 9 lines", configuration(facts))
            case Effect.RESTART:
                if not server.leaving:
                    server.leaving = True
                    loop.call_later(LEAVES_AFTER, lambda: server.restarts(loop.time()))
                return Ack("restarting")
            case Effect.LOOK:
                return Sighting(present=True, age=round((loop.time() - server.started + 1) * 1000))
            case _:
                return InventoryFacts(DIGEST, "0.30.0", upgradable=False)


def _tell(answer: asyncio.Future[Payload], said: Payload) -> None:
    if not answer.done():
        answer.set_result(said)
