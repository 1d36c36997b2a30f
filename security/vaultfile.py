"""The vault's key file: a key a line, the first one seals; it may lie beside the database or far from it.

Rules:
1. A file that others may read is refused when usher made it and a warning elsewhere; it is never shown.
2. Making and changing it is atomic and durable: whoever dies in between leaves the old one or the new one.
3. Every refusal is a CredentialError that names the setting, the file and the next step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from security.problems import Problem, refuse
from security.textfiles import mode_problems, read_lines, write_secret
from security.vault import KEY_BYTES, KeyRing, VaultKey

_MOST: Final = 16
_MISSING: Final = "put it back where it was, or correct the path; without it the nodes under way start anew"
_HEAD: Final = "# The keys of usher's vault, one a line in hexadecimal; the first one seals, each of them opens.\n"


def read_ring(path: Path, setting: str, *, strict: bool = False) -> tuple[KeyRing, tuple[Problem, ...]]:
    """The keys of a file, in order, and what is wrong with its mode; raises CredentialError where there are none."""
    place = f"{setting} ({path})"
    keys = [_key(line, number, place) for number, line in read_lines(path, place, "vault_key", _MISSING)]
    if not keys:
        refuse("vault_key_empty", place, "it holds no key", f"write one: openssl rand -hex {KEY_BYTES} > {path}")
    if len(keys) > _MOST:
        refuse("vault_key_many", place, f"it holds more than {_MOST} keys", "keep the keys that are in use")
    if len({key.id for key in keys}) < len(keys):
        refuse("vault_key_twice", place, "it holds a key twice", "remove the second of the two lines")
    return KeyRing(tuple(keys)), mode_problems(path, place, strict=strict)


def write_ring(path: Path, ring: KeyRing) -> None:
    """Put these keys in place of what is there, readable by this user alone; raises OSError."""
    text = _HEAD + "".join(f"{key.raw.hex()}\n" for key in ring.keys)
    write_secret(path, text.encode())


def _key(line: str, number: int, place: str) -> VaultKey:
    try:
        return VaultKey.of(bytes.fromhex(line))
    except ValueError:
        what = f"line {number} is not {2 * KEY_BYTES} hexadecimal characters"
        return refuse("vault_key_format", place, what, f"write the key again: openssl rand -hex {KEY_BYTES}")
