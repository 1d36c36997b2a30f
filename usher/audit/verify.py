"""Verifying a database: both chains, and every checkpoint that is known, against each other.

Rules:
1. It reads; a daemon may write meanwhile: what comes after the walk began is not looked at.
2. The first row that is wrong is named. Where whoever wrote it made the links anew, only a checkpoint tells, and the
   rows between the last one that agrees and the first that does not are named.
3. What a restore has given up, by the journal's own word, is no fault; it is told, and the exit code says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from security.keys import signed_by
from store.audit import Fault, Verdict, verify
from store.checkpoints import Checkpoint
from store.reader import Reader
from store.records import Bases, Floor, Lineage, bases, checkpoints, floor_document, floors, lineages
from usher.audit.trust import Trust, broken, follow
from usher.audit.watching import Seen, seeing
from usher.views.text import utc

CHECKPOINTS: Final = "checkpoints"


@dataclass(slots=True)
class Report:
    """What came of it; `lost` are things that a restore gave up, `notes` whatever else is worth knowing."""

    verdict: Verdict
    seen: Seen
    trust: Trust
    fault: Fault | None = None
    checked: int = 0
    newest: Checkpoint | None = None
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code: 0 it verifies, 1 a fault, 3 it verifies but for what a restore gave up."""
        return 1 if self.fault else 3 if self.lost else 0


def examine(reader: Reader, exported: Sequence[Checkpoint] = (), keys: Sequence[str] = ()) -> Report:
    """Check the database behind `reader`, with the checkpoints that somebody kept elsewhere; raises StoreError."""
    stored = list(checkpoints(reader))
    every = [*stored, *exported]
    made: list[Seen] = []

    def watch() -> Seen:
        found = floors(reader)
        made.append(seeing(every, bases(reader, found[-1]) if found else ()))
        return made[-1]

    verdict = verify(reader, lambda: watch().row)
    trust, broken_one, why = follow(stored or exported, keys)
    report = Report(verdict, made[-1], trust, verdict.fault)
    bench = _Bench(reader, report, lineages(reader), verdict.floor)
    if why and report.fault is None:
        report.fault = _of(broken_one, why)
    report.fault = report.fault or bench.dense(stored) or bench.kept(stored, exported) or bench.agree(every)
    report.fault = report.fault or bench.floor()
    _note(report)
    return report


def _of(checkpoint: Checkpoint | None, what: str) -> Fault:
    return Fault(CHECKPOINTS, checkpoint.number if checkpoint else 0, "", 0, what)


class _Bench:
    """The comparisons, each of which gives the first fault."""

    def __init__(self, reader: Reader, report: Report, known: tuple[Lineage, ...], floor: Floor | None) -> None:
        self._reader, self._report, self._floor = reader, report, floor
        self._known = {each.lineage: place for place, each in enumerate(known)}
        self._lineages = known
        self._agreed: set[str] = set()

    def dense(self, stored: Sequence[Checkpoint]) -> Fault | None:
        """Every number once, each naming the one before it."""
        digest = ""
        for number, each in enumerate(stored, 1):
            if each.number != number:
                return _of(each, f"the checkpoint {number} is missing")
            if each.says()["previous"] != digest:
                return _of(each, "it does not name the checkpoint before it: that one was changed or replaced")
            digest = each.digest
        return None

    def kept(self, stored: Sequence[Checkpoint], exported: Sequence[Checkpoint]) -> Fault | None:
        """What was kept elsewhere is what was signed by a key that is trusted, and what is stored."""
        by_number = {each.number: each for each in stored}
        for each in exported:
            if what := broken(each):
                return _of(each, f"of those that were kept elsewhere: {what}")
            lineage = each.says()["lineage"]
            if lineage not in self._known:
                what = f"it is of lineage {lineage}, which this database never had: it is another database"
                return _of(each, what)
            if not self._report.trust.knows(each.key):
                return _of(each, f"of those that were kept elsewhere: it is signed by another key, {each.key}")
            mine = by_number.get(each.number)
            if self._is_own(lineage) and (mine is None or mine.document != each.document):
                what = "is not in the database" if mine is None else "is another one in the database"
                return self._cut(each) or _of(each, f"this checkpoint, which was kept elsewhere, {what}")
        return None

    def _is_own(self, lineage: str) -> bool:
        return self._known[lineage] == len(self._lineages) - 1

    def agree(self, every: Sequence[Checkpoint]) -> Fault | None:
        """Both chains are at each checkpoint what it says."""
        agreed = 0
        for each in sorted(every, key=lambda each: (each.position, each.fleet_position)):
            if self._known.get(each.says()["lineage"]) is None:
                return _of(each, f"it is of lineage {each.says()['lineage']}, which this database never had")
            if self._given_up(each):
                continue
            fault = self._cut(each) or self._differs(each, agreed)
            if fault:
                return fault
            agreed = each.position
            self._agreed.add(each.digest)
            self._report.checked = len(self._agreed)
            if self._report.newest is None or each.number > self._report.newest.number:
                self._report.newest = each
        return None

    def _given_up(self, checkpoint: Checkpoint) -> bool:
        """Whether a restore went back behind it: from where the next lineage begins, rows are no more this one's."""
        place = self._known[checkpoint.says()["lineage"]]
        following = self._lineages[place + 1 : place + 2]
        if not following or (
            checkpoint.position < following[0].position and checkpoint.fleet_position < following[0].fleet_position
        ):
            return False
        after = following[0]
        said = (
            f"checkpoint {checkpoint.number} of lineage {checkpoint.says()['lineage']} covers rows up to "
            f"{checkpoint.position}; the restore of {utc(after.at)} went back to row {after.position - 1}"
        )
        if said not in self._report.lost:
            self._report.lost.append(said)
        return True

    def _cut(self, checkpoint: Checkpoint) -> Fault | None:
        """Whether a chain ends before it."""
        signed = f"checkpoint {checkpoint.number} of {utc(checkpoint.at)} signed"
        end = self._report.verdict.rows + (self._floor.position - 1 if self._floor else 0)
        for table, last, position in (
            ("history", end, checkpoint.position),
            ("journal", self._report.verdict.fleet_rows, checkpoint.fleet_position),
        ):
            if last < position:
                return Fault(table, last + 1, "", 0, f"the rows from here to {position} are missing, which {signed}")
        return None

    def _differs(self, checkpoint: Checkpoint, agreed: int) -> Fault | None:
        said, seen = checkpoint.says(), self._report.seen
        kept_from = self._floor.position if self._floor else 1
        place = checkpoint.position
        if place and place >= kept_from and seen.links[place].hex() != said["history"]["hash"]:
            what = f"the rows up to {place} were rewritten: checkpoint {checkpoint.number} signed another one there"
            return Fault("history", max(agreed + 1, kept_from), "", 0, what)
        if self._floor and place == kept_from - 1 and self._floor.hash.hex() != said["history"]["hash"]:
            return Fault("floor", kept_from, "", 0, f"it is not where checkpoint {checkpoint.number} says")
        entry = checkpoint.fleet_position
        if entry and seen.fleet_links[entry].hex() != said["journal"]["hash"]:
            what = f"the rows up to {entry} were rewritten: checkpoint {checkpoint.number} signed another one there"
            return Fault("journal", 1, "", 0, what)
        if place in seen.counts and seen.counts[place] != said["nodes"]:
            return _of(checkpoint, "it counts other nodes in states than the history does: rows of nodes were changed")
        return None

    def floor(self) -> Fault | None:
        """The floor is what a trusted key signed."""
        floor = self._floor
        if floor is None:
            return None
        digest = Bases()
        for each in bases(self._reader, floor):
            digest.add(each)
        document = floor_document(floor.position, floor.at, floor.hash, digest.count, digest.digest)
        if not signed_by(bytes.fromhex(floor.signer), document, floor.signature):
            return Fault("floor", floor.position, "", 0, "it, or a base of it, is not what was signed")
        if self._report.trust.keys and not self._report.trust.knows(floor.signer):
            return Fault("floor", floor.position, "", 0, f"it is signed by another key, {floor.signer}")
        return None


def _note(report: Report) -> None:
    seen, notes = report.seen, report.notes
    if report.newest is None and not report.fault:
        notes.append("no checkpoint is known: rows that were cut off at the end could not be noticed")
    if report.verdict.floor is not None:
        floor = report.verdict.floor
        notes.append(f"history begins at row {floor.position}: what was below was pruned on {utc(floor.at)}")
    if seen.backwards:
        said = f"{seen.backwards} rows are older than the one before of the same node, the first at position"
        notes.append(f"the clock was set back: {said} {seen.first_backwards}")
    if seen.without_payload:
        notes.append(f"{seen.without_payload} rows have no payload any more: their digests verify")
    if report.verdict.unknown_policy:
        notes.append(f"the policy {report.verdict.unknown_policy} that rows name is not held")
