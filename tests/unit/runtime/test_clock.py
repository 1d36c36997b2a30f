"""The system's clock: which jumps of the wall clock it believes, and when."""

from __future__ import annotations

import pytest

from fsm.runtime.clock import BELIEVED, JUMP, SLEWED, SystemClock

NOW = 1_795_200_000_000
HOUR = 3_600_000
MINUTE = 60_000


class Machine:
    """A machine whose two clocks a test sets; milliseconds."""

    def __init__(self) -> None:
        self.wall = NOW
        self.steady = 5 * MINUTE
        self.clock = self.process()

    def process(self) -> SystemClock:
        """A clock as a process has it."""
        return SystemClock(lambda: self.wall * 1_000_000, lambda: self.steady * 1_000_000)

    def passes(self, milliseconds: int) -> int:
        """Time passes; what the clock says then, since NOW."""
        self.wall += milliseconds
        self.steady += milliseconds
        return self.clock.now() - NOW

    def jumps(self, milliseconds: int) -> int:
        """The wall clock is set; what the clock says then, since NOW."""
        self.wall += milliseconds
        return self.clock.now() - NOW


@pytest.mark.parametrize("leap", [HOUR, -HOUR, JUMP + 1, -JUMP - 1])
def test_a_jump_is_believed_after_a_minute(leap: int):
    machine = Machine()
    assert machine.passes(1000) == 1000
    assert machine.jumps(leap) == 1000
    assert machine.clock.wall() == NOW + 1000 + leap
    assert machine.passes(BELIEVED - 1) == 1000 + BELIEVED - 1
    assert machine.passes(1) == 1000 + BELIEVED + leap
    assert machine.passes(1000) == 2000 + BELIEVED + leap


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
def test_a_jump_that_nobody_looked_at_begins_when_it_is_seen(leap: int):
    machine = Machine()
    machine.wall += leap
    assert machine.passes(10 * MINUTE) == 10 * MINUTE
    assert machine.passes(BELIEVED) == 10 * MINUTE + BELIEVED + leap


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
def test_a_clock_that_jumps_back_to_where_it_was_was_never_away(leap: int):
    machine = Machine()
    machine.jumps(leap)
    machine.passes(30_000)
    assert machine.jumps(-leap) == 30_000
    assert machine.passes(5 * MINUTE) == 30_000 + 5 * MINUTE
    machine.jumps(leap)  # what was seen of the first jump does not count for the second
    assert machine.passes(BELIEVED - 1) == 30_000 + 5 * MINUTE + BELIEVED - 1
    assert machine.passes(1) == 30_000 + 5 * MINUTE + BELIEVED + leap


def test_of_two_jumps_within_a_minute_the_second_has_its_own_minute():
    machine = Machine()
    machine.jumps(HOUR)
    machine.passes(40_000)
    machine.jumps(HOUR)
    assert machine.passes(BELIEVED - 1) == 40_000 + BELIEVED - 1
    assert machine.passes(1) == 40_000 + BELIEVED + 2 * HOUR


@pytest.mark.parametrize("step", [JUMP, -JUMP, 1, -1])
def test_what_is_no_jump_is_followed_at_once(step: int):
    machine = Machine()
    assert machine.jumps(step) == step


def test_a_clock_that_is_slewed_is_followed_however_far():
    machine = Machine()
    for turn in range(1, 1001):
        machine.passes(1000)
        assert machine.jumps(-50) == turn * 950


def test_a_clock_that_is_slewed_after_a_jump_is_believed_all_the_same():
    machine = Machine()
    machine.jumps(HOUR)
    for _ in range(60):
        machine.passes(1000)
        machine.jumps(1)
    assert machine.clock.now() == NOW + HOUR + 60_000 + 60


def test_two_machines_worth_of_sleep_is_no_jump():
    machine = Machine()
    assert machine.passes(8 * HOUR) == 8 * HOUR  # both clocks count a sleep


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
def test_a_process_goes_on_in_the_time_of_the_one_before(leap: int):
    machine = Machine()
    offset = machine.clock.offset
    machine.passes(1000)
    machine.wall += leap  # while none runs
    machine.clock = machine.process()
    machine.clock.go_on(7, offset)
    assert machine.passes(1000) == 2000
    assert machine.clock.leaps == 7
    assert machine.passes(BELIEVED) == 2000 + BELIEVED + leap
    assert machine.clock.leaps == 7 + leap


@pytest.mark.parametrize("leap", [HOUR, -HOUR, JUMP + 1, -JUMP - 1])
def test_what_passed_is_the_time_without_the_leaps(leap: int):
    machine = Machine()
    machine.jumps(leap)
    for passed in range(0, 2 * BELIEVED, 7_000):
        assert machine.passes(7_000) - machine.clock.leaps == passed + 7_000
    assert machine.clock.leaps == leap


@pytest.mark.parametrize("step", [1, -1, 999, -999, JUMP, -JUMP])
def test_slewing_counts_once_it_adds_up(step: int):
    machine = Machine()
    for steps in range(1, 20):
        machine.jumps(step)
        assert abs(steps * step - machine.clock.leaps) < SLEWED


def test_each_entropy_is_another():
    clock = SystemClock()
    drawn = {clock.entropy() for _ in range(1000)}
    assert len(drawn) == 1000
    assert {len(each) for each in drawn} == {16}
    assert clock.monotonic() <= clock.monotonic()
