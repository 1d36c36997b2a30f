"""What a cruel node makes of what the honest machine did: (part, honest step) -> step.

Rules:
1. Pure, as the honest machine is: a step is given its time and its entropy.
2. Every cruelty has its entry in DEEDS, CROWDS or LIES: what it does, whom it speaks for, what it says.
3. A cruelty that strikes some times counts them; after the last the node is honest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from security.keys import SigningKey
from transport.wire import mcorpc
from transport.wire.versions import WireRequest
from usher.simulator import crowds, lies, provision
from usher.simulator import node as machine
from usher.simulator.cruelty import CRASHES, KEYING, WILDCARDS, Cruelty, Part
from usher.simulator.model import SECOND, Announce, Answer, Detach, Ending, Mode, Node, Process, Setup, Step

_LOCKED: Final = "Could not obtain provisioning lock"


class Scene(NamedTuple):
    """What has happened: the node before, what the honest machine made of it, and how often it has struck."""

    part: Part
    struck: int
    before: Node
    setup: Setup
    honest: Step
    action: str
    request: WireRequest | None
    now: int
    entropy: bytes


class Played(NamedTuple):
    """What the cruel node did, and how often it has struck by now."""

    step: Step
    struck: int


Deed = Callable[[Scene], Played]


def hear(
    part: Part, struck: int, node: Node, setup: Setup, request: WireRequest | None, to: str, now: int, entropy: bytes
) -> Played:
    """One message; `to` is the node that it was sent to, empty for a broadcast."""
    if to and to != node.identity:
        return Played(_for_another(part, node, setup, request, to, now, entropy), struck)
    honest = machine.receive(node, setup, request, now, entropy)
    return play(Scene(part, struck, node, setup, honest, machine.action_of(request), request, now, entropy))


def live(part: Part, struck: int, node: Node, setup: Setup, honest: Step, now: int) -> Played:
    """What happened without a message: it was switched on, or something came due."""
    return play(Scene(part, struck, node, setup, honest, "", None, now, b""))


def play(scene: Scene) -> Played:
    """What this cruelty makes of it."""
    cruelty = scene.part.cruelty
    if cruelty in LIES:
        return Played(_lied(scene), scene.struck)
    if cruelty in CROWDS:
        return Played(
            CROWDS[cruelty](crowds.Turn(scene.part, scene.struck, _stays(scene), scene.request)), scene.struck + 1
        )
    return DEEDS[cruelty](scene)


def _for_another(
    part: Part, node: Node, setup: Setup, request: WireRequest | None, to: str, now: int, entropy: bytes
) -> Step:
    """What it says to a request that was for another: answers alone, and nothing of it happens to itself."""
    if part.cruelty is Cruelty.WILDCARD_SILENT or part.cruelty not in WILDCARDS:
        return Step(node)
    name = to if part.cruelty is Cruelty.WILDCARD_FORGES else node.identity
    said = machine.receive(node._replace(identity=name, host=name), setup, request, now, entropy).outputs
    return Step(node, tuple(output for output in said if isinstance(output, Answer)))


def _stays(scene: Scene) -> Step:
    """A wildcard listener does not restart, since it would not listen afterwards; a flood is honest in this."""
    return ignored(scene).step if scene.part.cruelty in WILDCARDS else scene.honest


def _lied(scene: Scene) -> Step:
    stays = scene.part.cruelty in _STAYING
    step = ignored(scene).step if stays else scene.honest
    change = LIES[scene.part.cruelty]
    outputs = tuple(
        change(lies.Said(output, scene.action, scene.setup.broker)) if isinstance(output, Answer) else output
        for output in step.outputs
    )
    return Step(step.node, outputs)


# -- deeds ------------------------------------------------------------------------------------------------------------


def honest(scene: Scene) -> Played:
    """As the honest machine."""
    return Played(scene.honest, scene.struck)


def crashed(scene: Scene) -> Played:
    """What was done stays done, nobody is told, and the process comes back."""
    after = CRASHES[scene.part.cruelty]
    if scene.action not in after or scene.struck >= scene.part.times or not _happened(scene):
        return honest(scene)
    return Played(Step(_away(scene, scene.honest.node), (Detach(),)), scene.struck + 1)


def ignored(scene: Scene) -> Played:
    """A restart is acknowledged, and the process goes on."""
    process = scene.honest.node.process
    if process.ending is not Ending.REEXEC or scene.before.process.ending is not None:
        return honest(scene)
    node = scene.honest.node._replace(process=process._replace(ending=None, ends=0))
    said = tuple(output for output in scene.honest.outputs if not isinstance(output, Announce))
    return Played(Step(node, said), scene.struck + 1)


def died(scene: Scene) -> Played:
    """A restart is acknowledged, and the process ends for good."""
    process = scene.honest.node.process
    if process.ending is not Ending.REEXEC:
        return honest(scene)
    node = scene.honest.node._replace(process=process._replace(ending=Ending.EXIT))
    return Played(Step(node, scene.honest.outputs), scene.struck + 1)


def swapped(scene: Scene) -> Played:
    """The seed that is written is not that of the key that is shown."""
    if scene.action not in KEYING or not _happened(scene):
        return honest(scene)
    if scene.action == "gencsr":  # with the key that it had before, or with none: its certificate will not fit
        name, text = scene.setup.private_file, scene.before.files.get(scene.setup.private_file, "")
    else:
        other = SigningKey.from_seed(blake2b(scene.entropy, digest_size=32).digest())
        name, text = scene.setup.seed_file, other.seed_hex
    files = {**scene.honest.node.files, name: text}
    return Played(Step(scene.honest.node._replace(files=files), scene.honest.outputs), scene.struck + 1)


def replaced_early(scene: Scene) -> Played:
    """It has answered with its key, and then another machine has its name."""
    if scene.action not in KEYING or scene.struck >= scene.part.times or not _happened(scene):
        return honest(scene)
    node = _away(scene, scene.honest.node._replace(files={}))
    return Played(Step(node, (*scene.honest.outputs, Detach())), scene.struck + 1)


def replaced_late(scene: Scene) -> Played:
    """It comes up provisioned, and then another machine has its name."""
    if scene.honest.node.process.mode is not Mode.SERVER or scene.struck >= scene.part.times:
        return honest(scene)
    return Played(Step(_away(scene, scene.honest.node._replace(files={}))), scene.struck + 1)


def locked(scene: Scene) -> Played:
    """Whatever takes the lock is refused."""
    action = provision.ACTIONS.get(scene.action)
    if action is None or not action.locked or scene.request is None:
        return honest(scene)
    return Played(machine.refuse(scene.before, scene.setup, scene.request, _LOCKED, scene.now), scene.struck + 1)


def _away(scene: Scene, node: Node) -> Node:
    ends = scene.now + int(scene.part.away * SECOND)
    identity = node.host
    return node._replace(identity=identity, process=Process(Mode.AWAY, node.process.started, ends=ends))


def _happened(scene: Scene) -> bool:
    """Whether the action was carried out: it was answered with code 0."""
    answers = (output for output in scene.honest.outputs if isinstance(output, Answer))
    return any(lies.answer_in(answer).code == mcorpc.OK for answer in answers)


DEEDS: Final[Mapping[Cruelty, Deed]] = {
    **dict.fromkeys(CRASHES, crashed),
    Cruelty.EXEC_IGNORED: ignored,
    Cruelty.EXEC_DIES: died,
    Cruelty.WRONG_KEY: swapped,
    Cruelty.NEW_DISK_AFTER_KEY: replaced_early,
    Cruelty.NEW_DISK_LATER: replaced_late,
    Cruelty.HOLDS_LOCK: locked,
    Cruelty.TWIN: honest,  # it is two
    Cruelty.FLOOD_EVENTS: honest,  # its events come by the second: crowds.gust
}
CROWDS: Final = crowds.CROWDS
LIES: Final = lies.LIES
_STAYING: Final = frozenset({Cruelty.AGE_FUTURE, Cruelty.AGE_PAST, Cruelty.AGE_NEGATIVE, Cruelty.AGE_WORD})
