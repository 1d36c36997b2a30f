"""What goes wrong outside of the sending itself: usher is killed, nodes and brokers go away, others interfere.

Rules:
1. Every move here costs one fault.
2. What others do (operators, another provisioner, forged hints, a second machine) is apart: `wider`.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.events import Certainty, Hint, HintKind, Operator, Verb
from fsm.states import ENDS, State
from tests.model.outcomes import Outcome
from tests.model.usher import Rules, conclude, crash, post
from tests.model.world import AWAY, DEAF, LOCKED, Mode, Move, Node, World, leave, vanish


def faults(rules: Rules, world: World, *, wide: bool) -> Iterator[Move]:
    """What goes wrong outside of the sending itself."""
    node, snapshot = world.node, world.snapshot
    if world.waiting is not None:
        yield Move("killed while it waits", 1, crash(rules, world))
    elif snapshot.open is None and snapshot.awaited is not None:
        yield Move("killed between", 1, crash(rules, world))
    if node.mode in {Mode.PROVISIONING, Mode.SERVER}:
        yield Move(
            "restarts by itself", 1, world._replace(node=leave(node._replace(parts=False, ours=False), world.now, AWAY))
        )
        yield Move("vanishes", 1, world._replace(node=vanish(node, world.now)))
        yield Move("broker away", 1, _away(rules, world, node))
    if wide:
        yield from wider(rules, world)


def _away(rules: Rules, world: World, node: Node) -> World:
    after = world._replace(connection=world.connection + 1, node=node._replace(deaf=world.now + DEAF))
    if world.snapshot.open is None or world.waiting is not None:
        return after
    return conclude(rules, after, Outcome(Certainty.NOT_SENT))


def wider(rules: Rules, world: World) -> Iterator[Move]:
    """Operators, another provisioner, forged hints, a second machine."""
    node, snapshot = world.node, world.snapshot
    if node.mode is Mode.PROVISIONING and node.locked <= world.now:
        yield Move("another provisioner", 1, world._replace(node=node._replace(locked=world.now + LOCKED)))
    if snapshot.state in ENDS or snapshot.state is State.FAILED:
        yield Move("forged hint", 1, post(rules, world, Hint(HintKind.STARTUP)))
    asked = world._replace(asked=True)
    yield Move("second answer", 1, post(rules, asked, Hint(HintKind.SECOND_ANSWER)))
    for verb in (Verb.RETRY, Verb.FORGET, Verb.QUARANTINE, Verb.REPROVISION):
        yield Move(f"operator {verb}", 1, post(rules, asked, Operator(verb, "op", "why not")))
