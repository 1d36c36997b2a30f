"""Broadcast discovery: who is in provisioning mode, or in the fleet, now (wire/protocol.md §7.4).

Facts of the older program's own: wire/provisioning.md §3.4.

Rules:
1. The window ends a cycle, not the acceptance of answers: who answers later is told just the same.
2. A name is told only if it is safe and header and document agree on it; all else is counted.
3. An answer costs one decoding and one call; there is no list of them here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fsm.identity import is_safe
from fsm.ports import Clock
from transport.connection import Connection, NotSentError
from transport.counting import ReplyCounts
from transport.reports import Discards
from transport.subjects import COLLECTIVE, broadcast, discovery_prefix
from transport.wire.caller import Asks
from transport.wire.errors import WireError
from transport.wire.mcorpc import DISCOVERY_PING, PONG
from transport.wire.versions import WIRES, WireReply

__all__ = ["Cycle", "Discovery", "Window"]

AGENT: Final = "discovery"
PROVISIONING_AGENT: Final = "choria_provision"
TTL: Final = 60
LONGEST: Final = 2.0
"""Seconds of a whole cycle, and how long the first answer may take."""
QUIET: Final = 0.3
"""Seconds without another answer that end a cycle."""
LARGEST: Final = 16 * 1024
"""Bytes of an answer; an honest one has some hundred."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """How a cycle went: whether the question was sent, and how many answers came before it ended."""

    sent: bool
    answers: int


class Window:
    """When a cycle ends: QUIET after the last answer, at most LONGEST after its begin; seconds of any clock."""

    def __init__(self, now: float) -> None:
        """Begin."""
        self._end = self.until = now + LONGEST

    def answered(self, now: float) -> None:
        """An answer came."""
        self.until = min(self._end, now + QUIET)


class Discovery:
    """Asks everybody; `on_seen` hears every name, as often as it is said."""

    def __init__(
        self,
        connection: Connection,
        caller: Asks,
        clock: Clock,
        *,
        on_seen: Callable[[str], None],
        discards: Discards,
        collective: str = COLLECTIVE,
    ) -> None:
        """Hold whom to tell; its reply subjects are its own, so that two ushers do not read each other's answers."""
        self._connection = connection
        self._caller = caller
        self._clock = clock
        self._on_seen = on_seen
        self._discards = discards
        self._wire = WIRES[caller.version]
        self.counts = ReplyCounts(self._wire)
        self._prefix = discovery_prefix(caller.caller, f"discovery-{secrets.token_hex(8)}", collective)
        self._collective = collective
        self._window: Window | None = None
        self._answers = 0
        self._first = asyncio.Event()

    async def start(self) -> None:
        """Listen for answers, in this login and in all that follow."""
        await self._connection.subscribe(self._prefix + "*", self._on_message)

    async def run(self) -> Cycle:
        """One cycle; not sent while the connection is away."""
        loop = asyncio.get_running_loop()
        window = self._window = Window(loop.time())
        self._answers = 0
        self._first.clear()
        if not self._ask():
            return Cycle(sent=False, answers=0)
        try:
            async with asyncio.timeout_at(window.until):
                await self._first.wait()
            while (left := window.until - loop.time()) > 0:  # noqa: ASYNC110 the end moves with each answer
                await asyncio.sleep(left)
        except TimeoutError:
            pass
        return Cycle(sent=True, answers=self._answers)

    def _ask(self) -> bool:
        now = self._clock.wall()
        request_id = self._wire.make_id(now, self._clock.entropy())
        message = self._wire.encode_request(
            DISCOVERY_PING,
            caller=self._caller,
            agent=AGENT,
            request_id=request_id,
            reply_to=self._prefix + request_id,
            ttl=TTL,
            time_ns=now * 1_000_000,
            collective=self._collective,
            filter_agents=(PROVISIONING_AGENT,),
            server=self._connection.server,
        )
        try:
            self._connection.publish(broadcast(AGENT, self._collective), message)
        except NotSentError:
            return False
        return True

    def _on_message(self, subject: str, data: bytes, _status: int) -> None:
        try:
            reply = self.counts.decode(data[: LARGEST + 1])  # what is larger is cut, and so is not JSON
        except WireError:
            self._discards.count("bad_discovery_reply")
            return
        if not _fits(reply, subject.removeprefix(self._prefix)):
            self._discards.count("foreign_reply")
        elif not is_safe(reply.sender):
            self._discards.count("unsafe_name")
        else:
            self._count()
            self._on_seen(reply.sender)

    def _count(self) -> None:
        if self._window is not None:
            self._window.answered(asyncio.get_running_loop().time())
        self._answers += 1
        self._first.set()


def _fits(reply: WireReply, request_id: str) -> bool:
    return (
        reply.sender == reply.header_sender
        and reply.request_id == request_id
        and reply.agent == AGENT
        and reply.payload == PONG
    )
