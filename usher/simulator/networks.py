"""Networks of either kind, each a broker that runs and a site in a directory: for the demo, tests and benchmarks.

Rules:
1. What is the same for both kinds is done through here; what is not has a module of its own (material, x509_demo).
2. A network ends with its context, whatever ends that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from usher.simulator.broker import EmbeddedBroker
from usher.simulator.material import DemoSite, make_broker, make_site
from usher.simulator.x509_demo import make_x509_broker, make_x509_demo


class Kind(StrEnum):
    """What a network is by: tokens of an issuer and protocol v2, or certificates and v1."""

    ISSUER = "issuer"
    X509 = "x509"


@dataclass(frozen=True, slots=True)
class Running:
    """A network that runs: `broker` is where nodes log in, `front` where usher does if that is another one.

    `listens` says in words where who logs in.
    """

    broker: EmbeddedBroker
    site: DemoSite
    listens: str
    front: EmbeddedBroker | None = None

    @property
    def pids(self) -> tuple[int, ...]:
        """The process numbers of its brokers."""
        return tuple(each.pid for each in (self.broker, self.front) if each is not None)


@asynccontextmanager
async def network(
    kind: Kind, directory: Path, now: int, more: Mapping[str, Any] | None = None
) -> AsyncIterator[Running]:
    """Run one in a new or empty directory; `now` in Unix seconds, `more` adds to the YAML.

    Raises DirectoryTakenError, BrokerMissingError, BrokerFailedError.
    """
    match kind:
        case Kind.ISSUER:
            async with make_broker(directory) as plain:
                yield Running(plain, make_site(directory, plain, now, more), f"A broker listens on {plain.url}")
        case Kind.X509:
            async with make_x509_broker(directory, now) as broker:
                made = make_x509_demo(directory, broker, now, more)
                listens = f"A broker listens on {broker.node_url}, and on {broker.url} for who shows a certificate"
                yield Running(broker.behind, made, listens, broker.front)
