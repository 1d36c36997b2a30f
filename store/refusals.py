"""Refusals: what a database that cannot be used is told as, each with the command to type next.

Rules:
1. A sentence names the file, what is wrong with it, and one command that can be copied as it stands.
2. The state directory is the database's own; a backup that is named is one that lies there and that this usher reads.
3. Nothing here changes anything.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
from pathlib import Path
from typing import Final

from fsm.errors import StoreError

BACKUPS: Final = "backups"
"""The folder of the state directory that backups go to."""
_NAMED: Final = re.compile(r"usher-(?P<at>\d{8}T\d{6}Z)-v(?P<version>\d+)-(?P<lineage>[0-9a-f]{16})(-\d+)?\.db")


def newest_backup(folder: Path, newest: int) -> Path | None:
    """The last backup in the state directory `folder` whose schema is not above `newest`; None if there is none."""
    try:
        found = [(named["at"], path) for path, named in _named(folder / BACKUPS) if int(named["version"]) <= newest]
    except OSError:
        return None
    return max(found)[1] if found else None


def _named(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    return [(path, named) for path in folder.iterdir() if (named := _NAMED.fullmatch(path.name))]


def restoring(path: Path, newest: int = 10**6) -> str:
    """The command that restores the newest backup of the database at `path`."""
    backup = newest_backup(path.parent, newest)
    named = shlex.quote(str(backup)) if backup else "BACKUP"
    return f"usher db restore {named} --reason WHY {_state(path)}"


def moving(path: Path, name: str) -> str:
    """The command that puts the file away; the next start makes a new database."""
    return f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.{name}')}"


def _state(path: Path) -> str:
    return f"--state {shlex.quote(str(path.parent))}"


class UnusableError(StoreError):
    """The database cannot be used"""

    def __init__(self, path: Path, what: str, step: str) -> None:
        """Hold the file, what is wrong with it, and what to do."""
        super().__init__(f"{path} {what}: {step}")
        self.what = what


def newer(path: Path, version: int, newest: int) -> UnusableError:
    """It was written by a later usher."""
    step = "run the usher that wrote it, or a newer one; or go back to a backup from before the update"
    what = f"has schema version {version}, this usher knows {newest}"
    return UnusableError(path, what, f"{step}: {restoring(path, newest)}")


def older(path: Path, version: int, newest: int) -> UnusableError:
    """It was written by an earlier usher, and only the daemon brings it up to date."""
    what = f"has schema version {version}, this usher reads {newest}"
    return UnusableError(path, what, "start usher run once, which updates it")


def foreign(path: Path) -> UnusableError:
    """It is a database, and none of usher's."""
    step = f"move it away ({moving(path, 'foreign')}), or name another directory with --state"
    return UnusableError(path, "is another program's database", step)


def no_database(path: Path, *, reading: bool = False) -> UnusableError:
    """It is a file, and no database; one who only reads may have named the wrong one, and is not told to move it."""
    step = f"restore a backup ({restoring(path)}), or move it away to begin anew: {moving(path, 'broken')}"
    if reading:
        step = f"name usher's state directory with --state, or if this is it restore a backup ({restoring(path)})"
    return UnusableError(path, "is no SQLite database", step)


def empty(path: Path) -> UnusableError:
    """It has no byte, which usher never leaves."""
    step = f"restore a backup ({restoring(path)}), or remove it to begin anew: rm {shlex.quote(str(path))}"
    return UnusableError(path, "is empty, what was in it is lost", step)


def damaged(path: Path, what: str) -> UnusableError:
    """It is ours and something in it is broken."""
    step = f"restore a backup ({restoring(path)}); what else is wrong is told by usher db check {_state(path)}"
    return UnusableError(path, f"is damaged ({what})", step)


def orphaned(path: Path) -> UnusableError:
    """The database was taken away, its log was left."""
    log = f"{path}-wal"
    step = (
        f"put the database back beside it, or restore a backup ({restoring(path)}), "
        f"or remove the log to begin anew: rm {shlex.quote(log)}"
    )
    return UnusableError(path, f"is missing, but its log {log} is there", step)


def no_file(path: Path, problem: str) -> UnusableError:
    """Something is at its path that is no file."""
    step = f"move it away ({moving(path, 'moved')}), or name another directory with --state"
    return UnusableError(path, f"is no file ({problem})", step)


def unwritable(path: Path, problem: str) -> UnusableError:
    """The user that runs usher may not write it, or nobody may."""
    give = f"chown -R {user(os.geteuid())} {shlex.quote(str(path.parent))} && chmod u+rw {shlex.quote(str(path))}"
    step = (
        f"give it to the user that runs usher ({give}), see that its file system is not mounted read-only, "
        "or name another directory with --state"
    )
    return UnusableError(path, f"cannot be written ({problem})", step)


def unreadable(path: Path, problem: str) -> UnusableError:
    """Whoever asks may not read it."""
    try:
        owner = path.parent.stat().st_uid
    except OSError:
        owner = 0
    step = f"run this as the user that runs usher (uid {owner}), or as root: sudo -u {user(owner)} usher ..."
    return UnusableError(path, f"cannot be read ({problem})", step)


def user(uid: int) -> str:
    """The name of a user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
