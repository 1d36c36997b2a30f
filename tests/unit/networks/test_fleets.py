"""Several fleets: who can be asked, who is refused by the network's name, and who is found where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fsm.errors import CallError
from fsm.events import Certainty, Operator, Verb
from fsm.machine import Decision, Rejected
from fsm.reasons import Reason
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from tests.fakes.clock import JumpingClock
from tests.fakes.effects import FixedClock
from tests.fakes.networks import EAST, WEST, Pair, Way
from tests.fakes.runtime import NODE, virtual
from tests.unit.fsm.scenes import NOW, reached
from tests.unit.networks.test_engines import OTHER, settled
from usher.demand.searching import SearchError
from usher.networks.fleets import Fleets

AWAY = CallError(Certainty.NOT_SENT, Reason.FLEET_CLOSED, "no broker let us in within 10 s")
NOBODY = "no fleet_token_file is configured: make one"
RESTART = Operator(Verb.RESTART, "anna", "a test", 7)


def there(*names: str, closed: str = "", error: CallError | None = None) -> Way:
    return Way(FixedClock(), present=error or list(names), closed=closed)


def fleets(**each: Way) -> Fleets:
    return Fleets(each, lambda: NOW)


def provisioned() -> Snapshot:
    return reached(State.PROVISIONED).snapshot


async def test_everybody_is_found_where_they_answer():
    both = fleets(east=there("a", "b"), west=there("b", "c"))
    assert await both.search({}) == {"found": {EAST: ["a", "b"], WEST: ["b", "c"]}, "silent": 0, "unasked": {}}
    assert await both.search({"network": WEST, "identities": ["c"]}) == {
        "found": {WEST: ["c"]}, "silent": 0, "unasked": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("west", "said"),
    [
        (there(closed=NOBODY), f"network west: {NOBODY}"),
        (there(error=AWAY), "network west: no broker let us in within 10 s"),
    ],
)
async def test_a_network_that_cannot_be_asked_is_named_and_keeps_no_other(west: Way, said: str):
    both = fleets(east=there("a"), west=west)
    assert await both.search({}) == {"found": {EAST: ["a"]}, "silent": 0, "unasked": {WEST: said}}
    with pytest.raises(SearchError, match=said):
        await both.search({"network": WEST})
    assert not west.calls


async def test_where_nobody_can_be_asked_each_network_says_why():
    with pytest.raises(SearchError, match=f"network east: {NOBODY}; network west: no broker let us in"):
        await fleets(east=there(closed=NOBODY), west=there(error=AWAY)).search({})
    with pytest.raises(SearchError, match=f"searched: {NOBODY}"):
        await Fleets({"": there(closed=NOBODY)}, lambda: NOW).search({})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"network": "wset"}, "there is no network 'wset': the networks are east, west"),
        ({"network": 1}, "there is no network '1'"),
        ({"identities": ["/(/"]}, "is no regular expression"),
    ],
)
async def test_what_cannot_be_searched_for_is_refused_once(asked: dict[str, Any], said: str):
    with pytest.raises(SearchError, match=said):
        await fleets(east=there(), west=there()).search(asked)


async def test_a_single_network_has_no_name_to_choose():
    with pytest.raises(SearchError, match="there is no network 'east': there is one alone: leave --network out"):
        await Fleets({"": there()}, lambda: NOW).search({"network": EAST})


@pytest.mark.parametrize("verb", [Verb.REPROVISION, Verb.RESTART, Verb.SHUTDOWN])
def test_what_would_be_sent_where_nobody_can_be_asked_is_refused(verb: Verb):
    closed = fleets(east=there(), west=there(closed=NOBODY))
    wish = replace(RESTART, verb=verb, force=True)
    assert closed.refuses(WEST, provisioned(), wish) == f"network west: {NOBODY}"
    assert closed.refuses(EAST, provisioned(), wish) == ""
    assert closed.closed() == {EAST: "", WEST: f"network west: {NOBODY}"}


@pytest.mark.parametrize("verb", sorted(set(Verb) - {Verb.REPROVISION, Verb.RESTART, Verb.SHUTDOWN}))
def test_what_needs_no_request_is_left_to_the_table(verb: Verb):
    assert fleets(west=there(closed=NOBODY)).refuses(WEST, provisioned(), replace(RESTART, verb=verb)) == ""


def test_what_the_table_refuses_anyway_has_its_own_sentence():
    closed = fleets(west=there(closed=NOBODY))
    for snapshot in (unseen(NODE), reached(State.DISCOVERED).snapshot):
        assert closed.refuses(WEST, snapshot, RESTART) == ""
    assert closed.refuses(WEST, reached(State.DISCOVERED).snapshot, replace(RESTART, verb=Verb.REPROVISION)) == ""


@virtual
async def test_a_plan_over_both_is_asked_in_each_and_refused_where_nobody_can_be_asked():
    pair = Pair(JumpingClock(), None, EAST, WEST).start()
    for network, node in ((EAST, NODE), (WEST, OTHER)):
        pair.seen(network, node)
        await settled(pair, node, State.PROVISIONED)
    pair.fleets[WEST].closed = NOBODY
    before = pair.snapshot(OTHER)
    answers = [await pair.engines.ask(node, RESTART) for node in (NODE, OTHER)]
    assert isinstance(answers[0], Decision)
    assert isinstance(answers[1], Rejected)
    assert answers[1].why == f"network west: {NOBODY}"
    assert pair.snapshot(OTHER) == before
    pair.fleets[WEST].closed = ""
    assert isinstance(await pair.engines.ask(OTHER, RESTART), Decision)
    await pair.end()
