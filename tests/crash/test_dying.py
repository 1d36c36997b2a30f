"""The ways to die, as far as they can be watched without dying: what is counted, cut, and flushed."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from fsm.effects import SPECS, Effect, Port
from store.versions import migrations
from tests.crash.dying import ACTIONS, ALSO, Fate, flush, statements
from tests.crash.failpoints import Death, Failpoint
from tests.fakes.link import SUBJECT, connection
from usher.simulator.broker import EmbeddedBroker


def test_the_nth_occurrence_strikes_once_and_others_are_not_counted():
    fate = Fate(Death(Failpoint.AFTER_SEND, Effect.RESTART, 3))
    struck = [fate.strikes(Failpoint.AFTER_SEND, effect) for effect in (Effect.RESTART, Effect.LOOK) for _ in range(2)]
    struck += [fate.strikes(Failpoint.BEFORE_SEND, Effect.RESTART)]
    assert struck == [False] * 5
    assert [fate.strikes(Failpoint.AFTER_SEND, Effect.RESTART) for _ in range(3)] == [True, False, False]


def test_every_request_is_known_by_its_action():
    known = set(ACTIONS.values()) | set(ALSO.values())
    assert known == {effect for effect in Effect if SPECS[effect].port is Port.RPC}


@pytest.mark.parametrize("version", migrations())
def test_a_schema_in_pieces_is_the_schema(version: int):
    texts = [migrations()[number].read_text(encoding="utf-8") for number in range(1, version + 1)]
    with closing(sqlite3.connect(":memory:")) as whole, closing(sqlite3.connect(":memory:")) as pieces:
        for text in texts:
            whole.executescript(text)
            for piece in statements(text):
                pieces.execute(piece)
        query = "SELECT sql FROM sqlite_schema ORDER BY name"
        assert pieces.execute(query).fetchall() == whole.execute(query).fetchall()


@pytest.mark.network
async def test_what_is_flushed_has_been_read_by_the_broker(broker: EmbeddedBroker):
    heard: list[bytes] = []
    ours = connection("rpc", broker.url, "provisioner", broker.passwords.provisioner)
    theirs = connection("node", broker.url, "node", broker.passwords.node)
    for each in (ours, theirs):
        await each.start()
        await each.ready()
    await theirs.subscribe(SUBJECT, lambda _subject, data, _status: heard.append(data))
    sent = [str(number).encode() * 100 for number in range(500)]
    for payload in sent:
        ours.publish(SUBJECT, payload)
    await flush(ours)
    await flush(theirs)
    assert heard == sent
    for each in (ours, theirs):
        await each.close()
