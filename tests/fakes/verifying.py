"""A broker that asks for client certificates of its authority, a plain one, and the client's files for both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from security.client_certificate import Paths
from tests.fakes.authority import DAY, SERVER, Authority, key_pem, make_authority, pem, put, rsa_key
from tests.fakes.site import written
from usher.simulator.broker import HOST, EmbeddedBroker, Passwords

USER: Final = "usher.mcollective"
_TLS: Final = "tls { cert_file:"


class VerifyingBroker(EmbeddedBroker):
    """It lets nobody in without a certificate that `authority` made for clients."""

    def __init__(
        self,
        directory: Path,
        authority: Authority,
        port: int = 0,
        passwords: Passwords | None = None,
        begin: datetime | None = None,
    ) -> None:
        """Its own certificate is valid for a year from `begin` on, or from yesterday on."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.authority = written(directory / "clients.pem", pem(authority.certificate))
        served = authority.issue("broker", rsa_key(7), names=(HOST, "localhost"), uses=(SERVER,), begin=begin)
        super().__init__(directory, (pem(served), key_pem(rsa_key(7))), port=port, passwords=passwords)

    def configuration(self) -> str:
        """As the ordinary one, and client certificates are verified."""
        text = super().configuration()
        assert _TLS in text
        return text.replace(_TLS, f'tls {{ ca_file: "{self.authority}", verify: true, cert_file:')


class PlainBroker(EmbeddedBroker):
    """It has no TLS."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, ("", ""))

    def configuration(self) -> str:
        """As the ordinary one, without TLS."""
        return "".join(line for line in super().configuration().splitlines(keepends=True) if _TLS not in line)


def authority_of_today(name: str = "usher-test-ca") -> Authority:
    """An authority whose certificates are valid now."""
    return make_authority(name, datetime.now(UTC) - DAY)


def client_files(where: Path, authority: Authority, maker: Authority | None = None) -> Paths:
    """A client certificate of `maker` for USER, its key, and `authority`."""
    where.mkdir(exist_ok=True)
    return put(where, pem((maker or authority).issue(USER)), key_pem(rsa_key()), pem(authority.certificate))


def file_settings(paths: Paths) -> str:
    """The lines of a client configuration that name them."""
    named = zip(paths.settings, paths.files, strict=True)
    return "plugin.security.provider = file\n" + "".join(f"{key} = {path}\n" for key, path in named)
