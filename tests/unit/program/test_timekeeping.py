"""Timekeeping: what one process notes of the time, and the next one makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm.runtime.clock import BELIEVED, SystemClock
from tests.fakes.clock import JumpingClock
from usher.timekeeping import FILE, Timekeeper, timekeeping_of

HOUR = 3_600_000
START = 1_795_200_000_000


class Machine:
    """Two clocks that a test sets; milliseconds."""

    def __init__(self) -> None:
        self.wall, self.steady = START, 1_000_000

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.wall * 1_000_000, lambda: self.steady * 1_000_000)


async def once(directory: Path, clock: SystemClock, boot: str = "one") -> None:
    """A process that starts and stops."""
    keeper = Timekeeper(directory, clock, boot)
    keeper.take_up()
    keeper.start()
    keeper.stop()


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
async def test_a_clock_that_was_set_while_nobody_ran_has_jumped(tmp_path: Path, leap: int):
    machine = Machine()
    await once(tmp_path, machine.clock())
    machine.wall += leap
    for _ in range(3):  # it may crash and start again as often as it likes
        clock = machine.clock()
        keeper = Timekeeper(tmp_path, clock, "one")
        keeper.take_up()
        keeper.start()
        assert clock.now() == START
        keeper.stop()
    machine.wall += BELIEVED
    machine.steady += BELIEVED
    keeper.stop()
    assert clock.now() == START + BELIEVED + leap
    again = machine.clock()
    await once(tmp_path, again)
    assert again.now() == START + BELIEVED + leap


async def test_by_how_much_the_clock_was_set_outlives_the_machine(tmp_path: Path):
    machine = Machine()
    clock = machine.clock()
    keeper = Timekeeper(tmp_path, clock, "one")
    keeper.take_up()
    keeper.start()
    machine.wall += HOUR
    assert clock.now() == START
    machine.wall += BELIEVED
    machine.steady += BELIEVED
    keeper.stop()
    assert clock.leaps == HOUR
    for boot in ("one", "two", "three"):
        again = machine.clock()
        await once(tmp_path, again, boot)
        assert again.leaps == HOUR


async def test_a_note_of_a_release_that_knew_no_leaps_is_read(tmp_path: Path):
    machine = Machine()
    (tmp_path / FILE).write_text(f"one {START - 1_000_000}\n")
    machine.wall += HOUR
    clock = machine.clock()
    await once(tmp_path, clock)
    assert (clock.now(), clock.leaps) == (START, 0)


async def test_after_a_start_of_the_machine_only_the_wall_clock_knows(tmp_path: Path):
    machine = Machine()
    await once(tmp_path, machine.clock(), "one")
    machine.wall, machine.steady = START + HOUR, 1000
    clock = machine.clock()
    await once(tmp_path, clock, "two")
    assert clock.now() == START + HOUR


@pytest.mark.parametrize(
    "text", [b"", b"one", b"one two three", b"one x", b"\xff\xff", b"one 1 x", b"one 1 2 3", bytes(10_000)]
)
async def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: bytes):
    (tmp_path / FILE).write_bytes(text)
    clock = Machine().clock()
    await once(tmp_path, clock)
    assert clock.now() == START
    assert (tmp_path / FILE).read_text().startswith("one ")


async def test_a_note_that_cannot_be_written_is_none(tmp_path: Path):
    (tmp_path / FILE).mkdir()
    clock = Machine().clock()
    await once(tmp_path, clock)
    await once(tmp_path / "missing", clock)
    assert clock.now() == START


async def test_the_note_is_its_owners_and_is_not_written_for_nothing(tmp_path: Path):
    machine = Machine()
    await once(tmp_path, machine.clock())
    note = tmp_path / FILE
    assert note.stat().st_mode & 0o777 == 0o600
    before = note.stat().st_ino
    machine.wall += 500
    await once(tmp_path, machine.clock())
    assert note.stat().st_ino == before


async def test_the_daemons_own_clock_is_kept_and_no_other(tmp_path: Path):
    with timekeeping_of(tmp_path, JumpingClock()):
        assert not (tmp_path / FILE).exists()
    with timekeeping_of(tmp_path, SystemClock()):
        assert (tmp_path / FILE).exists()
