"""`usher run --observe`: which state directories it refuses, what its hand does, what is said of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fsm.effects import SPECS, Effect, EffectId, Intent, Port
from fsm.ports import Outcome
from fsm.snapshot import Snapshot
from store.repository import open_store
from tests.fakes.runtime import NODE, POLICY, done
from usher.effects.observing import HARMLESS, Observing, TouchedError
from usher.observe import UsedError, line, observing, refuse_used


async def kept(path: Path, *policies: object) -> None:
    journal = open_store(path)
    for policy in policies:
        await journal.remember_policy(policy.hash, policy.document(), 1)  # type: ignore[attr-defined]
    await journal.close()


def test_a_directory_that_is_new_or_was_only_observed_from_is_taken(tmp_path: Path):
    database = tmp_path / "usher.db"
    refuse_used(database)
    asyncio.run(kept(database, observing(POLICY)))
    refuse_used(database)


def test_a_directory_that_nodes_were_provisioned_from_is_refused_whatever_came_later(tmp_path: Path):
    database = tmp_path / "usher.db"
    asyncio.run(kept(database, POLICY, observing(POLICY)))
    with pytest.raises(UsedError) as refused:
        refuse_used(database)
    assert str(tmp_path) in str(refused.value)
    assert "--state DIR" in str(refused.value)


class Does:
    """A performer that says what it was asked for."""

    def __init__(self) -> None:
        self.did: list[Effect] = []

    async def perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:
        self.did.append(intent.effect)
        return done(intent)


@pytest.mark.parametrize("effect", list(Effect))
async def test_its_hand_does_only_what_touches_nothing(effect: Effect):
    does = Does()
    intent = Intent(EffectId(NODE, 1, 1, 3, 3, 1), effect, 0, bytes(16))
    if effect in HARMLESS:
        await Observing(does).perform(intent, Snapshot(NODE))
    else:
        with pytest.raises(TouchedError, match=effect.value):
            await Observing(does).perform(intent, Snapshot(NODE))
    assert does.did == [effect] * (effect in HARMLESS)


def test_what_may_be_done_takes_no_lock_and_changes_nothing():
    assert Effect.FETCH_JWT not in HARMLESS
    assert not [effect for effect in HARMLESS if SPECS[effect].changes_node or SPECS[effect].port is not Port.RPC]


@pytest.mark.parametrize(("count", "said"), [(1, "1 node"), (37, "37 nodes")])
def test_the_status_says_what_it_would_have_done(count: int, said: str):
    assert line({"states": {"deferred": count}}).endswith(f"it would have provisioned {said}")
