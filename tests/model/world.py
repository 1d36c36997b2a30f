"""The world of one node, small enough to be searched whole: the node, the network, and what really happened.

Rules:
1. Everything is a frozen value; time is virtual, in milliseconds, and moves only to the next thing that can happen.
2. The node does what wire/provisioning.md §2 and §6 say: one mutex in the agent, which a restart holds while it sleeps;
   at its start it compares seed and token, and deletes both where they do not fit. An x509 node compares nothing: each
   gencsr overwrites its key, and configured with a certificate for another key it cannot come back.
3. A request lives until sent + 2 x ttl. Requests of one connection arrive in order; an old connection's may arrive
   after a new one's. An x509 node's configuration dies with the disk that it was for: nobody replaces a machine while
   that is held back on its way (a node with a token would heal, one with a certificate would not).
4. `Truth` is what happened, never what usher believes: the invariants are checked against it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from fsm.effects import Effect
from fsm.pairing import PAIRS
from fsm.snapshot import Snapshot

LIFE = 60_000
"""Milliseconds that a request lives: 2 x ttl of 30 s (wire/protocol.md §2.9: the age check, with a skewed clock)."""
SLEEP = 2_000
"""Between the answer to a restart and the re-exec, while the mutex is held (wire/provisioning.md §2.2)."""
AWAY = 1_000
SLOW = 6_000
"""How long a node is away at its re-exec: as captured, and when its disk or its broker is slow."""
LEAVES = 8_000
"""Between the answer to a shutdown and the end of the process."""
REPLACED = 2_000
"""How long a machine is away that comes back without its disk, where that matters (x509): at least."""
DEAF = 4_000
"""How long the node is away when the broker was away (it reconnects after usher does)."""
NOISE = "noise"
"""The key that a node keeps which has unwrapped one with the wrong secret."""
LOCKED = 120_000
"""How long another provisioner's lock is held (wire/provisioning.md §2.1)."""


class Mode(StrEnum):
    """Where the node's process is."""

    PROVISIONING = "provisioning"
    SERVER = "server"
    STARTING = "starting"
    DOWN = "down"
    DEAD = "dead"


class Node(NamedTuple):
    """A server: its process, and its disk. Keys and configurations are names; a token is the name of its key.

    Of an x509 node `seed` is its private key and `token` its certificate. A carried one gets its key from the helper:
    `half` is what it has made last of a shared secret, in the memory of its process.
    """

    x509: bool = False
    mode: Mode = Mode.PROVISIONING
    process: int = 1
    started: int = 0
    leaves: int = 0  # when the sleeping restart or shutdown ends this process; the mutex is held until then
    parts: bool = False  # it leaves for good
    ours: bool = False  # this process began because usher restarted the one before
    comes: int = 0  # when a starting process is there, or the earliest time at which a lost machine is replaced
    deaf: int = 0  # until when its connection is away
    lost: int = 0  # when the machine before was lost with its disk
    locked: int = 0  # until when another provisioner has the lock
    seed: str = ""
    token: str = ""
    configuration: str = ""
    carried: bool = False
    half: str = ""

    def listens(self, now: int) -> bool:
        """Whether somebody is subscribed under the node's name in the provisioning account."""
        return self.mode is Mode.PROVISIONING and self.deaf <= now


class Request(NamedTuple):
    """A request on its way: what it carries, when it was sent over which connection; `process` once it waits there.

    `half` is what a key in it was wrapped for.
    """

    effect: Effect
    sent: int
    connection: int
    opened: int
    configuration: str = ""
    token: str = ""
    process: int = 0
    half: str = ""


class Reply(NamedTuple):
    """What the node answers: a refusal's words, or the key or half that it made, or its age; `nobody` is the 503."""

    refusal: str = ""
    key: str = ""
    age: int = 0
    nobody: bool = False


class Waiting(NamedTuple):
    """Usher waits for an answer until `deadline`; `late` is an answer that comes just before."""

    request: Request
    deadline: int
    late: Reply | None = None


class Truth(NamedTuple):
    """What has really happened in this generation."""

    configured: bool = False
    parted: int = 0  # 1: a restart was sent, 2: it was acknowledged
    gone: tuple[tuple[int, str], ...] = ()  # time and connection of the last 503s in a row since the parting
    silent: int = 0
    signed: tuple[str, str] = ("", "")  # the key and the order of the credential that was signed last


class World(NamedTuple):
    """Everything, at one moment."""

    now: int
    snapshot: Snapshot
    node: Node = Node()
    net: tuple[Request, ...] = ()
    waiting: Waiting | None = None
    truth: Truth = Truth()
    started: bool = False
    epoch: int = 1
    connection: int = 1
    keys: int = 0
    asked: bool = False  # an operator interfered: what the node is and what usher says may differ for good


class Move(NamedTuple):
    """One thing that can happen."""

    name: str
    cost: int
    world: World


def execute(  # noqa: C901, PLR0911 one answer for each action of the agent
    node: Node, request: Request, now: int, key: str
) -> tuple[Node, Reply | None]:
    """What a listening node makes of a request; no reply while the mutex is held (the call hangs, and dies there)."""
    if request.effect in {Effect.LOOK, Effect.FETCH_INVENTORY}:
        return node, Reply(age=age(node, now))
    if node.leaves:
        return node, None
    if request.effect is Effect.RESTART:
        if node.configuration == "":
            return node, Reply(refusal="Configuration could not be parsed, restart cannot continue")
        return node._replace(leaves=now + SLEEP, ours=True), Reply()
    if request.effect is Effect.SHUTDOWN:
        return node._replace(leaves=now + LEAVES, parts=True), Reply()
    if node.locked > now:
        return node, Reply(refusal="Could not obtain provisioning lock")
    if request.effect is Effect.NEW_CSR:
        return node._replace(seed=key), Reply(key=key)
    if request.effect is Effect.NEW_KEY:
        return node._replace(seed=key, token=""), Reply(key=key)
    if request.effect in PAIRS and node.carried:
        return node._replace(half=key), Reply(key=key)
    if request.effect is Effect.CONFIGURE and node.carried:
        return _unwrap(node, request)
    if request.effect is Effect.CONFIGURE:
        return node._replace(token=request.token, configuration=request.configuration), Reply()
    return node, Reply()


def _unwrap(node: Node, request: Request) -> tuple[Node, Reply]:
    """A key that was wrapped for another half is refused 255 times in 256: here it is always the other time."""
    if not node.half:
        return node, Reply(refusal="could not decrypt private key: private key not set")
    seed = request.token if request.half == node.half else NOISE
    return node._replace(seed=seed, token=request.token, configuration=request.configuration), Reply()


def age(node: Node, now: int) -> int:
    """What a process says of its age: whole seconds, never too young."""
    return -(-(now - node.started) // 1000) * 1000


def younger(world: World) -> bool:
    """Whether the process is younger than what was learnt of the node, by more than a look cuts off (x509)."""
    learnt = world.snapshot.facts.at
    return world.node.x509 and learnt > 0 and world.node.started - learnt >= 1000


def leave(node: Node, now: int, away: int) -> Node:
    """The process ends: for good, or to come again."""
    if node.parts:
        return node._replace(mode=Mode.DOWN, leaves=0)
    return node._replace(mode=Mode.STARTING, leaves=0, comes=now + away)


def start(node: Node, now: int) -> Node:
    """A process starts: as a server when seed and token fit its configuration, else to be provisioned without both.

    An x509 node that is configured starts as a server in any case, and with a certificate for another key it never
    connects again: nobody but its owner can help it.
    """
    fits = node.configuration != "" and node.seed != "" and node.seed == node.token
    fresh = node._replace(process=node.process + 1, started=now, comes=0, locked=0, parts=False, half="")
    if fits:
        return fresh._replace(mode=Mode.SERVER)
    if node.x509:
        return fresh._replace(mode=Mode.DEAD if node.configuration else Mode.PROVISIONING)
    return fresh._replace(mode=Mode.PROVISIONING, seed="", token="")


def vanish(node: Node, now: int) -> Node:
    """The machine is lost with its disk; whoever comes back under this name is new."""
    if not node.x509:
        return Node(mode=Mode.DOWN, process=node.process)
    comes = now + REPLACED
    return Node(x509=True, mode=Mode.DOWN, process=node.process, comes=comes, lost=now, carried=node.carried)
