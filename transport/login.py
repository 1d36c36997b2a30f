"""One login at a broker: a nats-py client that lives from its CONNECT to the first thing that ends it.

nats-py logs in, does TLS, pings and flushes. It never reconnects: the next login is a new object, so that nothing of
the old one, neither a buffer nor a half-read frame, can reach the new one (docs/decisions/0005).

Rules:
1. A message is unsent until it was handed to a socket; at the end of the login the unsent ones are named and dropped.
2. The end is final and sudden: the socket is reset, so what the kernel still holds is not delivered later.
3. Messages are handed to their subscription where they are read; what a subscription raises is counted, nothing more.
4. Whatever ends reading, flushing or pinging ends the login; nothing of it goes on half dead.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from nats import errors
from nats.aio.client import Client, Srv
from nats.aio.client import __version__ as nats_version

from fsm.errors import UsherError
from fsm.traces import told
from transport.credentials import Asked, Credentials, Demanded, connect_line, connect_options
from transport.reading import Reading
from transport.refusals import describe
from transport.reports import Discards
from transport.rounds import Address

Handler = Callable[[str, bytes, int], None]
"""Takes the subject, the payload and the NATS status (503: nobody is subscribed; 0: none)."""

_RESET: Final = struct.pack("ii", 1, 0)
_STATUS: Final = b"NATS/1.0 "
_PAUSE: Final = 1.5
"""Of the time between two pings: who says nothing for so long, not even PONG, was away."""


class Login(Client):
    """One login; make it, `await enter(...)`, `await ended`."""

    def __init__(
        self,
        credentials: Credentials,
        discards: Discards,
        *,
        name: str,
        complained: Callable[[str], None],
        informed: Callable[[bytes], None],
    ) -> None:
        """Hold who logs in, who counts, and who hears of complaints and of news that do not end the login."""
        super().__init__()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.unsent: list[bytes] = []
        self._credentials = credentials
        self._discards = discards
        self._label = name
        self._complained = complained
        self._informed = informed
        self._handlers: dict[int, Handler] = {}
        self._tls_wanted = False
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done.set_result(None)
        self._ps = self._reading = Reading(self)  # type: ignore[assignment]

    # -- the life of a login ---------------------------------------------------------------------------------------

    async def enter(self, address: Address, tls: Asked, *, within: float, ping: float) -> None:
        """Connect and log in. Raises whatever a broker can cause, for `describe`; `end` it then."""
        self._tls_wanted = isinstance(tls, ssl.SSLContext)
        self._reading.longest = ping * _PAUSE
        await self.connect(
            [address.url],
            error_cb=_ignore,
            allow_reconnect=False,
            dont_randomize=True,
            connect_timeout=within,  # type: ignore[arg-type]
            ping_interval=ping,  # type: ignore[arg-type]
            max_outstanding_pings=2,
            tls=tls.context if isinstance(tls, Demanded) else tls,
            tls_hostname=address.tls_name or None,
            name=self._label,
        )
        if type(self._max_payload) is not int or self._max_payload <= 0:
            raise errors.Error("the broker takes no messages")
        for task, what in (
            (self._reading_task, "the broker closed the connection"),
            (self._flusher_task, "writing to the broker failed"),
            (self._ping_interval_task, "the broker did not answer pings"),
        ):
            if task is None or not self.is_connected:
                raise errors.Error("the broker did not confirm the login")
            task.add_done_callback(partial(self._stopped, what))

    def _stopped(self, what: str, _task: asyncio.Task[Any]) -> None:
        self.end(what)

    def end(self, reason: str) -> None:
        """End the login at once; what was not handed to a socket is in `unsent`."""
        if self.ended.done():
            return
        self.ended.set_result(reason)
        self._status = Client.CLOSED
        self.unsent, self._pending, self._pending_data_size = self._pending, [], 0
        self._handlers.clear()
        for pong in self._pongs:
            pong.cancel()
        self._pongs = []
        current = _current_task()
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None and task is not current:
                task.cancel()
        self._reset()

    async def leave(self, within: float) -> None:
        """Hand over what is pending, wait until the broker has read it, and end the login."""
        if not self.ended.done() and self._transport is not None:
            with suppress(OSError, errors.Error, TimeoutError):
                async with asyncio.timeout(within):
                    pending, self._pending, self._pending_data_size = self._pending, [], 0
                    self._transport.writelines(pending)
                    await self.settle(within)
        self.end("usher closed it")
        if self._transport:
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._transport.wait_closed(), within)  # type: ignore[no-untyped-call]

    def _reset(self) -> None:
        """Reset the connection: neither asyncio's buffer nor the kernel's is delivered after this."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is None:
            return
        plain = writer.get_extra_info("socket")
        with suppress(OSError, AttributeError):
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()

    # -- sending -----------------------------------------------------------------------------------------------------

    @property
    def paused(self) -> float:
        """When the broker was last heard again after a pause, in the loop's time; 0 if there was none."""
        return self._reading.paused

    @property
    def waiting(self) -> int:
        """Bytes that are not handed to the socket yet."""
        return self._pending_data_size

    def hand_over(self, command: bytes) -> None:
        """Send at the next turn of the loop, together with what else there is; ask `unsent` at the end."""
        self._pending.append(command)
        self._pending_data_size += len(command)
        if self._flush_queue is not None and self._flush_queue.empty():
            self._flush_queue.put_nowait(self._done)

    def withdraw(self, command: bytes) -> bool:
        """Take back what was not handed to the socket yet; whether that was possible."""
        for at, waiting in enumerate(self._pending):
            if waiting is command:
                del self._pending[at]
                self._pending_data_size -= len(command)
                return True
        return False

    def listen(self, subject: str, handler: Handler) -> None:
        """Subscribe, ahead of whatever is still to be sent."""
        if self.ended.done() or self._transport is None:
            return
        self._sid += 1
        self._handlers[self._sid] = handler
        self._transport.write(f"SUB {subject} {self._sid}\r\n".encode())

    async def settle(self, within: float) -> None:
        """Wait until the broker has read what was written; raises TimeoutError, or errors.Error at the end."""
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self.ended.done() or self._transport is None:
            raise errors.ConnectionClosedError
        self._pongs.append(pong)
        self._transport.write(b"PING\r\n")
        await asyncio.wait({pong}, timeout=within)
        if not pong.done():
            raise TimeoutError
        if pong.cancelled():
            raise errors.ConnectionClosedError

    # -- frames (Sink) -----------------------------------------------------------------------------------------------

    def message(self, sid: int, subject: bytes, headers: bytes, payload: bytes) -> None:
        """A message: straight to its handler."""
        handler = self._handlers.get(sid)
        if handler is None:
            return
        try:
            name = subject.decode("ascii")
        except UnicodeDecodeError:
            self._discards.count("bad_subject")
            return
        try:
            handler(name, payload, _status(headers) if headers else 0)
        except Exception as error:  # noqa: BLE001 a bug in one handler must not end the login (law 8)
            self._discards.count("handler_bug")
            self._complained(f"usher could not handle a message on {name[:80]}: {told(error)}")

    def info(self, text: bytes) -> None:
        """News of the cluster, for who decides where to log in next."""
        self._informed(text)

    def ping(self) -> None:
        """Answer, ahead of what is pending."""
        if self._transport is not None and not self.ended.done():
            self._transport.write(b"PONG\r\n")

    def pong(self) -> None:
        """The oldest PING is answered."""
        self._pings_outstanding = 0
        if self._pongs:
            pong = self._pongs.pop(0)
            if not pong.done():
                pong.set_result(True)

    def complaint(self, text: str) -> None:
        """A violated permission is reported; everything else is the end."""
        if text.lower().startswith("permissions violation"):
            self._discards.count("permission_violation")
            self._complained(text)
        else:
            self.end(f"the broker said: {text}")

    # -- what nats-py would do otherwise; tests/contract/transport/test_nats_py.py watches over these -----------------

    def _connect_command(self) -> bytes:
        """User, password, token and signature together; never in the clear when TLS is wanted."""
        secure = bool(self._server_info.get("tls_required"))
        if self._tls_wanted and not secure:
            raise errors.Error("the broker does not offer TLS")
        info = self._server_info
        try:
            return connect_line(
                connect_options(self._credentials, info, name=self._label, version=nats_version, tls=secure)
            )
        except UsherError as error:
            raise errors.Error(str(error)) from error
        except Exception as error:  # its text may hold a secret
            raise errors.Error(f"usher's own credentials cannot be used ({type(error).__name__})") from error

    async def _flusher(self) -> None:
        """One write for all commands of a turn: TLS would make a record of its own of each line of a list."""
        queue, transport = self._flush_queue, self._transport
        try:
            while queue is not None and transport is not None:
                flushed = await queue.get()
                if self._pending:
                    transport.write(b"".join(self._pending))
                    self._pending, self._pending_data_size = [], 0
                    await transport.drain()  # type: ignore[no-untyped-call]
                if not flushed.done():
                    flushed.set_result(None)
        except OSError as error:
            self.end(describe(error))

    async def _select_next_server(self) -> None:
        """One attempt at the one server; who waits and tries again is the connection."""
        server: Srv = self._server_pool[0]
        await self._connect_to_server(server)
        self._current_server = server

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """The INFO before TLS is nobody's: only what `info` is given counts."""

    async def _process_op_err(self, e: Exception) -> None:
        """Reading or writing failed, or two pings were not answered."""
        self.end(describe(e))

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        """Never write what is pending to a connection that is going away."""
        self.end("it was closed")


def _status(headers: bytes) -> int:
    code = headers[len(_STATUS) : len(_STATUS) + 3]
    return int(code) if headers.startswith(_STATUS) and code.isdigit() else 0


def _current_task() -> asyncio.Task[Any] | None:
    with suppress(RuntimeError):
        return asyncio.current_task()
    return None


async def _ignore(error: Exception) -> None:
    """nats-py tells errors here that it raises or that end the login too."""
