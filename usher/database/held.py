"""Held: what the vault and the blobs hold of one node, for the jobs that open some of it.

Rules:
1. Nothing is made and nothing is changed: no database, no key file.
2. What no key opens is None or empty, as if it was not held any more.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from fsm.identity import is_safe
from fsm.snapshot import Snapshot
from store.journal import Journal
from usher.database.desk import Desk
from usher.database.jobs import Document, JobError
from usher.database.rekey import sealing_of
from usher.effects.hand import blob_place, entry_place
from usher.harmless import Harmless
from usher.vault import Sealing
from usher.views.common import file

Entry = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Held:
    """A node, its vault entries (generation, name, sealed bytes; oldest first), and its inventory as it was sealed."""

    node: str
    snapshot: Snapshot
    entries: Sequence[Entry] = field(repr=False)
    blob: bytes | None = field(repr=False)
    sealing: Sealing = field(repr=False)

    @property
    def harmless(self) -> Harmless | None:
        """Which values may be shown; None where no daemon says what the site takes off the list."""
        return self.sealing.harmless

    @property
    def secrets(self) -> Collection[str]:
        """The site's own secrets, where a daemon knows them."""
        return self.sealing.secrets

    def open(self, generation: int, name: str, sealed: bytes) -> bytes | None:
        """The bytes of an entry."""
        return self.sealing.vault.open(entry_place(self.node, generation, name), sealed)

    def document(self, name: str) -> dict[str, Any]:
        """The JSON object of an entry of the node's present generation; empty where it is not held."""
        for generation, entry, sealed in self.entries:
            if (generation, entry) == (self.snapshot.generation, name):
                return _object(self.open(generation, name, sealed))
        return {}

    def inventory(self) -> dict[str, Any]:
        """The inventory of the present generation; empty where it is not held."""
        facts = self.snapshot.facts.inventory
        if facts is None or self.blob is None:
            return {}
        return _object(self.sealing.vault.open(blob_place(facts.digest), self.blob))


def held(desk: Desk, arguments: Mapping[str, Any]) -> Held:
    """What is held of the node that the arguments name; raises JobError."""
    node = arguments.get("node")
    if not isinstance(node, str) or not is_safe(node):
        raise JobError(f"{node!r:.100} cannot be a node's name")
    if not desk.state.database.is_file():
        raise JobError(f"there is no database in {desk.state.path}: name its directory with --state DIR")
    sealing = sealing_of(desk, str(arguments.get("key_file") or ""))
    snapshot, entries, blob = desk.look(lambda journal: _read(journal, node))
    if snapshot is None:
        raise JobError(f"no node is known by the name {node}: usher nodes list lists those that are known")
    return Held(node, snapshot, entries, blob, sealing)


def _read(journal: Journal, node: str) -> tuple[Snapshot | None, Sequence[Entry], bytes | None]:
    snapshot = journal.load(node)
    facts = snapshot.facts.inventory if snapshot is not None else None
    return snapshot, journal.secrets(node), journal.blob(facts.digest) if facts is not None else None


def _object(data: bytes | None) -> dict[str, Any]:
    document = orjson.loads(data) if data is not None else {}
    return document if isinstance(document, dict) else {}


def sealing_options(parser: argparse.ArgumentParser) -> None:
    """The option of a job that opens what is sealed."""
    parser.add_argument(
        "--key-file", type=file, metavar="FILE", help="where no daemon runs: the vault_key_file of the site"
    )


def sealing_arguments(args: argparse.Namespace) -> Document:
    """The node and the key file of such a job's request."""
    return {"node": args.node, "key_file": str(Path(args.key_file).absolute()) if args.key_file else ""}
