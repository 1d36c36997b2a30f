"""What a simulated Choria server is: its machine, its process, and what it says to the network.

Rules:
1. All values are frozen; a step makes a new `Node` and names what shall cross the network, nothing else.
2. Times are nanoseconds since 1970; waiting is a due time in the node, never a sleep.
3. What a step changes is a named tuple: `_replace` costs a sixth of what a dataclass's does, five times a message.
4. What survives a re-exec is in `files`; what dies with the process is in `Process`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from security.node_tls import RsaPair
from transport.wire.versions import Version

SECOND: Final = 1_000_000_000
MILLISECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
ENTROPY: Final = 48  # bytes of chance for one step: 32 for a key or a draw, 16 for an event's id
COLLECTIVE: Final = "provisioning"

VERSION: Final = "0.99.0"
CONFIG_FILE: Final = "/etc/choria/server.conf"


class Mode(Enum):
    """What the process is (wire/provisioning.md §6.1)."""

    PROVISIONING = "provisioning"
    SERVER = "server"
    STRANDED = "stranded"  # runs, but its settings let it reach no broker
    DEAD = "dead"  # ends at its start, and at every start that somebody makes: its files are of no use
    AWAY = "away"  # re-exec: the old process is gone, the new one is not there yet
    STOPPED = "stopped"


class Phase(Enum):
    """How far a node has come, for those who watch a fleet."""

    UNPROVISIONED = "unprovisioned"
    KEYED = "keyed"
    CONFIGURED = "configured"
    RESTARTING = "restarting"
    PROVISIONED = "provisioned"
    STRANDED = "stranded"
    DEAD = "dead"
    STOPPED = "stopped"


class Ending(Enum):
    """How a process ends that has been told to."""

    REEXEC = "re-exec"
    EXIT = "exit"


@dataclass(frozen=True)
class Setup:
    """What all nodes of a fleet share: the provisioning token and what was installed with it.

    `token` is the text of provisioning.jwt, `secret` its `cht`, `by_default` its `chpd`, `updates` its `update`
    (wire/provisioning.md §1.3). `facts` is what `chf` would hold, `broker` the URL in the replies' trace header.
    `version` is the protocol that they speak, `lacks` the actions that their servers are too old for. `keys` are the
    RSA pairs that `gencsr` draws from, made once, since each takes 70 ms to make; nodes may so have the same one.
    """

    token: str
    secret: str
    by_default: bool = True
    updates: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    broker: str = ""
    config_file: str = CONFIG_FILE
    version: Version = Version.V2
    lacks: frozenset[str] = frozenset()
    keys: tuple[RsaPair, ...] = field(default=(), repr=False)
    threads: str = "Go go1.26.8 with 17 go procs on 2 cores"

    @cached_property
    def directory(self) -> str:
        """The directory of the configuration file."""
        return str(PurePosixPath(self.config_file).parent)

    @cached_property
    def seed_file(self) -> str:
        """Where `gen25519` writes the seed."""
        return self.beside("server.seed")

    @cached_property
    def token_file(self) -> str:
        """Where `configure` writes the server token."""
        return self.beside("server.jwt")

    @property
    def ssl_directory(self) -> str:
        """Where `gencsr` writes, and TLS files of a server are (wire/provisioning.md §2.2)."""
        return self.beside("ssl")

    @cached_property
    def private_file(self) -> str:
        """Where `gencsr` writes the private key."""
        return f"{self.ssl_directory}/private.pem"

    def beside(self, name: str) -> str:
        """The path of a file in the directory of the configuration file."""
        return f"{self.directory}/{name}"


@dataclass(frozen=True, slots=True)
class Lock:
    """The provisioning lock: `<sender>.<caller>` and when it ends (wire/provisioning.md §2.1)."""

    holder: str
    until: int


class Counters(NamedTuple):
    """What `rpcutil#daemon_stats` counts, in the order of the receive pipeline (wire/protocol.md §2.9)."""

    total: int = 0
    unvalidated: int = 0
    filtered: int = 0
    passed: int = 0
    ttlexpired: int = 0
    validated: int = 0
    replies: int = 0
    events: int = 0


class Process(NamedTuple):
    """What dies with the process; `ending` is set while the agent's mutex is held for a restart or a shutdown.

    `ecdh` is the secret half that the last `jwt` made (32 bytes); `options` are those that it was started with.
    """

    mode: Mode
    started: int
    counters: Counters = Counters()
    lock: Lock | None = None
    ending: Ending | None = None
    ends: int = 0
    alive_id: bytes = bytes(16)
    alive_at: int = 0
    ecdh: bytes = b""
    options: Mapping[str, str] = MappingProxyType({})


class Node(NamedTuple):
    """One machine: its host name, its disk (path to text), the process that runs on it now and its identity."""

    host: str
    identity: str
    pid: int
    process: Process
    files: Mapping[str, str] = MappingProxyType({})
    version: str = VERSION
    collectives: tuple[str, ...] = (COLLECTIVE,)

    @property
    def due(self) -> int | None:
        """When something happens without a message, nanoseconds; None if nothing does."""
        process = self.process
        if process.mode in (Mode.STOPPED, Mode.STRANDED, Mode.DEAD):
            return None
        if process.ends:
            return min(process.ends, process.alive_at) if process.alive_at else process.ends
        return process.alive_at or None

    def phase(self, setup: Setup) -> Phase:
        """How far this node has come."""
        if self.process.mode is not Mode.PROVISIONING:
            return _PHASES[self.process.mode]
        if self.process.ending is not None:
            return _LEAVING[self.process.ending]
        if setup.config_file in self.files:
            return Phase.CONFIGURED
        keyed = setup.seed_file in self.files or setup.private_file in self.files
        return Phase.KEYED if keyed else Phase.UNPROVISIONED


_PHASES: Final = {
    Mode.SERVER: Phase.PROVISIONED,
    Mode.STRANDED: Phase.STRANDED,
    Mode.DEAD: Phase.DEAD,
    Mode.STOPPED: Phase.STOPPED,
    Mode.AWAY: Phase.RESTARTING,
}
_LEAVING: Final = {Ending.REEXEC: Phase.RESTARTING, Ending.EXIT: Phase.STOPPED}


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply transport, to be published to the request's reply subject."""

    subject: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Announce:
    """A lifecycle event, to be published."""

    subject: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Attach:
    """The process is there: connect, and subscribe to these subjects in this order."""

    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detach:
    """The process is gone: all its subscriptions end."""


Output = Answer | Announce | Attach | Detach


@dataclass(frozen=True, slots=True)
class Step:
    """What one step made of a node, and what crosses the network, in this order."""

    node: Node
    outputs: tuple[Output, ...] = ()
