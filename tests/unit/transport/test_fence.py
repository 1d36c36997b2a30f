"""The fence: what may be sent, how long it lives, and which time it carries, whatever happens to process and clocks."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.instant import Instant
from fsm.reasons import Reason
from fsm.runtime.clock import SystemClock
from tests.fakes.effects import FixedClock
from transport.fence import Alone, Gate, Permit, permit
from transport.lease import Lease, Role

WALL = 1_795_200_000_000
CONFIRMED = Instant(100.0, WALL)
LEADING = Lease(role=Role.LEADER, ttl=60.0, sequence=7, confirmed=CONFIRMED, works=100.0)


@dataclass
class Machine:
    """A machine's two clocks, in nanoseconds."""

    wall: int = WALL * 1_000_000
    boot: int = 100_000_000_000

    def pass_by(self, seconds: float) -> None:
        """Both go on."""
        self.wall += int(seconds * 1e9)
        self.boot += int(seconds * 1e9)


@dataclass
class Sender:
    """Who reads the clock, is frozen, and sends what it made."""

    machine: Machine = field(default_factory=Machine)

    def made(self) -> Permit | None:
        """The permit of this moment."""
        clock = SystemClock(lambda: self.machine.wall, lambda: self.machine.boot)
        return permit(LEADING, clock.instant(), 30)

    def taken(self, given: Permit) -> bool:
        """Whether a node with a true clock acts on it when it arrives now."""
        return self.machine.wall // 1_000_000 - given.at <= given.ttl * 1000


@pytest.mark.parametrize(
    ("after", "ttl"), [(0.0, 30), (29.9, 30), (30.0, 30), (30.1, 29), (45.5, 14), (58.9, 1), (59.1, None), (60.0, None)]
)
def test_a_request_lives_no_longer_than_the_lease(after: float, ttl: int | None):
    given = permit(LEADING, Instant(100.0 + after, WALL + 5_000_000), 30)
    assert (given.ttl if given else None) == ttl
    if given:
        assert WALL + after * 1000 - 1 <= given.at <= WALL + after * 1000
        assert given.at + given.ttl * 1000 <= WALL + 60_000


def test_what_the_wire_cannot_say_is_not_sent():
    assert permit(LEADING, Instant(129.0, 0), 60, least=30) == Permit(31, WALL + 29_000)
    assert permit(LEADING, Instant(131.0, 0), 60, least=30) is None


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.LEADER])
def test_nobody_but_a_leader_sends(role: Role):
    assert permit(Lease(role=role, ttl=60.0, confirmed=CONFIRMED, works=100.0), Instant(101.0, 0), 30) is None


def test_nothing_is_sent_before_the_win_counts():
    waits = Lease(role=Role.LEADER, ttl=60.0, confirmed=CONFIRMED, works=110.0)
    assert permit(waits, Instant(109.9, 0), 30) is None
    assert permit(waits, Instant(110.0, 0), 30) is not None


@pytest.mark.parametrize(
    ("before", "frozen"),
    [
        (before, frozen)
        for before in (0.0, 20.0, 45.0, 58.0)
        for frozen in (1.0, 14.0, 40.0, 61.0, 120.0)
        if before + frozen > 60
    ],
)
def test_what_is_sent_after_a_freeze_is_dead_when_the_lease_is_over(before: float, frozen: float):
    sender = Sender()
    sender.machine.pass_by(before)
    given = sender.made()
    sender.machine.pass_by(frozen)
    assert given is None or not sender.taken(given)


def test_a_machine_that_was_paused_and_whose_clock_was_set_makes_nothing_young():
    sender = Sender()
    sender.machine.wall += 120_000_000_000  # the hypervisor stopped it for two minutes, and then its clock was set
    given = sender.made()
    assert given is not None
    assert not sender.taken(given)


def test_a_clock_that_is_set_back_lets_nothing_live_longer_on_ours():
    given = permit(LEADING, Instant(110.0, WALL - 3_600_000), 30)
    assert given == Permit(30, WALL + 10_000)


def test_a_stop_between_the_two_readings_makes_an_instant_older_never_newer():
    machine = Machine()

    def steady() -> int:
        machine.pass_by(90.0)  # it is stopped after the wall clock was read
        return machine.boot

    at = SystemClock(lambda: machine.wall, steady).instant()
    assert at.wall <= WALL + 90_000
    assert at.boot >= 190.0
    assert permit(LEADING, at, 30) is None


def test_a_gate_is_shut_until_it_is_opened_and_says_that_it_stands_by():
    clock = FixedClock()
    gate = Gate(clock)
    at = clock.instant()
    gate.lease = Lease(role=Role.LEADER, ttl=60.0, confirmed=at, works=at.boot)
    for opened in (False, True, False):
        (gate.open if opened else gate.shut)()
        if opened:
            assert gate.permit(60) == Permit(60, at.wall)
        else:
            with pytest.raises(CallError) as refused:
                gate.permit(30)
            assert (refused.value.certainty, refused.value.reason) == (Certainty.NOT_SENT, Reason.STANDBY)


def test_an_open_gate_does_not_outlive_the_lease():
    clock = FixedClock()
    gate = Gate(clock)
    at = clock.instant()
    gate.lease = Lease(role=Role.LEADER, ttl=60.0, confirmed=at, works=at.boot)
    gate.open()
    clock.at += 60_000
    with pytest.raises(CallError):
        gate.permit(30)


def test_without_an_election_everything_goes_at_the_time_of_the_wall_clock():
    clock = FixedClock()
    assert Alone(clock).permit(30) == Permit(30, clock.wall())
