"""What of a login needs no broker."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from nats import errors

from tests.fakes.link import Discarded, Heard, Known
from transport.login import Login
from transport.refusals import describe


def login() -> Login:
    return Login(Known("u", "p"), Discarded(), name="test", complained=Heard(), informed=Heard())


@pytest.mark.parametrize(("size", "gives_way"), [(64 * 1024, True), (10, False)])
async def test_reading_much_gives_way_to_others(size, gives_way):
    turns: list[int] = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    await login()._ps.parse(b"MSG a 1 %d\r\n%s\r\n" % (size, b"x" * size))
    assert bool(turns) is gives_way


async def test_the_first_reason_of_an_end_stays():
    ended = login()
    ended.end("the first")
    ended.end("the second")
    assert await ended.ended == "the first"
    with pytest.raises(errors.ConnectionClosedError):
        await ended.settle(1.0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.Error("nats: 'Authorization Violation'"), "refused the login"),
        (errors.TimeoutError(), "in time"),
        (TimeoutError(), "in time"),
        (ConnectionRefusedError(111, "x"), "nobody listens"),
        (ConnectionResetError(104, "x"), "closed the connection"),
        (errors.UnexpectedEOF(), "closed the connection"),
        (errors.StaleConnectionError(), "pings"),
        (errors.ProtocolError(), "not the NATS protocol"),
        (ssl.SSLCertVerificationError("x"), "certificate"),
        (ValueError("x"), "does not speak NATS"),
        (OSError(113, "No route to host"), "no route to host"),
        (socket.gaierror(-2, "Name or service not known"), "does not resolve"),
        (errors.Error("nats: the broker does not offer TLS"), "the broker does not offer TLS"),
        (OSError(), "OSError"),
    ],
)
def test_every_end_has_words_for_an_operator(error, words):
    assert words in describe(error)
