"""The ends of server tokens: counted by day, and said before many of them come together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm.events import TokenFacts
from fsm.machine import Decision
from fsm.runtime.observer import Transition
from fsm.states import State
from security.authority import earlier
from tests.unit.fsm.scenes import Scene, reached
from usher.ends import DAY, LEAST, SOON, Ends

TODAY = 20_800
NOW = TODAY * DAY * 1000


def test_a_day_on_which_many_end_is_said_in_time_with_the_command():
    said = Ends({("", TODAY + 30): 80, ("", TODAY + 40): 20}).expiry(NOW)
    assert said.ends == (TODAY + 30) * DAY
    assert said.warning == "80 server tokens end on one day, in 30 days: usher reprovision --expiring 31d, in batches"


@pytest.mark.parametrize(
    "days",
    [
        {},
        {TODAY + 30: LEAST - 1},
        {TODAY + SOON // DAY: 1000},
        {TODAY + day: 100 for day in range(10)},
    ],
)
def test_a_few_or_a_late_day_or_an_even_spread_is_no_cliff(days: dict[int, int]):
    assert Ends({("", day): count for day, count in days.items()}).expiry(NOW).warning == ""


def test_a_day_that_is_over_counts_too():
    assert "today or before" in Ends({("", TODAY - 1): 500}).expiry(NOW).warning


def told(ends: Ends, scene: Scene, before: Scene) -> None:
    assert isinstance(scene.last, Decision)
    ends.moved(Transition(before.snapshot, None, scene.last, 0.0, 0.0))  # type: ignore[arg-type]


def test_a_node_counts_from_its_provisioning_to_its_next_generation():
    ends, scene = Ends({}), reached(State.RESTARTED)
    for _ in range(40):
        before = Scene(snapshot=scene.snapshot)
        scene.go_on()
        if isinstance(scene.last, Decision):
            told(ends, scene, before)
        if scene.state is State.PROVISIONED:
            break
    token = scene.snapshot.facts.token
    assert isinstance(token, TokenFacts)
    assert ends.days == {"": {token.expires // DAY: 1}}


def test_each_network_has_a_cliff_of_its_own_and_the_first_the_records_of_before():
    days = {("", TODAY + 30): 15, ("east", TODAY + 30): 15, ("west", TODAY + 30): LEAST - 1, ("gone", TODAY + 1): 500}
    ends = Ends(days, "east")
    command = "usher reprovision --network east --expiring 31d, in batches"
    assert ends.expiry(NOW, "east").warning == f"30 server tokens end on one day, in 30 days: {command}"
    assert [ends.expiry(NOW, network).warning for network in ("west", "north")] == ["", ""]


def test_a_node_that_moves_takes_its_token_from_one_network_to_the_other():
    scene = reached(State.PROVISIONED)
    token = scene.snapshot.facts.token
    assert isinstance(token, TokenFacts)
    assert isinstance(scene.last, Decision)
    day, ends = token.expires // DAY, Ends({("east", token.expires // DAY): 1})
    before = replace(scene.snapshot, network="east")
    moved = replace(scene.last, snapshot=replace(scene.snapshot, network="west"))
    ends.moved(Transition(before, None, moved, 0.0, 0.0))  # type: ignore[arg-type]
    assert ends.days == {"east": {}, "west": {day: 1}}


def test_a_spread_ends_tokens_earlier_each_by_its_own_part_and_never_by_more_than_half():
    ends = [earlier(f"node-{number}.example.net", 0, 100_000, 40_000) for number in range(1000)]
    assert min(ends) >= 60_000
    assert max(ends) <= 100_000
    assert len({end // 4_000 for end in ends}) == 10
    assert earlier("a", 0, 100_000, 40_000) == earlier("a", 0, 100_000, 40_000)
    assert earlier("a", 0, 100_000, 0) == 100_000
    assert min(earlier(f"n{number}", 0, 1000, 40_000) for number in range(100)) >= 500
