"""Canaries: texts that stand for secrets, planted in a run; and the search for them in all that it leaves behind.

Rules:
1. Each place has two of its own: one that looks like a secret, and one that looks like any other word.
2. They are looked for as they are and as codecs would hide them: base64 at each offset, hexadecimal, JSON's escapes.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_WORDS = (
    "correcthorse", "batterystaple", "marzipanturm", "zwiebelkuchen", "papierlaterne", "fenstersims", "regenschirm",
    "nusstorte", "apfelbaumast", "kaffeetasse", "schneeflocke", "donnerstagabend", "gartenzaunlatte", "butterblume",
    "windradnabe", "kieselsteinweg", "lampenschirmchen", "ofenrohrkamin", "pflaumenkompott",
)  # fmt: skip
PLACES = (
    "site_token", "claims", "facts", "configuration", "policy", "server_claims", "unusable_claims", "unsafe",
    "wrong_type", "helper_key", "msg", "stderr", "ca_stderr", "ca_stdout", "environment", "exception", "callback",
    "crash",
)  # fmt: skip


def _pairs() -> dict[str, tuple[str, str]]:
    return {
        place: (word, f"{secrets.token_hex(4)}-{secrets.token_urlsafe(12)}")
        for place, word in zip(PLACES, _WORDS, strict=False)
    }


@dataclass(frozen=True)
class Canaries:
    """The texts by their places: the ordinary word, and the one that looks like a secret."""

    pairs: Mapping[str, tuple[str, str]] = field(default_factory=_pairs)

    def word(self, place: str) -> str:
        return self.pairs[place][0]

    def random(self, place: str) -> str:
        return self.pairs[place][1]

    def joined(self, place: str) -> str:
        """Both, in a sentence."""
        word, random = self.pairs[place]
        return f"it is {word}, and also {random}!"


def forms(text: str) -> Iterator[bytes]:
    """The text as it is, and as codecs write it."""
    data = text.encode()
    yield data
    yield data.hex().encode()
    for offset in range(3):
        encoded = b64encode(b"\0" * offset + data)
        yield encoded[4 if offset else 0 : -4]  # what lies around it changes the first and the last group


def found(canaries: Iterable[tuple[str, str]], where: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Which canary (place, text) is in which of these documents (name, bytes)."""
    wanted = [(place, form) for place, text in canaries for form in forms(text)]
    return sorted({(name, place) for name, data in where for place, form in wanted if form in data})


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below these directories, with its bytes."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield path.name, path.read_bytes()
