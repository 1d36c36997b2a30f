"""`usher db rekey`: seal everything that is held with another key, while nodes are under way.

Rules:
1. At any moment the key file holds every key that an entry may need: whoever dies in between loses nothing.
2. A key file that usher made gets a new key, and in the end holds nothing else. One that the site provides is only
   read: its first key seals from now on, and when all is done its other keys may go.
3. What no key opens is left as it is and counted: its nodes begin anew.
4. In the end the database is written anew: what the old key sealed is in no free page.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from fsm.errors import UsherError
from security.vault import KeyRing, SealedVault, VaultKey
from security.vaultfile import read_ring, write_ring
from store.upkeep import Resealed, reseal, vacuum
from usher.database.desk import Desk
from usher.database.jobs import Document, Job, JobError
from usher.effects.hand import blob_place, entry_place
from usher.keyplace import KeyPlace
from usher.vault import SETTING, Sealing, key_place
from usher.views.common import file

_PASSES: Final = 20
"""Passes over all entries at most: the second finds what was under way during the first, then none is left."""


def run(desk: Desk, arguments: Mapping[str, Any]) -> Document:
    """Seal all anew, and note which key replaced which."""
    sealing = sealing_of(desk, str(arguments.get("key_file") or ""))
    place, before = sealing.place, sealing.vault.ring
    ring = _both(place, before)
    first, old = ring.keys[0], tuple(key for key in before.keys if key.id != ring.keys[0].id)
    desk.remember_keys(ring.ids)
    desk.use(sealing.vault, ring)
    changed, lost = _all(desk, sealing.vault, first)
    if place.ours:
        _write(place.path, KeyRing((first,)))
    desk.remember_keys((first.id,) if place.ours else ring.ids)
    desk.say("the database is written anew; commits wait meanwhile")
    desk.maintain(vacuum)
    document = {
        "key_file": str(place.path),
        "key": first.id,
        "replaced": [key.id for key in old],
        "resealed": changed,
        "lost": lost,
        "removed": place.ours,
    }
    desk.note("rekey", document)
    return document


def sealing_of(desk: Desk, named: str) -> Sealing:
    """The daemon's vault, or one over the key file where no daemon runs; raises JobError."""
    if desk.sealing is not None:
        if named and Path(named) != desk.sealing.place.path:
            raise JobError(f"the daemon's key file is {desk.sealing.place.path}: leave --key-file out")
        return desk.sealing
    place = key_place(named, os.environ, desk.state)
    return Sealing(place, SealedVault(_read(place)))


def _read(place: KeyPlace) -> KeyRing:
    try:
        return read_ring(place.path, SETTING)[0]
    except UsherError as error:
        raise JobError(f"{error}; if it lies elsewhere, name it with --key-file FILE") from None


def _both(place: KeyPlace, before: KeyRing) -> KeyRing:
    """The keys from now on, the one that seals first; every key that was in use stays among them."""
    if place.ours:
        ring = KeyRing((VaultKey.fresh(), *before.keys))
        _write(place.path, ring)
        return ring
    ring = _read(place)
    if missing := [key for key in before.ids if key not in ring.ids]:
        step = f"put it back as a later line of {place.path} until this is done"
        raise JobError(f"the key {', '.join(missing)} is in use and not in the file any more: {step}")
    return ring


def _write(path: Path, ring: KeyRing) -> None:
    try:
        write_ring(path, ring)
    except OSError as error:
        raise JobError(f"{path} cannot be written ({error.strerror}): nothing is lost, ask again when it can") from None


def _all(desk: Desk, vault: SealedVault, key: VaultKey) -> tuple[int, int]:
    """Pass over all entries until no other key's is left; how many were changed, and how many are lost."""
    changed = 0
    for number in range(1, _PASSES + 1):
        found = Resealed(0, 0)
        for table in ("vault", "blobs"):
            after: tuple[Any, ...] | None = ()
            while after is not None:
                desk.say(f"pass {number}: {changed} entries are sealed anew")
                page = desk.maintain(reseal(table, after, key.header, partial(_anew, vault)))
                found, after = found + page, page.after
                changed += page.changed
        if not found.changed and number > 1:
            return changed, found.lost
    raise JobError("entries that an old key seals still come in: ask again; the old key is still in the key file")


def _anew(vault: SealedVault, key: tuple[Any, ...], sealed: bytes) -> bytes | None:
    place = blob_place(key[0]) if len(key) == 1 else entry_place(*key)
    data = vault.open(place, sealed)
    return None if data is None else vault.seal(place, data)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key-file", type=file, metavar="FILE", help="where no daemon runs: the vault_key_file of the site"
    )


def _arguments(args: argparse.Namespace) -> Document:
    return {"key_file": str(Path(args.key_file).absolute()) if args.key_file else ""}


def lines(document: Document) -> list[str]:
    """For a person."""
    sealed = "1 entry is" if document["resealed"] == 1 else f"{document['resealed']} entries are"
    said = [f"{sealed} sealed with the key {document['key']} of {document['key_file']}"]
    if document["lost"]:
        lost = "1 entry" if document["lost"] == 1 else f"{document['lost']} entries"
        said.append(f"{lost} could be opened with no key: their nodes begin anew")
    if replaced := ", ".join(document["replaced"]):
        said.append(
            f"the key {replaced} is not needed any more"
            + (": it was removed" if document["removed"] else f": remove its line from {document['key_file']}")
        )
    return said


JOB = Job(
    "seal all secrets with another key: a new one, or the first of a key file that the site provides",
    run,
    lines,
    changes=True,
    options=_options,
    arguments=_arguments,
    examples=('usher db rekey --reason "the yearly change"',),
)
