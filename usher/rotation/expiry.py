"""When each credential that is in use expires, for the status, the metrics and the log.

Rules:
1. What is judged is what is in use, not what lies in a file that was refused.
2. Asking costs no reading of files: what was read says when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from security.client import TOKEN_SETTING
from security.expiry import certificate_warning, token_end, token_warning


@dataclass(frozen=True, slots=True)
class Expiry:
    """One credential: what it is, the setting that names it, its end (Unix seconds; None: never), and a warning."""

    credential: str
    setting: str
    ends: float | None
    warning: str = ""

    def document(self) -> dict[str, Any]:
        """For the status; `expires` in milliseconds since 1970."""
        ends = None if self.ends is None else round(self.ends * 1000)
        return {"credential": self.credential, "setting": self.setting, "expires": ends, "warning": self.warning}


@dataclass(frozen=True, slots=True)
class Judged:
    """What can expire, as it is in use: the claims of the two tokens, the end of the authority; and the validity."""

    client: Callable[[], Mapping[str, Any]]
    signer: Callable[[], Mapping[str, Any]]
    authority: Callable[[], float | None]
    validity: int

    def at(self, now: int) -> tuple[Expiry, ...]:
        """How they stand at `now` (milliseconds); a credential that the site does not have is not there."""
        moment, client, signer, end = now / 1000, self.client(), self.signer(), self.authority()
        found = [Expiry("client_token", TOKEN_SETTING, token_end(client), token_warning(client, moment))]
        if signer:
            warning = token_warning(signer, moment, self.validity)
            found.append(Expiry("signer_token", "jwt_signing_token", token_end(signer), warning))
        if end is not None:
            found.append(Expiry("authority", "plugin.security.choria.ca", end, certificate_warning(end, moment)))
        return tuple(found)
