"""Directed requests to nodes over one connection, and their answers (wire/protocol.md §5, §7).

One subscription takes all answers; each request has a reply subject of its own, which is the NATS reply subject too,
so that the broker says at once when nobody is subscribed (§7.7). A request that was handed to a socket keeps waiting
when its login ends: the answer goes to a subject, not to a login, and the next login listens there before anything
else. If the node answered in between, the answer is lost.

A wait that runs out says something of the node only if the way stood: so the broker is asked first, on the login that
carried the request. If it answers there, whatever the node had said by then is here: UNKNOWN. If it does not, was
away meanwhile, or the login is another, the way was broken and not the node: INTERRUPTED, which is as uncertain and
costs no try (law 8).

Rules:
1. A call gives the node's own answer or a CallError that says how certain it is that nothing happened.
2. An answer counts if the sender of the header, the sender of the document, the agent and the request id all fit.
3. What was not handed to a socket when the login or the wait ends is taken back: NOT_SENT, and it never arrives.
4. A callback never raises; whatever is not used is counted under a reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from orjson import JSONEncodeError

from fsm.errors import CallError
from fsm.events import Certainty, Sent
from fsm.ports import Clock, Reply, Request
from fsm.reasons import Reason
from transport.connection import Connection, Handed, NotSentError, WhyNot
from transport.counting import ReplyCounts
from transport.fence import Alone, Fence
from transport.memory import MOST, Asked, Memory
from transport.reports import Discards
from transport.subjects import COLLECTIVE, UnsafeSubjectError, node, replies, reply_prefix
from transport.wire.caller import Asks
from transport.wire.errors import WireError
from transport.wire.mcorpc import OK, decode_answer, encode_call
from transport.wire.versions import WIRES, WireReply

__all__ = ["RpcClient"]

NO_RESPONDERS: Final = 503
LOST: Final = 5.0
"""Seconds after the end of a login in which an answer to its requests may still come; nodes answer within one."""
LARGEST_REPLY: Final = 1024 * 1024
"""Bytes of the largest answer that is decoded, as it travels: base64 makes a document 2.4 times as large."""


class RpcClient:
    """The port Rpc over one connection; `on_second_answer` hears of nodes whose name two machines have."""

    def __init__(
        self,
        connection: Connection,
        caller: Asks,
        clock: Clock,
        *,
        discards: Discards,
        on_second_answer: Callable[[str], None],
        fence: Fence | None = None,
        largest_reply: int = LARGEST_REPLY,
        remembered: int = MOST,
        collective: str = COLLECTIVE,
    ) -> None:
        """Hold the connection, who asks, and the fence of an election if there is one; nothing is sent yet.

        `collective` is the one that the nodes are in.
        """
        self._connection = connection
        self._caller = caller
        self._clock = clock
        self._fence: Fence = fence or Alone(clock)
        self._discards = discards
        self._wire = WIRES[caller.version]
        self.counts = ReplyCounts(self._wire)
        self._on_second_answer = on_second_answer
        self._largest = largest_reply
        self._collective = collective
        self._prefix = reply_prefix(caller.caller, collective)
        self._memory = Memory(clock.monotonic, remembered)
        self._doubted: list[tuple[str, Asked]] = []
        self._doubting: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Listen for answers, in each login of the connection before anything can be published."""
        self._connection.on_ended(self._ended)
        await self._connection.subscribe(replies(self._caller.caller, self._collective), self._on_message)

    def close(self) -> None:
        """End all that is under way; later calls are NOT_SENT."""
        self._closed = True
        if self._doubting is not None:
            self._doubting.cancel()
        for request_id, asked in self._memory.under_way():
            self._give_up(request_id, asked, "usher is stopping")

    def take_back(self) -> None:
        """What no socket has yet is not sent any more."""
        for request_id, asked in self._memory.under_way():
            if asked.handed is not None and self._connection.withdraw(asked.handed):
                self._unsent(request_id, asked, "it was taken back before it was sent")

    async def call(self, request: Request) -> Reply:
        """Ask and wait for the answer; raises CallError."""
        request_id, asked, waiting = self._send(request)
        try:
            return await waiting
        finally:
            if asked.waiting is not None:  # the caller was cancelled: what is still here need not go
                if asked.handed is not None:
                    self._connection.withdraw(asked.handed)
                self._memory.over(request_id, asked)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self, request: Request) -> tuple[str, Asked, asyncio.Future[Reply]]:
        if self._closed:
            raise CallError(Certainty.NOT_SENT, Reason.STOPPING)
        now = self._clock.now()
        request_id = self._wire.make_id(now, self._clock.entropy())
        handed = self._publish(request, request_id)
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Reply] = loop.create_future()
        asked = Asked(
            request.node, request.agent, request, Sent(now, handed.connection, self._clock.leaps), waiting, handed
        )
        asked.timer = loop.call_later(request.timeout, self._give_up, request_id, asked, "")
        self._memory.add(request_id, asked)
        return request_id, asked, waiting

    def _publish(self, request: Request, request_id: str) -> Handed:
        reply_to = self._prefix + request_id
        permit = self._fence.permit(request.ttl)
        try:
            message = self._wire.encode_request(
                encode_call(request.agent, request.action, request.data),
                caller=self._caller,
                agent=request.agent,
                request_id=request_id,
                reply_to=reply_to,
                ttl=permit.ttl,
                time_ns=permit.at * 1_000_000,
                collective=self._collective,
                filter_agents=(request.agent,),
                server=self._connection.server,
            )
            return self._connection.publish(node(request.node, self._collective), message, reply_to)
        except NotSentError as error:
            if error.why is WhyNot.TOO_LARGE:
                raise CallError(Certainty.REFUSED, Reason.REFUSED, f"the request has {error.detail}") from None
            raise CallError(Certainty.NOT_SENT, Reason.DISCONNECTED, error.detail) from None
        except (UnsafeSubjectError, JSONEncodeError, WireError) as error:
            raise CallError(Certainty.REFUSED, Reason.REFUSED, f"it cannot be asked: {error}") from None

    # -- answers -----------------------------------------------------------------------------------------------------

    def _on_message(self, subject: str, data: bytes, status: int) -> None:
        request_id = subject.removeprefix(self._prefix)
        asked = self._memory.get(request_id)
        if asked is None:
            self._discards.count("unknown_reply")
        elif status == NO_RESPONDERS and not data:
            self._nobody(request_id, asked)
        elif len(data) > self._largest:
            self._useless(request_id, asked, Reason.REPLY_TOO_LARGE, f"{len(data)} bytes")
        else:
            self._on_data(request_id, asked, data)

    def _on_data(self, request_id: str, asked: Asked, data: bytes) -> None:
        digest = hash(data)
        if asked.first == digest:
            self._discards.count("duplicate_reply")
            return
        try:
            reply = self.counts.decode(data)
        except WireError as error:
            self._useless(request_id, asked, Reason.BAD_REPLY, str(error))
            return
        if not _fits(reply, asked, request_id):
            self._discards.count("foreign_reply")
        elif asked.first is not None:
            self._discards.count("second_answer")
            self._on_second_answer(asked.node)
        else:
            asked.first = digest
            self._first(request_id, asked, reply)

    def _first(self, request_id: str, asked: Asked, reply: WireReply) -> None:
        """The first answer of the right sender."""
        if asked.waiting is None or asked.request is None or asked.sent is None:
            self._discards.count("answer_after_absent" if asked.absent else "late_reply")
            return
        self._connection.settling.heard(asked.node)
        try:
            answer = decode_answer(reply.payload)
        except WireError as error:
            self._useless(request_id, asked, Reason.BAD_REPLY, str(error))
            return
        if answer.code == OK and answer.action != asked.request.action:
            self._useless(request_id, asked, Reason.BAD_REPLY, "the answer of another action")
            return
        if not asked.waiting.done():
            asked.waiting.set_result(Reply(answer.code, answer.message, answer.data, reply.time_ns, asked.sent))
        self._memory.over(request_id, asked)

    def _nobody(self, request_id: str, asked: Asked) -> None:
        """The broker says that nobody is subscribed. It stays known: an answer after this gives a forger away.

        After an outage that says nothing of the node yet: it was not delivered, and the node may be on its way back.
        """
        if asked.waiting is None:
            self._discards.count("late_absence")
            return
        asked.absent = True
        if not self._connection.settling.is_back(asked.node):
            detail = "nobody is there yet: the broker was away a moment ago"
            self._fail(request_id, asked, CallError(Certainty.NOT_SENT, Reason.DISCONNECTED, detail))
            return
        self._fail(request_id, asked, CallError(Certainty.NOT_DELIVERED, Reason.ABSENT, sent=asked.sent))

    def _useless(self, request_id: str, asked: Asked, reason: Reason, detail: str) -> None:
        """It happened, and the answer cannot be used."""
        if asked.waiting is None:
            self._discards.count(reason.value)
            return
        self._fail(request_id, asked, CallError(Certainty.INVALID, reason, detail, asked.sent))

    # -- ends --------------------------------------------------------------------------------------------------------

    def _give_up(self, request_id: str, asked: Asked, detail: str) -> None:
        """The time is over, or we are stopping: take it back if it is still here."""
        if asked.handed is not None and self._connection.withdraw(asked.handed):
            self._unsent(request_id, asked, detail or "the broker did not take it in time")
        elif self._closed:
            self._fail(request_id, asked, CallError(Certainty.UNKNOWN, Reason.NO_ANSWER, detail, asked.sent))
        else:
            self._doubted.append((request_id, asked))
            if self._doubting is None:
                self._doubting = asyncio.get_running_loop().create_task(self._doubt(), name="the way to silent nodes")

    async def _doubt(self) -> None:
        """Ask the broker, once for all that ran out meanwhile: was the node silent, or the way broken?"""
        try:
            while doubted := self._doubted:
                self._doubted = []
                longest = max((asked.request.timeout for _, asked in doubted if asked.request), default=0.0)
                standing = await self._connection.standing(asyncio.get_running_loop().time() - longest)
                for request_id, asked in doubted:
                    if asked.sent is not None:  # its answer came at the last moment otherwise
                        self._fail(request_id, asked, _silence(asked.sent, standing))
        finally:
            self._doubting = None

    def _ended(self, connection: str, unsent: Sequence[bytes]) -> None:
        """A login ended: what never left is NOT_SENT, everything else goes on waiting, for a while."""
        loop = asyncio.get_running_loop()
        commands = {id(command) for command in unsent}
        for request_id, asked in self._memory.under_way():
            if asked.handed is None or asked.handed.connection != connection:
                continue
            if id(asked.handed.command) in commands:
                self._unsent(request_id, asked, "the connection was lost before it was sent")
            elif asked.timer is not None and asked.timer.when() > loop.time() + LOST:
                asked.timer.cancel()
                asked.timer = loop.call_later(LOST, self._give_up, request_id, asked, "")

    def _unsent(self, request_id: str, asked: Asked, detail: str) -> None:
        self._fail(request_id, asked, CallError(Certainty.NOT_SENT, Reason.DISCONNECTED, detail))
        self._memory.forget(request_id)

    def _fail(self, request_id: str, asked: Asked, error: CallError) -> None:
        if asked.waiting is not None and not asked.waiting.done():
            asked.waiting.set_exception(error)
        self._memory.over(request_id, asked)


def _silence(sent: Sent, standing: str) -> CallError:
    if sent.connection == standing:
        return CallError(Certainty.UNKNOWN, Reason.NO_ANSWER, "", sent)
    return CallError(Certainty.INTERRUPTED, Reason.DISCONNECTED, "the way was broken before an answer came", sent)


def _fits(reply: WireReply, asked: Asked, request_id: str) -> bool:
    return (
        reply.sender == asked.node
        and reply.header_sender == asked.node
        and reply.request_id == request_id
        and reply.agent == asked.agent
    )
