"""The credentials that usher logs in with and signs its requests with.

Rules:
1. A value that was read once: who wants rotated files asks for `reload` between two connections, never within one.
2. The signature over a request is raw ed25519 over its bytes; over a nonce it is unpadded base64url (wire/protocol.md
   §3.2, §6.1).
3. `inspect_client` lists everything that is wrong; the constructor stops at the first fatal one.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from security import holder
from security.holder import Files, Holder
from security.problems import Problem
from security.tokens import text_of

TOKEN_SETTING: Final = "plugin.security.choria.token_file"  # noqa: S105 a setting's name
SEED_SETTING: Final = "plugin.security.choria.seed_file"


class ClientCredentials:
    """A client token and its seed (wire/provisioning.md §1.5)."""

    __slots__ = ("_files", "_holder", "_strict", "warnings")

    def __init__(self, token_file: Path | str, seed_file: Path | str, *, strict: bool = False) -> None:
        """Read both files; raises CredentialError for the first thing that makes them useless, times excepted."""
        self._files, self._strict = _files(token_file, seed_file), strict
        read, problems = _read(self._files, strict=strict)
        holder.raise_fatal(problems)
        if read is None:  # pragma: no cover - a holder that is missing has a fatal problem
            raise AssertionError
        self._holder: Holder = read
        self.warnings: tuple[Problem, ...] = problems
        """What does not stop a start."""

    @property
    def caller(self) -> str:
        """The `callerid` claim: the caller of every request, exactly."""
        return text_of(self._holder.claims, "callerid")

    @property
    def token(self) -> str:
        """The token's text, without white space around it."""
        return self._holder.token

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the token says."""
        return self._holder.claims

    def sign(self, message: bytes) -> bytes:
        """The 64 raw bytes of the signature over a request's bytes."""
        return self._holder.key.sign(message)

    def nonce_signature(self, nonce: bytes) -> bytes:
        """The `sig` of CONNECT over the nonce's bytes as INFO has them: unpadded base64url."""
        return urlsafe_b64encode(self.sign(nonce)).rstrip(b"=")

    @property
    def public_hex(self) -> str:
        """The public key, 64 hexadecimal characters."""
        return self._holder.key.public_hex

    @property
    def files(self) -> tuple[Path, Path]:
        """The files that it was read from: token and seed."""
        return self._files.token, self._files.seed

    def problems(self, now: int) -> tuple[Problem, ...]:
        """What is wrong with it at `now` (milliseconds): what the files warn about, and the times."""
        return self.warnings + holder.time_problems(self._holder, now)

    def reload(self) -> ClientCredentials:
        """The same files, read anew; raises CredentialError, and these credentials stay as they are."""
        return ClientCredentials(self._files.token, self._files.seed, strict=self._strict)


def inspect_client(
    token_file: Path | str, seed_file: Path | str, now: int, *, strict: bool = False
) -> tuple[Problem, ...]:
    """Everything that is wrong with a client's files at `now` (milliseconds)."""
    read, problems = _read(_files(token_file, seed_file), strict=strict)
    return problems + (holder.time_problems(read, now) if read and not _unreadable(problems) else ())


def _read(files: Files, *, strict: bool) -> tuple[Holder | None, tuple[Problem, ...]]:
    read, problems = holder.read(files, strict=strict)
    if read is None or _unreadable(problems):
        return read, problems
    return read, problems + tuple(_client_problems(read, strict=strict))


def _unreadable(problems: tuple[Problem, ...]) -> bool:
    return any(problem.check == "token_claims" for problem in problems)


def _client_problems(read: Holder, *, strict: bool) -> list[Problem]:
    found = []
    if not read.claims.get("callerid"):
        what = "it has no callerid, and requests need one"
        found.append(Problem("token_callerid", read.place, what, "make it again with `choria jwt client`"))
    permissions = read.claims.get("permissions")
    if not isinstance(permissions, dict) or permissions.get("provisioner") is not True:
        what = (
            "it does not have the permission `provisioner`, which an issuer broker asks of who logs in as provisioner"
        )
        next_step = "make it again with `choria jwt client --server-provisioner`"
        found.append(Problem("token_provisioner", read.place, what, next_step, fatal=strict))
    return found


def _files(token_file: Path | str, seed_file: Path | str) -> Files:
    return Files(Path(token_file), Path(seed_file), TOKEN_SETTING, SEED_SETTING)
