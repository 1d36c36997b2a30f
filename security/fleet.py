"""The operator's credentials: what a client token must say before servers of the fleet obey (wire/protocol.md §3.5).

Rules:
1. What a server would meet with silence is refused here, with the reason: a permission that is missing, a time that is
   over, a seed of another key.
2. A token that only a delegated signer may use (`signed_fleet_management`) is refused: usher signs with its own seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from security import holder
from security.holder import Files, Holder
from security.keys import SigningKey
from security.problems import Problem
from security.tokens import text_of

TOKEN_SETTING: Final = "fleet_token_file"  # noqa: S105 a setting's name
SEED_SETTING: Final = "fleet_seed_file"
_MAKE: Final = "make one with `choria jwt client --fleet-management`"


@dataclass(frozen=True, slots=True)
class FleetCredentials:
    """A client token that manages the fleet, its text trimmed, and the key that it names."""

    caller: str
    token: str = field(repr=False)
    key: SigningKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The 64 raw bytes of the signature over a request's bytes, or a broker's nonce."""
        return self.key.sign(message)


def fleet_credentials(token_file: Path, seed_file: Path, now: int) -> FleetCredentials:
    """Read both files as they are at `now` (milliseconds); raises CredentialError for the first thing that is wrong."""
    read, problems = _read(token_file, seed_file)
    holder.raise_fatal(problems)
    if read is None:  # pragma: no cover - a holder that is missing has a fatal problem
        raise AssertionError
    holder.raise_fatal(holder.time_problems(read, now))
    return FleetCredentials(text_of(read.claims, "callerid"), read.token, read.key)


def inspect_fleet(token_file: Path, seed_file: Path, now: int) -> tuple[Problem, ...]:
    """Everything that is wrong with the operator's files at `now` (milliseconds)."""
    read, problems = _read(token_file, seed_file)
    readable = read is not None and not any(problem.check == "token_claims" for problem in problems)
    return problems + (holder.time_problems(read, now) if read and readable else ())


def _read(token_file: Path, seed_file: Path) -> tuple[Holder | None, tuple[Problem, ...]]:
    read, problems = holder.read(Files(token_file, seed_file, TOKEN_SETTING, SEED_SETTING))
    if read is None or any(problem.check == "token_claims" for problem in problems):
        return read, problems
    return read, problems + tuple(_permission_problems(read.claims, read.place))


def _permission_problems(claims: Mapping[str, Any], place: str) -> list[Problem]:
    found = []
    if not claims.get("callerid"):
        found.append(Problem("token_callerid", place, "it has no callerid, and requests need one", _MAKE))
    said = claims.get("permissions")
    permissions = said if isinstance(said, dict) else {}
    if permissions.get("signed_fleet_management") is True:
        what = "it has `signed_fleet_management`: servers take it only from a delegated signer, and usher has none"
        found.append(Problem("token_fleet", place, what, _MAKE))
    elif permissions.get("fleet_management") is not True:
        what = "it does not have the permission `fleet_management`: servers would not answer it"
        found.append(Problem("token_fleet", place, what, _MAKE))
    return found
