"""Records: what the database holds for auditors beside its chains: checkpoints, lineages, floors and their bases.

Rules:
1. It reads, page by page; whoever calls it judges what it finds.
2. A floor is what is left of pruned history: its position is that of the first row that is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from store.chain import ENVELOPE, FLEET_ENVELOPE
from store.checkpoints import COLUMNS, Checkpoint, canonical
from store.reader import Reader

FLOOR: Final = "usher floor 1"
_PAGE: Final = 1000
_CHECKPOINTS: Final = f"SELECT {COLUMNS} FROM checkpoints WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608 a constant
_LINEAGES: Final = "SELECT lineage, position, fleet_position, at, why FROM lineages ORDER BY fleet_position, why"
"""'made' before 'restored': a database may be restored before anything was written to its journal."""
_FLOORS: Final = "SELECT position, at, hash, signer, signature, document FROM floor ORDER BY position"
_BASES: Final = "SELECT node, seq, body FROM floor_bases WHERE position = ? AND node > ? ORDER BY node LIMIT ?"
_BASE: Final = "SELECT node, seq, body FROM floor_bases WHERE node = ? ORDER BY position DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Lineage:
    """From which row of each chain on which name is the rows', since when (ms), and why: 'made' or 'restored'."""

    lineage: str
    position: int
    fleet_position: int
    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Base:
    """Where a node's history begins above a floor: the seq of its last row below, and its snapshot there."""

    node: str
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Floor:
    """History below `position` may be gone; `hash` is the link of the last row below, `document` what was signed."""

    position: int
    at: int
    hash: bytes
    signer: str
    signature: bytes
    document: bytes | None


def checkpoints(reader: Reader) -> Iterator[Checkpoint]:
    """Every checkpoint that is stored, in order."""
    after = 0
    while rows := reader.rows(_CHECKPOINTS, (after, _PAGE)):
        yield from (Checkpoint(**row) for row in rows)
        after = rows[-1]["number"]


def chained(reader: Reader, table: str, after: int) -> Iterator[dict[str, Any]]:
    """The rows of a chain (history, journal) after a position, with all that its links cover, in order."""
    columns = ENVELOPE if table == "history" else FLEET_ENVELOPE
    what = f"SELECT {columns}, previous, hash, payload FROM {table}"  # noqa: S608 constants of this room
    while rows := reader.rows(f"{what} WHERE position > ? ORDER BY position LIMIT ?", (after, _PAGE)):
        yield from rows
        after = rows[-1]["position"]


def lineages(reader: Reader) -> tuple[Lineage, ...]:
    """The lineages of the database, the oldest first; the last is its own."""
    return tuple(Lineage(**row) for row in reader.rows(_LINEAGES))


def floors(reader: Reader) -> tuple[Floor, ...]:
    """Every floor, the lowest first; the last one counts."""
    return tuple(Floor(**row) for row in reader.rows(_FLOORS))


def bases(reader: Reader, floor: Floor) -> Iterator[Base]:
    """The bases of a floor, by node."""
    after = ""
    while rows := reader.rows(_BASES, (floor.position, after, _PAGE)):
        yield from (Base(**row) for row in rows)
        after = rows[-1]["node"]


def base(reader: Reader, node: str) -> Base | None:
    """The base of one node; None where nothing of it was pruned."""
    rows = reader.rows(_BASE, (node,))
    return Base(**rows[0]) if rows else None


def begins(reader: Reader, node: str) -> tuple[int, int] | None:
    """The seq that a node's history begins with above a floor, and when that was set (ms); None if it is whole."""
    held, found = base(reader, node), floors(reader)
    return (held.seq + 1, found[-1].at) if held is not None and found else None


class Bases:
    """The digest of bases, made as they pass: a line each of node, seq and the digest of the snapshot, by node."""

    def __init__(self) -> None:
        """None yet."""
        self._made = sha256()
        self.count = 0

    def add(self, base: Base) -> None:
        """The next one."""
        body = base.body if isinstance(base.body, bytes) else str(base.body).encode()  # somebody may have changed it
        self._made.update(f"{base.node} {base.seq} {sha256(body).hexdigest()}\n".encode())
        self.count += 1

    @property
    def digest(self) -> str:
        """Of those that have passed, in hexadecimal."""
        return self._made.hexdigest()


def floor_document(position: int, at: int, head: bytes, nodes: int, digest: str) -> bytes:
    """What is signed of a floor; `nodes` have bases, of which `digest` is the hex digest (Bases)."""
    return canonical(
        {
            "format": FLOOR,
            "position": position,
            "at": at,
            "hash": head.hex(),
            "nodes": nodes,
            "bases": digest,
        }
    )
