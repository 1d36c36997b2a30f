"""What can happen next: the one thing that happens by itself, whatever is on its way, and the faults.

Rules:
1. A move is a name, its cost in faults, and the world after it; a move without cost is what the world does anyway.
2. What needs no time comes before time; time moves only to the next thing that can happen.
3. A request that was delayed may arrive at any moment while it lives, or never.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fsm import quiet
from fsm.effects import SPECS, Effect, Port
from fsm.events import Certainty, Due, DueKind, Hint, HintKind, Operator, Sent, Verb
from fsm.pairing import PAIRS
from fsm.reasons import Reason
from tests.model.faults import faults
from tests.model.outcomes import Outcome, half_of, key_of, order
from tests.model.usher import Rules, alive, check_start, conclude, crash, must, post
from tests.model.world import (
    AWAY,
    LIFE,
    SLOW,
    Mode,
    Move,
    Reply,
    Request,
    Waiting,
    World,
    execute,
    leave,
    start,
    younger,
)

TIMEOUT = 10_000
"""Milliseconds that usher waits for an answer."""
LISTED = 60_000
"""Milliseconds between two discoveries."""
APART = 1_000
"""Milliseconds after which the node's agent cannot take two requests of one connection in the wrong order."""


def moves(rules: Rules, world: World, *, faulty: bool, wide: bool) -> Iterator[Move]:
    """Everything that can happen next; `wide` adds operators, other provisioners, forged hints and second answers."""
    dying = next((r for r in world.net if r.sent + LIFE - 1 <= world.now), None)
    if dying is not None:
        yield Move("expires", 0, _without(world, dying))
        yield from deliveries(rules, world, dying)
        return
    for request in world.net:
        yield from deliveries(rules, world, request)
    if world.snapshot.open is not None and world.waiting is None:
        yield from sending(rules, world, faulty=faulty)
    elif world.snapshot.waiting_for_admission:
        yield Move("admit", 0, post(rules, world, Due(DueKind.ADMIT)))
    else:
        yield from passing(rules, world, faulty=faulty)
    if world.node.mode is Mode.DOWN and world.node.comes <= world.now and (faulty or not world.node.parts):
        back = world._replace(node=start(world.node, world.now))
        yield Move("comes back", int(world.node.parts), post(rules, back, Hint(HintKind.STARTUP)))
    if world.snapshot.held and world.asked:
        yield Move("release", 0, post(rules, world, Operator(Verb.RELEASE, "op", "why not")))
    if faulty:
        yield from faults(rules, world, wide=wide)


# -- sending ----------------------------------------------------------------------------------------------------------


def sending(rules: Rules, world: World, *, faulty: bool) -> Iterator[Move]:
    """The open effect is carried out."""
    doing = world.snapshot.open
    assert doing is not None
    must(doing.epoch == world.epoch, 8, "an effect of an older epoch is sent")
    started = world._replace(started=True)
    if faulty:
        yield Move("killed before it was started", 1, crash(rules, world))
        yield Move("killed before it was sent", 1, crash(rules, started))
    if SPECS[doing.effect].port is not Port.RPC:
        yield from _carried_out(rules, started, faulty=faulty)
        return
    request = Request(
        doing.effect,
        world.now,
        world.connection,
        doing.opened,
        quiet.configuration(world.snapshot.facts) if doing.effect is Effect.CONFIGURE else "",
        key_of(world.snapshot) if doing.effect is Effect.CONFIGURE else "",
        half=half_of(world.snapshot) if doing.effect is Effect.CONFIGURE else "",
    )
    first = rules.x509 and rules.looks_first and doing.effect is Effect.CONFIGURE
    if first and (missing := looked_first(world)) is not None:
        yield Move(missing[0], 0, conclude(rules, started, missing[1]))
        return
    waiting = Waiting(request, world.now + TIMEOUT)
    if faulty:
        yield Move("request lost", 1, started._replace(waiting=waiting))
    leaves = SPECS[doing.effect].changes_node or (rules.supplies and doing.effect in PAIRS)
    if faulty and leaves:
        yield Move("request delayed", 1, started._replace(waiting=waiting, net=(*world.net, request)))
    for before in overtaken(started, request):
        yield from _answered(rules, request, before, faulty=faulty)


def looked_first(world: World) -> tuple[str, Outcome] | None:
    """Why an x509 node is not sent its configuration: it is looked at first, over the same connection."""
    sent = Sent(world.now, str(world.connection))
    if not world.node.listens(world.now):
        return "nobody", Outcome(None, Reply(nobody=True), sent)
    return ("another process", Outcome(Certainty.NOT_SENT, reason=Reason.FACTS_LOST)) if younger(world) else None


def _answered(rules: Rules, request: Request, before: Before, *, faulty: bool) -> Iterator[Move]:
    name, world, behind = before
    sent = Sent(request.sent, str(request.connection))
    if not world.node.listens(world.now):
        yield Move(f"nobody{name}", 0, conclude(rules, world, Outcome(None, Reply(nobody=True), sent)))
        return
    after, reply = carry_out(world, request)
    for overtaken_one in behind:
        after, _ = carry_out(after, overtaken_one)
    if reply is None:
        yield Move(f"hangs{name}", 0, after._replace(waiting=Waiting(request, world.now + TIMEOUT)))
        return
    yield Move(f"answered{name}", 0, conclude(rules, after, Outcome(None, reply, sent)))
    if not faulty:
        return
    waiting = Waiting(request, world.now + TIMEOUT)
    yield Move(f"reply lost{name}", 1, after._replace(waiting=waiting))
    yield Move(f"reply late{name}", 1, after._replace(waiting=waiting._replace(late=reply)))
    yield Move(f"killed after it was sent{name}", 1, crash(rules, after))


def _carried_out(rules: Rules, world: World, *, faulty: bool) -> Iterator[Move]:
    """The helper or the signer: usher's own machine."""
    doing = world.snapshot.open
    assert doing is not None
    done = world
    if doing.effect is Effect.SIGN_TOKEN:
        key, name = world.truth.signed
        mine = (key_of(world.snapshot), order(world.snapshot))
        must(key != mine[0] or name == mine[1], 12, "two credentials for one node, generation and key")
        done = world._replace(truth=world.truth._replace(signed=mine))
    yield Move("done", 0, conclude(rules, done, Outcome(None)))
    if faulty:
        yield Move("failed", 1, conclude(rules, world, Outcome(Certainty.UNKNOWN)))
        yield Move("killed after it was done", 1, crash(rules, done))


# -- the network ------------------------------------------------------------------------------------------------------


def carry_out(world: World, request: Request) -> tuple[World, Reply | None]:
    """A request arrives at a listening node."""
    fresh = f"k{world.keys + 1}"
    node, reply = execute(world.node, request, world.now, fresh)
    made = reply is not None and reply.key != ""
    return world._replace(node=node, keys=world.keys + made), reply


class Before(NamedTuple):
    """What became of earlier requests: the world now, and which of them come right behind the later one."""

    name: str
    world: World
    behind: tuple[Request, ...] = ()


def overtaken(world: World, request: Request) -> Iterator[Before]:
    """What became of the earlier requests of the same connection, now that a later one arrives."""
    states = [Before("", world)]
    for earlier in (r for r in world.net if r.connection == request.connection):
        states = [after for before in states for after in _overtake(before, earlier, request)]
    yield from states


def _overtake(before: Before, earlier: Request, request: Request) -> Iterator[Before]:
    name, world, behind = before
    gone = _without(world, earlier)
    yield Before(f"{name}, one lost before", gone, behind)
    if not world.node.listens(world.now):
        return
    yield Before(f"{name}, one before", carry_out(gone, earlier)[0], behind)
    yield Before(f"{name}, one behind", gone, (*behind, earlier))
    agent = request.effect not in {Effect.LOOK, Effect.FETCH_INVENTORY}
    if world.node.started <= earlier.sent and not (agent and request.sent >= earlier.sent + APART):
        there = earlier._replace(process=world.node.process)
        yield Before(f"{name}, one hangs", world._replace(net=(*gone.net, there)), behind)


def deliveries(rules: Rules, world: World, request: Request) -> Iterator[Move]:
    """A delayed request arrives now, unless an earlier one of its connection is still before it."""
    if not alive(world, request) or (request.process and not world.node.listens(world.now)):
        yield Move("dies", 0, _without(world, request))
        return
    if any(r.connection == request.connection and r.sent < request.sent for r in world.net):
        return
    arrived = _without(world, request)
    if not world.node.listens(world.now):
        return
    arrived, reply = carry_out(arrived, request)
    if reply is not None and world.waiting is not None and world.waiting.request.opened == request.opened:
        sent = Sent(request.sent, str(request.connection))
        arrived = conclude(rules, arrived, Outcome(None, reply, sent))
    yield Move(f"{request.effect} arrives", 0, arrived)


def _without(world: World, request: Request) -> World:
    return world._replace(net=tuple(r for r in world.net if r is not request))


# -- time -------------------------------------------------------------------------------------------------------------


def passing(rules: Rules, world: World, *, faulty: bool) -> Iterator[Move]:
    """Time moves to the next thing that can happen."""
    node, waiting, awaited = world.node, world.waiting, world.snapshot.awaited
    answer = waiting.deadline - (waiting.late is not None) if waiting else 0
    times = [node.leaves, node.comes if node.comes > world.now else 0, answer, awaited.at if awaited else 0]
    times += [node.deaf if node.deaf > world.now else 0]
    times += [r.sent + LIFE - 1 for r in world.net]
    coming = [time for time in times if time]
    if not coming:
        yield from resting(rules, world)
        return
    world = world._replace(now=max(world.now, min(coming)))
    if node.leaves and node.leaves <= world.now:
        yield Move("leaves", 0, world._replace(node=leave(node, world.now, AWAY)))
        if faulty and not node.parts:
            yield Move("leaves slowly", 1, world._replace(node=leave(node, world.now, SLOW)))
    elif node.mode is Mode.STARTING and node.comes <= world.now:
        there = world._replace(node=start(node, world.now))
        check_start(there)
        heard = there.node.mode is Mode.PROVISIONING
        yield Move("starts", 0, post(rules, there, Hint(HintKind.STARTUP)) if heard else there)
    elif waiting and answer <= world.now:
        yield Move("answer", 0, _concluded(rules, world, waiting))
    elif awaited and awaited.at <= world.now:
        yield Move(f"due {awaited.kind}", 0, post(rules, world, Due(awaited.kind, awaited.at)))
    else:
        yield Move("time", 0, world)


def _concluded(rules: Rules, world: World, waiting: Waiting) -> World:
    sent = Sent(waiting.request.sent, str(waiting.request.connection))
    if waiting.late is not None:
        return conclude(rules, world, Outcome(None, waiting.late, sent))
    return conclude(rules, world, Outcome(Certainty.UNKNOWN, Reply(), sent))


def resting(rules: Rules, world: World) -> Iterator[Move]:
    """Nothing is due: the next discovery lists whoever listens."""
    if world.node.listens(world.now) and not world.snapshot.held:
        later = world._replace(now=world.now + (LISTED if world.snapshot.seq else 0))
        yield Move("listed", 0, post(rules, later, Hint(HintKind.LISTED)))
