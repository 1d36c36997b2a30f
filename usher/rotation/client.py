"""Who usher is for the broker and for nodes: the client token with its seed, the NATS user with its password.

Rules:
1. Everything is read where it is used: a login and a request each take what is in use at that moment, in one piece.
2. The caller id stays as it was at the start: reply subjects, and the locks of nodes under way, are made of it.
"""

from __future__ import annotations

from collections.abc import Callable

from security.client import ClientCredentials
from transport.wire.versions import Version


class Client:
    """transport.credentials.Credentials for logins, transport.wire.caller.Asks for requests."""

    def __init__(self, credentials: ClientCredentials, identity: str, user: str, password: str) -> None:
        """Begin with what was read at the start; `identity` is the sender of all requests."""
        self.credentials = credentials
        self._identity, self._caller = identity, credentials.caller
        self._user, self._password = user, password

    def take(self, credentials: ClientCredentials) -> None:
        """Use these from now on; their caller id is the one of the start."""
        self.credentials = credentials

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
    def sender(self) -> str:
        """The identity of the Choria client configuration."""
        return self._identity

    @property
    def caller(self) -> str:
        """The caller id of the token that was read at the start."""
        return self._caller

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        """Signs a request with the seed of the token."""
        return self.credentials.sign
