"""The state directory before a start: whose it is, on what it lies, how much fits, and who is there already.

Rules:
1. Nothing is made and nothing is changed; the lock is looked at for a moment and not kept.
2. What a start would refuse is wrong; what would cost later is a warning.
3. SQLite's journal needs a disk of this machine: a network file system is wrong (docs/database.md).
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from security.problems import CredentialError
from security.vaultfile import read_ring
from usher.audit.keys import audit_key_place, read_keys
from usher.config.site import Site
from usher.keyplace import KeyPlace
from usher.preflight.verdicts import Check, doubtful, fine, refused, wrong
from usher.state import LOCK, LONGEST_SOCKET, StateDirectory
from usher.vault import SETTING, key_place

NAME: Final = "state directory"
_MB: Final = 1_000_000
LEAST: Final = 100 * _MB
"""Bytes below which a start is not worth it."""
SOME: Final = 1000 * _MB
"""Bytes below which a burst of nodes may fill it."""
_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "coda", "ceph", "lustre", "glusterfs", "gfs2", "ocfs2"}
    | {"beegfs", "gpfs", "pvfs2", "davfs"}
)
_PERHAPS: Final = ("9p", "virtiofs", "fuse", "overlay")
_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_OCTAL: Final = ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\"))


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of the machine: the mounts (the text of /proc/self/mountinfo), free bytes, who we are."""

    mounts: str
    free: int
    user: int


def machine(path: Path) -> Machine:
    """This machine, as seen from a directory that is there."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        mounts = ""
    space = os.statvfs(path)
    return Machine(mounts, space.f_bavail * space.f_frsize, os.geteuid())


def nearest(path: Path) -> Path:
    """The directory, or the nearest one above it that is there."""
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))


def state_directory(site: Site, environ: Mapping[str, str], seen: Machine) -> Iterator[Check]:
    """Everything about the state directory; `seen` is the machine as of its nearest directory."""
    state = StateDirectory(site.state_directory)
    try:
        there = stat.S_ISDIR(state.path.stat().st_mode)
    except OSError:
        there = False
    yield from _owned(state, seen) if there else _to_be_made(state)
    if len(os.fsencode(state.socket)) > LONGEST_SOCKET:
        what = f"{state.socket} is longer than the {LONGEST_SOCKET} bytes that the system takes for a socket"
        yield wrong(NAME, what, "choose a shorter state_directory")
    yield _mounted(state.path, seen.mounts)
    yield _space(seen.free)
    if there:
        yield from _locked(state)
    yield from _vault(site, environ, state)
    yield from _audit(site, environ, state)


def _owned(state: StateDirectory, seen: Machine) -> Iterator[Check]:
    found = state.path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield wrong(NAME, f"{state.path}: others may write to it (mode {mode:04o})", f"chmod 0700 {state.path}")
    elif not os.access(state.path, os.W_OK | os.X_OK):
        yield wrong(NAME, f"{state.path}: this user may not write to it", "give it to the user that usher runs as")
    elif found.st_uid != seen.user:
        what = f"{state.path} belongs to user {found.st_uid}, and this check runs as {seen.user}"
        yield doubtful(NAME, what, "run the check as the user that usher runs as")
    else:
        yield fine(NAME, f"{state.path} belongs to this user, mode {mode:04o}")


def _to_be_made(state: StateDirectory) -> Iterator[Check]:
    parent = nearest(state.path)
    if os.access(parent, os.W_OK | os.X_OK):
        yield fine(NAME, f"{state.path} is not there: the first start makes it")
    else:
        what = f"{state.path} is not there, and this user may not make it in {parent}"
        yield wrong(NAME, what, f"install -d -m 0700 -o USER {state.path}, for the user that usher runs as")


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that a path lies on, by the text of mountinfo; empty if that does not say."""
    best, found = -1, ""
    target = path.resolve()
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")[0]
        if len(fields) <= 4 or not kind:
            continue
        point = Path(_plain(fields[4]))
        if (point == target or point in target.parents) and len(point.parts) >= best:
            best, found = len(point.parts), kind
    return found


def _plain(text: str) -> str:
    for code, character in _OCTAL:
        text = text.replace(code, character)
    return text


def _mounted(path: Path, mounts: str) -> Check:
    kind = file_system(path, mounts)
    if kind in _NETWORK:
        what = f"it lies on a network file system ({kind}), where neither the lock nor the database's journal is safe"
        return wrong(NAME, what, "choose a directory on a disk of this machine")
    if kind in _MEMORY:
        return doubtful(NAME, f"it lies in memory ({kind}): a reboot forgets all nodes", "choose a directory on a disk")
    if kind.startswith(_PERHAPS):
        what = f"it lies on {kind[:40]}, which may be shared with others or be lost with its container"
        return doubtful(NAME, what, "make sure that it is a disk of this machine, or a volume that lasts")
    return fine(
        NAME, f"it lies on a disk of this machine ({kind})" if kind else "the system does not say on what it lies"
    )


def _space(free: int) -> Check:
    said = f"{free // _MB} MB are free"
    if free < LEAST:
        return wrong(NAME, said, f"make room: at least {LEAST // _MB} MB")
    return doubtful(NAME, said, "make room before a large burst") if free < SOME else fine(NAME, said)


def _locked(state: StateDirectory) -> Iterator[Check]:
    """Whether a daemon is there: a shared lock, for a moment, on a file that is there anyway."""
    try:
        handle = os.open(state.path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(handle, 32, 0).decode(errors="replace").strip()
        who = f"process {owner}" if owner.isdigit() else "another process"
        what = f"{who} holds its lock: an usher runs here, and a second one would be refused"
        yield doubtful(NAME, what, "nothing, if that is the one that you mean; else stop it")
    finally:
        os.close(handle)


def _absent(name: str, place: KeyPlace, state: StateDirectory, lost: str, then: str) -> Check:
    """A key of our own that is not there: the first start makes it, or it is lost."""
    if not state.database.exists():
        return fine(name, f"the first start makes {place.path}")
    return doubtful(name, f"{place.path} is not there, and a database is: {lost}", then)


def _audit(site: Site, environ: Mapping[str, str], state: StateDirectory) -> Iterator[Check]:
    place = audit_key_place(site.audit.key_file, environ, state)
    name = "audit key"
    if place.ours and not place.path.exists():
        lost = "who signed its checkpoints hands over to nobody"
        yield _absent(
            name, place, state, lost, "put the file back, unless no usher with an audit key has run there yet"
        )
        return
    try:
        keys = read_keys(place)
    except CredentialError as error:
        yield refused(name, error)
        return
    yield fine(name, f"{place.path} signs as {keys.public}")


def _vault(site: Site, environ: Mapping[str, str], state: StateDirectory) -> Iterator[Check]:
    place = key_place(site.vault_key_file, environ, state)
    name = "vault key"
    if place.ours and not place.path.exists():
        lost = "what its key sealed is lost"
        yield _absent(name, place, state, lost, "put the file back; without it the nodes under way start anew")
        return
    try:
        ring, problems = read_ring(place.path, SETTING, strict=site.strict)
    except CredentialError as error:
        yield refused(name, error)
        return
    for problem in problems:
        yield doubtful(name, f"{problem.place}: {problem.what}", problem.next)
    if not problems:
        yield fine(name, f"{place.path} holds {len(ring.keys)} key{'s' if len(ring.keys) > 1 else ''}")
