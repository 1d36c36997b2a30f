"""The reader of what a broker sends: whole frames, in any pieces, and no guesses."""

from __future__ import annotations

import pytest

from transport.framing import LONGEST_LINE, Framing, FramingError


class Frames:
    """A Sink that keeps everything."""

    def __init__(self) -> None:
        self.got: list[tuple[object, ...]] = []

    def message(self, sid: int, subject: bytes, headers: bytes, payload: bytes) -> None:
        self.got.append(("message", sid, subject, headers, payload))

    def info(self, text: bytes) -> None:
        self.got.append(("info", text))

    def ping(self) -> None:
        self.got.append(("ping",))

    def pong(self) -> None:
        self.got.append(("pong",))

    def complaint(self, text: str) -> None:
        self.got.append(("complaint", text))


STREAM = (
    b'INFO {"server_id":"x"} \r\nPING\r\nMSG a.b 1 5\r\nhello\r\nMSG a.b 1 inbox.x 0\r\n\r\n+OK\r\n'
    b"HMSG reply.q 2 51 51\r\nNATS/1.0 503\r\nNats-Subject: provisioning.node.a\r\n\r\n\r\n"
    b"-ERR 'Permissions Violation for Publish to \"x\"'\r\nPONG\r\nMSG a 12 2\r\n\r\n\r\n"
)
EXPECTED = [
    ("info", b'{"server_id":"x"} '),
    ("ping",),
    ("message", 1, b"a.b", b"", b"hello"),
    ("message", 1, b"a.b", b"", b""),
    ("message", 2, b"reply.q", b"NATS/1.0 503\r\nNats-Subject: provisioning.node.a\r\n\r\n", b""),
    ("complaint", 'Permissions Violation for Publish to "x"'),
    ("pong",),
    ("message", 12, b"a", b"", b"\r\n"),
]


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_frames_do_not_depend_on_how_the_stream_is_cut(piece):
    frames = Frames()
    framing = Framing(frames)
    for at in range(0, len(STREAM), piece):
        framing.feed(STREAM[at : at + piece])
    assert frames.got == EXPECTED


@pytest.mark.parametrize("subject", [b"provisioning.reply.x.\x0b7", b"a\x0c1", b"a\xff\xfe", b"a\x00b", b"a\x1cb"])
def test_a_subject_that_nats_py_would_stumble_over_is_only_a_subject(subject):
    frames = Frames()
    Framing(frames).feed(b"MSG " + subject + b" 1 1\r\nA\r\nPING\r\n")
    assert frames.got == [("message", 1, subject, b"", b"A"), ("ping",)]


@pytest.mark.parametrize(
    "stream",
    [
        b"HELLO\r\n",
        b"\r\n",
        b"MSG a 1\r\n",
        b"MSG a  1 1\r\nA\r\n",
        b"MSG a b c d 1\r\nA\r\n",
        b"MSG a one 1\r\nA\r\n",
        b"MSG a 1 -1\r\n",
        b"MSG a 1 99999999999\r\n",
        b"MSG a 1 999999999\r\n",
        b"MSG a 1 1\r\nABC",
        b"HMSG a 1 5 3\r\nABC\r\n",
        b"x" * (LONGEST_LINE + 1),
        b"INFO " + b"x" * LONGEST_LINE + b"\r\n",
    ],
)
def test_what_is_not_nats_is_refused(stream):
    frames = Frames()
    with pytest.raises(FramingError):
        Framing(frames).feed(stream)
    assert frames.got == []
