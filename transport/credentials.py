"""How usher logs in at the broker, and over which TLS (wire/protocol.md §6.1).

Rules:
1. User, password, token and signed nonce go together in one CONNECT: an issuer broker wants them all (§6.3).
2. With a TLS context nothing is said in the clear: a broker that does not offer TLS is refused.
3. TLS is at least 1.2; the broker's certificate is verified only if a CA is configured, as Choria does.
4. Who does not ask for TLS (`Demanded`) upgrades where the broker demands it, and then verifies with the system's
   authorities, as the Go client does (§4.2).
"""

from __future__ import annotations

import ssl
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from fsm.errors import UsherError

PROTOCOL: Final = 1
LANGUAGE: Final = "python3"


@dataclass(frozen=True, slots=True)
class Demanded:
    """TLS only where the broker demands it, with this context."""

    context: ssl.SSLContext


Asked = ssl.SSLContext | Demanded | None
"""A TLS context that must be used, one that is used on demand, or no TLS."""
Tls = Asked | Callable[[], Asked]
"""What is asked for, or what gives it at each login: certificate and authority may be replaced."""


class Credentials(Protocol):
    """Who logs in; what is empty is not sent. Asked at every login, so files may be renewed in between."""

    @property
    def user(self) -> str:
        """The NATS user: `provisioner` (§6.3)."""
        ...

    @property
    def password(self) -> str:
        """The shared password."""
        ...

    @property
    def token(self) -> str:
        """A JWT, compact form."""
        ...

    def sign_nonce(self, nonce: bytes) -> bytes:
        """The raw ed25519 signature over the broker's nonce; only asked if there are a token and a nonce."""
        ...


class CertificateFileError(UsherError):
    """The file with the broker's CA cannot be used"""

    def __init__(self, file: str, detail: str) -> None:
        """Hold which file, and what is wrong with it."""
        super().__init__()
        self.file = file
        self.detail = detail


def tls_context(ca: Path | None = None, *, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """TLS as Choria's clients do it; with `ca` chain and host name are verified. Raises CertificateFileError."""
    context = _context()
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _use(ca, lambda: context.load_verify_locations(cafile=ca))
    if certificate is not None:
        # an empty passphrase: OpenSSL would ask the terminal for the one of an encrypted key
        _use(certificate, lambda: context.load_cert_chain(certificate, key, password=""))
    return context


def demanded_tls() -> Demanded:
    """TLS on demand, verified with the system's authorities."""
    context = _context()
    context.load_default_certs()
    return Demanded(context)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _use(file: Path, load: Callable[[], None]) -> None:
    try:
        load()
    except (OSError, ValueError) as error:
        raise CertificateFileError(str(file), str(error)) from None


def asked_of(tls: Tls) -> Asked:
    """What is asked for at the login that begins now."""
    return tls if tls is None or isinstance(tls, ssl.SSLContext | Demanded) else tls()


def connect_options(
    credentials: Credentials, info: Mapping[str, Any], *, name: str, version: str, tls: bool
) -> dict[str, Any]:
    """The options of CONNECT in answer to the broker's INFO, as captured (wire/v2-ed25519.jsonl, op connect)."""
    headers = info.get("headers") is True
    options: dict[str, Any] = {
        "verbose": False,
        "pedantic": False,
        "tls_required": tls,
        "name": name,
        "lang": LANGUAGE,
        "version": version,
        "protocol": PROTOCOL,
        "echo": True,
        "headers": headers,
        "no_responders": headers,
    }
    user, password, token, nonce = credentials.user, credentials.password, credentials.token, info.get("nonce")
    if user:
        options |= {"user": user, "pass": password}
    if token:
        options["auth_token"] = token
        if isinstance(nonce, str) and nonce:
            signature = urlsafe_b64encode(credentials.sign_nonce(nonce.encode()))
            options |= {"jwt": token, "sig": signature.rstrip(b"=").decode("ascii")}
    return options


def connect_line(options: Mapping[str, Any]) -> bytes:
    """The CONNECT line."""
    return b"CONNECT " + orjson.dumps(options) + b"\r\n"
