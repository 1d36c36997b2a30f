"""A broker that does TLS well and then does not do what a broker does: each is one verdict."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from tests.integration.preflight.conftest import Trial, verdicts
from usher.preflight.verdicts import Verdict

pytestmark = pytest.mark.network

INFO = b'INFO {"server_name":"x","version":"2","tls_required":true,"headers":true,"max_payload":1024,"nonce":"abc"}\r\n'


class Odd:
    """A broker that says `words` after TLS, and then nothing, or ends the connection."""

    def __init__(self, trial: Trial, words: bytes, *, stays: bool) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(trial.broker.certificate, trial.broker.directory / "tls.key")
        self._words, self._stays = words, stays

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            writer.write(INFO)
            await writer.start_tls(self._context)
            await reader.readuntil(b"\r\n")
            writer.write(self._words)
            await writer.drain()
            if self._stays:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.mark.parametrize(
    ("words", "stays", "says"),
    [
        (b"", True, "did not answer within 0.3s"),
        (b"", False, "the broker ended the connection"),
        (b"\x00\xff garbage\r\n", True, "not the NATS protocol"),
        (b"MSG a 1 99999999999\r\n", True, "not the NATS protocol"),
        (b"-ERR 'maximum connections exceeded'\r\n", False, "maximum connections exceeded"),
        (b"-ERR 'Authorization Violation'\r\n", False, "does not take the client token by itself either"),
        (b"INFO [1]\r\n", True, "did not answer within 0.3s"),
        (b"-ERR '\x1b[2J\x07'\r\n", False, "\x1b[2J\x07"),
    ],
)
async def test_after_tls(trial: Trial, words: bytes, stays: bool, says: str):
    server = await asyncio.start_server(Odd(trial, words, stays=stays).serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trial.replace(trial.broker.url, f"127.0.0.1:{port}")
        trial.cfg.write_text(f"{trial.cfg.read_text()}plugin.choria.network.connect_timeout = 300ms\n")
        checks = await trial.check()
    (login,) = checks["login"]
    assert checks["tls"][0].verdict is Verdict.OK
    assert (login.verdict, says in login.what) == (Verdict.WRONG, True), login
    assert str(login).isprintable()
    assert verdicts(checks, Verdict.NOT_CHECKED) == {"rights", "discovery", "clock"}


async def test_a_broker_that_lets_in_and_never_answers_again(trial: Trial):
    words = b'PONG\r\nINFO {"remote_account":"provisioning"}\r\n'
    server = await asyncio.start_server(Odd(trial, words, stays=True).serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trial.replace(trial.broker.url, f"127.0.0.1:{port}")
        trial.cfg.write_text(f"{trial.cfg.read_text()}plugin.choria.network.connect_timeout = 300ms\n")
        checks = await trial.check()
    assert checks["login"][0].verdict is Verdict.OK
    assert "did not answer within 0.3s" in checks["rights"][0].what
    assert verdicts(checks, Verdict.NOT_CHECKED) == {"discovery", "clock"}
