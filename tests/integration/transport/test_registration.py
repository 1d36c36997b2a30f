"""Registration data over a real broker, as nodes may publish it."""

from __future__ import annotations

import pytest

from fsm.events import HintKind
from tests.fakes.link import Discarded, Heard, connection
from tests.fakes.registering import registration_v1, registration_v2
from transport.registration import LARGEST, Registration
from transport.subjects import FORMER_REGISTRATION, REGISTRATION
from usher.simulator.broker import EmbeddedBroker

pytestmark = pytest.mark.network


async def test_who_registers_is_a_hint_and_garbage_is_counted(broker: EmbeddedBroker):
    discards, hints = Discarded(), Heard[tuple[str, HintKind]]()
    link = connection("events", broker.url, "provisioner", broker.passwords.provisioner, discards=discards)
    node = connection("node", broker.url, "node", broker.passwords.node)
    older = connection("older", broker.url, "provisioner", broker.passwords.provisioner)
    await Registration(link, on_hint=lambda *hint: hints(hint), discards=discards).start()
    for each in (link, node, older):
        await each.start()
        await each.ready()
    try:
        bad = [b"", b"{", b"null", b"\xff" * 99, b"[" * 9999, registration_v1(agent="discovery"), b"x" * (LARGEST + 1)]
        for payload in (*bad, registration_v1("*"), registration_v1(), registration_v2()):
            node.publish(REGISTRATION, payload)
        await hints.until(lambda heard: len(heard) >= 2)
        older.publish(FORMER_REGISTRATION, registration_v1("n3.example.net"))
        await hints.until(lambda heard: len(heard) >= 3)
    finally:
        for each in (link, node, older):
            await each.close()
    assert hints.items == [(f"n{number}.example.net", HintKind.REGISTRATION) for number in (1, 2, 3)]
    assert discards.counts == {"bad_registration": len(bad), "unsafe_name": 1}
