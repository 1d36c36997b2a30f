"""Watching files: whether one was replaced, written, or put there by swapping a link.

Rules:
1. A look costs one `stat` a file; what a link leads to is looked at, so that whole directories can be swapped.
2. Nothing here reads a content.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[int, int, int, int] | None


def stamp(path: Path) -> Stamp:
    """What changes when a file is replaced or written: device, inode, size, time; None where it cannot be reached."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def stamps(files: Iterable[Path]) -> tuple[tuple[Path, Stamp], ...]:
    """The stamps of several files, with their names: a setting may come to name another file."""
    return tuple((file, stamp(file)) for file in files)
