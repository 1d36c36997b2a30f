"""Who answers in the fleet: by name, by pattern, and by facts that each tells itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.reasons import Reason
from tests.fakes.effects import FixedClock
from tests.fakes.rpc import FakeRpc, Said
from usher.demand.searching import Found, SearchError, search, wanted

NAMES = ["db1.example.net", "web1.example.net", "web2.example.net"]


@dataclass
class Answering(FakeRpc):
    """A fleet of these names."""

    present: list[str] | CallError = field(default_factory=lambda: list(NAMES))

    async def names(self) -> list[str]:
        if isinstance(self.present, CallError):
            raise self.present
        return self.present


@pytest.fixture
def fleet() -> Answering:
    made = Answering(FixedClock())
    for name, value in zip(NAMES, ("fr", "fr", "de"), strict=True):
        made.on(name, "get_fact", Said({"fact": "country", "value": value}))
    return made


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, NAMES),
        ({"identities": ["web*"]}, NAMES[1:]),
        ({"identities": ["/^(db|web2)/"]}, [NAMES[0], NAMES[2]]),
        ({"identities": ["db1.example.net", "nobody"]}, NAMES[:1]),
        ({"facts": ["country=fr"]}, NAMES[:2]),
        ({"facts": ["country=fr"], "identities": ["web*"]}, [NAMES[1]]),
        ({"facts": ["country=fr", "country=de"]}, []),
    ],
)
async def test_names_patterns_and_facts_narrow_the_choice(fleet: Answering, asked: Mapping[str, Any], found: list[str]):
    assert await search(fleet, wanted(asked)) == Found(tuple(found))


async def test_nobody_is_asked_for_facts_that_do_not_matter(fleet: Answering):
    await search(fleet, wanted({"identities": ["web*"]}))
    assert not fleet.calls


@pytest.mark.parametrize(("value", "typed"), [(True, "true"), (12, "12"), ("a b", "a b"), (None, "None")])
async def test_a_fact_is_compared_as_it_is_typed(fleet: Answering, value: object, typed: str):
    fleet.on(NAMES[0], "get_fact", Said({"fact": "x", "value": value}))
    found = (await search(fleet, wanted({"facts": [f"x={typed}"], "identities": ["db1*"]}))).nodes
    assert found == (tuple(NAMES[:1]) if value is not None else ())


async def test_who_does_not_tell_its_facts_is_left_out_and_counted(fleet: Answering):
    fleet.on(NAMES[0], "get_fact", CallError(Certainty.UNKNOWN, Reason.NO_ANSWER))
    fleet.on(NAMES[1], "get_fact", Said({}, 2, "Unknown action"))
    assert await search(fleet, wanted({"facts": ["country=de"]})) == Found((NAMES[2],), silent=2)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"facts": ["country"]}, "'country' is not FACT=VALUE"),
        ({"identities": ["/(/"]}, "is no regular expression"),
        ({"facts": "country=fr"}, "facts must be a list of texts"),
        ({"identities": [1]}, "identities must be a list of texts"),
    ],
)
def test_what_cannot_be_asked_is_said(asked: Mapping[str, Any], words: str):
    with pytest.raises(SearchError, match="The fleet cannot be searched") as refused:
        wanted(asked)
    assert words in str(refused.value)


async def test_a_fleet_that_is_closed_says_why(fleet: Answering):
    fleet.present = CallError(Certainty.NOT_SENT, Reason.FLEET_CLOSED, "no fleet_token_file is configured")
    with pytest.raises(SearchError, match="no fleet_token_file is configured"):
        await search(fleet, wanted({}))
