"""Operators: who logs in to the fleet and asks there, read from the files of the configuration.

Rules:
1. The files are read whenever they are asked for; a certificate that is as before is not decoded again, since that
   takes as long as many requests.
2. What has ended, or does not belong together, is refused here, by name: a server would only be silent.
3. Who is held stays the same object while the caller id does: connection and requests take what is in use at that
   moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fsm.errors import ProblemError
from security.client_certificate import ClientCertificate, Paths
from security.fleet import FleetCredentials, fleet_credentials
from security.operating import certname_of, refuse_silence
from transport.credentials import Tls
from usher.config.fleet import CertificateOperator, Nobody, Operator, TokenOperator
from usher.rotation.appearing import context_of
from usher.rotation.client import CertificateClient, TokenClient


class NobodyError(ProblemError):
    """Nobody can be asked in this fleet"""


@dataclass(slots=True)
class Shown:
    """Who logs in and asks, and the TLS of the next login."""

    client: TokenClient[FleetCredentials] | CertificateClient
    tls: Tls

    def take(self, found: Shown) -> bool:
        """Use what was found from now on; whether that is possible: it is not for another caller id."""
        if self.client.caller != found.client.caller:
            return False
        match self.client, found.client:
            case TokenClient() as ours, TokenClient() as theirs:
                ours.take(theirs.credentials)
            case CertificateClient() as ours, CertificateClient() as theirs:
                ours.take(theirs.certificate)
            case _:  # pragma: no cover - a configuration names files of one kind
                return False
        self.tls = found.tls
        return True


class Reader:
    """Reads who usher is; `login` is the NATS user and its password, `tls` that of who shows a token."""

    def __init__(self, operator: Operator, identity: str, login: tuple[str, str], tls: Tls) -> None:
        """Hold where to read."""
        self._operator, self._identity, self._login, self._tls = operator, identity, login, tls
        self._texts: tuple[bytes, ...] = ()
        self._certified: tuple[ClientCertificate, Shown] | None = None

    def read(self, now: int) -> Shown:
        """As the files are at `now` (milliseconds); raises NobodyError, CredentialError, CertificateFileError."""
        match self._operator:
            case Nobody(why=why):
                raise NobodyError(why)
            case TokenOperator(token=token, seed=seed):
                found = fleet_credentials(token, seed, now)
                return Shown(TokenClient(found, self._identity, *self._login), self._tls)
            case CertificateOperator(paths=paths, strict=strict):
                certificate, shown = self._certificate(paths, strict=strict)
                refuse_silence(certificate, now)
                return shown

    def _certificate(self, paths: Paths, *, strict: bool) -> tuple[ClientCertificate, Shown]:
        texts = _texts(paths)
        if self._certified is None or not texts or texts != self._texts:
            certificate = ClientCertificate(paths, strict=strict)
            client = CertificateClient(certificate, certname_of(certificate), self._identity, *self._login)
            self._certified = certificate, Shown(client, context_of(certificate))
            self._texts = texts
        return self._certified


def _texts(paths: Paths) -> tuple[bytes, ...]:
    """What the files hold; nothing if one cannot be read, which reading it says in words."""
    try:
        return tuple(Path(path).read_bytes() for path in paths.files)
    except OSError:
        return ()
