"""The write-ahead log as bytes (SQLite's file format, section 4): its frames, and which of them end a transaction.

Rules:
1. Nothing here opens a database; what is read is the file as a dead process left it.
2. A frame counts while its salts are the header's: what follows is left over from before the last reset.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADER: Final = 32
FRAME_HEADER: Final = 24


@dataclass(frozen=True, slots=True)
class Frame:
    """One page in the log: which page, whether it ends a transaction, and its bytes' place in the file."""

    page: int
    commits: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Log:
    """A log's frames; `page_size` in bytes."""

    page_size: int
    frames: tuple[Frame, ...]

    @property
    def committed(self) -> int:
        """How many frames belong to transactions that were committed."""
        return max((number for number, frame in enumerate(self.frames, 1) if frame.commits), default=0)


def read_log(path: Path) -> Log:
    """The frames of the log at `path`; none for an empty or missing file."""
    data = path.read_bytes() if path.exists() else b""
    if len(data) < HEADER:
        return Log(0, ())
    page_size, salts = struct.unpack(">I", data[8:12])[0], data[16:24]
    frames = []
    for start in range(HEADER, len(data) - page_size - FRAME_HEADER + 1, page_size + FRAME_HEADER):
        page, size = struct.unpack(">II", data[start : start + 8])
        if data[start + 8 : start + 16] != salts:
            break
        frames.append(Frame(page, size > 0, start, start + FRAME_HEADER + page_size))
    return Log(page_size, tuple(frames))


def written_back(database: Path) -> tuple[int, int]:
    """Of how many pages of the log the newest committed bytes stand in the database file, and of how many pages."""
    wal = database.with_name(f"{database.name}-wal")
    log, data, pages = read_log(wal), wal.read_bytes() if wal.exists() else b"", database.read_bytes()
    newest = {frame.page: frame for frame in log.frames[: log.committed]}
    same = sum(
        pages[(page - 1) * log.page_size : page * log.page_size] == data[frame.start + FRAME_HEADER : frame.end]
        for page, frame in newest.items()
    )
    return same, len(newest)
