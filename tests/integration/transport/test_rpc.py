"""Requests and answers over a real broker: what is odd, forged, late, twice, too large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from fsm.errors import CallError
from fsm.events import Certainty
from fsm.ports import Request
from fsm.reasons import Reason
from tests.fakes.link import UNSECURED, Asked, asking, in_the_name_of
from tests.fakes.scene import NODE, staged
from transport import subjects
from transport.wire import mcorpc
from transport.wire.versions import WIRES, Version

pytestmark = pytest.mark.network


async def test_what_the_node_is_asked(broker, caller):
    async with staged(broker, caller=caller) as scene:
        call = scene.call("configure", token="t", configuration='{"a": "b"}')
        asked = await scene.next()
        assert (asked.call.agent, asked.call.action) == ("rpcutil", "configure")
        assert asked.call.data == {"token": "t", "configuration": '{"a": "b"}'}
        assert (asked.wire.version, asked.wire.sender) == (caller.version, caller.sender)
        assert (asked.wire.caller, asked.wire.credential) == (caller.caller, caller.credential)
        assert asked.wire.signature == caller.sign(asked.wire.signed)
        assert asked.wire.filter is not None
        assert asked.wire.filter.agent == ("rpcutil",)
        assert asked.wire.reply_to == subjects.reply(caller.caller, asked.wire.request_id)
        assert asked.wire.ttl == 30
        asked.answer({"done": True})
        reply = await call
        assert reply.sent.connection == scene.link.connection
        assert abs(reply.sent.at * 1_000_000 - asked.wire.time_ns) < 2_000_000_000  # v1 tells no more than the second


@pytest.mark.parametrize(
    "odd",
    [
        {"name": "n2.example.net"},
        {"sender": "n2.example.net"},
        {"request_id": "3MNsOV1oKyweYMcJlIKfvGgJG1F"},
        {"agent": "choria_provision"},
    ],
)
async def test_an_answer_of_somebody_else_is_counted_and_the_wait_goes_on(broker, caller, odd):
    async with staged(broker, caller=caller) as scene:
        call = scene.call()
        asked = await scene.next()
        asked.answer({"from": "a stranger"}, **odd)
        await scene.discards.until("foreign_reply")
        asked.answer({"from": "the node"})
        assert (await call).data == {"from": "the node"}
        assert scene.seconds.items == []


@pytest.mark.parametrize("place", [0, 1], ids=["document", "header"])
async def test_an_answer_must_have_one_sender(broker, caller, place):
    names = ["n1.example.net", "n2.example.net"]
    async with staged(broker, caller=caller) as scene:
        call = scene.call()
        asked = await scene.next()
        reply = asked.reply(mcorpc.encode_answer("ping", 0, "OK", {}), name=names[1 - place])
        asked.raw(in_the_name_of(reply, names[place]))
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
async def test_an_answer_that_is_garbage_is_invalid(broker, caller, number):
    async with staged(broker, caller=caller) as scene:
        call = scene.call()
        asked = await scene.next()
        asked.raw(GARBAGE[number](asked))
        error = await scene.fails(call)
        assert (error.certainty, error.reason) == (Certainty.INVALID, Reason.BAD_REPLY)
        assert error.detail
        assert error.sent is not None


async def test_an_answer_that_is_too_large_is_named(broker, caller):
    async with staged(broker, caller=caller, largest_reply=10_000) as scene:
        call = scene.call()
        (await scene.next()).answer({"x": "y" * 10_000})
        error = await scene.fails(call)
        assert (error.certainty, error.reason) == (Certainty.INVALID, Reason.REPLY_TOO_LARGE)
        assert "bytes" in error.detail


async def test_a_request_that_is_too_large_is_refused_and_says_so(broker, caller):
    async with staged(broker, caller=caller) as scene:
        error = await scene.fails(scene.call(configuration="x" * 1_000_000))
        assert error.certainty is Certainty.REFUSED
        assert "the broker takes" in error.detail
        assert error.sent is None


@pytest.mark.parametrize("name", ["*", ">", "a b", "a\r\nb", ""])
async def test_an_unsafe_name_is_never_asked(broker, caller, name):
    async with staged(broker, caller=caller) as scene:
        with pytest.raises(CallError) as caught:
            await scene.rpc.call(asking(name))
        assert caught.value.certainty is Certainty.REFUSED


@pytest.mark.parametrize("odd", [{1, 2}, "\ud800", object()])
async def test_what_is_not_json_is_never_asked(broker, caller, odd):
    async with staged(broker, caller=caller) as scene:
        assert (await scene.fails(scene.call(odd=odd))).certainty is Certainty.REFUSED


async def test_a_second_machine_under_one_name_is_told(broker, caller):
    async with staged(broker, caller=caller) as scene:
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


async def test_an_answer_to_nothing_is_counted(broker, caller):
    async with staged(broker, caller=caller) as scene:
        scene.node.publish(subjects.reply(caller.caller, "never-asked"), b"x")
        await scene.discards.until("unknown_reply")


async def test_a_late_answer_is_counted_and_a_different_one_after_it_told(broker, caller):
    async with staged(broker, caller=caller) as scene:
        error = await scene.fails(scene.call(within=0.02))
        assert error.certainty is Certainty.UNKNOWN
        asked = await scene.next()
        asked.answer({"late": 1})
        await scene.discards.until("late_reply")
        asked.answer({"late": 2})
        await scene.seconds.until(lambda items: items == [NODE])


async def test_who_answers_after_the_broker_said_nobody_is_counted(broker, caller):
    """A forged 503 gives itself away."""
    async with staged(broker, caller=caller) as scene:
        call = scene.call()
        asked = await scene.next()
        login = scene.node._login
        assert login is not None
        head = b"NATS/1.0 503\r\n\r\n"
        login.hand_over(b"HPUB %s %d %d\r\n%s\r\n" % (asked.wire.reply_to.encode(), len(head), len(head), head))
        assert (await scene.fails(call)).certainty is Certainty.NOT_DELIVERED
        asked.answer()
        await scene.discards.until("answer_after_absent")


async def test_closing_ends_all_calls(broker, caller):
    async with staged(broker, caller=caller) as scene:
        call = scene.call()
        await scene.next()
        scene.rpc.close()
        assert (await scene.fails(call)).certainty is Certainty.UNKNOWN
        error = await scene.fails(scene.call())
        assert (error.certainty, error.reason) == (Certainty.NOT_SENT, Reason.STOPPING)


async def test_the_memory_of_requests_is_bounded(broker, caller):
    async with staged(broker, caller=caller, remembered=10) as scene:
        await asyncio.gather(
            *(scene.rpc.call(Request(f"n{n}", "rpcutil", "ping", {}, 30, 20.0)) for n in range(50)),
            return_exceptions=True,
        )
        assert len(scene.rpc._memory) == 10


async def test_who_is_unsecured_says_so_and_is_answered(broker):
    async with staged(broker, caller=UNSECURED) as scene:
        call = scene.call()
        asked = await scene.next()
        assert (asked.wire.version, asked.wire.credential, asked.wire.signature) == (Version.V1, "insecure", None)
        asked.answer({"pong": 1})
        assert (await call).data == {"pong": 1}


async def test_a_node_of_the_other_version_is_not_understood(broker, caller):
    """It is silent to us, and what it says nevertheless is no answer (wire/protocol.md §11, 35)."""
    other = next(version for version in Version if version is not caller.version)
    async with staged(broker, caller=caller) as scene:
        call = scene.call()
        asked = await scene.next()
        payload = mcorpc.encode_answer("ping", 0, "OK", {})
        foreign = {"request_id": asked.wire.request_id, "sender": NODE, "agent": "rpcutil", "time_ns": 10**18}
        asked.raw(WIRES[other].encode_reply(payload, **foreign))
        error = await scene.fails(call)
        assert (error.certainty, error.reason) == (Certainty.INVALID, Reason.BAD_REPLY)


async def test_a_request_that_v1_nodes_throw_away_is_not_sent(broker):
    """A ttl of less than 30 seconds (wire/protocol.md §2.3)."""
    async with staged(broker, caller=UNSECURED) as scene:
        with pytest.raises(CallError) as caught:
            await scene.rpc.call(replace(asking(NODE), ttl=29))
        assert (caught.value.certainty, caught.value.reason) == (Certainty.REFUSED, Reason.REFUSED)
