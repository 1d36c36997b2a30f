"""The election: asks the broker what transport.campaign wants to know, over a connection of its own.

Rules:
1. Nothing is decided here: each answer, each silence and each due time becomes an event of the pure campaign.
2. An answer counts for its own question, however late it comes; the subject that it comes to cannot be guessed.
3. Whatever goes wrong is a lease with a `trouble`, never an exception; it goes on for as long as usher runs.
4. Whoever listens hears of every lease that differs from the one before, in order.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from fsm.instant import Instant
from fsm.ports import Clock
from transport import subjects
from transport.campaign import decide, patience
from transport.connection import Connection, NotSentError
from transport.lease import (
    Began,
    Denied,
    Due,
    Ended,
    Event,
    HandedOver,
    Lease,
    Missing,
    Nobody,
    Open,
    Opened,
    Question,
    Refused,
    Silent,
    Write,
    Written,
)
from transport.reports import Discards
from transport.wire.errors import WireError
from transport.wire.peers import Handover, Leads, decode_handover, decode_leads, encode_handover, encode_leads
from transport.wire.streams import NOT_FOUND, Bucket, Refusal, Stored, WrongLast, expecting, read_info, read_stored

Changed = Callable[[Lease, Lease], None]
NO_RESPONDERS: Final = 503
REMEMBERED: Final = 64
"""Questions whose late answers are still taken."""
NOBODY: Final = f"nobody answers for the bucket {subjects.ELECTION_BUCKET}"
NO_BUCKET: Final = f"there is no bucket {subjects.ELECTION_BUCKET}"
NO_ANSWER: Final = "the broker did not answer in time"


@dataclass(slots=True)
class _Asked:
    question: Question
    sent: Instant
    timer: asyncio.TimerHandle | None = None


class Seal(Protocol):
    """What only the ushers of one cluster can put on a message."""

    @property
    def usable(self) -> bool:
        """Whether there is anything to seal with."""
        ...

    def seal(self, body: bytes) -> bytes:
        """The body, sealed."""
        ...

    def open(self, data: bytes) -> bytes | None:
        """The body; None if it is not sealed by one of us."""
        ...


class Election:
    """One usher's part in the election `provisioner`; `name` is what it writes into the key.

    `changed(before, after)` hears of the lease, `heard` what a leader says of itself.
    """

    def __init__(
        self,
        connection: Connection,
        caller: str,
        name: str,
        clock: Clock,
        seal: Seal,
        *,
        discards: Discards,
        changed: Changed,
        heard: Callable[[Leads], None],
    ) -> None:
        """Hold the connection; nothing is asked yet."""
        self._connection, self._name, self._clock, self._seal = connection, name, clock, seal
        self._discards, self._changed, self._heard = discards, changed, heard
        self.usher = secrets.token_hex(8)
        """Names this process towards its peers."""
        self._inbox = subjects.discovery_prefix(caller, f"lease-{secrets.token_hex(16)}")
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._leaving = False
        self._answered = asyncio.Event()
        self.lease = Lease()
        self.campaigns: Callable[[Lease], None] = lambda _: None
        """Told of each write that is asked, with the lease under which it is."""

    async def start(self, last: int = 0) -> None:
        """Take part; `last` is the sequence that this usher handed over with when it ended, 0 if it did not."""
        await self._connection.subscribe(self._inbox + "*", self._on_answer)
        await self._connection.subscribe(subjects.HANDOVER, self._on_handover)
        await self._connection.subscribe(subjects.LEADER, self._on_leader)
        await self._connection.start()
        self._beginning = asyncio.get_running_loop().create_task(self._begin(last), name="election")

    async def _begin(self, last: int) -> None:
        await self._connection.ready()
        self._take(Began(last))

    async def settle(self) -> int:
        """Renew no more; answers the sequence that the key has from us, 0 if it is not ours or that is not known."""
        self._leaving = True
        self._plan()
        while self._under_way():
            self._answered.clear()
            await self._answered.wait()
        lease = self.lease
        self._take(Ended())
        return lease.sequence if lease.ours and not lease.lost and self._clock.instant().boot < lease.end else 0

    def hand_over(self, sequence: int, wait: float) -> None:
        """Tell the peers that this key may be taken over, and that our requests may be alive for `wait` seconds."""
        if self._seal.usable:
            said = encode_handover(Handover(self.usher, sequence, round(wait * 1000)))
            self._say(subjects.HANDOVER, self._seal.seal(said))

    async def close(self) -> None:
        """Take no part any more, and log out."""
        if self._beginning is not None:
            self._beginning.cancel()
        self._take(Ended())
        for asked in self._asked.values():
            if asked.timer is not None:
                asked.timer.cancel()
        await self._connection.close()

    def announce(self, sender: str, since: int) -> None:
        """Tell the peers that we lead, for those who ask them."""
        self._say(subjects.LEADER, encode_leads(Leads(self.usher, self._name, sender, since, self.lease.sequence)))

    def _say(self, subject: str, data: bytes) -> None:
        try:
            self._connection.publish(subject, data)
        except NotSentError:
            self._discards.count("peer_unsent")

    # -- events ------------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        at, entropy = self._clock.instant(), self._clock.entropy()
        chance = int.from_bytes(entropy[:4], "big") / 2**32
        before = self.lease
        self.lease, question = decide(before, event, at, chance)
        if self.lease != before:
            self._changed(before, self.lease)
        if question is not None:
            self._ask(question)
        self._plan()

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.lease.due < inf and not self._leaving:
            wait = max(self.lease.due - self._clock.instant().boot, 0.0)
            self._timer = asyncio.get_running_loop().call_later(wait, self._take, Due())

    def _under_way(self) -> bool:
        return any(isinstance(asked.question, Write) and asked.timer is not None for asked in self._asked.values())

    # -- questions and answers ---------------------------------------------------------------------------------------

    def _ask(self, question: Question) -> None:
        loop, token = asyncio.get_running_loop(), secrets.token_hex(8)
        asked = _Asked(question, self._clock.instant())
        try:
            self._send(question, self._inbox + token)
        except NotSentError:
            loop.call_soon(self._take, Silent(question, "the connection of the lease is down", sent=False))
            return
        asked.timer = loop.call_later(patience(self.lease), self._silent, asked)
        self._asked[token] = asked
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)

    def _send(self, question: Question, reply: str) -> None:
        match question:
            case Open():
                self._connection.publish(subjects.ELECTION_INFO, b"", reply)
            case Write(over=over):
                self.campaigns(self.lease)
                self._connection.publish(subjects.ELECTION_KEY, self._name.encode(), reply, expecting(over))

    def _silent(self, asked: _Asked) -> None:
        asked.timer = None
        self._take(Silent(asked.question, NO_ANSWER))
        self._answered.set()

    def _on_answer(self, subject: str, data: bytes, status: int) -> None:
        asked = self._asked.pop(subject.removeprefix(self._inbox), None)
        if asked is None:
            self._discards.count("unknown_reply")
            return
        if asked.timer is not None:
            asked.timer.cancel()
            asked.timer = None
        self._answered.set()
        try:
            self._take(Nobody(asked.question, NOBODY) if status == NO_RESPONDERS else _read(asked, data))
        except WireError as error:
            self._discards.count("bad_election_reply")
            self._take(Denied(f"the broker's answer is of another form: {error.detail}"))

    def _on_handover(self, _subject: str, data: bytes, _status: int) -> None:
        body = self._seal.open(data)
        try:
            said = decode_handover(body or b"")
        except WireError:
            self._discards.count("bad_peer")
            return
        if said.usher != self.usher:
            self._take(HandedOver(said.sequence, said.wait / 1000))

    def _on_leader(self, _subject: str, data: bytes, _status: int) -> None:
        try:
            said = decode_leads(data)
        except WireError:
            self._discards.count("bad_peer")
            return
        if said.usher != self.usher:
            self._heard(said)


def _read(asked: _Asked, data: bytes) -> Event:
    question = asked.question
    answer = read_info(data) if isinstance(question, Open) else read_stored(data)
    match answer, question:
        case Bucket(ttl=ttl), _:
            return Opened(ttl)
        case Stored(sequence=sequence), Write():
            return Written(question, sequence, asked.sent)
        case WrongLast(last=last), Write():
            return Refused(question, last)
        case Refusal(code=code, err_code=err_code), _:
            return (
                Missing(NO_BUCKET) if code == NOT_FOUND else Denied(f"JetStream refused it: error {err_code or code}")
            )
    return Denied("JetStream answered another question")
