"""Whatever a broker sends is frames or a FramingError, however it is cut."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transport.framing import Framing, FramingError


class Counting:
    """A Sink that remembers messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes, bytes, bytes]] = []

    def message(self, sid: int, subject: bytes, headers: bytes, payload: bytes) -> None:
        self.messages.append((sid, subject, headers, payload))

    def info(self, text: bytes) -> None:
        """Nothing."""

    def ping(self) -> None:
        """Nothing."""

    def pong(self) -> None:
        """Nothing."""

    def complaint(self, text: str) -> None:
        """Nothing."""


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The stream cut at these places."""
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(edges)]


STREAMS = st.lists(
    st.sampled_from([b"MSG ", b"HMSG ", b"a", b" 1", b" ", b"\r\n", b"PING\r\n", b"0", b"5", b"INFO {}\r\n", b"\x0b"])
    | st.binary(max_size=6),
    max_size=20,
).map(b"".join)


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 500), max_size=5))
def test_any_stream(stream, cuts):
    framing = Framing(Counting())
    with suppress(FramingError):
        for piece in pieces(stream, cuts):
            framing.feed(piece)


SUBJECTS = st.binary(min_size=1, max_size=12).filter(lambda s: not re.search(rb"[ \r\n]", s))
MESSAGES = st.tuples(st.integers(0, 10**9), SUBJECTS, st.binary(max_size=12), st.binary(max_size=12))


@given(messages=st.lists(MESSAGES, max_size=6), cuts=st.lists(st.integers(0, 500), max_size=8))
def test_messages_come_out_as_they_went_in(messages, cuts):
    stream = b""
    for sid, subject, headers, payload in messages:
        if headers:
            size = len(headers) + len(payload)
            stream += b"HMSG %s %d %d %d\r\n%s%s\r\n" % (subject, sid, len(headers), size, headers, payload)
        else:
            stream += b"MSG %s %d %d\r\n%s\r\n" % (subject, sid, len(payload), payload)
    sink = Counting()
    framing = Framing(sink)
    for piece in pieces(stream, cuts):
        framing.feed(piece)
    assert sink.messages == messages
