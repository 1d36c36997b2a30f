"""What a broker sends, cut into frames: INFO, MSG, HMSG, PING, PONG, +OK and -ERR.

nats-py's own parser takes a vertical tab in a subject for a gap between two fields, and the broker lets every node
publish such subjects: one message of one node would end our login (docs/decisions/0005).

Rules:
1. Fields are parted by single spaces, lines end with CR LF, exactly as nats-server writes them; else FramingError.
2. A subject is bytes of a stranger: it is passed on as it is, and decides nothing here.
3. The work of one call is bounded by the bytes that it is given.
"""

from __future__ import annotations

from typing import Final, Protocol

from fsm.errors import UsherError

LONGEST_LINE: Final = 64 * 1024
"""Bytes of a control line; an INFO line of a large cluster is the longest honest one."""
LARGEST_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes of a message with its headers: the most that any nats-server may be configured to allow."""
_CRLF: Final = b"\r\n"


class FramingError(UsherError):
    """The broker sent what is not the NATS protocol"""

    def __init__(self, detail: str) -> None:
        """Hold which frame was wrong."""
        super().__init__()
        self.detail = detail


class Sink(Protocol):
    """Who takes the frames."""

    def message(self, sid: int, subject: bytes, headers: bytes, payload: bytes) -> None:
        """A message for subscription `sid`; `headers` is empty or begins with NATS/1.0."""
        ...

    def info(self, text: bytes) -> None:
        """The broker said something about itself: JSON text."""
        ...

    def ping(self) -> None:
        """The broker wants a PONG."""
        ...

    def pong(self) -> None:
        """The broker has read everything up to our PING."""
        ...

    def complaint(self, text: str) -> None:
        """The broker said -ERR, with this text, without its quotes."""
        ...


class Framing:
    """The reader of one connection."""

    def __init__(self, sink: Sink) -> None:
        """Begin between two frames."""
        self._sink = sink
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take what was read, and hand over all frames that are complete; raises FramingError."""
        buffer = self._rest + data if self._rest else data
        at = 0
        while (after := self._frame(buffer, at)) != at:
            at = after
        self._rest = buffer[at:]

    def _frame(self, buffer: bytes, at: int) -> int:
        """Hand over the frame at `at`, and give where the next begins: `at` itself if this one is not complete."""
        end = buffer.find(_CRLF, at)
        if end < 0 or end - at > LONGEST_LINE:
            if len(buffer) - at > LONGEST_LINE:
                raise FramingError("a line without an end")
            return at
        verb, _, rest = buffer[at:end].partition(b" ")
        after = end + 2
        if verb in {b"MSG", b"HMSG"}:
            return self._message(buffer, at, after, rest.split(b" "), with_headers=verb == b"HMSG")
        self._control(verb, rest)
        return after

    def _message(self, buffer: bytes, at: int, begin: int, fields: list[bytes], *, with_headers: bool) -> int:
        """`subject sid [reply] [header size] size`, then as many bytes and CR LF."""
        sizes = 2 if with_headers else 1
        if len(fields) - sizes not in {2, 3}:
            raise FramingError("MSG with a wrong number of fields")
        size = _number(fields[-1])
        header = _number(fields[-2]) if with_headers else 0
        end = begin + size
        if header > size or size > LARGEST_MESSAGE:
            raise FramingError("MSG with a wrong size")
        if len(buffer) < end + 2:
            return at
        if buffer[end : end + 2] != _CRLF:
            raise FramingError("MSG with a wrong end")
        self._sink.message(_number(fields[1]), fields[0], buffer[begin : begin + header], buffer[begin + header : end])
        return end + 2

    def _control(self, verb: bytes, rest: bytes) -> None:
        match verb.upper():
            case b"PING":
                self._sink.ping()
            case b"PONG":
                self._sink.pong()
            case b"INFO":
                self._sink.info(rest)
            case b"-ERR":
                self._sink.complaint(rest.decode("utf-8", "replace").strip().strip("'"))
            case b"+OK":
                pass
            case _:
                raise FramingError("an unknown frame")


def _number(field: bytes) -> int:
    if not field.isdigit() or len(field) > 10:
        raise FramingError("MSG with a field that is not a number")
    return int(field)
