"""What a fleet is and where it stands: its plan, its figures, and the seat of each node.

Rules:
1. A plan and figures are frozen; a seat is what changes with every message, and has slots, since there are many.
2. A node of whom nothing else is said is honest and shows the facts of the fleet.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from transport.credentials import tls_context
from usher.simulator.cruelty import Cruelty, Part
from usher.simulator.line import Line
from usher.simulator.model import Mode, Node, Phase, Process, Setup
from usher.simulator.profile import Churn
from usher.simulator.unkind import Unkindness
from usher.simulator.wire_client import Broker, Login

MOST_CONNECTIONS: Final = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fleet is: nodes by name, where they connect, how they treat messages.

    `context` verifies no certificate unless another is given, as real servers do. `together` keeps all nodes silent
    until every connection stands; `server_events` lets a provisioned node say `startup` as component `server` before
    it leaves, which a real one says on its fleet connection. `parts` names the cruel ones and what they play, `setups`
    those whose facts are others, `churn` lets more names of `domain` come and go; `told` says all that to people.
    `fleet` logs in where provisioned nodes listen; without it they listen nowhere.
    """

    broker: Broker
    login: Login = field(repr=False)
    setup: Setup = field(repr=False)
    names: Sequence[str] = field(repr=False)
    context: ssl.SSLContext = field(default_factory=tls_context, repr=False)
    connections: int = MOST_CONNECTIONS
    unkindness: Unkindness = field(default_factory=Unkindness)
    together: bool = False
    server_events: bool = False
    parts: Mapping[str, Part] = field(default_factory=dict, repr=False)
    setups: Mapping[str, Setup] = field(default_factory=dict, repr=False)
    churn: Churn | None = None
    domain: str = ""
    told: tuple[str, ...] = ()
    fleet: Login | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Figures:
    """Where a fleet stands; counts since its start, `phases` by name, all phases named.

    `nodes` are the machines that are there now: a twin is two, and one that has come and gone is none.
    """

    nodes: int
    connected: int
    phases: dict[str, int]
    requests: int
    answers: int
    events: int
    struck: int


class Seat:
    """The place of one node."""

    __slots__ = ("due", "heard", "line", "node", "part", "phase", "setup", "struck", "timer")

    def __init__(self, name: str, setup: Setup, part: Part | None = None) -> None:
        """A node that is not switched on yet."""
        self.node = Node(name, name, 0, Process(Mode.AWAY, 0))
        self.setup = setup
        self.part = part
        self.struck = 0
        self.line: Line[Seat] | None = None
        self.phase: Phase | None = None
        self.heard = 0
        self.due: int | None = None
        self.timer: asyncio.TimerHandle | None = None


def seats_of(plan: Plan, name: str) -> list[Seat]:
    """The machines that have this name: one, or two."""
    part = plan.parts.get(name)
    machines = 2 if part is not None and part.cruelty is Cruelty.TWIN else 1
    return [Seat(name, plan.setups.get(name, plan.setup), part) for _ in range(machines)]


def passing(number: int, domain: str) -> str:
    """The name of a node that comes and goes."""
    return f"passing-{number:07d}.{domain}" if domain else f"passing-{number:07d}"
