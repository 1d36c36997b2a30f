"""One connection to a broker, taken step by step, so that each step has a verdict of its own.

Usher's own connections do all of it in one go (transport.login); what is sent is made by the same functions.

Rules:
1. Whatever a broker does is a LineError with a sentence, and nothing else; it is never longer than a line.
2. After `secure` nothing is sent in the clear; nothing is kept when it ends.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

from fsm.errors import UsherError
from transport.credentials import Credentials, connect_line, connect_options
from transport.framing import LONGEST_LINE, Framing, FramingError
from transport.refusals import certificate_refused

Handler = Callable[[bytes, bytes], None]
"""Takes the headers and the payload of a message."""
ENDED: Final = "the broker ended the connection"
_CHUNK: Final = 64 * 1024
_LONGEST: Final = 200
_MOST: Final = 100


class LineError(UsherError):
    """The broker could not be reached, or did not do what a broker does"""

    def __init__(self, why: str) -> None:
        """Hold why, as a sentence."""
        super().__init__()
        self.why = why[:_LONGEST]

    def __str__(self) -> str:
        """The sentence."""
        return self.why


class UntrustedError(LineError):
    """The broker's certificate does not verify"""


class UnwantedError(LineError):
    """The broker does not take the client certificate"""


class Line:
    """`await reach`, `await secure`, `await enter`; then `listen`, `say` and `await settle`; `close` at the end."""

    def __init__(self, host: str, port: int, within: float) -> None:
        """Name the broker; `within` is seconds for each step."""
        self.host, self.port, self._within = host, port, within
        self.about: Mapping[str, Any] = {}
        self.complaints: list[str] = []
        self._handlers: dict[int, Handler] = {}
        self._framing = Framing(self)
        self._pongs: list[asyncio.Future[None]] = []
        self._said = ""
        self._secured = self._unwanted = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pump: asyncio.Task[None] | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def reach(self) -> str:
        """Connect; the address that answered. Raises LineError."""
        try:
            async with asyncio.timeout(self._within):
                self._reader, self._writer = await asyncio.open_connection(self.host, self.port, limit=LONGEST_LINE)
        except TimeoutError:
            raise LineError(f"no connection within {self._within:g}s: a firewall, or a machine that is off") from None
        except ConnectionRefusedError:
            raise LineError("nobody listens there: the broker is not running, or the port is another") from None
        except UnicodeError:
            raise LineError("its name is none that can be looked up") from None
        except OSError as error:
            raise LineError((error.strerror or "it cannot be reached").lower()) from None
        peer = self._writer.get_extra_info("peername")
        return str(peer[0]) if peer else self.host

    async def greet(self) -> Mapping[str, Any]:
        """The broker's first INFO; raises LineError."""
        reader = self._reader
        if reader is None:
            raise LineError("it is not connected")
        try:
            async with asyncio.timeout(self._within):
                line = await reader.readuntil(b"\r\n")
        except TimeoutError:
            raise LineError(f"it takes connections and says nothing within {self._within:g}s") from None
        except asyncio.LimitOverrunError:
            raise LineError("what answers there does not speak NATS") from None
        except (asyncio.IncompleteReadError, OSError):
            raise LineError("it takes connections and ends them at once") from None
        self.about = _info(line)
        return self.about

    async def secure(self, context: ssl.SSLContext) -> ssl.SSLObject:
        """TLS, as NATS does it: after the first INFO. Raises LineError, UntrustedError."""
        writer = self._writer
        if writer is None:
            raise LineError("it is not connected")
        try:
            async with asyncio.timeout(self._within):
                await writer.start_tls(context, server_hostname=self.host)
        except TimeoutError:
            raise LineError(f"the TLS handshake did not end within {self._within:g}s") from None
        except ssl.SSLCertVerificationError as error:
            raise UntrustedError(str(getattr(error, "verify_message", "")) or "it does not verify") from None
        except ssl.SSLError as error:
            if refused := certificate_refused(error):
                raise UnwantedError(refused) from None
            raise LineError(f"the TLS handshake failed ({error.reason or type(error).__name__})") from None
        except OSError:
            raise LineError("it ended the connection during the TLS handshake") from None
        self._secured = True
        found: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return found

    async def enter(self, credentials: Credentials, *, name: str, version: str) -> Mapping[str, Any]:
        """Log in; the INFO that the broker says last, which names the account (§6.1). Raises LineError."""
        options = connect_options(credentials, self.about, name=name, version=version, tls=self._secured)
        self._pump = asyncio.get_running_loop().create_task(self._read(), name="preflight")
        await self.settle(connect_line(options))
        return self.about

    def listen(self, subject: str, handler: Handler) -> None:
        """Subscribe; whether that is permitted is known after `settle`."""
        number = len(self._handlers) + 1
        self._handlers[number] = handler
        self._write(f"SUB {subject} {number}\r\n".encode())

    def say(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Publish; whether that is permitted is known after `settle`."""
        to = f"{subject} {reply}" if reply else subject
        self._write(b"PUB %b %d\r\n%b\r\n" % (to.encode(), len(payload), payload))

    async def settle(self, last: bytes = b"") -> None:
        """Wait until the broker has read everything, `last` too, and we what it said to it; raises LineError.

        What is sent is one write: a second one to a broker that has gone would hide what it said before.
        """
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        self._write(last + b"PING\r\n")
        first: set[asyncio.Future[Any]] = {pong, self._ended}
        await asyncio.wait(first, timeout=self._within, return_when=asyncio.FIRST_COMPLETED)
        if self._ended.done():
            raise (UnwantedError if self._unwanted else LineError)(self._ended.result())
        if not pong.done():
            raise LineError(f"it did not answer within {self._within:g}s")

    async def close(self) -> None:
        """End it."""
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump
        if self._writer is not None:
            self._writer.transport.abort()
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._writer.wait_closed(), 1)

    # -- frames (Sink) -------------------------------------------------------------------------------------------------

    def message(self, sid: int, subject: bytes, headers: bytes, payload: bytes) -> None:
        """A message, to who listens."""
        handler = self._handlers.get(sid)
        if handler is not None:
            handler(headers, payload)

    def info(self, text: bytes) -> None:
        """The broker says something about itself, or about us."""
        with suppress(ValueError):
            said = orjson.loads(text)
            if isinstance(said, dict):
                self.about = said

    def ping(self) -> None:
        """Answer."""
        self._write(b"PONG\r\n")

    def pong(self) -> None:
        """The oldest PING is answered."""
        if self._pongs and not (waiting := self._pongs.pop(0)).done():
            waiting.set_result(None)

    def complaint(self, text: str) -> None:
        """A violated permission is one of the answers; everything else is why the broker ends it."""
        if text.lower().startswith("permissions violation"):
            if len(self.complaints) < _MOST:
                self.complaints.append(text[:_LONGEST])
        else:
            self._said = text

    def _write(self, data: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)

    async def _read(self) -> None:
        why = ENDED
        try:
            while self._reader is not None and (data := await self._reader.read(_CHUNK)):
                self._framing.feed(data)
        except FramingError:
            why = "the broker sent what is not the NATS protocol"
        except OSError as error:  # with TLS 1.3 a certificate is refused after the handshake
            if refused := certificate_refused(error):
                why, self._unwanted = refused, True
        finally:
            if not self._ended.done():
                self._ended.set_result(self._said or why)


def _info(line: bytes) -> Mapping[str, Any]:
    if not line.startswith(b"INFO "):
        raise LineError("what answers there does not speak NATS")
    try:
        found = orjson.loads(line[5:])
    except ValueError:
        raise LineError("what answers there does not speak NATS") from None
    if not isinstance(found, dict):
        raise LineError("what answers there does not speak NATS")
    return found
