"""Why a login was refused or ended, in words for an operator.

Rules:
1. Every error that a broker, a network or a certificate can cause has a sentence; a library's name is not one.
2. No password, token or signature is ever part of it.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from nats import errors
from nats.aio.errors import ErrStaleConnection

_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (errors.TimeoutError, "the broker did not answer in time"),
    (TimeoutError, "the broker did not answer in time"),
    (socket.gaierror, "the name does not resolve to an address"),
    (ConnectionRefusedError, "nobody listens there"),
    (ConnectionError, "the broker closed the connection"),
    (errors.UnexpectedEOF, "the broker closed the connection"),
    (errors.StaleConnectionError, "the broker did not answer pings"),
    (ErrStaleConnection, "the broker did not answer pings"),
    (errors.ProtocolError, "the broker sent what is not the NATS protocol"),
)


def describe(error: BaseException) -> str:
    """An error of a login as a sentence for an operator."""
    text = str(error).removeprefix("nats: ").strip("'")
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate does not verify: {getattr(error, 'verify_message', '') or text}"
    if "authorization violation" in text.lower():
        return "the broker refused the login (Authorization Violation; its log has the reason)"
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if not isinstance(error, OSError | errors.Error):
        return "what answers there does not speak NATS"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return text or type(error).__name__
