"""Requests and answers over a real broker: what is odd, forged, late, twice, too large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Request
from fsm.reasons import Reason
from tests.fakes.link import CALLER, Asked, asking
from tests.fakes.scene import NODE, staged
from transport import subjects
from transport.wire import mcorpc

pytestmark = pytest.mark.network


async def test_what_the_node_is_asked(broker):
    async with staged(broker) as scene:
        call = scene.call("configure", token="t", configuration='{"a": "b"}')
        asked = await scene.next()
        assert (asked.call.agent, asked.call.action) == ("rpcutil", "configure")
        assert asked.call.data == {"token": "t", "configuration": '{"a": "b"}'}
        assert (asked.wire.sender, asked.wire.caller, asked.wire.credential) == (
            CALLER.sender,
            CALLER.caller,
            CALLER.credential,
        )
        assert asked.wire.signature == CALLER.sign(asked.wire.signed)
        assert asked.wire.filter is not None
        assert asked.wire.filter.agent == ("rpcutil",)
        assert asked.wire.reply_to == subjects.reply(CALLER.caller, asked.wire.request_id)
        assert asked.wire.ttl == 30
        asked.answer({"done": True})
        reply = await call
        assert reply.sent.connection == scene.link.connection
        assert asked.wire.time_ns == reply.sent.at * 1_000_000


@pytest.mark.parametrize(
    "odd",
    [
        {"name": "n2.example.net"},
        {"sender": "n2.example.net"},
        {"request_id": "3MNsOV1oKyweYMcJlIKfvGgJG1F"},
        {"agent": "choria_provision"},
    ],
)
async def test_an_answer_of_somebody_else_is_counted_and_the_wait_goes_on(broker, odd):
    async with staged(broker) as scene:
        call = scene.call()
        asked = await scene.next()
        asked.answer({"from": "a stranger"}, **odd)
        await scene.discards.until("foreign_reply")
        asked.answer({"from": "the node"})
        assert (await call).data == {"from": "the node"}
        assert scene.seconds.items == []


@pytest.mark.parametrize("place", [0, 1], ids=["document", "header"])
async def test_an_answer_must_have_one_sender(broker, place):
    names = [b"n1.example.net", b"n2.example.net"]
    async with staged(broker) as scene:
        call = scene.call()
        asked = await scene.next()
        reply = asked.reply(mcorpc.encode_answer("ping", 0, "OK", {}), name=names[1 - place].decode())
        header = b'"sender":"%s"'
        assert reply.count(header % names[1 - place]) == 1
        asked.raw(reply.replace(header % names[1 - place], header % names[place]))
        await scene.discards.until("foreign_reply")
        asked.answer()
        await call


GARBAGE: list[Callable[[Asked], bytes]] = [
    lambda _: b"",
    lambda _: b"\xff\x00",
    lambda _: b"[" * 5_000,
    lambda _: b"{}",
    lambda asked: asked.reply(b"not json"),
    lambda asked: asked.reply(b'{"action":"ping","statuscode":"0","statusmsg":"OK","data":{}}'),
    lambda asked: asked.reply(b'{"action":"ping","statuscode":0,"statusmsg":"OK","data":[]}'),
    lambda asked: asked.reply(
        b'{"action":"ping","statuscode":0,"statusmsg":"OK","data":{"x":' + b"[" * 900 + b"]" * 900
    ),
    lambda asked: asked.reply(mcorpc.encode_answer("another", 0, "OK", {})),
    lambda asked: asked.reply(mcorpc.encode_answer("ping", 0, "OK", {})).replace(b'"data":"e', b'"data":"f'),
]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
async def test_an_answer_that_is_garbage_is_invalid(broker, number):
    async with staged(broker) as scene:
        call = scene.call()
        asked = await scene.next()
        asked.raw(GARBAGE[number](asked))
        error = await scene.fails(call)
        assert (error.certainty, error.reason) == (Certainty.INVALID, Reason.BAD_REPLY)
        assert error.detail
        assert error.sent is not None


async def test_an_answer_that_is_too_large_is_named(broker):
    async with staged(broker, largest_reply=10_000) as scene:
        call = scene.call()
        (await scene.next()).answer({"x": "y" * 10_000})
        error = await scene.fails(call)
        assert (error.certainty, error.reason) == (Certainty.INVALID, Reason.REPLY_TOO_LARGE)
        assert "bytes" in error.detail


async def test_a_request_that_is_too_large_is_refused_and_says_so(broker):
    async with staged(broker) as scene:
        error = await scene.fails(scene.call(configuration="x" * 1_000_000))
        assert error.certainty is Certainty.REFUSED
        assert "the broker takes" in error.detail
        assert error.sent is None


@pytest.mark.parametrize("name", ["*", ">", "a b", "a\r\nb", ""])
async def test_an_unsafe_name_is_never_asked(broker, name):
    async with staged(broker) as scene:
        with pytest.raises(CallError) as caught:
            await scene.rpc.call(asking(name))
        assert caught.value.certainty is Certainty.REFUSED


@pytest.mark.parametrize("odd", [{1, 2}, "\ud800", object()])
async def test_what_is_not_json_is_never_asked(broker, odd):
    async with staged(broker) as scene:
        assert (await scene.fails(scene.call(odd=odd))).certainty is Certainty.REFUSED


async def test_a_second_machine_under_one_name_is_told(broker):
    async with staged(broker) as scene:
        call = scene.call("jwt")
        asked = await scene.next()
        first = asked.reply(mcorpc.encode_answer("jwt", 0, "OK", {"jwt": "first"}))
        asked.raw(first)
        assert (await call).data == {"jwt": "first"}
        asked.raw(first)
        await scene.discards.until("duplicate_reply")
        assert scene.seconds.items == []
        asked.answer({"jwt": "second"})
        await scene.seconds.until(lambda items: items == [NODE])
        asked.answer({"jwt": "stranger"}, name="n2.example.net")
        asked.raw(b"garbage")
        asked.raw(b"x" * (1024 * 1024))
        await scene.discards.until("bad_reply")
        assert scene.seconds.items == [NODE]


async def test_an_answer_to_nothing_is_counted(broker):
    async with staged(broker) as scene:
        scene.node.publish(subjects.reply(CALLER.caller, "never-asked"), b"x")
        await scene.discards.until("unknown_reply")


async def test_a_late_answer_is_counted_and_a_different_one_after_it_told(broker):
    async with staged(broker) as scene:
        error = await scene.fails(scene.call(within=0.02))
        assert error.certainty is Certainty.UNKNOWN
        asked = await scene.next()
        asked.answer({"late": 1})
        await scene.discards.until("late_reply")
        asked.answer({"late": 2})
        await scene.seconds.until(lambda items: items == [NODE])


async def test_who_answers_after_the_broker_said_nobody_is_counted(broker):
    """A forged 503 gives itself away."""
    async with staged(broker) as scene:
        call = scene.call()
        asked = await scene.next()
        login = scene.node._login
        assert login is not None
        head = b"NATS/1.0 503\r\n\r\n"
        login.hand_over(b"HPUB %s %d %d\r\n%s\r\n" % (asked.wire.reply_to.encode(), len(head), len(head), head))
        assert (await scene.fails(call)).certainty is Certainty.NOT_DELIVERED
        asked.answer()
        await scene.discards.until("answer_after_absent")


async def test_closing_ends_all_calls(broker):
    async with staged(broker) as scene:
        call = scene.call()
        await scene.next()
        scene.rpc.close()
        assert (await scene.fails(call)).certainty is Certainty.UNKNOWN
        error = await scene.fails(scene.call())
        assert (error.certainty, error.reason) == (Certainty.NOT_SENT, Reason.STOPPING)


async def test_the_memory_of_requests_is_bounded(broker):
    async with staged(broker, remembered=10) as scene:
        await asyncio.gather(
            *(scene.rpc.call(Request(f"n{n}", "rpcutil", "ping", {}, 30, 20.0)) for n in range(50)),
            return_exceptions=True,
        )
        assert len(scene.rpc._memory) == 10
