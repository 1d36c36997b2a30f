"""One connection and the nodes that share it: who is subscribed to what, and how it is made again.

Rules:
1. A subject is subscribed to once a connection, and its messages go to every node that is attached to it.
2. When the connection has ended it is made again, with a growing pause, and with the subscriptions that there were.
3. A connection that is down drops what is sent; a server's small buffer is not played.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

from usher.simulator.wire_client import Broker, Link, LinkError, Login, end_of_subscription, subscription

T = TypeVar("T")
CLOSE_SECONDS: Final = 2.0
_PAUSES: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


class Line(Generic[T]):
    """A connection that is kept; `hear(nodes, subject, payload)` gets each message, `changed` +1 or -1 as it stands."""

    def __init__(
        self, seats: Sequence[T], hear: Callable[[Sequence[T], bytes, bytes], None], changed: Callable[[int], None]
    ) -> None:
        """Seat the nodes; nothing is connected yet."""
        self.seats = list(seats)
        self._hear = hear
        self._changed = changed
        self._link: Link | None = None
        self._sids = itertools.count(1)
        self._heard: dict[int, dict[T, None]] = {}
        self._subjects: dict[str, int] = {}
        self._attached: dict[T, tuple[str, ...]] = {}

    async def open(self, broker: Broker, login: Login, name: str, context: ssl.SSLContext) -> None:
        """Connect once; raises LinkError."""
        link = Link(self._deliver)
        await link.open(broker, login, name, context)
        self._link = link
        self._changed(+1)
        for subject, sid in self._subjects.items():
            link.send(subscription(subject, sid))

    async def stand(
        self, broker: Broker, login: Login, name: str, context: ssl.SSLContext, gate: asyncio.Semaphore
    ) -> None:
        """Connect if it is not connected, however often that takes; `gate` bounds the handshakes under way."""
        for pause in _pauses():
            if self._link is not None:
                return
            try:
                async with gate:
                    await self.open(broker, login, name, context)
            except LinkError:
                await asyncio.sleep(pause)

    async def ended(self) -> None:
        """Wait until the connection has ended."""
        if self._link is not None:
            await self._link.closed
            self._link = None
            self._changed(-1)

    async def keep(self, broker: Broker, login: Login, name: str, context: ssl.SSLContext) -> None:
        """Stand for ever."""
        gate = asyncio.Semaphore(1)
        while True:
            await self.stand(broker, login, name, context, gate)
            await self.ended()

    @property
    def max_payload(self) -> int:
        """The largest payload that the broker takes, bytes."""
        return self._link.max_payload if self._link is not None else 0

    @property
    def link(self) -> Link | None:
        """The connection, while it stands."""
        return self._link

    def send(self, data: bytes) -> None:
        """Send if the connection stands."""
        if self._link is not None:
            self._link.send(data)

    def attach(self, seat: T, subjects: tuple[str, ...]) -> None:
        """Let a node hear these subjects, and subscribe to those that nobody here has heard yet."""
        self._attached[seat] = subjects
        for subject in subjects:
            sid = self._subjects.get(subject)
            if sid is None:
                sid = self._subjects[subject] = next(self._sids)
                self._heard[sid] = {}
                self.send(subscription(subject, sid))
            self._heard[sid][seat] = None

    def detach(self, seat: T) -> None:
        """Let a node hear nothing more, and end the subscriptions that nobody needs now."""
        for subject in self._attached.pop(seat, ()):
            sid = self._subjects[subject]
            self._heard[sid].pop(seat, None)
            if not self._heard[sid]:
                del self._subjects[subject], self._heard[sid]
                self.send(end_of_subscription(sid))

    def _deliver(self, sid: int, subject: bytes, payload: bytes) -> None:
        hearing = self._heard.get(sid)
        if hearing:
            self._hear(tuple(hearing), subject, payload)


async def close_all(lines: Sequence[Line[T]]) -> None:
    """End all connections after what was sent; those that do not end in time are cut."""
    links = [line.link for line in lines if line.link is not None]
    for link in links:
        link.close()
    if links:
        _, open_ = await asyncio.wait([link.closed for link in links], timeout=CLOSE_SECONDS)
        for link in links:
            if link.closed in open_:
                link.abort("it did not end in time")


def _pauses() -> Iterator[float]:
    chance = random.Random()  # noqa: S311 spreads reconnects, guards nothing
    for pause in itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1])):
        yield pause * chance.uniform(0.5, 1.5)
