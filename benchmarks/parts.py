"""The daemon's components as pieces of work, each over what whole lives gave it.

Rules:
1. A piece of work does what the daemon does, through the same functions, and nothing else: what it needs is made ahead.
2. CPU of the thread that does the work, the best of several rounds: what comes on top is the machine's other users.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from benchmarks.life import Life, World, decoded, driven
from fsm.codec import encode_payload, encode_snapshot
from fsm.effects import Effect, EffectId
from fsm.errors import CallError
from fsm.events import Certainty, Sent
from fsm.machine import decide
from fsm.ports import HelperReply, Reply, Request, TokenOrder
from fsm.reasons import Reason
from fsm.runtime.observer import Transition
from fsm.runtime.units import unit
from fsm.unit import Blob, Unit
from store.chain import START, digest, link
from store.repository import open_store
from store.statements import Row, envelope
from transport.wire.versions import Wire
from usher import logs
from usher.effects.hand import blob_place, entry_place
from usher.metrics.recorder import Recorder
from usher.tally import Tally

ROUNDS: Final = 5
Work = Callable[[], None]


class Replayed:
    """The port Rpc that gives the recorded replies again, already decoded."""

    def __init__(self) -> None:
        """Begin with nothing to give."""
        self.said: Reply | CallError | None = None

    async def call(self, request: Request) -> Reply:
        """The reply that was put here."""
        if isinstance(self.said, Reply):
            return self.said
        raise self.said or CallError(Certainty.UNKNOWN, Reason.NO_ANSWER)


class Parts:
    """The components, each as a piece of work over all lives."""

    def __init__(self, directory: Path, count: int) -> None:
        """Live the lives."""
        self.world = World(directory / "site")
        self.lives: list[Life] = list(self.world.lives(count))
        self.directory = directory
        self._rpc = Replayed()
        self._effects, self._ports = self.world.performer(self._rpc)
        self._proofs, self._orders = self._find_proofs(), self._find_orders()
        self._replies = self._find_replies()
        self._turns = self._each("turns")
        self._sealed, self._envelopes = self._find_sealed(), self._find_envelopes()
        self._said = [Transition(t.before, t.letter.event, t.decision, 1e-4, 4e-3) for t in self._turns]

    def _each(self, name: str) -> list[Any]:
        """All turns, requests, … of all lives."""
        return [each for life in self.lives for each in getattr(life, name)]

    def measure(self, work: Work) -> float:
        """Microseconds a node, the best of the rounds."""
        took = []
        for _ in range(ROUNDS):
            began = time.thread_time()
            work()
            took.append(time.thread_time() - began)
        return min(took) / len(self.lives) * 1e6

    # -- the wire --------------------------------------------------------------------------------------------------

    def encode(self) -> None:
        """Requests without their signatures."""
        for request, identity, at in self._each("asked"):
            self.world.encode(request, identity, at, signed=False)

    def sign(self) -> None:
        """The signatures of requests: over as many bytes as theirs."""
        sign = self.world.caller.sign
        for request, *_ in self._each("asked"):
            sign(bytes(2400 if request.action == "configure" else 700))

    def decode(self) -> None:
        """Replies, their hashes checked."""
        for said in self._each("replies"):
            if said is not None:
                decoded(self.world.wire, said, 0)

    # -- security --------------------------------------------------------------------------------------------------

    def verify(self) -> None:
        """The provisioning token of each node."""
        token, at = self.world.setup.token, self.world.clock.at
        for _ in self.lives:
            self._ports.verifier.provisioning_token(token, at)

    def _find_proofs(self) -> list[tuple[str, str, str]]:
        """Key, signature and nonce of each node."""
        found = []
        for life in self.lives:
            of, said = _effect(life, Effect.NEW_KEY), _reply(self.world.wire, life, "gen25519").data
            found.append((said["public_key"], said["signature"], of.intent.nonce()))
        return found

    def _find_orders(self) -> list[TokenOrder]:
        """What the signer is asked for."""
        found = []
        for life in self.lives:
            of = _effect(life, Effect.SIGN_TOKEN)
            reply, key = self._hand_reply(life), of.snapshot.facts.key
            public = key.public_key if key else ""
            intent = of.intent
            found.append(
                TokenOrder(life.node, public, intent.at, intent.entropy, reply.server_claims, reply.configuration)
            )
        return found

    def _hand_reply(self, life: Life) -> Any:
        of = _effect(life, Effect.RUN_HELPER)
        secret = next(iter(of.outcome.secrets))
        opened = self.world.vault.open(entry_place(life.node, of.snapshot.generation, secret.name), secret.data)
        return HelperReply(**json.loads(opened or b"{}"))

    def _find_sealed(self) -> list[tuple[str, bytes]]:
        """What is sealed for all nodes, and where it belongs."""
        found: list[tuple[str, bytes]] = []
        for done in self._each("performed"):
            of = done.snapshot
            kept = [(entry_place(of.node, of.generation, each.name), each.data) for each in done.outcome.secrets]
            kept += [(blob_place(each.digest), each.data) for each in done.outcome.blobs]
            found += [(place, self.world.vault.open(place, data) or b"") for place, data in kept]
        return found

    @property
    def sealed(self) -> int:
        """How much is sealed for a node."""
        return len(self._sealed) // len(self.lives)

    def seal(self) -> None:
        """Whatever is kept beside the snapshots, sealed."""
        for place, data in self._sealed:
            self.world.vault.seal(place, data)

    def chain(self) -> None:
        """The digests of payloads and the links of envelopes."""
        previous = START
        for payload, columns in self._envelopes:
            digest(payload)
            previous = link(previous, columns)

    def _find_envelopes(self) -> list[tuple[bytes, Row]]:
        rows = [turn.unit.history for turn in self._turns]
        return [(row.payload, envelope(row, place, "0" * 16, digest(row.payload))) for place, row in enumerate(rows)]

    def prove(self) -> None:
        """The node's signature over our nonce."""
        for key, signature, nonce in self._proofs:
            self._ports.verifier.proof(key, signature, nonce)

    def issue(self) -> None:
        """The node's server token."""
        for order in self._orders:
            self._ports.signer.server_token(order)

    # -- effects ---------------------------------------------------------------------------------------------------

    def perform(self) -> None:
        """Every effect, from its intent to its outcome, with the reply at hand."""
        for life, replies in self._replies:
            given = iter(replies)
            for done in life.performed:
                if done.intent.effect not in {Effect.RUN_HELPER, Effect.SIGN_TOKEN}:
                    self._rpc.said = next(given)
                driven(self._effects.perform(done.intent, done.snapshot))

    def _find_replies(self) -> list[tuple[Life, list[Reply | CallError]]]:
        """The replies that `perform` gives, decoded ahead."""
        gone = CallError(Certainty.NOT_DELIVERED, Reason.ABSENT, sent=Sent(self.world.clock.at, "c-1"))
        return [
            (life, [gone if said is None else decoded(self.world.wire, said, 0) for said in life.replies])
            for life in self.lives
        ]

    # -- the machine -----------------------------------------------------------------------------------------------

    def decisions(self) -> None:
        """The table."""
        policy = self.world.settings.networks[0].policy
        for turn in self._turns:
            decide(turn.before, turn.letter.event, policy)

    def units(self) -> None:
        """Decisions to units, their events encoded."""
        policy = self.world.settings.networks[0].policy
        for turn in self._turns:
            unit(turn.before, turn.letter, turn.decision, policy, 1)

    def events(self) -> None:
        """Events to payloads."""
        for turn in self._turns:
            encode_payload(turn.letter.event, turn.letter.note)

    def snapshots(self) -> None:
        """Snapshots to what is stored."""
        for turn in self._turns:
            encode_snapshot(turn.decision.snapshot)

    # -- what is told ----------------------------------------------------------------------------------------------

    def log(self) -> None:
        """A line a transition, as JSON into a file."""
        told = logs.TransitionLog()
        for said in self._said:
            told.moved(said)

    def metrics(self) -> None:
        """The counts of transitions and effects."""
        tally, recorder = Tally({}, {}), Recorder("demo")
        for said in self._said:
            tally.moved(said)
            recorder.moved(said)
        for done in self._each("performed"):
            recorder.ended(done.intent, done.outcome, 0.01)

    # -- the store -------------------------------------------------------------------------------------------------

    async def store(self, width: int, *, blobs: bool = True) -> tuple[float, float, int]:
        """Microseconds a node of the loop's thread and of the COMMIT's, and how many batches there were."""
        kept = "with" if blobs else "without"
        best, commits, batches = float("inf"), float("inf"), 0
        for number in range(ROUNDS):
            journal = open_store(self.directory / f"{kept}-{number}.db")
            await journal.begin_epoch()
            began, everything, batches = time.thread_time(), time.process_time(), 0
            for first in range(0, len(self.lives), width):
                for together in zip(*(life.turns for life in self.lives[first : first + width]), strict=True):
                    batches += await _batch(journal, [_unit(turn.unit, number, blobs=blobs) for turn in together])
            own = time.thread_time() - began
            best, commits = min(best, own), min(commits, time.process_time() - everything - own)
            await journal.close()
        return best / len(self.lives) * 1e6, commits / len(self.lives) * 1e6, batches


def _unit(unit: Unit, number: int, *, blobs: bool) -> Unit:
    """The unit with blobs that no other node and no other round has, or with none."""
    if not unit.blobs:
        return unit
    own = f"{number} {unit.history.node}".encode()
    made = tuple(Blob(sha256(own + blob.data).hexdigest(), blob.data) for blob in unit.blobs)
    return replace(unit, blobs=made if blobs else ())


async def _batch(journal: Any, units: Sequence[Unit]) -> int:
    """Commit these together, and mark what they open; the number of transactions."""
    await asyncio.gather(*(journal.commit(one) for one in units))
    opened: list[EffectId] = [one.opens.id for one in units if one.opens is not None]
    if opened:
        await journal.started(opened)
    return 1 + bool(opened)


def _effect(life: Life, effect: Effect) -> Any:
    return next(done for done in life.performed if done.intent.effect is effect)


def _reply(wire: Wire, life: Life, action: str) -> Reply:
    asked = [request.action for request, *_ in life.asked]
    said = life.replies[asked.index(action)]
    assert said is not None
    return decoded(wire, said, 0)
