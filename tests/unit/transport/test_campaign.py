"""The campaign in virtual time: who leads when answers are lost, streams vanish, processes freeze and clocks jump."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest

from fsm.instant import Instant
from tests.fakes.arena import Arena, Bucket, elected, pair
from transport.campaign import LOOKS, NEAR, SETTLING, SPLAY, STEPS, decide, slack
from transport.lease import Denied, Due, HandedOver, Lease, Nobody, Open, Opened, Refused, Role, Write, Written


def gaps(times: list[float]) -> list[float]:
    """How long it was from each to the next."""
    return [later - earlier for earlier, later in pairwise(times)]


# -- winning ----------------------------------------------------------------------------------------------------------


def test_the_first_attempt_comes_within_the_splay_and_the_win_after_a_second_write():
    arena, player = elected()
    (opened, first), (_, status), (created, second), (confirmed, third) = player.asked[:4]
    assert (first, status, second, third) == (Open(), Open(), Write(0), Write(1))
    assert 0 <= created - opened <= SPLAY + 0.01
    assert 0.25 <= confirmed - created <= 0.76
    won = arena.leaders[0][0]
    assert won >= confirmed + SETTLING


@pytest.mark.parametrize("seed", range(5))
def test_a_leader_writes_every_250_to_750_ms(seed: int):
    arena, player = elected(seed=seed)
    arena.run(60)
    between = gaps([at for at, _ in player.writes])
    assert all(0.25 <= each <= 0.76 for each in between)
    assert min(between) < 0.35
    assert max(between) > 0.65


def test_each_write_is_over_the_sequence_of_the_one_before():
    arena, player = elected()
    arena.run(10)
    assert [over for _, over in player.writes] == list(range(len(player.writes)))


def test_the_back_off_of_a_candidate_is_the_older_programs():
    assert (len(STEPS), STEPS[0], STEPS[1], STEPS[-1]) == (44, 0.5, 0.75, 20.0)
    _, _, second = pair()
    times = [at for at, _ in second.writes]
    between = gaps(times)
    assert all(0.37 <= each <= 30.1 for each in between)
    assert max(between[-8:]) > 10


# -- the end of another's lease ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [2.0, 5.0, 10.0, 60.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_dead_leaders_successor_leads_about_two_seconds_after_the_lease_is_over(ttl: float, seed: int):
    arena, first, _ = pair(ttl, seed=seed)
    first.cut = True
    arena.freeze(first)
    assert arena.bucket.key is not None
    end = arena.bucket.key[2] + ttl
    arena.run(ttl + 3)
    assert arena.leading() == ["b"]
    assert end <= arena.leaders[-1][0] <= end + NEAR + 0.5 + SETTLING + 0.1


def test_a_key_that_nobody_renews_is_tried_often_and_taken_when_it_is_over():
    arena = Arena(Bucket(60.0))
    arena.bucket.write("somebody", 0, arena.now)
    player = arena.join("a")
    arena.run(50)
    assert arena.leading() == []
    times = [at for at, _ in player.writes]
    assert max(gaps(times)) <= NEAR + 0.01
    arena.run(15)
    assert arena.leading() == ["a"]


# -- lost answers -----------------------------------------------------------------------------------------------------


def test_a_renewal_whose_answer_was_lost_is_adopted():
    arena, player = elected()
    player.deaf = True
    arena.run(3)
    player.deaf = False
    arena.run(3)
    assert arena.leading() == ["a"]
    assert [role for _, role in player.roles].count(Role.LEADER) == 1
    assert player.lease.sequence == arena.bucket.sequence


def test_it_is_not_adopted_within_the_last_seconds_of_the_lease():
    arena, player = elected()
    player.cut = True
    confirmed = player.lease.confirmed
    assert confirmed is not None
    arena.run(confirmed.boot + 60 - slack(player.lease) - 0.1 - arena.now)
    assert player.lease.ours
    asked = Write(player.lease.sequence)
    late = Instant(confirmed.boot + 60 - slack(player.lease), 0)
    lease, question = decide(player.lease, Refused(asked, player.lease.sequence + 3), late, 0.5)
    assert (lease.role, question) == (Role.CANDIDATE, None)
    assert lease.trouble == f"the key's last sequence is {player.lease.sequence + 3}, not ours"


def test_a_sequence_that_no_lost_write_of_ours_can_have_made_is_not_adopted():
    arena, player = elected()
    arena.bucket.key = ("b", arena.bucket.sequence + 5, arena.now)
    arena.bucket.sequence += 5
    arena.run(1)
    assert arena.leading() == []
    assert player.lease.role is Role.CANDIDATE


def test_a_silent_broker_ends_the_lead_before_the_lease_is_over():
    arena, player = elected()
    player.cut = True
    confirmed = player.lease.confirmed
    assert confirmed is not None
    arena.run(62)
    fell = next(at for at, role in player.roles if role is Role.CANDIDATE and at > arena.leaders[0][0])
    assert confirmed.boot + 60 - slack(player.lease) <= fell < confirmed.boot + 60
    player.cut = False
    arena.run(5)
    assert arena.leading() == ["a"]


def test_a_late_answer_of_a_create_counts_since_the_second_write_decides():
    arena = Arena(Bucket(60.0), delay=2.5)  # every answer comes after the patience
    arena.join("a")
    arena.run(40)
    assert arena.leading() == ["a"]


# -- the bucket -------------------------------------------------------------------------------------------------------


def test_a_missing_bucket_is_asked_for_until_it_is_there_and_said():
    arena = Arena(Bucket(there=False))
    player = arena.join("a")
    arena.run(60)
    assert (player.lease.role, player.lease.trouble) == (Role.OPENING, "there is no bucket")
    assert len(player.asked) > 8
    assert not player.writes
    arena.bucket.there = True
    arena.run(7.6 + SPLAY + 2)
    assert (arena.leading(), player.lease.trouble) == (["a"], "")


@pytest.mark.parametrize("ttl", [0.0, 0.9, 3601.0])
def test_a_ttl_out_of_its_limits_is_named(ttl: float):
    arena = Arena(Bucket(ttl))
    player = arena.join("a")
    arena.run(30)
    assert player.lease.role is Role.OPENING
    assert player.lease.trouble == f"the bucket's TTL is {ttl:g} s, and must be at least 1 s and at most 3600 s"
    arena.bucket.ttl = 60.0
    arena.run(7.6 + SPLAY + 2)
    assert arena.leading() == ["a"]


def test_a_leader_whose_stream_was_deleted_steps_down_at_its_next_look_and_stands_again():
    arena, player = elected()
    arena.bucket.delete()
    arena.run(2)
    assert (arena.leading(), player.lease.role) == ([], Role.OPENING)
    arena.bucket.there = True
    arena.run(7.6 + SPLAY + 2)
    assert arena.leading() == ["a"]


def test_two_do_not_lead_after_a_stream_was_deleted_and_made_anew():
    arena, first, _ = pair()
    arena.bucket.delete()
    arena.bucket.there = True
    arena.bucket.sequence = first.lease.sequence + 100
    arena.run(60)
    assert len(arena.leading()) == 1


def test_streams_that_are_away_for_a_moment_cost_nobody_the_lead():
    arena, player = elected()
    sent = Instant(arena.now, 0)
    lease = decide(player.lease, Nobody(Write(player.lease.sequence), "nobody answers"), sent, 0.5)[0]
    assert (lease.role, lease.lost, lease.trouble) == (Role.LEADER, 0, "nobody answers")
    _, question = decide(lease, Due(), Instant(lease.due, 0), 0.5)
    assert question == Open()


def test_a_ttl_that_was_changed_is_known_after_a_look():
    arena, player = elected()
    arena.bucket.ttl = 10.0
    arena.run(LOOKS + 1)
    assert player.lease.ttl == 10.0
    assert arena.leading() == ["a"]


def test_a_broker_that_does_not_want_to_is_no_leader_of_ours():
    _, player = elected()
    lease = decide(player.lease, Denied("JetStream refused it"), Instant(1010.0, 0), 0.5)[0]
    assert (lease.role, lease.trouble) == (Role.CANDIDATE, "JetStream refused it")


# -- small things -----------------------------------------------------------------------------------------------------


def test_nothing_happens_after_the_end():
    over = Lease(role=Role.OVER)
    for event in (Opened(60.0), HandedOver(1, 0.0), Written(Write(0), 1, Instant(0.0, 0))):
        assert decide(over, event, Instant(1.0, 0), 0.5) == (over, None)


def test_no_lease_leads_before_there_is_one():
    assert not Lease().leads(0.0)
    assert Lease().end == -inf
