"""Two real daemons at one broker: whatever happens to who leads, the other one finishes, and nobody disturbs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.pair import Blow, in_order, pair

pytestmark = pytest.mark.network


async def test_the_other_one_finishes_what_a_dead_frozen_or_stopped_leader_began(tmp_path: Path):
    async with pair(tmp_path / "pair", ttl=3.0) as both:
        leader, other = "a", "b"
        for blow in (Blow.STOP, Blow.KILL, Blow.FREEZE):
            await both.takeover(blow, leader, other)
            leader, other = other, leader
        assert await both.leads(leader)
        assert not await both.leads(other)
        said = await both.made.say("status", "--json", "--state", str(both.ushers[other].state))
        document = json.loads(said.out)
        assert (said.code, document["ready"], list(document["holds"])) == (0, True, ["standby"])
        assert document["election"]["leader"] == leader


@pytest.mark.parametrize("tokens", ["aabb", "aaaa", "bbbb", ""])
def test_who_asks_in_order_is_in_order(tokens: str):
    in_order(list(tokens), "a", "b")


@pytest.mark.parametrize("tokens", ["aabab", "ba", "ac"])
def test_a_request_of_an_older_epoch_would_be_noticed(tokens: str):
    with pytest.raises(AssertionError):
        in_order(list(tokens), "a", "b")
