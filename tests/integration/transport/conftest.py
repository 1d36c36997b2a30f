"""A broker of the run, and a proxy in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.proxy import FaultProxy
from usher.simulator.broker import HOST, EmbeddedBroker


@pytest.fixture
async def proxy(broker: EmbeddedBroker) -> AsyncIterator[FaultProxy]:
    """A proxy that pushes back early when it is silent."""
    async with FaultProxy(HOST, broker.port, receive_buffer=16 * 1024) as proxy:
        yield proxy
