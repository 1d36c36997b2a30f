"""Who usher is for the broker and for nodes: by a client token, by a certificate, or unsecured; and the NATS user.

Rules:
1. Everything is read where it is used: a login and a request each take what is in use at that moment, in one piece.
2. The caller id stays as it was at the start: reply subjects, and the locks of nodes under way, are made of it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from security.client_certificate import ClientCertificate
from transport.wire.caller import INSECURE
from transport.wire.versions import Version


class Seeded(Protocol):
    """A client token with its seed, whatever it permits (security.client, security.fleet)."""

    @property
    def caller(self) -> str:
        """Its `callerid` claim."""
        ...

    @property
    def token(self) -> str:
        """Its text, without white space around it."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64 raw bytes of a signature."""
        ...


Held = TypeVar("Held", bound=Seeded)


class Client:
    """transport.credentials.Credentials for logins, transport.wire.caller.Asks for requests."""

    def __init__(self, identity: str, caller: str, user: str, password: str) -> None:
        """Begin with what was read at the start; `identity` is the sender of all requests."""
        self._identity, self._caller = identity, caller
        self._user, self._password = user, password

    def log_in_as(self, user: str, password: str) -> None:
        """Log in with this user and password from now on."""
        self._user, self._password = user, password

    @property
    def user(self) -> str:
        """The NATS user; empty sends neither user nor password."""
        return self._user

    @property
    def password(self) -> str:
        """The password of that user."""
        return self._password

    @property
    def token(self) -> str:
        """What is shown at a login besides: nothing, unless there is a client token."""
        return ""

    def sign_nonce(self, nonce: bytes) -> bytes:
        """The raw signature over the broker's nonce; never asked without a token."""
        return b""

    @property
    def sender(self) -> str:
        """The identity of the Choria client configuration."""
        return self._identity

    @property
    def caller(self) -> str:
        """The caller id of the start."""
        return self._caller

    @property
    def version(self) -> Version:
        """Certificates and what is unsecured are of protocol v1."""
        return Version.V1

    @property
    @abstractmethod
    def credential(self) -> str:
        """What requests show."""

    @property
    @abstractmethod
    def sign(self) -> Callable[[bytes], bytes] | None:
        """Signs a request."""


class TokenClient(Client, Generic[Held]):
    """A client token with its seed: protocol v2."""

    def __init__(self, credentials: Held, identity: str, user: str, password: str) -> None:
        """Begin with what was read at the start."""
        super().__init__(identity, credentials.caller, user, password)
        self.credentials = credentials

    def take(self, credentials: Held) -> None:
        """Use these from now on; their caller id is the one of the start."""
        self.credentials = credentials

    @property
    def token(self) -> str:
        """The client token."""
        return self.credentials.token

    def sign_nonce(self, nonce: bytes) -> bytes:
        """The raw signature over the broker's nonce."""
        return self.credentials.sign(nonce)

    @property
    def credential(self) -> str:
        """The same token: it is what requests show."""
        return self.credentials.token

    @property
    def version(self) -> Version:
        """Client tokens are of protocol v2."""
        return Version.V2

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        """Signs a request with the seed of the token."""
        return self.credentials.sign


class CertificateClient(Client):
    """A certificate with its key: protocol v1; the login shows it within TLS."""

    def __init__(self, certificate: ClientCertificate, certname: str, identity: str, user: str, password: str) -> None:
        """Begin with what was read at the start; the caller is `choria=<certname>` (wire/protocol.md §2.7)."""
        super().__init__(identity, caller_of(certname), user, password)
        self.certificate = certificate

    def take(self, certificate: ClientCertificate) -> None:
        """Use this one from now on."""
        self.certificate = certificate

    @property
    def credential(self) -> str:
        """The certificate's file, verbatim."""
        return self.certificate.text

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        """Signs a request with the key of the certificate."""
        return self.certificate.sign


class UnsecuredClient(Client):
    """Neither: protocol v1 as `choria_insecure` has it."""

    def __init__(self, certname: str, identity: str, user: str, password: str) -> None:
        """The caller is `choria=<certname>`, which nothing proves."""
        super().__init__(identity, caller_of(certname), user, password)

    @property
    def credential(self) -> str:
        """The word that stands for none."""
        return INSECURE

    @property
    def sign(self) -> None:
        """Nothing signs."""
        return


def caller_of(certname: str) -> str:
    """The caller id of a certname (wire/protocol.md §2.7)."""
    return f"choria={certname}"
