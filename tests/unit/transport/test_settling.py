"""Settling: when a node that nobody is subscribed for can be taken as absent again."""

from __future__ import annotations

import pytest

from tests.fakes.clock import pass_time
from tests.fakes.runtime import virtual
from transport.settling import SHORTEST, Settling

LONGEST = 35.0


@virtual
async def test_a_first_login_without_trouble_is_settled():
    settling = Settling(LONGEST)
    settling.begin()
    assert settling.is_back("n1")


@virtual
async def test_a_broker_that_was_away_at_the_start_was_so_for_nobody_knows_how_long():
    settling = Settling(LONGEST)
    settling.disturb()
    await pass_time(1.0)
    settling.disturb()
    settling.begin()
    await pass_time(LONGEST - 0.1)
    assert not settling.is_back("n1")
    await pass_time(0.2)
    assert settling.is_back("n1")


@pytest.mark.parametrize(("away", "settles"), [(0.0, SHORTEST), (10.0, SHORTEST + 10.0), (600.0, LONGEST)])
@virtual
async def test_the_longer_it_was_away_the_longer_nodes_take_to_come_back(away: float, settles: float):
    settling = Settling(LONGEST)
    settling.begin()
    settling.disturb()
    await pass_time(away)
    settling.disturb()  # an attempt that failed begins no new outage
    settling.begin()
    await pass_time(settles - 0.1)
    assert not settling.is_back("n1")
    await pass_time(0.2)
    assert settling.is_back("n1")


@virtual
async def test_who_was_heard_since_is_back_and_only_since():
    settling = Settling(LONGEST)
    settling.begin()
    settling.heard("n1")
    settling.disturb()
    settling.begin()
    assert not settling.is_back("n1")
    settling.heard("n1")
    assert settling.is_back("n1")
    assert not settling.is_back("n2")
    settling.disturb()
    settling.begin()
    assert not settling.is_back("n1")
    settling.end()
    assert settling.is_back("n1")
