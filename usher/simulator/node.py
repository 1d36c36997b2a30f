"""One simulated Choria server as a state machine: (node, message or time) -> node and what crosses the network.

Rules:
1. Pure: no I/O, no clock, no randomness; a step is given its time (nanoseconds) and ENTROPY bytes.
2. Messages go through the pipeline of wire/protocol.md §2.9; whatever fails in it is counted and met with silence.
3. The lock is taken before the mutex and before the token is looked at; while the mutex is held, calls hang.
4. Events leave before the answer of the call that caused them, as captured.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import Final

from transport.wire import mcorpc
from transport.wire.errors import WireError
from transport.wire.versions import WIRES, WireRequest, decode_request
from usher.simulator import provision, rpcutil
from usher.simulator.lifecycle import Kind, event
from usher.simulator.matching import matches
from usher.simulator.model import (
    MILLISECOND,
    MINUTE,
    SECOND,
    Answer,
    Counters,
    Detach,
    Ending,
    Lock,
    Mode,
    Node,
    Output,
    Process,
    Setup,
    Step,
)
from usher.simulator.obeying import obeys
from usher.simulator.startup import boot

LOCKED: Final = 2 * MINUTE
REEXEC: Final = 50 * MILLISECOND  # from exec to the new process's startup event, as captured
ALIVE: Final = 30 * MINUTE
_LISTENING: Final = frozenset({Mode.PROVISIONING, Mode.SERVER})
_NO_LOCK: Final = "Could not obtain provisioning lock"
_DIES: Final = -1
_SUBJECT: Final = re.compile(r"[!-~]{1,1024}")


def start(identity: str, setup: Setup, now: int, entropy: bytes) -> Step:
    """A machine that is switched on for the first time, with nothing but the provisioning token on its disk."""
    pid = 1024 + int.from_bytes(entropy[20:22], "big")
    return boot(Node(identity, identity, pid, Process(Mode.AWAY, now)), setup, now, entropy)


def elapse(node: Node, setup: Setup, now: int, entropy: bytes) -> Step:
    """What has come due by `now`; one thing at a time: look at `due` again."""
    process = node.process
    if node.due is None or now < node.due:
        return Step(node)
    if process.ends and process.ends <= now:
        if process.mode is Mode.AWAY:
            return boot(node, setup, now, entropy)
        if process.ending is Ending.EXIT:
            return Step(node._replace(process=Process(Mode.STOPPED, process.started)), (Detach(),))
        return Step(node._replace(process=Process(Mode.AWAY, process.started, ends=now + REEXEC)), (Detach(),))
    said = event(node, Kind.ALIVE, process.started, process.alive_id)
    counters = process.counters._replace(events=process.counters.events + 1)
    process = process._replace(counters=counters, alive_at=process.alive_at + ALIVE)
    return Step(node._replace(process=process), (said,))


def receive(node: Node, setup: Setup, request: WireRequest | None, now: int, entropy: bytes) -> Step:
    """One message; None is one whose bytes did not decode, by either version of the protocol."""
    if node.process.mode not in _LISTENING:
        return Step(node)
    if request is not None and request.version is not setup.version:
        request = None  # nobody translates: it is thrown away like bytes that did not decode (§2.9)
    counters, processed = _admit(node, setup, request, now)
    node = node._replace(process=node.process._replace(counters=counters))
    if request is None or not processed:
        return Step(node)
    if request.agent == "discovery":
        return _discovery(node, setup, request, now)
    if request.agent in rpcutil.agents(node):
        return _rpc(node, setup, request, now, entropy)
    return Step(node)


def refuse(node: Node, setup: Setup, request: WireRequest, text: str, now: int) -> Step:
    """Answer with code 1 and do nothing: a node that does not want to."""
    action = action_of(request)
    payload = mcorpc.encode_answer(action, provision.ABORTED, text, {})
    return _answered(node, setup, request, payload, now)


def decoded(payload: bytes) -> WireRequest | None:
    """A message as a request; None if its bytes are none."""
    try:
        return decode_request(payload)
    except WireError:
        return None


def action_of(request: WireRequest | None) -> str:
    """What a request asks for: the action of an RPC agent, `discovery`, or nothing if it cannot be read."""
    if request is None:
        return ""
    if request.agent == "discovery":
        return "discovery"
    try:
        return mcorpc.decode_call(request.payload).action
    except WireError:
        return ""


def _admit(node: Node, setup: Setup, request: WireRequest | None, now: int) -> tuple[Counters, bool]:
    """Steps 2 to 6 of the pipeline, counted as the server counts them; whether the message goes on."""
    counted = node.process.counters
    total = counted.total + 1
    if request is None or not obeys(node, request, now):
        return counted._replace(total=total, unvalidated=counted.unvalidated + 1), False
    if not matches(request.filter, node.identity, rpcutil.agents(node), setup.facts):
        return counted._replace(total=total, filtered=counted.filtered + 1), False
    passed = counted.passed + 1
    if request.collective not in node.collectives:
        return counted._replace(total=total, passed=passed, unvalidated=counted.unvalidated + 1), False
    window = request.ttl * SECOND
    if not now - window < request.time_ns < now + window:
        return counted._replace(total=total, passed=passed, ttlexpired=counted.ttlexpired + 1), False
    return counted._replace(total=total, passed=passed, validated=counted.validated + 1), True


def _discovery(node: Node, setup: Setup, request: WireRequest, now: int) -> Step:
    try:
        payload = a2b_base64(request.payload, strict_mode=True)
    except ValueError:
        payload = request.payload
    return _answered(node, setup, request, mcorpc.PONG, now) if b"ping" in payload else Step(node)


def _rpc(node: Node, setup: Setup, request: WireRequest, now: int, entropy: bytes) -> Step:
    try:
        call = mcorpc.decode_call(request.payload)
    except WireError as error:
        words = (
            f"Could not process request: could not parse incoming message as a MCollective SimpleRPC Request: {error}"
        )
        return _answered(node, setup, request, mcorpc.encode_answer("", provision.INVALID_DATA, words, {}), now)
    if request.agent == "choria_provision" and call.action in provision.ACTIONS and call.action not in setup.lacks:
        return _provision(node, setup, call.action, provision.Asked(request, call.data, now, entropy))
    if request.agent == "rpcutil" and call.action in rpcutil.ACTIONS:
        data = rpcutil.ACTIONS[call.action](node, setup, call.data, now)
        return _answered(node, setup, request, mcorpc.encode_answer(call.action, provision.OK, "OK", data), now)
    words = f"Unknown action {call.action} for agent {request.agent}"
    payload = mcorpc.encode_answer(call.action, provision.UNKNOWN_ACTION, words, {})
    return _answered(node, setup, request, payload, now)


def _provision(node: Node, setup: Setup, action: str, asked: provision.Asked) -> Step:
    request, now = asked.request, asked.now
    if provision.ACTIONS[action].locked:
        holder, lock = f"{request.sender}.{request.caller}", node.process.lock
        if lock is not None and now < lock.until and lock.holder != holder:
            payload = mcorpc.encode_answer(action, provision.ABORTED, _NO_LOCK, {})
            return _answered(node, setup, request, payload, now)
        node = node._replace(process=node.process._replace(lock=Lock(holder, now + LOCKED)))
    if node.process.ending is not None:  # the mutex is held until the process is gone
        return Step(node)
    result = provision.perform(node, setup, action, asked)
    if result.code == _DIES:
        return Step(result.node)
    payload = mcorpc.encode_answer(action, result.code, result.text, result.data or {})
    return _answered(result.node, setup, request, payload, now, before=result.events)


def _answered(
    node: Node, setup: Setup, request: WireRequest, payload: bytes, now: int, *, before: tuple[Output, ...] = ()
) -> Step:
    """Count and publish events and then the reply, if the request lets one be made.

    Its filter has to name agents (§2.6), and it has to name a subject that a broker's control line can carry.
    """
    counted = node.process.counters
    made = request.filter is None or request.filter.agent is not None
    counters = counted._replace(events=counted.events + len(before), replies=counted.replies + made)
    node = node._replace(process=node.process._replace(counters=counters))
    if not made or _SUBJECT.fullmatch(request.reply_to) is None:
        return Step(node, before)
    data = WIRES[request.version].encode_reply(
        payload,
        request_id=request.request_id,
        sender=node.identity,
        agent=request.agent,
        time_ns=now,
        server=setup.broker,
    )
    return Step(node, (*before, Answer(request.reply_to, data)))
