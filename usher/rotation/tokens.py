"""The journal's word for which tokens nodes are offered: their marks, in order.

Rules:
1. It is written when the list is another one than the last that was written: whoever reads the database finds the
   place of a mark in the list without the configuration.
2. The last entry of this kind is what is in use.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from store.entries import FleetEntry
from store.journal import Journal
from store.reader import open_reader
from usher.effects.tokens import Tokens
from usher.rotation.marking import marking_key
from usher.state import StateDirectory

TOKENS: Final = "tokens"


async def name_tokens(every: Sequence[Tokens], state: StateDirectory, journal: Journal, at: int) -> None:
    """At a start: mark the tokens with this directory's key, and write down which there are; raises StateError."""
    key = marking_key(state)
    for tokens in every:
        tokens.keyed(key)
    with open_reader(state.database) as reader:
        last = reader.last(TOKENS)
    entry = tokens_entry(marks_of(every), at)
    if last is None or last.payload != entry.payload:
        await journal.fleet(entry)


def marks_of(every: Sequence[Tokens]) -> list[str]:
    """The marks of the tokens of all networks, in their order; one that several have counts once."""
    return list(dict.fromkeys(mark for tokens in every for mark in tokens.marks))


def marks_with(every: Sequence[Tokens], changed: Tokens, marks: Sequence[str]) -> list[str]:
    """The marks of all networks when those of one of them are these."""
    found = (mark for tokens in every for mark in (marks if tokens is changed else tokens.marks))
    return list(dict.fromkeys(found))


def tokens_entry(marks: Sequence[str], at: int) -> FleetEntry:
    """The entry for tokens with these marks."""
    said = f"nodes are offered {len(marks)} token{'' if len(marks) == 1 else 's'}"
    return FleetEntry(at, TOKENS, "usher", said, json.dumps({"tokens": list(marks)}).encode())
