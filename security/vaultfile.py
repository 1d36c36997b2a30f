"""The vault's key file: a key a line, the first one seals; it may lie beside the database or far from it.

Rules:
1. A file that others may read is refused when usher made it and a warning elsewhere; it is never shown.
2. Making and changing it is atomic and durable: whoever dies in between leaves the old one or the new one.
3. Every refusal is a CredentialError that names the setting, the file and the next step.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NoReturn

from security.problems import CredentialError, Problem
from security.textfiles import mode_problems
from security.vault import KEY_BYTES, KeyRing, VaultKey

_LONGEST: Final = 1 << 16
_MOST: Final = 16
_HEAD: Final = "# The keys of usher's vault, one a line in hexadecimal; the first one seals, each of them opens.\n"


def read_ring(path: Path, setting: str, *, strict: bool = False) -> tuple[KeyRing, tuple[Problem, ...]]:
    """The keys of a file, in order, and what is wrong with its mode; raises CredentialError where there are none."""
    place = f"{setting} ({path})"
    keys = [_key(line, number, place) for number, line in _lines(path, place)]
    if not keys:
        _refuse("vault_key_empty", place, "it holds no key", f"write one: openssl rand -hex {KEY_BYTES} > {path}")
    if len(keys) > _MOST:
        _refuse("vault_key_many", place, f"it holds more than {_MOST} keys", "keep the keys that are in use")
    if len({key.id for key in keys}) < len(keys):
        _refuse("vault_key_twice", place, "it holds a key twice", "remove the second of the two lines")
    return KeyRing(tuple(keys)), mode_problems(path, place, strict=strict)


def write_ring(path: Path, ring: KeyRing) -> None:
    """Put these keys in place of what is there, readable by this user alone; raises OSError."""
    text = _HEAD + "".join(f"{key.raw.hex()}\n" for key in ring.keys)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    beside.replace(path)
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """Have the directory's change on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lines(path: Path, place: str) -> list[tuple[int, str]]:
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode()
    except FileNotFoundError:
        step = "put it back where it was, or correct the path; without it the nodes under way start anew"
        _refuse("vault_key_missing", place, "there is no such file", step)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        _refuse("vault_key_unreadable", place, f"it cannot be read: {said}", "look at its owner, mode and content")
    stripped = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def _key(line: str, number: int, place: str) -> VaultKey:
    try:
        return VaultKey.of(bytes.fromhex(line))
    except ValueError:
        what = f"line {number} is not {2 * KEY_BYTES} hexadecimal characters"
        return _refuse("vault_key_format", place, what, f"write the key again: openssl rand -hex {KEY_BYTES}")


def _refuse(check: str, place: str, what: str, next_step: str) -> NoReturn:
    raise CredentialError(Problem(check, place, what, next_step))
