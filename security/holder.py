"""A client token and its seed: what both the broker login and the server-token signer stand on.

Rules:
1. Reading collects: each thing that is wrong is a Problem of its own, so that all can be listed at once.
2. A token here is ours: it is read, not verified with the issuer's key, which usher does not have (§1.8).
3. Times are judged only where a time is given: a process that starts may rotate its files later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fsm.errors import TokenError
from security import keyfiles, tokens
from security.claims import Purpose, purpose_of
from security.keys import SigningKey
from security.problems import CredentialError, Problem
from security.tokens import seconds, text_of


@dataclass(frozen=True, slots=True)
class Holder:
    """A token, its claims and the key that it names; `place` says where the token is from."""

    key: SigningKey
    token: str = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    place: str


@dataclass(frozen=True, slots=True)
class Files:
    """Where the two are, and by which settings."""

    token: Path
    seed: Path
    token_setting: str
    seed_setting: str


def read(files: Files, *, strict: bool = False) -> tuple[Holder | None, tuple[Problem, ...]]:
    """The holder if both files can be read, and everything that is wrong so far; times are not looked at."""
    key, claims, token = None, None, ""
    found: list[Problem] = []
    place = f"{files.token_setting} ({files.token})"
    try:
        key, warnings = keyfiles.read_seed(files.seed, files.seed_setting, strict=strict)
        found += warnings
    except CredentialError as error:
        found.append(error.problem)
    try:
        token = keyfiles.read_token(files.token, files.token_setting)
        claims = tokens.decode(token).claims
        found += _claims_problems(claims, place)
    except CredentialError as error:
        found.append(error.problem)
    except TokenError as error:
        found.append(Problem("token_format", place, f"it is no token: {error.detail}", "write it again"))
    if key is None or claims is None:
        return None, tuple(found)
    found += _fit_problems(key, claims, place, files)
    return Holder(key, token, claims, place), tuple(found)


def time_problems(holder: Holder, now: int) -> tuple[Problem, ...]:
    """What the holder's times say at `now` (milliseconds)."""
    next_step = "have the issuer make a new one"
    try:
        tokens.check_times(holder.claims, now)
        end = seconds(holder.claims, "exp")
    except TokenError as error:
        return (Problem(str(error.reason), holder.place, error.detail, next_step),)
    if end is None:
        return (Problem("token_expiry_missing", holder.place, "it has no exp, which counts as expired", next_step),)
    return ()


def raise_fatal(problems: tuple[Problem, ...]) -> None:
    """Raise CredentialError for the first problem that stops a start, if there is one."""
    for problem in problems:
        if problem.fatal:
            raise CredentialError(problem)


def moment(unix: float) -> str:
    """A Unix time as a person reads it; what no calendar holds stays a number."""
    try:
        return datetime.fromtimestamp(unix, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return str(unix)


def _claims_problems(claims: Mapping[str, Any], place: str) -> list[Problem]:
    """The purpose, and that the claims we rely on have their types."""
    try:
        for name in ("iss", "tcs", "jti", "public_key", "callerid", "ou"):
            text_of(claims, name)
        for name in ("exp", "nbf", "iat", "issexp"):
            seconds(claims, name)
        if purpose_of(claims) is Purpose.CLIENT:
            return []
    except TokenError as error:
        return [Problem("token_claims", place, error.detail, "have the issuer make it again")]
    what = f"its purpose is {str(claims.get('purpose'))[:40]!r}, and a client token (choria_client_id) is needed"
    return [Problem("token_purpose", place, what, "make one with `choria jwt client`")]


def _fit_problems(key: SigningKey, claims: Mapping[str, Any], place: str, files: Files) -> list[Problem]:
    named = claims.get("public_key")
    if named in (None, ""):
        return [_without_key(place)]
    if not isinstance(named, str) or named.lower() == key.public_hex:
        return []
    what = f"it names the public key {named[:16]}…, and the seed of {files.seed_setting} ({files.seed}) has another"
    return [Problem("seed_mismatch", place, what, "use the seed that the token was made for")]


def _without_key(place: str) -> Problem:
    return Problem("token_public_key", place, "it names no public key", "make it again with --public-key")
