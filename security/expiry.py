"""When what usher holds expires: its tokens and its authority, and whether that is soon.

Rules:
1. Soon is thirty days, or the last third of a life that is shorter: whoever renews each day is not warned all day.
2. What has expired is a matter of security.holder and of TLS; here it is only said when.
3. Nothing here stops a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from fsm.errors import TokenError
from security.certificate import UNREADABLE, CertificateFacts
from security.holder import moment
from security.keyfiles import read_token
from security.problems import CredentialError, Problem
from security.tokens import decode, seconds

DAY: Final = 86_400
SOON: Final = 30 * DAY
_RENEW: Final = "make a new one and put it in place of the file: docs/rotation.md"


def token_end(claims: Mapping[str, Any]) -> float | None:
    """When a token ends, in Unix seconds: the earlier of `exp` and `issexp`; None if never (provisioning.md §1.2)."""
    try:
        ends = [end for end in (seconds(claims, "exp"), seconds(claims, "issexp")) if end is not None]
    except TokenError:
        return None
    return min(ends, default=None)


def token_warning(claims: Mapping[str, Any], now: float, validity: int | None = None) -> str:
    """Why a token should be renewed at `now` (Unix seconds); empty while it need not be.

    `validity` is `server_jwt_validity` where the token signs server tokens: none of them outlives it (§1.6).
    """
    end = token_end(claims)
    if end is None:
        return ""
    try:
        begun = seconds(claims, "iat")
    except TokenError:
        begun = None
    if warning := _soon(end, now, SOON if begun is None else end - begun):
        return warning
    if validity is not None and end - now < validity:
        wanted, left = _days(validity), _days(end - now)
        ends = "server tokens end with it, not after server_jwt_validity"
        return f"it expires in {left}, at {moment(end)}: {ends} ({wanted})"
    return ""


def certificate_end(file: Path) -> float | None:
    """When the last certificate of a PEM file ends (Unix seconds); None if there is none to be read."""
    try:
        read = x509.load_pem_x509_certificates(file.read_bytes())
        return max(each.not_valid_after_utc.timestamp() for each in read)
    except (OSError, *UNREADABLE):
        return None


def certificate_warning(end: float | None, now: float, begin: float | None = None) -> str:
    """Why a certificate should be renewed at `now` (Unix seconds); empty while it need not be.

    `begin` is when its life began; without it thirty days before the end are soon.
    """
    return "" if end is None else _soon(end, now, SOON * 3 if begin is None else end - begin)


def certificate_expiring(facts: CertificateFacts, place: str, now: int) -> tuple[Problem, ...]:
    """What `certificate_warning` says of a certificate at `now` (milliseconds), as a finding that stops nothing."""
    warning = certificate_warning(facts.ends, now / 1000, facts.begins)
    return (Problem("certificate_expires", place, warning, _RENEW, fatal=False),) if warning else ()


def expiring(file: Path, setting: str, now: int, validity: int | None = None) -> tuple[Problem, ...]:
    """What `token_warning` says of a token file at `now` (milliseconds), as a finding that stops nothing.

    A file that cannot be read, and a token that has expired, are findings of others.
    """
    try:
        claims = decode(read_token(file, setting)).claims
    except (CredentialError, TokenError):
        return ()
    end = token_end(claims)
    if end is None or end <= now / 1000:
        return ()
    warning = token_warning(claims, now / 1000, validity)
    return (Problem("token_expires", f"{setting} ({file})", warning, _RENEW, fatal=False),) if warning else ()


def _soon(end: float, now: float, life: float) -> str:
    if end <= now:
        return f"it expired at {moment(end)}"
    return f"it expires in {_days(end - now)}, at {moment(end)}" if end - now < min(SOON, life / 3) else ""


def _days(length: float) -> str:
    return f"{length / DAY:.0f}d" if length >= 2 * DAY else f"{length / 3600:.0f}h"
