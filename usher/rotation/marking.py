"""The key of the marks by which tokens are named: a file of this state directory alone.

Rules:
1. It is made once and never leaves the directory: without it a mark cannot be compared with a guessed token.
2. Whoever loses it loses the names of the marks that nodes were let in with, and nothing else.
"""

from __future__ import annotations

from contextlib import suppress
from secrets import token_bytes
from typing import Final

from security.textfiles import write_secret
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
        write_secret(path, key)
    except OSError as error:
        raise StateError(state.path, f"{FILE}: {error.strerror}", "give it to the user that usher runs as") from None
    return key


def _checked(key: bytes, state: StateDirectory) -> bytes:
    if len(key) != _BYTES:
        step = "remove it: a new one is made, and nodes are marked anew when they are let in next"
        raise StateError(state.path, f"{FILE} has {len(key)} bytes, not {_BYTES}", step)
    return key
