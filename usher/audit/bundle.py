"""The bundle: a part of the history in a directory, for somebody who has nothing else but the public key.

Rules:
1. It appears under its name when it is whole; a name that is taken is refused.
2. Rows are written as they are read, a page at a time; nothing is held but what people did, and counts.
3. What is missing is said: payloads that were removed, history below a floor, rows that no checkpoint covers yet.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fsm.errors import ProblemError
from security.auditkey import pem
from security.keys import SigningKey
from store.chain import ENVELOPE, FLEET_ENVELOPE, START
from store.reader import Reader
from store.tables import Table
from usher.audit import lines, parts
from usher.audit.exported import line as checkpoint_line
from usher.audit.guide import GUIDE
from usher.audit.parts import Passing
from usher.audit.ranges import Range
from usher.views.text import utc

FORMAT: Final = "usher bundle 1"
SUMS: Final = "SHA256SUMS"
_CHUNK: Final = 1 << 20


class BundleError(ProblemError):
    """The bundle cannot be written"""


@dataclass(frozen=True, slots=True)
class Source:
    """A database that goes into it, and which of its rows."""

    reader: Reader
    range: Range


def write(target: Path, sources: Sequence[Source], key: SigningKey, asked: dict[str, Any]) -> dict[str, Any]:
    """Write it; answers what bundle.json says. Raises BundleError, StoreError, PrunedError."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        if target.exists() or target.is_symlink():
            raise BundleError(f"{target}: it is there already: name another directory with --out")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        document = _fill(unfinished, sources, key, asked)
        unfinished.rename(target)
    except OSError as error:
        said = f"it cannot be written ({error.strerror}): nothing was left there, name another directory with --out"
        raise BundleError(f"{target}: {said}") from None
    finally:
        with suppress(OSError):
            shutil.rmtree(unfinished, ignore_errors=True)
    return document


def _fill(folder: Path, sources: Sequence[Source], key: SigningKey, asked: dict[str, Any]) -> dict[str, Any]:
    passing = [Passing(source.range.lineage) for source in sources]
    pairs = list(zip(sources, passing, strict=True))
    _write(folder / "history.jsonl", lines.merged(lines.history(s.reader, s.range, p.row) for s, p in pairs))
    _write(folder / "journal.jsonl", lines.merged(lines.journal(s.reader, s.range, p.entry) for s, p in pairs))
    _write(folder / "operators.jsonl", _operators(passing))
    _write(folder / "policies.jsonl", (text for s, p in pairs for text in parts.policies(s.reader, p)))
    _write(folder / "checkpoints.jsonl", _checkpoints(sources))
    held = [parts.documents(s.reader, p) for s, p in pairs]
    for name, text in {
        name: text for each in held for table in each for name, text in parts.files(table).items()
    }.items():
        (folder / name).write_bytes(text)
    _write(folder / "audit-key.pem", [pem(key.public_hex)])
    named = {"columns": _quoted(ENVELOPE), "fleet_columns": _quoted(FLEET_ENVELOPE)}
    _write(folder / "README.md", [GUIDE.format(**named)])
    for source in sources:
        _newest(folder, source.range)
    document = {
        "format": FORMAT,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "asked": asked,
        "signed_by": key.public_hex,
        "journals": [_journal(source, each, tables) for (source, each), tables in zip(pairs, held, strict=True)],
    }
    _write(folder / "bundle.json", [json.dumps(document, indent=1) + "\n"])
    _sign(folder, key)
    return document


def _quoted(columns: str) -> str:
    return ", ".join(f"`{name}`" for name in columns.split(", "))


def _write(path: Path, texts: Iterable[str]) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        for text in texts:
            file.write(text)


def _operators(passing: Sequence[Passing]) -> Iterator[str]:
    every = [each for one in passing for each in one.operators]
    for each in sorted(every, key=lambda each: each["at"] or ""):
        yield json.dumps(each, ensure_ascii=False) + "\n"


def _checkpoints(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        for each in source.range.checkpoints:
            yield json.dumps({"journal": source.range.lineage} | json.loads(checkpoint_line(each))) + "\n"


def _newest(folder: Path, of: Range) -> None:
    """The text and the signature of the newest checkpoint, for openssl."""
    if of.checkpoints:
        newest = of.covering or of.checkpoints[-1]
        (folder / f"checkpoint-{of.lineage}.json").write_bytes(newest.document)
        (folder / f"checkpoint-{of.lineage}.sig").write_bytes(newest.signature)


def _journal(source: Source, passing: Passing, tables: Sequence[Table]) -> dict[str, Any]:
    of = source.range
    return {
        "journal": of.lineage,
        "lineages": [
            {"lineage": each.lineage, "history": each.position, "journal": each.fleet_position, "since": utc(each.at)}
            | {"why": each.why}
            for each in of.lineages
        ],
        "history": {
            "first": of.first,
            "last": of.last,
            "proof_ends": of.end,
            "previous": of.previous,
            "begins": utc(of.began or 0),
            "ends": utc(of.ended or 0),
        },
        "fleet": {"first": 1, "last": of.entries, "previous": START.hex()},
        "nodes": parts.counts(source.reader, of),
        "table_versions": {str(version): rows for version, rows in sorted(passing.tables.items())},
        "tables": [
            {"version": each.version, "digest": each.digest, "since": utc(each.since), "origin": each.origin}
            for each in tables
        ],
        "missing": _missing(of, passing, {each.version for each in tables}),
        "clock_set_back_at": passing.backwards[:100],
    }


def _missing(of: Range, passing: Passing, tables: set[int]) -> dict[str, Any]:
    """What whoever reads it has to know that is not there."""
    floor = of.floor
    return {
        "payloads": passing.removed,
        "payloads_at": passing.removed_at,
        "pruned_below": floor.position if floor else None,
        "floor": None
        if floor is None
        else {
            "document": (floor.document or b"").decode(),
            "signer": floor.signer,
            "signature": floor.signature.hex(),
        },
        "tables": sorted(passing.tables.keys() - tables),
        "covered_by_no_checkpoint": [of.bound + 1, of.last] if of.bound < of.last else [],
    }


def _sign(folder: Path, key: SigningKey) -> None:
    names = sorted(path.name for path in folder.iterdir())
    text = "".join(f"{digest(folder / name)}  {name}\n" for name in names)
    (folder / SUMS).write_text(text, encoding="utf-8", newline="\n")
    (folder / f"{SUMS}.sig").write_bytes(key.sign(text.encode()))


def digest(path: Path) -> str:
    """The hex SHA-256 of a file; raises OSError."""
    made = sha256()
    with path.open("rb") as file:
        take: Callable[[], bytes] = lambda: file.read(_CHUNK)  # noqa: E731 what iter calls
        for chunk in iter(take, b""):
            made.update(chunk)
    return made.hexdigest()
