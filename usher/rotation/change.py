"""A change: what was read of something that may change while usher runs, and what putting it to use would do.

Rules:
1. Reading changes nothing. What was read is a Change; only its `take`, which awaits nothing, puts it to use.
2. What cannot be used raises; the one that is in use goes on.
3. A change says what it is in words and fingerprints: public keys, ids and digests, never a content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from usher.rotation.fingerprints import FINGERPRINT

_PEM: Final = "-----BEGIN"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was read and differs from what is in use.

    `said` is for people, `prints` are the fingerprints of what is new; `signer` the id of another signer, which is a
    new policy; `secrets` must be hidden before anything is said; `tokens` says that the list of tokens is another.
    """

    said: str
    take: Callable[[], None] = field(repr=False)
    prints: Mapping[str, Any] = field(default_factory=dict)
    signer: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    tokens: tuple[str, ...] | None = field(default=None, repr=False)


class Subject(Protocol):
    """One thing that may change; `name` is what logs, metrics and the journal call it."""

    @property
    def name(self) -> str:
        """The setting that names its files."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """What to watch."""
        ...

    def read(self) -> Change | None:
        """What is there now, None if it is what is in use; raises CredentialError, ConfigErrors, or TLS' own."""
        ...


def texts(files: Iterable[Path]) -> tuple[str, ...]:
    """The secret texts of small files that can be read: a file's whole text, or each line of a key in PEM."""
    found: list[str] = []
    for file in files:
        with suppress(OSError, ValueError):
            text = file.read_text(encoding="ascii").strip()
            lines = [line for line in text.split() if len(line) >= FINGERPRINT and "-" not in line]
            found += lines if _PEM in text else [text]
    return tuple(found)
