"""Small text files that hold keys, tokens and certificates: read whole or refused, and their modes.

Rules:
1. A secret that everybody may read is a warning, and with `strict` it is refused.
2. What cannot be read is a CredentialError that names the setting, the file and the next step.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from security.problems import Problem, refuse

_LONGEST: Final = 1 << 17


def mode_problems(path: Path, place: str, *, strict: bool) -> tuple[Problem, ...]:
    """Whether everybody may read a file that holds a secret."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ()
    if not mode & stat.S_IROTH:
        return ()
    what = f"everybody may read it (mode {stat.S_IMODE(mode):04o}), and it holds a secret"
    return (Problem("secret_readable", place, what, f"chmod 0600 {path}", fatal=strict),)


def read_text(path: Path, place: str) -> str:
    """The text of a small file; raises CredentialError."""
    try:
        if not path.is_file():
            what = "it is not a file" if path.exists() else "there is no such file"
            refuse("file_missing", place, what, "correct the path, or put the file there")
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
        text = data.decode()
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        refuse("file_unreadable", place, f"it cannot be read: {said}", "look at its owner, mode and content")
    if len(data) > _LONGEST:
        refuse("file_unreadable", place, f"it is larger than {_LONGEST} bytes", "name the right file")
    return text


def write_secret(path: Path, data: bytes) -> None:
    """Put this in place of what is there, atomically and durably, readable by this user alone; raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    beside.replace(path)
    _settle(path.parent)


def read_lines(path: Path, place: str, check: str, missing: str) -> list[tuple[int, str]]:
    """The lines of a file of keys with their numbers, without comments; raises CredentialError of these checks."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode()
    except FileNotFoundError:
        refuse(f"{check}_missing", place, "there is no such file", missing)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        refuse(f"{check}_unreadable", place, f"it cannot be read: {said}", "look at its owner, mode and content")
    stripped = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def _settle(folder: Path) -> None:
    """Have the directory's change on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
