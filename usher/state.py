"""The state directory: the database, the control socket, and the lock that makes one daemon their owner.

Rules:
1. Whoever writes to the database holds the lock; a second start is refused and names the first (design §5).
2. The directory is made with mode 0700; one that others may write to is refused, since it holds credentials.
3. The lock is the kernel's (flock): it ends with its process, however that ended.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from fsm.errors import UsherError

DEFAULT: Final = "/var/lib/usher"
DATABASE: Final = "usher.db"
SOCKET: Final = "control.sock"
LOCK: Final = "lock"
VAULT_KEY: Final = "vault.key"
AUDIT_KEY: Final = "audit.key"
LONGEST_SOCKET: Final = 107
"""Bytes of a Unix socket's path (sun_path holds 108, one is the end)."""
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class StateError(UsherError):
    """The state directory cannot be used"""

    def __init__(self, directory: Path, problem: str, next_step: str) -> None:
        """Hold the directory, what is wrong with it, and what to do."""
        super().__init__()
        self.directory = directory
        self.problem = problem
        self.next_step = next_step

    def __str__(self) -> str:
        """One sentence and the next step."""
        return f"{self.__doc__}: {self.directory}: {self.problem}; {self.next_step}"


class LockedError(StateError):
    """Another usher owns the state directory"""


class StateDirectory:
    """Where usher keeps what must survive it."""

    def __init__(self, path: Path) -> None:
        """Name the directory; nothing is touched."""
        self.path = path
        self._lock: int | None = None

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.path / DATABASE

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.path / SOCKET

    @property
    def vault_key(self) -> Path:
        """The vault's key file, where no other was chosen."""
        return self.path / VAULT_KEY

    @property
    def audit_key(self) -> Path:
        """The audit key's file, where no other was chosen."""
        return self.path / AUDIT_KEY

    def prepare(self) -> None:
        """Make the directory if it is missing, and check whose it is; raises StateError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = self.path.stat().st_mode
        except OSError as error:
            step = "name another one with --state DIR or state_directory"
            raise StateError(self.path, error.strerror or str(error), step) from None
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET:
            problem = f"{self.socket} is longer than the {LONGEST_SOCKET} bytes that the system takes for a socket"
            raise StateError(self.path, problem, "name a shorter directory with --state DIR or state_directory")
        if mode & _OTHERS_WRITE:
            raise StateError(self.path, f"others may write to it (mode {stat.S_IMODE(mode):04o})", "chmod 0700 it")

    def lock(self) -> None:
        """Own the directory until the process ends; raises LockedError naming who does."""
        try:
            handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(self.path, f"{LOCK}: {error.strerror}", "let this user write to it") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            step = "stop it first, or name another directory with --state DIR"
            raise LockedError(self.path, f"process {owner} holds its lock", step) from None
        with suppress(OSError):  # the number is for messages only, and the disk may be full
            os.truncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def unlock(self) -> None:
        """Give the directory up."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def state_directory(chosen: str | None, environ: Mapping[str, str]) -> StateDirectory:
    """The directory that was chosen, else `$STATE_DIRECTORY` (systemd's; the first of several), else the default."""
    given = chosen or environ.get("STATE_DIRECTORY", "").split(":")[0]
    return StateDirectory(Path(given or DEFAULT))
