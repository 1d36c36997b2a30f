"""The election in virtual time: a bucket as JetStream keeps one, and ushers whose messages are late, lost or frozen."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from math import inf

from fsm.instant import Instant
from transport.campaign import SPLAY, decide, patience
from transport.lease import (
    Began,
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
    Role,
    Silent,
    Write,
    Written,
)

WALL = 1_795_200_000_000


@dataclass
class Bucket:
    """One key; `other` are writes of other keys, which share the stream's sequence."""

    ttl: float = 60.0
    there: bool = True
    sequence: int = 0
    key: tuple[str, int, float] | None = None

    def last(self, now: float) -> int:
        """The key's sequence; 0 if it is not there, or too old."""
        if self.key is not None and now >= self.key[2] + self.ttl:
            self.key = None
        return self.key[1] if self.key else 0

    def write(self, who: str, over: int, now: float) -> int | None:
        """The new sequence, None if the key's is another one."""
        if self.last(now) != over:
            return None
        self.sequence += 1
        self.key = (who, self.sequence, now)
        return self.sequence

    def delete(self) -> None:
        """The stream is gone, and its sequence with it."""
        self.there, self.sequence, self.key = False, 0, None


@dataclass
class Player:
    """One usher: its lease, whether it is frozen, and what became of it, with the times."""

    name: str
    lease: Lease = field(default_factory=Lease)
    frozen: bool = False
    deaf: bool = False  # its questions arrive, the answers do not
    cut: bool = False  # neither arrives
    asked: list[tuple[float, Question]] = field(default_factory=list)
    roles: list[tuple[float, Role]] = field(default_factory=list)
    kept: list[Event] = field(default_factory=list)
    planned: int = 0

    @property
    def writes(self) -> list[tuple[float, int]]:
        """When it wrote over which sequence."""
        return [(at, question.over) for at, question in self.asked if isinstance(question, Write)]


class Arena:
    """Plays; `check` is called after everything that happens. `chance` is for waits, `delay` for messages."""

    def __init__(self, bucket: Bucket | None = None, *, seed: int = 0, delay: float = 0.001) -> None:
        self.bucket, self.now, self.delay = bucket or Bucket(), 1000.0, delay
        self.players: dict[str, Player] = {}
        self.skew = 0
        self._random = random.Random(seed)  # noqa: S311 a test repeats itself
        self._number = count()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self.leaders: list[tuple[float, str]] = []

    def join(self, name: str, last: int = 0) -> Player:
        """Another usher stands for election."""
        player = self.players[name] = Player(name)
        self.tell(player, Began(last))
        return player

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Something happens then."""
        heapq.heappush(self._heap, (when, next(self._number), call))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            self.now, _, call = heapq.heappop(self._heap)
            call()
            self.check()
        self.now = end

    def check(self) -> None:
        """Never do two lead at once."""
        leading = self.leading()
        assert len(leading) <= 1, (self.now, leading)
        if leading and (not self.leaders or self.leaders[-1][1] != leading[0]):
            self.leaders.append((self.now, leading[0]))

    def leading(self) -> list[str]:
        """Who leads, by their own belief."""
        return [player.name for player in self.players.values() if player.lease.leads(self.now)]

    def tell(self, player: Player, event: Event) -> None:
        """Something happens to a player; one that is frozen learns of it when it goes on."""
        if player.frozen:
            player.kept.append(event)
            return
        wall = WALL + int((self.now - 1000) * 1000) + self.skew
        before = player.lease.role
        player.lease, question = decide(player.lease, event, Instant(self.now, wall), self._random.random())
        if player.lease.role is not before:
            player.roles.append((self.now, player.lease.role))
        if question is not None:
            self._ask(player, question)
        if self.now < player.lease.works < inf:
            self.at(player.lease.works, lambda: None)  # whether it leads then is looked at then
        self._plan(player)

    def freeze(self, player: Player) -> None:
        """SIGSTOP."""
        player.frozen = True

    def thaw(self, player: Player) -> None:
        """SIGCONT: everything that came meanwhile comes now."""
        player.frozen = False
        kept, player.kept = player.kept, []
        for event in kept:
            self.tell(player, event)

    def stop(self, player: Player) -> int:
        """A clean end, once its last write is answered; answers the sequence that is handed over with."""
        while player.lease.ours and player.lease.due == inf:
            self.run(0.001)
        sequence = player.lease.sequence if player.lease.ours else 0
        self.tell(player, Ended())
        return sequence

    def announce(self, sequence: int, wait: float = 0.0) -> None:
        """All hear that this sequence is handed over."""
        for player in self.players.values():
            self.at(self.now + self.delay, lambda player=player: self.tell(player, HandedOver(sequence, wait)))  # type: ignore[misc]

    def _plan(self, player: Player) -> None:
        player.planned += 1
        planned = player.planned
        if player.lease.due < inf:
            self.at(max(player.lease.due, self.now), lambda: self._due(player, planned))

    def _due(self, player: Player, planned: int) -> None:
        if player.frozen:
            if not any(isinstance(event, Due) for event in player.kept):
                player.kept.append(Due())
        elif planned == player.planned:
            self.tell(player, Due())

    def _ask(self, player: Player, question: Question) -> None:
        player.asked.append((self.now, question))
        sent, answered = Instant(self.now, WALL + int((self.now - 1000) * 1000) + self.skew), [False]

        def arrive() -> None:
            answer = self._answer(player, question, sent)
            if not player.deaf:
                self.at(self.now + self.delay, lambda: come(answer))

        def come(answer: Event) -> None:
            answered[0] = True
            self.tell(player, answer)

        def give_up() -> None:
            if not answered[0]:
                self.tell(player, Silent(question, "no answer"))

        if not player.cut:
            self.at(self.now + self.delay, arrive)
        self.at(self.now + patience(player.lease), give_up)

    def _answer(self, player: Player, question: Question, sent: Instant) -> Event:
        bucket = self.bucket
        if isinstance(question, Open):
            return Opened(bucket.ttl) if bucket.there else Missing("there is no bucket")
        if not bucket.there:
            return Nobody(question, "nobody answers")
        sequence = bucket.write(player.name, question.over, self.now)
        return Refused(question, bucket.last(self.now)) if sequence is None else Written(question, sequence, sent)


def elected(ttl: float = 60.0, *, seed: int = 0) -> tuple[Arena, Player]:
    """One who leads."""
    arena = Arena(Bucket(ttl), seed=seed)
    player = arena.join("a")
    arena.run(SPLAY + 2)
    assert arena.leading() == ["a"]
    return arena, player


def pair(ttl: float = 60.0, *, seed: int = 0) -> tuple[Arena, Player, Player]:
    """One who leads, and one who has stood by for a while."""
    arena, first = elected(ttl, seed=seed)
    second = arena.join("b")
    arena.run(5 * ttl)
    assert arena.leading() == ["a"]
    return arena, first, second
