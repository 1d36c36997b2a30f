"""Small text files that hold keys, tokens and certificates: read whole or refused, and their modes.

Rules:
1. A secret that everybody may read is a warning, and with `strict` it is refused.
2. What cannot be read is a CredentialError that names the setting, the file and the next step.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final, NoReturn

from security.problems import CredentialError, Problem

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
            _refuse("file_missing", place, what, "correct the path, or put the file there")
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
        text = data.decode()
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        _refuse("file_unreadable", place, f"it cannot be read: {said}", "look at its owner, mode and content")
    if len(data) > _LONGEST:
        _refuse("file_unreadable", place, f"it is larger than {_LONGEST} bytes", "name the right file")
    return text


def _refuse(check: str, place: str, what: str, next_step: str) -> NoReturn:
    raise CredentialError(Problem(check, place, what, next_step))
