"""Checking a bundle: with nothing but its files and public keys that came from elsewhere.

Rules:
1. Files first (none missing, none too many, each as the signed list has it), then rows, then checkpoints.
2. The first thing that is wrong is named; what could be read is told all the same.
3. A list that no trusted key signed proves nothing, and says so; nothing of a bundle is trusted because it says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fsm.errors import ProblemError
from security.keys import signed_by
from store.checkpoints import Checkpoint
from store.tables import Table
from usher.audit.bundle import FORMAT, SUMS, digest
from usher.audit.exported import read_line
from usher.audit.parts import files, table_file
from usher.audit.trust import follow

_LONGEST: Final = 1 << 22
_CHAINS: Final = (("history", "history", 13), ("journal", "fleet", 7))
"""File, its place in bundle.json, and which column of an envelope is the payload's digest."""


class NoBundleError(ProblemError):
    """It is no bundle that can be read"""


@dataclass(slots=True)
class Found:
    """What came of it: the first fault, how much was checked, which keys are trusted, what is worth knowing."""

    fault: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    checkpoints: int = 0
    keys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)


def check(folder: Path, keys: Sequence[str]) -> Found:
    """Check the bundle with these public keys (64 hex characters each); raises NoBundleError if there is none."""
    found = Found(document=_document(folder), keys=list(keys))
    try:
        found.fault = _files(folder) or _contents(folder, found) or _signed(folder, found)
        if not found.fault:
            _note(found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        found.fault = found.fault or f"bundle.json or a line is not as usher writes it ({type(error).__name__})"
    except OSError as error:
        raise NoBundleError(f"{folder}: it cannot be read ({error.strerror})") from None
    return found


def _document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / "bundle.json").read_bytes())
    except FileNotFoundError:
        what = "there is no bundle.json in it: name a directory of usher audit export"
        raise NoBundleError(f"{folder}: {what}") from None
    except OSError as error:
        raise NoBundleError(f"{folder}: it cannot be read ({error.strerror})") from None
    except ValueError:
        raise NoBundleError(f"{folder}: its bundle.json is no JSON: it was changed or cut") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        what = f"it is not of the format {FORMAT!r}: use the usher that wrote it, or a newer one"
        raise NoBundleError(f"{folder}: {what}")
    return document


def _files(folder: Path) -> str:
    """Whether the files are those of the list."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return f"{SUMS} is missing or cannot be read"
    listed = {name: said for said, _, name in (line.partition("  ") for line in lines)}
    there = {path.name for path in folder.iterdir()} - {SUMS, f"{SUMS}.sig"}
    if missing := sorted(listed.keys() - there):
        return f"the file {missing[0]} is missing"
    if more := sorted(there - listed.keys()):
        return f"the file {more[0]} does not belong to it"
    changed = next((name for name in sorted(listed) if digest(folder / name) != listed[name]), None)
    if changed is None:
        return ""
    row = _first_bad_row(folder, changed)
    return f"{changed} was changed{row}"


def _first_bad_row(folder: Path, name: str) -> str:
    """Where in a file of rows a change shows; empty for another file."""
    chain = next((each for each in _CHAINS if name == f"{each[0]}.jsonl"), None)
    if chain is None:
        return ""
    try:
        said = _chain(folder, json.loads((folder / "bundle.json").read_bytes()), chain, {})
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return ""
    return f": {said}" if said else ""


def _signed(folder: Path, found: Found) -> str:
    text, signer = (folder / SUMS).read_bytes(), str(found.document["signed_by"])
    try:
        signature = (folder / f"{SUMS}.sig").read_bytes()
    except OSError:
        return f"{SUMS}.sig is missing: nobody has signed the list of its files"
    if signer not in found.keys:
        return f"the list of its files is signed by the key {signer}, which is none of those that are trusted"
    return "" if signed_by(bytes.fromhex(signer), text, signature) else f"{SUMS} is not what the key {signer} signed"


def _contents(folder: Path, found: Found) -> str:
    links: dict[tuple[str, str, int], str] = {}
    for chain in _CHAINS:
        if what := _chain(folder, found.document, chain, links):
            return what
        found.rows[chain[0]] = sum(1 for _, name, _ in links if name == chain[0])
    for journal in found.document["journals"]:
        if what := _ends(journal, links) or _checkpoints(folder, journal, links, found) or _tables(folder, journal):
            return what
    return ""


def _chain(folder: Path, document: dict[str, Any], chain: tuple[str, str, int], links: dict[Any, str]) -> str:
    """The first row of a file that is wrong; `links` gets the link of each row, by journal, file and position."""
    name, of, payload_at = chain
    heads = {each["journal"]: bytes.fromhex(each[of]["previous"]) for each in document["journals"]}
    expected = {each["journal"]: each[of]["first"] for each in document["journals"]}
    for number, row in _rows(folder / f"{name}.jsonl"):
        if row is None:
            return f"{name}.jsonl line {number} is no JSON object"
        journal, text = row["journal"], row["envelope"]
        envelope = json.loads(text)
        place = f"{name} row {envelope[0]}" + (f" (node {envelope[3]})" if name == "history" else "")
        if journal not in heads:
            return f"{place}: it is of a journal that bundle.json does not name"
        if envelope[0] != expected[journal]:
            return f"{place}: row {expected[journal]} should stand here: one was removed, inserted or moved"
        heads[journal] = sha256(heads[journal] + text.encode()).digest()
        if heads[journal].hex() != row["hash"]:
            return f"{place}: its envelope or its link was changed, or it is not bound to the row before it"
        payload = row["payload"]
        if payload is not None and sha256(payload.encode()).hexdigest() != envelope[payload_at]:
            return f"{place}: its payload was changed"
        links[journal, name, envelope[0]] = row["hash"]
        expected[journal] += 1
    return ""


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
            try:
                row = json.loads(raw)
            except ValueError:
                row = None
            yield number, row if isinstance(row, dict) else None


def _ends(journal: dict[str, Any], links: dict[tuple[str, str, int], str]) -> str:
    for name, place in (("history", journal["history"]["proof_ends"]), ("journal", journal["fleet"]["last"])):
        first = journal["history"]["first"] if name == "history" else 1
        if place >= first and (journal["journal"], name, place) not in links:
            return f"{name}: its last rows, up to {place}, are missing"
    return ""


def _checkpoints(folder: Path, journal: dict[str, Any], links: dict[tuple[str, str, int], str], found: Found) -> str:
    mine = [each for each in _read(folder) if each[0] == journal["journal"]]
    trust, broken, why = follow((each for _, each in mine), found.keys)
    if why:
        return f"checkpoint {broken.number if broken else '?'} of journal {journal['journal']}: {why}"
    found.keys += [key for key in trust.keys if key not in found.keys]
    bound = journal["history"]["first"] - 1
    for _, each in mine:
        for name, place in (("history", each.position), ("journal", each.fleet_position)):
            link = links.get((journal["journal"], name, place))
            if link is not None and link != each.says()[name]["hash"]:
                return f"{name} row {place}: checkpoint {each.number} signed another one there: rows were rewritten"
        bound = max(bound, each.position) if each.position <= journal["history"]["proof_ends"] else bound
        found.checkpoints += 1
    if bound < journal["history"]["last"]:
        said = f"rows {bound + 1} to {journal['history']['last']} of journal {journal['journal']}"
        found.notes.append(f"{said} are covered by no checkpoint: they are bound, and signed with the list of files")
    return ""


def _tables(folder: Path, journal: dict[str, Any]) -> str:
    """Each table is the one that its digest names, its pictures are those in it, and checkpoints name it."""
    there = {path.name for path in folder.iterdir()}
    held = {(int(each["version"]), str(each["digest"])) for each in journal["tables"]}
    for version, digest_ in sorted(held):
        name = table_file(version, digest_)
        text = (folder / name).read_bytes() if name in there else b""
        if sha256(text).hexdigest() != digest_:
            return f"{name} is not the table that journal {journal['journal']} names"
        drawn = files(Table(version, digest_, text, 0, ""))
        if other := [each for each in drawn if each not in there or (folder / each).read_bytes() != drawn[each]]:
            return f"{other[0]} is not the picture of the table in {name}"
    named = {int(version) for version in journal["table_versions"]}
    for _, each in (pair for pair in _read(folder) if pair[0] == journal["journal"]):
        said = each.says()
        for version, digest_ in said.get("tables", ()) if said["lineage"] == journal["lineages"][-1]["lineage"] else ():
            if version in named and (version, digest_) not in held:
                return (
                    f"the table {version} with the digest {digest_}, which checkpoint {each.number} names, is missing"
                )
    return ""


def _read(folder: Path) -> list[tuple[str, Checkpoint]]:
    made = []
    with (folder / "checkpoints.jsonl").open(encoding="utf-8") as file:
        for text in file:
            checkpoint = read_line(text)
            if checkpoint is not None:
                made.append((json.loads(text)["journal"], checkpoint))
    return made


def _note(found: Found) -> None:
    for journal in found.document["journals"]:
        missing, name = journal["missing"], journal["journal"]
        if missing["payloads"]:
            found.notes.append(f"{missing['payloads']} rows of journal {name} have no payload any more")
        if missing["tables"]:
            versions = ", ".join(map(str, missing["tables"]))
            found.notes.append(f"rows of journal {name} name versions of the table that nobody kept: {versions}")
        if missing["pruned_below"]:
            found.notes.append(f"journal {name} begins at row {missing['pruned_below']}: what was before was pruned")
        if journal["clock_set_back_at"]:
            found.notes.append(f"the clock was set back in journal {name}, first at {journal['clock_set_back_at'][0]}")
