"""The signer of server tokens, from the files of `jwt_signing_key` and `jwt_signing_token`.

Rules:
1. Files that were replaced are used from the next order on: keys rotate without a restart, as with the older program.
2. Files that became useless refuse orders with SIGNER_UNUSABLE; the id stays that of the last good ones.
3. Nothing is logged here: what to warn about comes back as values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fsm.errors import TokenError
from fsm.ports import ServerToken, TokenOrder
from fsm.reasons import Reason
from security import holder, keyfiles
from security.authority import Authority, signer_problems
from security.holder import Files, Holder
from security.keys import SigningKey
from security.problems import CredentialError, Problem

KEY_SETTING: Final = "jwt_signing_key"
TOKEN_SETTING: Final = "jwt_signing_token"  # noqa: S105 a setting's name
_Stamp = tuple[int, int, int] | None


class FileSigner:
    """`fsm.ports.Signer` over a seed file and, for the trust chain, a signer token."""

    def __init__(
        self, key_file: Path | str, token_file: Path | str | None, validity: int, *, strict: bool = False
    ) -> None:
        """Read the files; `validity` is `server_jwt_validity` in seconds. Raises CredentialError, times excepted."""
        self._key_file = Path(key_file)
        self._token_file = Path(token_file) if token_file else None
        self._validity, self._strict = validity, strict
        self._stamp = self._stamps()
        self._authority, self._holder, self._warnings = self._load()

    @property
    def id(self) -> str:
        """Names the key and the signer token that are used now: 16 hexadecimal characters."""
        try:
            return self._current().id
        except CredentialError:
            return self._authority.id

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What the files warn about; it does not stop a start."""
        return self._warnings

    def server_token(self, order: TokenOrder) -> ServerToken:
        """Sign a server token by every rule of wire/provisioning.md §3.7; the same order gives the same bytes.

        Raises TokenError: HELPER_BAD_OUTPUT for a field of `server_claims`, KEY_INVALID, SIGNER_UNUSABLE.
        """
        try:
            authority = self._current()
        except CredentialError as error:
            raise TokenError(Reason.SIGNER_UNUSABLE, str(error.problem)) from None
        return authority.server_token(order, self._validity, strict=self._strict)

    def problems(self, now: int) -> tuple[Problem, ...]:
        """What is wrong at `now` (milliseconds) with the files that are in use: warnings, and the times."""
        return self._warnings + (holder.time_problems(self._holder, now) if self._holder else ())

    def _current(self) -> Authority:
        """The authority of the files as they are; read again only when one of them changed."""
        stamp = self._stamps()
        if stamp != self._stamp:
            self._authority, self._holder, self._warnings = self._load()
            self._stamp = stamp
        return self._authority

    def _load(self) -> tuple[Authority, Holder | None, tuple[Problem, ...]]:
        key, read, problems = _read(self._key_file, self._token_file, strict=self._strict)
        holder.raise_fatal(problems)
        if key is None:  # pragma: no cover - a key that is missing has a fatal problem
            raise AssertionError
        return Authority.of(key, read), read, problems

    def _stamps(self) -> tuple[_Stamp, _Stamp]:
        return _stamp(self._key_file), _stamp(self._token_file)


def inspect_signer(
    key_file: Path | str, token_file: Path | str | None, now: int, *, strict: bool = False
) -> tuple[Problem, ...]:
    """Everything that is wrong with a signer's files at `now` (milliseconds)."""
    _, read, problems = _read(Path(key_file), Path(token_file) if token_file else None, strict=strict)
    readable = read is not None and not any(problem.check == "token_claims" for problem in problems)
    return problems + (holder.time_problems(read, now) if read and readable else ())


def _read(
    key_file: Path, token_file: Path | None, *, strict: bool
) -> tuple[SigningKey | None, Holder | None, tuple[Problem, ...]]:
    if token_file is None:
        return _read_key(key_file, strict=strict)
    files = Files(token_file, key_file, TOKEN_SETTING, KEY_SETTING)
    read, problems = holder.read(files, strict=strict)
    if read is None or any(problem.check == "token_claims" for problem in problems):
        return None, read, problems
    return read.key, read, problems + signer_problems(read)


def _read_key(key_file: Path, *, strict: bool) -> tuple[SigningKey | None, None, tuple[Problem, ...]]:
    try:
        key, warnings = keyfiles.read_seed(key_file, KEY_SETTING, strict=strict)
    except CredentialError as error:
        return None, None, (error.problem,)
    return key, None, warnings


def _stamp(path: Path | None) -> _Stamp:
    """What changes when a file is replaced or written: inode, size, modification time."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns) if status else None
