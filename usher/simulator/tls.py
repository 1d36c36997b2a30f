"""TLS over a connection's bytes, without a transport of its own.

asyncio's TLS transport holds a buffer of 256 KiB for each connection: half a gigabyte for 2,000 simulated servers.

Rules:
1. Bytes go in, bytes come out; nothing here reads, writes or waits.
2. Whatever the peer sends gives plain bytes or TlsError.
"""

from __future__ import annotations

import ssl
from typing import Final

from fsm.errors import UsherError

_CHUNK: Final = 65536


class TlsError(UsherError):
    """The TLS connection failed"""

    def __init__(self, why: str) -> None:
        """Hold the words of the library."""
        super().__init__()
        self.why = why


class Tls:
    """The client's end of one TLS connection."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        """Begin; the first bytes to send come from `receive(b"")`."""
        self._received = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._received, self._to_send, server_hostname=host)
        self.established = False

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the network: the plain bytes in them, once the handshake is done; raises TlsError."""
        if data:
            self._received.write(data)
        try:
            if not self.established:
                self._object.do_handshake()
                self.established = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise TlsError(error.reason or str(error)) from None

    def _read(self) -> bytes:
        parts = []
        try:
            while part := self._object.read(_CHUNK):
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def encrypt(self, data: bytes) -> None:
        """Make bytes ready for `to_send`; raises TlsError."""
        try:
            self._object.write(data)
        except ssl.SSLError as error:
            raise TlsError(error.reason or str(error)) from None

    def to_send(self) -> bytes:
        """What has to be sent to the network now."""
        return self._to_send.read()
