"""Outages: what the status, the metrics and the log say of the breakers."""

from __future__ import annotations

import logging

import pytest

from fsm.breaker import Position
from fsm.effects import Effect, Port
from fsm.events import Certainty
from fsm.reasons import Reason
from fsm.states import State
from tests.fakes.clock import pass_time
from tests.fakes.runtime import Rig, failed, names, virtual
from usher import outages
from usher.metrics.catalogue import families
from usher.metrics.families import labels


def away(rig: Rig) -> None:
    rig.performer.scripts[Effect.RUN_HELPER] = lambda intent: failed(
        intent, Certainty.REFUSED, Reason.HELPER_NOT_RUNNABLE, transient=False
    )


@virtual
async def test_while_all_are_closed_there_is_one_line(rig: Rig):
    assert list(outages.lines(outages.document(rig.engine.breakers), 0)) == ["breakers   broker, helper, signer closed"]
    assert list(outages.lines({}, 0)) == []


@virtual
async def test_an_open_one_says_why_since_when_and_who_waits(rig: Rig):
    away(rig)
    rig.seen(*names(20))
    await rig.until(lambda: rig.engine.breakers.waiting(Port.HELPER) == 15)
    await rig.until(lambda: rig.engine.breakers.all[Port.HELPER].position is Position.OPEN)
    document = outages.document(rig.engine.breakers)
    helper = document["helper"]
    assert (helper["state"], helper["reason"], helper["opened"]) == ("open", "helper_not_runnable", 1)
    assert helper["again_in"] > 0
    closed, shut = outages.lines(document, rig.clock.now())
    assert closed == "breakers   broker, signer closed"
    assert shut.startswith("  helper   open since ")
    assert "(helper_not_runnable), tries again in" in shut
    assert f"; {helper['waiting']} nodes wait" in shut


@virtual
async def test_a_way_that_is_lost_is_no_matter_of_time(rig: Rig):
    rig.engine.hold(Reason.DISCONNECTED)
    broker = outages.document(rig.engine.breakers)["broker"]
    assert (broker["state"], broker["reason"], broker["again_in"]) == ("open", "disconnected", None)


@virtual
async def test_it_is_counted_and_the_log_has_its_begin_and_its_end(rig: Rig, caplog: pytest.LogCaptureFixture):
    found = families()
    rig.engine.breakers.on_change = outages.telling(found)
    where = labels(dependency="helper")
    assert found["usher_breaker_opened_total"].value(where) == 0
    away(rig)
    rig.seen(*names(20))
    with caplog.at_level(logging.INFO, logger="usher"):
        await pass_time(120)
        outages.measure(found, rig.engine.breakers)
        assert found["usher_breaker_waiting"].value(where) > 10
        del rig.performer.scripts[Effect.RUN_HELPER]
        await rig.until_all(State.PROVISIONED, 20)
    assert found["usher_breaker_opened_total"].value(where) == 1
    said = [record.message for record in caplog.records if record.name == "usher"]
    assert said == [
        "the helper fails for all: its breaker is open, and its nodes wait without losing a try",
        "the helper works again: its breaker is closed",
    ]
    outages.measure(found, rig.engine.breakers)
    assert found["usher_breaker"].value(where) == 0
