"""The pid file of `usher run --pid`, as the older program has it.

Rules:
1. It is mode 0644, and removed at a clean exit.
2. One that cannot be written is a wrong configuration: nothing begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsm.errors import UsherError


class PidFileError(UsherError):
    """The pid file cannot be written"""

    def __init__(self, file: str, problem: str) -> None:
        """Hold the file and what the system said."""
        super().__init__()
        self.file = file
        self.problem = problem


@contextmanager
def pid_file(name: str | None) -> Iterator[None]:
    """The older program's --pid: mode 0644, removed at a clean exit."""
    if name is None:
        yield
        return
    path = Path(name)
    try:
        path.write_text(f"{os.getpid()}\n", encoding="ascii")
        path.chmod(0o644)
    except OSError as error:
        raise PidFileError(name, error.strerror or str(error)) from None
    yield
    path.unlink(missing_ok=True)
