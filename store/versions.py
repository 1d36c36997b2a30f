"""Versions: which versions of the schema there are, and the file that leads to each.

Rules:
1. Nothing but paths is here: whoever only reads asks for the newest version, and must not load what writes for it.
2. A version is the number in a file's name; the newest file is the version that this usher writes and reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_SCHEMA: Final = Path(__file__).parent / "schema"


def migrations() -> dict[int, Path]:
    """The schema's files by the version that they lead to."""
    return {int(path.stem): path for path in sorted(_SCHEMA.glob("[0-9]*.sql"))}
