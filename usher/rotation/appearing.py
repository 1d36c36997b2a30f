"""What usher appears by, as it may change: client token and seed; certificate, key and authority.

Rules:
1. Each is a usher.rotation.change.Subject, and keeps the rules there.
2. What belongs together is taken together, and with it the TLS context that it is shown in: a certificate never goes
   without its key, and no login mixes two readings.
3. A certificate that is not valid now does not replace one that is.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from security.certificate import CertificateFacts
from security.client import TOKEN_SETTING, ClientCredentials
from security.client_certificate import ClientCertificate
from security.expiry import certificate_end
from security.holder import moment, raise_fatal
from security.problems import CredentialError, Problem
from transport.credentials import tls_context
from usher.config.appearance import CA_FILE
from usher.rotation.change import Change, texts
from usher.rotation.client import CertificateClient, TokenClient
from usher.rotation.fingerprints import FINGERPRINT


class ClientSubject:
    """The client token and its seed."""

    name = TOKEN_SETTING

    def __init__(self, client: TokenClient[ClientCredentials]) -> None:
        """Change this client."""
        self._client = client

    @property
    def files(self) -> tuple[Path, ...]:
        """Token and seed."""
        return self._client.credentials.files

    def read(self) -> Change | None:
        """The two as they are; a token for another caller is refused."""
        client, found = self._client, self._client.credentials.reload()
        if (found.token, found.public_hex) == (client.credentials.token, client.credentials.public_hex):
            return None
        if found.caller != client.caller:
            what = "its callerid is another one, and what nodes under way were asked is bound to it"
            step = "give it the same callerid, or restart usher to change it"
            raise CredentialError(Problem("token_callerid", f"{TOKEN_SETTING} ({self.files[0]})", what, step))
        prints = {"key": found.public_hex[:FINGERPRINT], "id": _id(found)}
        said = f"the client token is {prints['id']} with the key {prints['key']}; it is shown from the next login on"
        return Change(said, lambda: client.take(found), prints, secrets=texts(self.files[1:]))


class CertificateSubject:
    """The certificate with its key and its authority, and the TLS context of the next login."""

    def __init__(self, client: CertificateClient, now: Callable[[], int]) -> None:
        """Change this client; `now` is in milliseconds. Raises CertificateFileError, CredentialError."""
        self._client, self._now = client, now
        self.context = context_of(client.certificate)

    @property
    def name(self) -> str:
        """The setting that names the certificate."""
        return self._client.certificate.paths.settings[0]

    @property
    def files(self) -> tuple[Path, ...]:
        """Certificate, key, authority."""
        return self._client.certificate.paths.files

    def facts(self) -> CertificateFacts:
        """What the certificate that is in use says."""
        return self._client.certificate.facts

    def authority_end(self) -> float:
        """When the last authority that is in use ends (Unix seconds)."""
        return self._client.certificate.authority_end

    def read(self) -> Change | None:
        """The three as they are."""
        client, used = self._client, self._client.certificate
        found = used.reload()
        if found.same(used):
            return None
        raise_fatal(found.problems(self._now()))
        context = context_of(found)

        def take() -> None:
            client.take(found)
            self.context = context

        print_, authority = found.fingerprint[:FINGERPRINT], found.authority_print[:FINGERPRINT]
        until = moment(found.facts.ends)
        said = f"the certificate is {print_}, until {until}, the authority {authority}; shown from the next login on"
        prints = {"certificate": print_, "authority": authority, "until": until}
        return Change(said, take, prints, secrets=texts((found.paths.key,)))


def context_of(certificate: ClientCertificate) -> ssl.SSLContext:
    """TLS with this certificate and its authority; raises CertificateFileError, or CredentialError.

    The library reads the files by itself: if they are others by then, nothing of them is used.
    """
    paths = certificate.paths
    context = tls_context(paths.ca, certificate=paths.certificate, key=paths.key)
    if not certificate.reload().same(certificate):
        what = "it was replaced while it was read"
        raise CredentialError(Problem("files_changed", paths.places[0], what, "try again: it is read anew"))
    return context


class Trust:
    """The authority of the broker's certificate, as the TLS context of the next login."""

    name = CA_FILE

    def __init__(self, ca: Path | None) -> None:
        """Read it; None verifies nothing. Raises CertificateFileError."""
        self._ca = ca
        self.context: ssl.SSLContext = tls_context(ca)
        self._digest = self._digested()
        self._end = self._ended()

    def end(self) -> float | None:
        """When the last authority of the file that is in use ends (Unix seconds); None if nothing is verified."""
        return self._end

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, if there is one."""
        return (self._ca,) if self._ca else ()

    def read(self) -> Change | None:
        """The file as it is."""
        digest = self._digested()
        if digest == self._digest:
            return None
        context, end = tls_context(self._ca), self._ended()

        def take() -> None:
            self.context, self._digest, self._end = context, digest, end

        return Change(f"the broker's authority is the file with the digest {digest}", take, {"digest": digest})

    def _ended(self) -> float | None:
        return certificate_end(self._ca) if self._ca else None

    def _digested(self) -> str:
        try:
            return sha256(self._ca.read_bytes()).hexdigest()[:FINGERPRINT] if self._ca else ""
        except OSError:
            return ""  # reading it for TLS says what is wrong


def _id(credentials: ClientCredentials) -> str:
    return str(credentials.claims.get("jti", ""))[:32]
