"""Nodes that speak for many: floods of names and answers that nobody has, and listeners to everything.

Rules:
1. Pure; a forged name follows from the node's own name and a count, so that it can be told from the honest ones.
2. What a flood adds comes after what the honest machine said.
3. A wildcard is subscribed to instead of the node's own subject, so that nothing is heard twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from transport.wire import mcorpc
from transport.wire.versions import WIRES, WireRequest
from usher.simulator.cruelty import Cruelty, Part
from usher.simulator.lifecycle import Kind, event
from usher.simulator.model import COLLECTIVE, Announce, Answer, Attach, Mode, Node, Output, Process, Step

FORGED: Final = "forged"
"""How every forged name begins."""
_EVERYBODY: Final = f"{COLLECTIVE}.node.>"


class Turn(NamedTuple):
    """What the honest machine did, how often there was such a turn before, and the request if there was one."""

    part: Part
    nth: int
    step: Step
    request: WireRequest | None


Crowd = Callable[[Turn], Step]


def forged(node: Node, count: int, number: int) -> str:
    """The name of a node that is not there."""
    return f"{FORGED}-{count}-{number}.{node.host}"


def gust(part: Part, count: int, node: Node, now: int) -> tuple[Announce, ...]:
    """A second's worth of startup events of a flooding node."""
    said = (_ghost(forged(node, count, number), now) for number in range(part.many))
    return tuple(event(ghost, Kind.STARTUP, now, _id(count, number)) for number, ghost in enumerate(said))


def _ghost(name: str, now: int) -> Node:
    return Node(name, name, 0, Process(Mode.PROVISIONING, now))


def _id(count: int, number: int) -> bytes:
    return (count << 32 | number).to_bytes(16, "big")


def _names(turn: Turn) -> Step:
    step, request = turn.step, turn.request
    if request is None or request.agent != "discovery":
        return step
    said = tuple(
        _pong(request, forged(step.node, turn.nth, number), output.payload)
        for output in step.outputs
        if isinstance(output, Answer)
        for number in range(turn.part.many)
    )
    return Step(step.node, (*step.outputs, *said))


def _pong(request: WireRequest, name: str, like: bytes) -> Answer:
    wire = WIRES[request.version]
    at = wire.decode_reply(like).time_ns
    payload = wire.encode_reply(
        mcorpc.PONG, request_id=request.request_id, sender=name, agent=request.agent, time_ns=at
    )
    return Answer(request.reply_to, payload)


def _unasked(turn: Turn) -> Step:
    """The same answer again and again, and answers to requests that nobody made."""
    step, request = turn.step, turn.request
    answers = [output for output in step.outputs if isinstance(output, Answer)]
    if request is None or request.agent == "discovery" or not answers:
        return step
    prefix = answers[0].subject.rpartition(".")[0]
    said = (
        replace(answers[0], subject=f"{prefix}.{turn.nth:08d}{number:019d}") if number % 2 else answers[0]
        for number in range(turn.part.many)
    )
    return Step(step.node, (*step.outputs, *said))


def _listens(turn: Turn) -> Step:
    return Step(turn.step.node, tuple(_everything(output) for output in turn.step.outputs))


def _says_nothing(turn: Turn) -> Step:
    heard = tuple(_everything(output) for output in turn.step.outputs if not isinstance(output, Answer | Announce))
    return Step(turn.step.node, heard)


def _everything(output: Output) -> Output:
    if not isinstance(output, Attach):
        return output
    own = f"{COLLECTIVE}.node."
    return Attach((*(subject for subject in output.subjects if not subject.startswith(own)), _EVERYBODY))


CROWDS: Final[Mapping[Cruelty, Crowd]] = {
    Cruelty.FLOOD_DISCOVERY: _names,
    Cruelty.FLOOD_REPLIES: _unasked,
    Cruelty.WILDCARD_SILENT: _says_nothing,
    Cruelty.WILDCARD_ANSWERS: _listens,
    Cruelty.WILDCARD_FORGES: _listens,
}
