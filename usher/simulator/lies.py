"""What a lying node says instead: an answer of the honest machine, changed and encoded again.

Rules:
1. Pure: an answer, its action and the broker's URL give another answer on the same subject.
2. One thing is changed in each lie; all else is what the honest machine said.
3. A lie about what an action gave changes only its successes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import orjson

from transport.wire import mcorpc
from transport.wire.versions import WIRES, WireReply, decode_reply, version_of
from usher.simulator.cruelty import Cruelty
from usher.simulator.model import Answer


class Said(NamedTuple):
    """An honest answer, the action that it is to, and the broker's URL for the trace header."""

    answer: Answer
    action: str
    broker: str

    @property
    def reply(self) -> WireReply:
        """The reply in it."""
        return decode_reply(self.answer.payload)

    def instead(self, reply: WireReply) -> Answer:
        """Another reply on the same subject."""
        payload = WIRES[version_of(self.answer.payload)].encode_reply(
            reply.payload,
            request_id=reply.request_id,
            sender=reply.sender,
            agent=reply.agent,
            time_ns=reply.time_ns,
            server=self.broker,
        )
        return Answer(self.answer.subject, payload)


Lie = Callable[[Said], Answer]
_DAY: Final = 24 * 3600
_DEEP: Final = 20_000
_HUGE: Final = 1_200_000
_SWELLING: Final = 150_000
_CONTROLS: Final = "\x1b[2J\x1b]0;owned\x07\r\nusher: \u202eall is well\x00\x9b31m"


def answer_in(answer: Answer) -> mcorpc.Answer:
    """What an agent says in an answer of the honest machine; one of discovery is told as an answer of code 0."""
    payload = decode_reply(answer.payload).payload
    return mcorpc.Answer("discovery", mcorpc.OK, "", {}) if payload == mcorpc.PONG else mcorpc.decode_answer(payload)


def _sender(said: Said) -> Answer:
    return said.instead(replace(said.reply, sender=f"not-{said.reply.sender}"))


def _request(said: Said) -> Answer:
    return said.instead(replace(said.reply, request_id=said.reply.request_id[::-1]))


def _no_json(said: Said) -> Answer:
    if said.action == "discovery":
        return said.answer
    return said.instead(replace(said.reply, payload=b'\x00{"statuscode": 0,'))


def _no_choria(said: Said) -> Answer:
    if said.action == "discovery":
        return said.answer
    return replace(said.answer, payload=b"\x00\xff -ERR 'no'\r\nMSG x 1 0\r\n\r\n")


def _deep(said: Said) -> Answer:
    if said.action != "inventory":
        return said.answer
    head = b'{"action":"inventory","statuscode":0,"statusmsg":"OK","data":'
    return said.instead(replace(said.reply, payload=head + b'{"facts":' * _DEEP + b"1" + b"}" * (_DEEP + 1)))


def _given(action: str, changes: Callable[[dict[str, Any]], object]) -> Lie:
    """A lie about what an action gave: its data, changed."""

    def lie(said: Said) -> Answer:
        given = mcorpc.decode_answer(said.reply.payload) if said.action == action else None
        if given is None or given.code != mcorpc.OK:
            return said.answer
        told = {"action": given.action, "statuscode": given.code, "statusmsg": given.message}
        return said.instead(replace(said.reply, payload=orjson.dumps(told | {"data": changes(given.data)})))

    return lie


def _shown(action: str, **changes: object) -> Lie:
    return _given(action, lambda data: data | changes)


LIES: Final[Mapping[Cruelty, Lie]] = {
    Cruelty.LIES_SENDER: _sender,
    Cruelty.LIES_REQUEST: _request,
    Cruelty.LIES_TOKEN: _given("jwt", lambda data: data | {"jwt": data["jwt"].rpartition(".")[0] + "." + "A" * 86}),
    Cruelty.LIES_KEY: _given("gen25519", lambda data: data | {"public_key": data["public_key"][:62]}),
    Cruelty.LIES_SIGNATURE: _given("gen25519", lambda data: data | {"signature": data["signature"][::-1]}),
    Cruelty.LIES_VERSION: _shown("inventory", version=[0, 99, 0]),
    Cruelty.INVENTORY_MISSHAPEN: _given("inventory", lambda data: [data]),
    Cruelty.INVENTORY_HUGE: _shown("inventory", facts={"huge": "x" * _HUGE}),
    Cruelty.INVENTORY_SWELLS: _shown("inventory", facts={"swells": "<" * _SWELLING}),
    Cruelty.INVENTORY_CONTROLS: _shown(
        "inventory", version=f"0.99.0{_CONTROLS}", facts={"motd": _CONTROLS, _CONTROLS: "a fact's name"}
    ),
    Cruelty.INVENTORY_DEEP: _deep,
    Cruelty.NOT_JSON: _no_json,
    Cruelty.NOT_CHORIA: _no_choria,
    Cruelty.AGE_FUTURE: _given("daemon_stats", lambda data: data | {"starttime": data["starttime"] + _DAY}),
    Cruelty.AGE_PAST: _shown("daemon_stats", starttime=0),
    Cruelty.AGE_NEGATIVE: _shown("daemon_stats", starttime=-(1 << 62)),
    Cruelty.AGE_WORD: _shown("daemon_stats", starttime="a while ago"),
}
