"""Torn writes: whatever prefix of the log a power cut leaves, the database opens to a state that was committed.

Rules:
1. The bytes are those of the real journal; a copy of them is cut, flipped or overwritten, and opened.
2. What a prefix may hold is known beforehand: the transactions whose last frame it has whole. Less is a loss, more is
   an invention.
3. Each distinct state is looked at in full once (every invariant that a database can be asked), then recognised.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

from store.repository import open_store
from tests.crash.checks import Violation
from tests.crash.invariants import violations
from tests.crash.lives import live, mixed
from tests.crash.wal import FRAME_HEADER, HEADER, Frame, Log, read_log

_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


class TornError(AssertionError):
    """A cut that opens to something else than it should"""


@dataclass(frozen=True, slots=True)
class Bytes:
    """What was on the disk: the database and its log, which was never written back."""

    database: bytes
    log: bytes
    frames: Log


@dataclass
class Torn:
    """Cuts of one database: `marks` are the states after 0, 1, ... committed transactions."""

    of: Bytes
    directory: Path
    marks: list[str] = field(default_factory=list)
    opened: int = 0

    @property
    def ends(self) -> list[Frame]:
        """The frames that end transactions."""
        return [frame for frame in self.of.frames.frames if frame.commits]

    def expected(self, size: int) -> str:
        """The state that a log of so many bytes holds."""
        return self.marks[sum(frame.end <= size for frame in self.ends)]

    def look(self, log: bytes, database: bytes | None = None) -> str:
        """The mark of a copy with this log."""
        path = self._copy(log, self.of.database if database is None else database)
        self.opened += 1
        return mark(path)

    def truncated(self, sizes: Iterable[int]) -> None:
        """Each cut, the longest first, opens to what its whole transactions say; raises TornError."""
        path = self._copy(self.of.log, self.of.database)
        log = path.with_name("usher.db-wal")
        for size in sorted(set(sizes), reverse=True):
            os.truncate(log, size)
            path.with_name("usher.db-shm").unlink(missing_ok=True)
            self.opened += 1
            self._equal(mark(path), self.expected(size), f"the log cut at byte {size}")

    def spoiled(self, positions: Iterable[int], random: Random) -> None:
        """A bit that is flipped, and garbage from there on: all before that transaction holds; raises TornError."""
        for position in positions:
            log = bytearray(self.of.log)
            log[position] ^= 1 << random.randrange(8)
            flipped = self.look(bytes(log))
            self._equal(flipped, self._before(position), f"a bit flipped at byte {position}")
            rest = len(self.of.log) - position
            tail = self.look(self.of.log[:position] + random.randbytes(rest))
            self._equal(tail, self.expected(position), f"garbage from byte {position} on")

    def written_back(self, random: Random, times: int) -> None:
        """A checkpoint that was cut: some pages are in the database, one of them half; the log has them all."""
        newest = {frame.page: frame for frame in self.of.frames.frames[: self.of.frames.committed]}
        for turn in range(times):
            chosen = random.sample(sorted(newest), turn * len(newest) // max(times - 1, 1))
            database = self._with(self.of.database, [newest[page] for page in chosen], random)
            found = self.look(self.of.log, database)
            self._equal(found, self.marks[-1], f"{len(chosen)} of {len(newest)} pages written back")

    def deep(self) -> list[Violation]:
        """Open each committed state as the daemon does, and ask for every invariant; what is broken."""
        cuts = (0, *(end.end for end in self.ends))
        self.opened += len(cuts)
        return [found for cut in cuts for found in open_whole(self._copy(self.of.log[:cut], self.of.database))]

    def _before(self, position: int) -> str:
        """What holds when the frame around this byte is spoiled; the header spoils them all."""
        if position < HEADER:
            return self.marks[0]
        size = FRAME_HEADER + self.of.frames.page_size
        return self.expected(HEADER + (position - HEADER) // size * size)

    def _with(self, database: bytes, frames: Sequence[Frame], random: Random) -> bytes:
        size, pages = self.of.frames.page_size, bytearray(database)
        for number, frame in enumerate(frames):
            start, page = (frame.page - 1) * size, self.of.log[frame.start + FRAME_HEADER : frame.end]
            pages.extend(bytes(max(0, start + size - len(pages))))
            written = size if number or len(frames) == 1 else random.randrange(size)
            pages[start : start + written] = page[:written]
        return bytes(pages)

    def _copy(self, log: bytes, database: bytes) -> Path:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        path = self.directory / "usher.db"
        path.write_bytes(database)
        path.with_name("usher.db-wal").write_bytes(log)
        return path

    def _equal(self, found: str, expected: str, what: str) -> None:
        if found != expected:
            state = self.marks.index(found) if found in self.marks else f"none that was ever committed: {found}"
            raise TornError(f"{what}: it opens to state {state}, not {self.marks.index(expected)}")


async def make(directory: Path, nodes: int) -> Torn:
    """The bytes of a journal in which nodes went all or half of the way, and the marks of all its states."""
    path = directory / "made" / "usher.db"
    path.parent.mkdir(parents=True)
    journal = open_store(path)
    await live(journal, nodes, mixed)
    log = path.with_name("usher.db-wal")
    of = Bytes(path.read_bytes(), log.read_bytes(), read_log(log))
    await journal.close()
    torn = Torn(of, directory / "cut")
    for size in (0, *(frame.end for frame in torn.ends)):
        torn.marks.append(torn.look(of.log[:size]))
    return torn


def chance() -> Random:
    """The same cuts each time."""
    return Random(4)  # noqa: S311 no secret is drawn


def mark(path: Path) -> str:
    """Names all that a database holds, as SQLite reads it after a crash; raises sqlite3.Error."""
    named = sha256()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        tables = [row[0] for row in db.execute(_TABLES)]
        named.update(repr(db.execute("PRAGMA user_version").fetchall()).encode())
        for table in tables:
            named.update(repr(db.execute(f"SELECT * FROM {table}").fetchall()).encode())  # noqa: S608 a table's name
    return named.hexdigest()


def open_whole(path: Path) -> list[Violation]:
    """Open it as the daemon does, which makes what is missing, and ask for every invariant."""

    async def once() -> None:
        journal = open_store(path)
        await journal.begin_epoch()
        opened = {of.node for of, _ in journal.open_effects()}
        assert opened == {snapshot.node for snapshot in journal.active() if snapshot.open is not None}
        await journal.close()

    asyncio.run(once())
    return violations(path)


def steps(torn: Torn, every: int, whole: Sequence[int]) -> Iterator[int]:
    """Sizes to cut at: around each frame's end, every so many bytes, and each byte of some frames (by number)."""
    frames = torn.of.frames.frames
    yield from range(HEADER + 1)
    for frame in frames:
        yield from (frame.start, frame.start + 1, frame.start + FRAME_HEADER, frame.end - 1, frame.end)
    yield from range(0, len(torn.of.log), every)
    for number in whole:
        yield from range(frames[number].start, frames[number].end)
