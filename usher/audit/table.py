"""The table as a document: its rows with their sentences, and its picture, as they are in force while it decides.

Rules:
1. The same table always gives the same bytes; whatever is written in it comes from fsm and is drawn by diagrams.
2. The documents of released versions lie in `tables` as their usher would have written them, and are never changed:
   a database that was brought up to date is given those that decided its older rows.
3. Whoever wants to know what a version was reads its document, and nothing of today's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from diagrams import dot, mermaid
from diagrams.model import draw
from fsm.effects import STEPS
from fsm.errors import StoreFullError
from fsm.rows import Row
from fsm.states import FACTS
from fsm.table import ROWS, VERSION
from store.journal import Journal
from store.tables import keep
from usher import logs

_logger = logging.getLogger("usher")
FORMAT: Final = "usher table 1"
RELEASED: Final = Path(__file__).parent / "tables"
"""The documents of released versions: `VERSION.json`."""


@dataclass(frozen=True, slots=True)
class Document:
    """The table of one version, as bytes."""

    version: int
    text: bytes

    @property
    def digest(self) -> str:
        """The hex SHA-256 of its bytes."""
        return sha256(self.text).hexdigest()


def today() -> Document:
    """The table of this usher."""
    picture = draw(full=True)
    said = {
        "format": FORMAT,
        "table_version": VERSION,
        "states": {state.value: fact for state, fact in FACTS.items()},
        "steps": {state.value: [_step(step) for step in steps] for state, steps in STEPS.items()},
        "rows": [_row(row) for row in ROWS],
        "dot": dot.render(picture),
        "mermaid": mermaid.render(picture),
    }
    return Document(VERSION, (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode())


def _step(step: Any) -> dict[str, str | None]:
    return {"effect": step.effect.value, "when": step.when.value if step.when else None}


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "sources": sorted(source.value for source in row.sources),
        "event": row.trigger.value,
        "guard": row.question,
        "target": row.target.value if row.target else None,
        "does": [(action.__doc__ or "").strip() for action in row.actions],
        "opens": str(row.opens) if row.opens else None,
        "ignored": row.ignored,
        "sentence": row.why,
    }


def released(since: int) -> Iterator[Document]:
    """The documents of the released versions from `since` on, that this usher's is not; raises OSError."""
    for version in range(max(since, 1), VERSION):
        path = RELEASED / f"{version}.json"
        if path.exists():
            yield Document(version, path.read_bytes())


async def remember(journal: Journal, now: int) -> None:
    """Have the database keep the table that decides from now on (`now` in ms); raises StoreError.

    Where the disk has no room, the start goes on, since nothing is decided then either; the next one keeps it.
    """
    this = today()
    try:
        await journal.maintain(keep((this.version, this.text), _older, now))
    except StoreFullError as error:
        said = f"the document of the table could not be kept, the next start does it: {error}"
        logs.say(_logger, logging.ERROR, said)


def _older(since: int) -> Iterator[tuple[int, bytes]]:
    return ((each.version, each.text) for each in released(since))


def pictures(text: bytes) -> dict[str, str]:
    """The pictures of a document by the ending of their files; raises ValueError, KeyError for one that is none."""
    said = json.loads(text)
    if not isinstance(said, dict) or said["format"] != FORMAT:
        raise ValueError(f"it is not of the format {FORMAT!r}")
    return {"dot": str(said["dot"]), "mmd": str(said["mermaid"])}
