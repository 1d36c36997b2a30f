"""The keeper: when it takes checkpoints, who gets them, and what does not stop it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fsm.effects import Effect
from fsm.events import Event, Hint, HintKind
from fsm.machine import Decision, decide
from fsm.policy import Policy
from fsm.runtime.clock import SystemClock
from fsm.runtime.observer import Transition
from fsm.snapshot import unseen
from fsm.states import State
from security.auditkey import read_audit_keys
from store.checkpoints import Checkpoint
from store.entries import FleetEntry
from store.journal import Journal
from store.reader import open_reader
from store.records import checkpoints
from store.repository import open_store
from tests.fakes.audited import KEY, NOW, OTHER, keys
from tests.fakes.units import Life
from usher.audit.exported import read_file
from usher.audit.keeper import Keeper
from usher.audit.keys import AuditKeys, open_keys
from usher.audit.verify import examine
from usher.config.audit import AuditSettings
from usher.keyplace import KeyPlace
from usher.metrics.catalogue import families
from usher.state import StateDirectory


def told() -> Transition:
    """A row, as the engine tells of it."""
    before = unseen("n1")
    event = Event(NOW, bytes(16), Hint(HintKind.LISTED))
    decision = decide(before, event, Policy())
    assert isinstance(decision, Decision)
    return Transition(before, event, decision, 0.0, 0.0)


class Kept:
    """A keeper over a journal, with what its command does."""

    def __init__(self, folder: Path, journal: Journal, settings: AuditSettings, by: AuditKeys | None) -> None:
        self.folder, self.journal, self.families = folder, journal, families()
        self.keeper = Keeper(by or keys(folder), settings, SystemClock(), self.families)

    def stored(self) -> list[Checkpoint]:
        with open_reader(self.folder / "usher.db") as reader:
            return list(checkpoints(reader))

    def why(self) -> list[str]:
        return [each.says()["why"] for each in self.stored()]

    def count(self, name: str) -> float:
        return self.families[name].series().total

    async def quiet(self) -> None:
        """Until nothing is under way."""
        while others := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
            await asyncio.wait(others)


@asynccontextmanager
async def kept(
    folder: Path, *command: str, by: AuditKeys | None = None, rows: int = 100, interval: float = 600.0
) -> AsyncIterator[Kept]:
    settings = AuditSettings(command=command, rows=rows, timeout=20.0, interval=interval)
    journal = open_store(folder / "usher.db")
    try:
        yield Kept(folder, journal, settings, by)
    finally:
        await journal.close()


def collecting(file: Path) -> Sequence[str]:
    """A command that keeps what it gets."""
    script = f"import sys; open({str(file)!r}, 'a').write(sys.stdin.read())"
    return (sys.executable, "-c", script)


async def grow(journal: Journal, node: str = "n1") -> None:
    await journal.commit(Life(node).unit(State.DISCOVERED, opens=Effect.FETCH_JWT))


async def test_it_takes_one_at_the_start_and_one_at_a_clean_stop(tmp_path: Path):
    async with kept(tmp_path, *collecting(tmp_path / "sent")) as made:
        await made.keeper.begin(made.journal)
        await made.quiet()
        await grow(made.journal)
        await made.keeper.end()
        assert made.why() == ["start", "stop"]
        assert made.stored()[1].position == 1
        assert read_file(tmp_path / "sent") == made.stored()
        assert (made.count("usher_checkpoints_total"), made.count("usher_checkpoints_unsent")) == (2, 0)
        assert [node for node, count in made.stored()[1].says()["nodes"].items() if count == 1] == ["discovered"]


async def test_nothing_new_is_signed_once(tmp_path: Path):
    async with kept(tmp_path) as made:
        await made.keeper.begin(made.journal)
        await made.keeper.end()
        assert made.why() == ["start"]


async def test_so_many_rows_bring_one(tmp_path: Path):
    async with kept(tmp_path, rows=3) as made:
        await made.keeper.begin(made.journal)
        await made.quiet()
        await grow(made.journal)
        for _ in range(2):
            made.keeper.moved(told())
        await made.quiet()
        assert made.why() == ["start"]
        made.keeper.moved(told())
        await made.quiet()
        assert made.why() == ["start", "rows"]
        await made.keeper.end()


async def test_a_command_that_fails_gets_them_again_with_the_next(tmp_path: Path):
    ready = tmp_path / "ready"
    script = f"import pathlib, sys; sys.exit(3) if not pathlib.Path({str(ready)!r}).exists() else None; "
    command = (sys.executable, "-c", script + collecting(tmp_path / "sent")[2])
    async with kept(tmp_path, *command) as made:
        await made.keeper.begin(made.journal)
        await made.quiet()
        assert (made.count("usher_checkpoint_command_failures_total"), made.count("usher_checkpoints_unsent")) == (1, 1)
        ready.touch()
        await grow(made.journal)
        await made.keeper.take("asked")
        assert read_file(tmp_path / "sent") == made.stored()
        assert made.count("usher_checkpoints_unsent") == 0


@pytest.mark.parametrize("command", [("/nowhere/at/all",), ("/bin/sh", "-c", "kill -9 $$"), ("/bin/sh", "-c", "yes")])
async def test_whatever_a_command_does_the_keeper_goes_on(tmp_path: Path, command: tuple[str, ...]):
    async with kept(tmp_path, *command) as made:
        await made.keeper.take_up(made.journal)
        await made.keeper.take("asked")
        assert made.count("usher_checkpoint_command_failures_total") == 1
        assert len(made.stored()) == 1


async def test_a_journal_that_is_closed_costs_a_checkpoint_and_nothing_else(tmp_path: Path):
    async with kept(tmp_path) as made:
        await made.keeper.begin(made.journal)
        await made.quiet()
        await made.journal.close()
        await made.keeper.end()
        assert made.count("usher_checkpoint_failures_total") == 1


async def test_a_key_takes_over_with_a_checkpoint_of_both_and_the_old_seed_goes(tmp_path: Path):
    async with kept(tmp_path) as made:
        await made.keeper.take_up(made.journal)
        await made.keeper.take("asked")
        fresh = made.keeper.keys.with_fresh()
        assert [key.public_hex for key in read_audit_keys(tmp_path / "audit.key", "x")] == [
            fresh.public,
            KEY.public_hex,
        ]
        await made.keeper.rotate(fresh)
        assert [key.public_hex for key in read_audit_keys(tmp_path / "audit.key", "x")] == [fresh.public]
        await grow(made.journal)
        await made.keeper.take("asked")
        assert [each.key for each in made.stored()] == [KEY.public_hex, KEY.public_hex, fresh.public]
        with open_reader(tmp_path / "usher.db") as reader:
            assert examine(reader, keys=[KEY.public_hex]).code == 0


async def test_a_death_between_the_new_key_and_its_checkpoint_is_completed_by_the_next_start(tmp_path: Path):
    async with kept(tmp_path) as made:
        await made.keeper.take_up(made.journal)
        await made.keeper.take("asked")
        made.keeper.keys.with_fresh()
    left = open_keys(KeyPlace(tmp_path / "audit.key", ours=True))
    async with kept(tmp_path, by=left) as made:
        await made.keeper.begin(made.journal)
        await made.quiet()
        assert made.why()[:2] == ["asked", "rotated"]
        with open_reader(tmp_path / "usher.db") as reader:
            assert examine(reader).fault is None
        await made.keeper.end()


async def test_a_key_that_was_lost_is_said_in_the_journal(tmp_path: Path):
    async with kept(tmp_path) as made:
        await made.keeper.take_up(made.journal)
        await made.keeper.take("asked")
    async with kept(tmp_path, by=keys(tmp_path, OTHER)) as made:
        await made.keeper.take_up(made.journal)
        with open_reader(tmp_path / "usher.db") as reader:
            entry = reader.last("audit-key-lost")
        assert entry is not None
        assert KEY.public_hex in entry.reason


async def test_a_checkpoint_that_is_asked_for_during_a_rotation_is_the_new_keys(tmp_path: Path):
    async with kept(tmp_path) as made:
        await made.keeper.take_up(made.journal)
        await made.keeper.take("asked")
        await asyncio.gather(made.keeper.rotate(made.keeper.keys.with_fresh()), made.keeper.take("asked"))
        with open_reader(tmp_path / "usher.db") as reader:
            assert examine(reader, keys=[KEY.public_hex]).code == 0
        assert len(made.stored()) == 3


async def test_a_timer_that_finds_a_command_at_work_is_not_the_last_one(tmp_path: Path):
    async with kept(tmp_path, *collecting(tmp_path / "sent"), interval=0.001) as made, asyncio.timeout(60):
        await made.keeper.begin(made.journal)
        for number in range(1, 3):
            await grow(made.journal, f"n{number}")
            while not made.stored() or made.stored()[-1].position < number:  # noqa: ASYNC110 nobody tells
                await asyncio.sleep(0)
        await made.keeper.end()


def test_a_key_is_made_once_for_this_user_alone(tmp_path: Path):
    place = KeyPlace(StateDirectory(tmp_path).audit_key, ours=True)
    first = open_keys(place)
    assert place.path.stat().st_mode & 0o777 == 0o600
    assert open_keys(place).public == first.public
    assert first.current.seed_hex not in repr(first)


async def test_a_line_says_what_was_signed(tmp_path: Path):
    async with kept(tmp_path) as made:
        await made.journal.fleet(FleetEntry(NOW, "pause", "anna", "x"))
        await made.keeper.take_up(made.journal)
        checkpoint = await made.keeper.take("asked")
    said = json.loads(checkpoint.document)
    assert (said["journal"]["position"], said["history"]["position"], said["number"]) == (1, 0, 1)
    assert replace(checkpoint, number=2) != checkpoint
