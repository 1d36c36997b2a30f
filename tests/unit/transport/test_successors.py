"""Who follows whom: frozen leaders, clocks that jump, two in one key, and who hands over or says so."""

from __future__ import annotations

import pytest

from fsm.instant import Instant
from tests.fakes.arena import elected, pair
from transport.fence import permit
from transport.lease import Role

# -- frozen, and two at once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [5.0, 60.0])
def test_a_leader_that_is_frozen_for_two_minutes_leads_no_more_when_it_goes_on(ttl: float):
    arena, first, _ = pair(ttl)
    lease, at = first.lease, arena.now
    arena.freeze(first)
    arena.run(120)
    assert arena.leading() == ["b"]
    assert permit(lease, Instant(arena.now, 0), 30) is None
    given = permit(lease, Instant(at, 0), 30)
    assert given is not None
    arena.thaw(first)
    assert first.lease.role is Role.CANDIDATE
    arena.run(120)
    assert arena.leading() == ["b"]


def test_a_short_stop_costs_nothing():
    arena, first, _ = pair()
    arena.freeze(first)
    arena.run(30)
    arena.thaw(first)
    arena.run(5)
    assert arena.leading() == ["a"]
    assert len(arena.leaders) == 1


def test_a_wall_clock_that_jumps_changes_nothing():
    arena, _, _ = pair()
    for skew in (3_600_000, -7_200_000, 86_400_000):
        arena.skew = skew
        arena.run(70)
        assert arena.leading() == ["a"]
    assert len(arena.leaders) == 1


def test_whoever_finds_another_one_in_the_key_steps_down_at_once():
    arena, _, second = pair()
    arena.bucket.key = ("b", arena.bucket.sequence + 1, arena.now)
    arena.bucket.sequence += 1
    arena.run(1)
    assert arena.leading() == []
    assert second.lease.role is Role.CANDIDATE


# -- hand-over --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_a_clean_end_hands_over_within_a_second(seed: int):
    arena, first, _ = pair(seed=seed)
    arena.run(0.01)
    stopped = arena.now
    sequence = arena.stop(first)
    arena.announce(sequence)
    arena.run(2)
    assert arena.leading() == ["b"]
    assert arena.leaders[-1][0] - stopped < 1.0


def test_the_successor_waits_for_what_may_be_alive():
    arena, first, second = pair()
    stopped = arena.now
    sequence = arena.stop(first)
    arena.announce(sequence, wait=12.5)
    arena.run(12)
    assert (arena.leading(), second.lease.role) == ([], Role.LEADER)
    arena.run(1)
    assert arena.leading() == ["b"]
    assert arena.leaders[-1][0] >= stopped + 12.5


def test_who_starts_again_takes_its_own_lease_up():
    arena, first = elected()
    sequence = arena.stop(first)
    del arena.players["a"]
    arena.run(1)
    arena.join("a", last=sequence)
    arena.run(1)
    assert arena.leading() == ["a"]


def test_and_not_if_another_was_quicker():
    arena, first, _ = pair()
    sequence = arena.stop(first)
    arena.announce(sequence)
    arena.run(2)
    del arena.players["a"]
    arena.join("a", last=sequence)
    arena.run(10)
    assert arena.leading() == ["b"]


@pytest.mark.parametrize("wrong", [1, 7, 10**18])
def test_a_forged_hand_over_does_no_harm_and_is_tried_seldom(wrong: int):
    arena, first, second = pair()
    before = len(second.writes)
    for _ in range(200):
        arena.announce(wrong, wait=60.0)
        arena.run(0.05)
    assert arena.leading() == ["a"]
    assert len(arena.leaders) == 1
    assert sum(over == wrong for _, over in second.writes[before:]) <= 11
    first.cut = True
    arena.freeze(first)
    arena.run(63)
    assert arena.leading() == ["b"]


def test_a_hand_over_is_no_matter_of_who_leads():
    arena, player = elected()
    arena.announce(player.lease.sequence, wait=60.0)
    arena.run(2)
    assert arena.leading() == ["a"]


def test_the_older_program_waits_as_it_always_did():
    arena, first = elected()
    assert arena.stop(first) > 0
    assert arena.bucket.last(arena.now + 59) != 0
    assert arena.bucket.last(arena.now + 61) == 0
