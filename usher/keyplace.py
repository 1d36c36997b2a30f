"""Where a key of usher's own is: the vault's, and the audit's.

Rules:
1. What the configuration names comes first, then systemd's credential, then the state directory.
2. Only the last is usher's own, which it may make and change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a key is; `ours` says that usher made the file and may change it."""

    path: Path
    ours: bool

    @classmethod
    def find(cls, named: str, environ: Mapping[str, str], credential: str, own: Path) -> KeyPlace:
        """The file that is named, else systemd's `credential` (LoadCredential=) if there is one, else `own`."""
        if named:
            return cls(Path(named), ours=False)
        credentials = environ.get("CREDENTIALS_DIRECTORY", "")
        if credentials and (Path(credentials) / credential).exists():
            return cls(Path(credentials) / credential, ours=False)
        return cls(own, ours=True)
