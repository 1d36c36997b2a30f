"""Pages: the frame and the tables of the documents that are written from the table.

Rules:
1. A page opens with the note that nobody edits it by hand.
2. A table is Markdown as GitHub reads it; what a cell says cannot end the cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

NOTE: Final = "<!-- Written by `make docs` from the one table (fsm/table.py): change that, never this. -->"


def page(title: str, opening: str) -> list[str]:
    """The first lines of a page."""
    return [NOTE, "", f"# {title}", "", opening, ""]


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
