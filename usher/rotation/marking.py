"""The key of the marks by which tokens are named: a file of this state directory alone.

Rules:
1. It is made once and never leaves the directory: without it a mark cannot be compared with a guessed token.
2. Whoever loses it loses the names of the marks that nodes were let in with, and nothing else.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes
from typing import Final

from usher.state import StateDirectory, StateError

FILE: Final = "marks.key"
_BYTES: Final = 32


def marking_key(state: StateDirectory) -> bytes:
    """The key, made where there is none; raises StateError. The directory is locked by us."""
    path = state.path / FILE
    try:
        with suppress(FileNotFoundError):
            return _checked(path.read_bytes(), state)
        key = token_bytes(_BYTES)
        _write(path, key)
    except OSError as error:
        raise StateError(state.path, f"{FILE}: {error.strerror}", "give it to the user that usher runs as") from None
    return key


def _checked(key: bytes, state: StateDirectory) -> bytes:
    if len(key) != _BYTES:
        step = "remove it: a new one is made, and nodes are marked anew when they are let in next"
        raise StateError(state.path, f"{FILE} has {len(key)} bytes, not {_BYTES}", step)
    return key


def _write(path: Path, key: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, key)
        os.fsync(handle)
    finally:
        os.close(handle)
    beside.replace(path)
