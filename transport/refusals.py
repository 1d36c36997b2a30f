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

_ALERTS: Final = {
    "UNKNOWN_CA": "its authority does not know who made it",
    "CERTIFICATE_REQUIRED": "it wants one, and none was shown",
    "CERTIFICATE_EXPIRED": "it is not valid by the broker's clock",
    "CERTIFICATE_REVOKED": "it is revoked",
    "BAD_CERTIFICATE": "it does not verify there: another authority, another purpose, or none was shown",
    "UNSUPPORTED_CERTIFICATE": "it is not of a kind that the broker takes",
    "CERTIFICATE_UNKNOWN": "it does not verify there",
    "ACCESS_DENIED": "access is denied",
}
_ALERT: Final = "ALERT_"
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


def certificate_refused(error: BaseException) -> str:
    """Why the broker does not take our certificate, if it said so by an alert of TLS; empty if that is not it."""
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    alert = str(reason or "").rpartition(_ALERT)[2]
    words = _ALERTS.get(alert)
    return f"the broker refused the client certificate: {words} (TLS alert {alert.lower()})" if words else ""


def _login_refused(error: BaseException, text: str, *, by_token: bool) -> str:
    if "authorization violation" in text.lower():
        return "the broker refused the login (Authorization Violation; its log has the reason)"
    if not by_token and isinstance(error, ConnectionResetError | BrokenPipeError | errors.UnexpectedEOF):
        return "the broker closed the connection before it answered: it may have refused the client certificate"
    return ""


def describe(error: BaseException, *, by_token: bool = True) -> str:
    """An error of a login as a sentence for an operator; `by_token` is False for who shows a certificate, or nothing.

    With TLS 1.3 a certificate is refused after the handshake, and what the broker says of it may be lost by then.
    """
    text = str(error).removeprefix("nats: ").strip("'")
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate does not verify: {getattr(error, 'verify_message', '') or text}"
    if refused := certificate_refused(error) or _login_refused(error, text, by_token=by_token):
        return refused
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if not isinstance(error, OSError | errors.Error):
        return "what answers there does not speak NATS"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return text or type(error).__name__
