"""The signer of server tokens, from the files of `jwt_signing_key` and `jwt_signing_token`.

Rules:
1. Files that were replaced are used once somebody has read them with `renewed` and used that with `take`: in between
   it can be made durable who signs from now on (docs/rotation.md).
2. Files that became useless change nothing: those that were read last go on.
3. Nothing is logged here: what to warn about comes back as values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from fsm.errors import TokenError
from fsm.ports import ServerToken, TokenOrder
from fsm.reasons import Reason
from security import holder, keyfiles
from security.authority import Authority, signer_problems
from security.holder import Files, Holder
from security.keys import TokenKey
from security.problems import CredentialError, Problem

KEY_SETTING: Final = "jwt_signing_key"
TOKEN_SETTING: Final = "jwt_signing_token"  # noqa: S105 a setting's name


@dataclass(frozen=True, slots=True)
class Signing:
    """What a signer's files held when they were read; `id` names it."""

    authority: Authority = field(repr=False)
    holder: Holder | None = field(repr=False)
    warnings: tuple[Problem, ...]

    @property
    def id(self) -> str:
        """Names the key and the signer token: 16 hexadecimal characters."""
        return self.authority.id

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the signer token says; empty where the site has none."""
        return self.holder.claims if self.holder else {}


class FileSigner:
    """`fsm.ports.Signer` over a key file (a seed, or an RSA key in PEM) and, for the trust chain, a signer token."""

    def __init__(
        self,
        key_file: Path | str,
        token_file: Path | str | None,
        validity: int,
        *,
        spread: int = 0,
        strict: bool = False,
    ) -> None:
        """Read the files; `validity` is `server_jwt_validity`, `spread` `server_jwt_spread`, in seconds.

        Raises CredentialError, times excepted.
        """
        self._key_file = Path(key_file)
        self._token_file = Path(token_file) if token_file else None
        self._validity, self._spread, self._strict = validity, spread, strict
        self._signing = self.renewed()

    @property
    def id(self) -> str:
        """Names the key and the signer token that are used now: 16 hexadecimal characters."""
        return self._signing.id

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What the files warn about; it does not stop a start."""
        return self._signing.warnings

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it reads."""
        return (self._key_file, self._token_file) if self._token_file else (self._key_file,)

    def renewed(self) -> Signing:
        """The files as they are now, which changes nothing; raises CredentialError, times excepted."""
        key, read, problems = _read(self._key_file, self._token_file, strict=self._strict)
        holder.raise_fatal(problems)
        if key is None:  # pragma: no cover - a key that is missing has a fatal problem
            raise AssertionError
        return Signing(Authority.of(key, read), read, problems)

    def take(self, signing: Signing) -> None:
        """Sign with this from the next order on."""
        self._signing = signing

    def server_token(self, order: TokenOrder) -> ServerToken:
        """Sign a server token by every rule of wire/provisioning.md §3.7; the same order gives the same bytes.

        Raises TokenError: HELPER_BAD_OUTPUT for a field of `server_claims`, KEY_INVALID, SIGNER_UNUSABLE.
        """
        return self._signing.authority.server_token(order, self._validity, spread=self._spread, strict=self._strict)

    def problems(self, now: int) -> tuple[Problem, ...]:
        """What is wrong at `now` (milliseconds) with what is in use: warnings, and the times."""
        found = self._signing
        return found.warnings + (holder.time_problems(found.holder, now) if found.holder else ())

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the signer token that is in use says; empty where the site has none."""
        return self._signing.claims


class NoSigner:
    """`fsm.ports.Signer` of a site whose nodes have no server tokens: without features.ed25519 nothing asks it."""

    id = ""
    claims: Mapping[str, Any] = MappingProxyType({})

    def server_token(self, order: TokenOrder) -> ServerToken:
        """Say that there is no key; raises TokenError."""
        raise TokenError(Reason.SIGNER_UNUSABLE, f"{KEY_SETTING} is not set")


def inspect_signer(
    key_file: Path | str, token_file: Path | str | None, now: int, *, strict: bool = False
) -> tuple[Problem, ...]:
    """Everything that is wrong with a signer's files at `now` (milliseconds)."""
    _, read, problems = _read(Path(key_file), Path(token_file) if token_file else None, strict=strict)
    readable = read is not None and not any(problem.check == "token_claims" for problem in problems)
    return problems + (holder.time_problems(read, now) if read and readable else ())


def _read(
    key_file: Path, token_file: Path | None, *, strict: bool
) -> tuple[TokenKey | None, Holder | None, tuple[Problem, ...]]:
    if token_file is None:
        return _read_key(key_file, strict=strict)
    files = Files(token_file, key_file, TOKEN_SETTING, KEY_SETTING)
    read, problems = holder.read(files, strict=strict)
    if read is None or any(problem.check == "token_claims" for problem in problems):
        return None, read, problems
    return read.key, read, problems + signer_problems(read)


def _read_key(key_file: Path, *, strict: bool) -> tuple[TokenKey | None, None, tuple[Problem, ...]]:
    try:
        key, warnings = keyfiles.read_signing_key(key_file, KEY_SETTING, strict=strict)
    except CredentialError as error:
        return None, None, (error.problem,)
    return key, None, warnings
