"""When each credential that is in use expires, for the status, the metrics and the log.

Rules:
1. What is judged is what is in use, not what lies in a file that was refused.
2. Asking costs no reading of files: what was read says when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from security.certificate import CertificateFacts
from security.expiry import certificate_warning, token_end, token_warning


@dataclass(frozen=True, slots=True)
class Expiry:
    """One credential: what it is, the setting that names it, its end (Unix seconds; None: never), and a warning."""

    credential: str
    setting: str
    ends: float | None
    warning: str = ""

    def of(self, network: str) -> Expiry:
        """The same, with the one of several networks that it belongs to before its setting."""
        return replace(self, setting=f"{network}: {self.setting}") if network else self

    def document(self) -> dict[str, Any]:
        """For the status; `expires` in milliseconds since 1970."""
        ends = None if self.ends is None else round(self.ends * 1000)
        return {"credential": self.credential, "setting": self.setting, "expires": ends, "warning": self.warning}


Judge = Callable[[float], Expiry | None]
"""How a credential stands at a moment (Unix seconds); None if the site does not have it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What can expire, as it is in use."""

    judges: tuple[Judge, ...]

    def at(self, now: int) -> tuple[Expiry, ...]:
        """How they stand at `now` (milliseconds); a credential that the site does not have is not there."""
        return tuple(found for judge in self.judges if (found := judge(now / 1000)) is not None)


def token(credential: str, setting: str, claims: Callable[[], Mapping[str, Any]], validity: int | None = None) -> Judge:
    """A token; `validity` is `server_jwt_validity` where it signs server tokens. No claims are no token."""

    def judge(now: float) -> Expiry | None:
        said = claims()
        return Expiry(credential, setting, token_end(said), token_warning(said, now, validity)) if said else None

    return judge


def certificate(setting: str, facts: Callable[[], CertificateFacts]) -> Judge:
    """The client certificate."""

    def judge(now: float) -> Expiry | None:
        said = facts()
        return Expiry("client_certificate", setting, said.ends, certificate_warning(said.ends, now, said.begins))

    return judge


def authority(setting: str, end: Callable[[], float | None]) -> Judge:
    """The authority of the broker's certificate; no end is no authority."""

    def judge(now: float) -> Expiry | None:
        ends = end()
        return None if ends is None else Expiry("authority", setting, ends, certificate_warning(ends, now))

    return judge
