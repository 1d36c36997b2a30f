"""Requests whose connection is cut, silent or stuck: how certain the client is, and that it is right."""

from __future__ import annotations

import asyncio

import pytest

from fsm.events import Certainty
from fsm.reasons import Reason
from tests.fakes.link import Heard, asking, fill, handed_over, provisioner, started
from tests.fakes.proxy import Way
from tests.fakes.scene import staged
from tests.patience import PATIENCE
from transport.connection import Options
from transport.reports import Connected, Disconnected, Refused, Report

pytestmark = pytest.mark.network


async def test_a_request_in_flight_outlives_its_login(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller) as scene:
        call = scene.call("jwt")
        asked = await scene.next()
        first = scene.link.connection
        proxy.cut()
        await scene.report.kind(Disconnected)
        await scene.report.kind(Connected, 2)
        assert not call.done()
        asked.answer({"jwt": "x"})
        reply = await call
        assert reply.sent.connection == first != scene.link.connection


async def test_an_answer_that_fell_into_the_gap_is_the_ways_fault(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller) as scene:
        call = scene.call(within=0.3)
        asked = await scene.next()
        proxy.refuse()
        proxy.cut()
        await scene.report.kind(Disconnected)
        asked.answer()
        error = await scene.fails(call)
        assert (error.certainty, error.reason) == (Certainty.INTERRUPTED, Reason.DISCONNECTED)
        assert error.sent is not None


async def test_a_request_that_never_left_is_not_sent_and_never_arrives(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller) as scene:
        await fill(scene.link, proxy)
        call = scene.call("restart")
        await asyncio.sleep(0)
        proxy.cut()
        error = await scene.fails(call)
        assert (error.certainty, error.reason, error.sent) == (Certainty.NOT_SENT, Reason.DISCONNECTED, None)
        proxy.resume()
        await scene.report.kind(Connected, 2)
        after = scene.call("ping")
        (await scene.next()).answer()
        await after
        assert [asked.call.action for asked in scene.asked.items] == ["ping"]


async def test_a_node_is_silent_only_if_the_broker_is_not(broker, caller, proxy):
    """Half open, and not noticed yet: no ping has been missed, and no node is to blame."""
    async with staged(broker, proxy.url, caller=caller, way=Options(backoff=(0.01,), connect_timeout=3.0)) as scene:
        silent = scene.call("restart", within=0.02)
        await scene.next()
        error = await scene.fails(silent)
        assert (error.certainty, error.reason) == (Certainty.UNKNOWN, Reason.NO_ANSWER)
        proxy.silence()
        lost = [scene.call("restart", within=0.02) for _ in range(3)]
        for call in lost:
            error = await scene.fails(call)
            assert (error.certainty, error.reason) == (Certainty.INTERRUPTED, Reason.DISCONNECTED)
            assert error.sent is not None
        proxy.resume()


async def test_an_answer_that_comes_while_the_broker_is_asked_counts(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller, way=Options(backoff=(0.01,), connect_timeout=20.0)) as scene:
        call = scene.call("jwt", within=0.3)
        asked = await scene.next()
        proxy.silence()
        await scene.doubts()
        asked.answer({"jwt": "x"})
        await scene.node.standing(0)
        proxy.resume()
        assert (await call).data == {"jwt": "x"}


async def test_a_broker_that_was_away_for_a_while_makes_no_node_silent(broker, caller):
    async with staged(broker, caller=caller) as scene:
        call = scene.call("restart", within=0.05)
        await scene.next()
        login = scene.link._login
        assert login is not None
        login._reading._last -= 16.0  # as if nothing had been heard for so long, at a ping every ten seconds
        assert (await scene.fails(call)).certainty is Certainty.INTERRUPTED
        assert (await scene.fails(scene.call("restart", within=0.05))).certainty is Certainty.UNKNOWN


async def test_a_client_that_ends_leaves_nobody_waiting(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller, way=Options(backoff=(0.01,), connect_timeout=20.0)) as scene:
        proxy.silence()
        call = scene.call("jwt", within=0.02)
        await scene.doubts()
        scene.rpc.close()
        assert (await scene.fails(call)).certainty is Certainty.UNKNOWN


async def test_a_request_into_a_dead_socket_is_the_ways_fault(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller) as scene:
        proxy.silence()
        call = scene.call("restart", within=0.3)
        await handed_over(scene.link)
        proxy.cut()
        error = await scene.fails(call)
        assert (error.certainty, error.reason) == (Certainty.INTERRUPTED, Reason.DISCONNECTED)
        proxy.resume()
        await scene.report.kind(Connected, 2)
        after = scene.call("ping")
        (await scene.next()).answer()
        await after
        assert [asked.call.action for asked in scene.asked.items] == ["ping"]


async def test_a_request_that_a_stuck_broker_did_not_take_is_taken_back(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller) as scene:
        await fill(scene.link, proxy)
        error = await scene.fails(scene.call("restart", within=0.02))
        assert (error.certainty, error.reason, error.sent) == (Certainty.NOT_SENT, Reason.DISCONNECTED, None)
        given_up = scene.call("restart")
        await asyncio.sleep(0)
        given_up.cancel()
        after = scene.call("ping")
        await asyncio.sleep(0)
        proxy.resume()
        (await scene.next()).answer()
        await after
        assert [asked.call.action for asked in scene.asked.items] == ["ping"]


async def test_after_an_outage_nobody_is_absent_before_nodes_had_the_time_to_come_back(broker, caller, proxy):
    settling = Options(backoff=(0.01,), settling=35.0)
    async with staged(broker, proxy.url, caller=caller, way=settling) as scene:
        before = await scene.fails(asyncio.ensure_future(scene.rpc.call(asking("n2.example.net"))))
        assert (before.certainty, before.reason) == (Certainty.NOT_DELIVERED, Reason.ABSENT)
        proxy.cut()
        await scene.report.kind(Connected, 2)
        after = await scene.fails(asyncio.ensure_future(scene.rpc.call(asking("n2.example.net"))))
        assert (after.certainty, after.reason, after.sent) == (Certainty.NOT_SENT, Reason.DISCONNECTED, None)
        scene.link.settling.end()
        late = await scene.fails(asyncio.ensure_future(scene.rpc.call(asking("n2.example.net"))))
        assert late.certainty is Certainty.NOT_DELIVERED


async def test_a_broker_that_was_away_at_the_start_was_away_for_the_nodes_too(broker, proxy):
    proxy.refuse()
    link = provisioner(proxy.url, broker, report=(report := Heard[Report]()))
    async with started(link):
        assert link.settling.is_back("n1")
        await report.kind(Refused)
        proxy.refuse(refusing=False)
        await report.kind(Connected)
        assert not link.settling.is_back("n1")


async def test_who_has_answered_since_the_outage_and_is_gone_is_gone(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller, way=Options(backoff=(0.01,), settling=35.0)) as scene:
        proxy.cut()
        await scene.report.kind(Connected, 2)
        call = scene.call("restart")
        (await scene.next()).answer()
        await call
        await scene.node.close()
        async with asyncio.timeout(PATIENCE):
            while (
                error := await scene.fails(scene.call("daemon_stats", within=0.2))
            ).certainty is not Certainty.NOT_DELIVERED:
                assert error.certainty is Certainty.UNKNOWN, "it was on its way out"
        assert not scene.link.settling.is_back("n2.example.net")


@pytest.mark.parametrize("passes", [1, 60, 900])
async def test_an_end_in_the_middle_of_an_answer_is_the_ways_fault_and_no_more(broker, caller, proxy, passes):
    async with staged(broker, proxy.url, caller=caller) as scene:
        call = scene.call("jwt", within=0.5)
        asked = await scene.next()
        proxy.faults.cut_after[Way.DOWN] = passes
        asked.answer({"jwt": "x" * 2000})
        error = await scene.fails(call)
        assert (error.certainty, error.reason) == (Certainty.INTERRUPTED, Reason.DISCONNECTED)
        await scene.report.kind(Connected, 2)
        after = scene.call("jwt")
        (await scene.next(2)).answer({"jwt": "y"})
        assert (await after).data == {"jwt": "y"}


@pytest.mark.parametrize("passes", [1, 60, 900])
async def test_an_end_in_the_middle_of_a_request_delivers_nothing_of_it(broker, caller, proxy, passes):
    async with staged(broker, proxy.url, caller=caller) as scene:
        proxy.faults.cut_after[Way.UP] = passes
        error = await scene.fails(scene.call("configure", within=0.5, config="x" * 2000))
        assert error.certainty in {Certainty.INTERRUPTED, Certainty.NOT_SENT}
        await scene.report.kind(Connected, 2)
        after = scene.call("ping")
        (await scene.next()).answer()
        await after
        assert [asked.call.action for asked in scene.asked.items] == ["ping"]


async def test_slow_and_in_small_pieces_everything_arrives_whole(broker, caller, proxy):
    async with staged(broker, proxy.url, caller=caller) as scene:
        proxy.faults.latency, proxy.faults.pieces, proxy.faults.bandwidth = 0.0002, 97, 5_000_000.0
        call = scene.call("jwt", config="z" * 5000)
        asked = await scene.next()
        assert asked.call.data["config"] == "z" * 5000
        asked.answer({"jwt": "x" * 5000})
        assert (await call).data == {"jwt": "x" * 5000}
