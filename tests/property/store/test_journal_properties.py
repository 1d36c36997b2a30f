"""Whatever units come, and however they are batched: a node is where its last unit says, and history is whole."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.effects import Effect
from fsm.events import Certainty, DueKind
from fsm.states import State
from fsm.unit import Secret, Unit
from store.audit import audit
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.store import MemoryStore
from tests.fakes.units import Life, blob

NODES = ("a", "b", "c")
STEPS = st.fixed_dictionaries(
    {
        "node": st.sampled_from(NODES),
        "state": st.sampled_from(State),
        "opens": st.none() | st.sampled_from(Effect),
        "awaits": st.none() | st.sampled_from(DueKind),
        "certainty": st.none() | st.sampled_from(Certainty),
        "abandons": st.booleans(),
        "anew": st.booleans(),
        "drop": st.booleans(),
        "blob": st.binary(max_size=3),
        "secret": st.binary(max_size=3),
        "waits": st.booleans(),  # whether what comes after it is of a later batch
        "starts": st.booleans(),
    }
)
Steps = list[dict[str, object]]


def unit(lives: dict[str, Life], step: dict[str, object]) -> Unit:
    chosen = {name: step[name] for name in ("state", "opens", "awaits", "certainty", "abandons", "anew", "drop")}
    data, secret = step["blob"], step["secret"]
    assert isinstance(data, bytes)
    assert isinstance(secret, bytes)
    return lives[str(step["node"])].unit(
        blobs=[blob(data)] if data else (), secrets=[Secret("s", secret)] if secret else (), **chosen
    )  # type: ignore[arg-type]


async def run(store: Journal | MemoryStore, steps: Steps) -> tuple[dict[str, Life], list[object]]:
    """Hand all over, waiting where a step says so; the lives, and what was answered to each start."""
    lives = {name: Life(name) for name in NODES}
    waiting: list[asyncio.Future[None]] = []
    answers: list[object] = []
    for step in steps:
        made = unit(lives, step)
        waiting.append(store.commit(made))
        if step["starts"] and made.opens is not None:
            answers.append(await store.started([made.opens.id]))
        if step["waits"]:
            await asyncio.gather(*waiting)
    await asyncio.gather(*waiting)
    return lives, answers


def kept(store: Journal | MemoryStore, steps: Steps) -> list[bytes | None]:
    """The vault, as far as these steps could have filled it."""
    return [store.secret(node, generation, "s") for node in NODES for generation in range(1, len(steps) + 2)]


async def compare(path: Path, steps: Steps) -> None:
    journal, memory = open_store(path), MemoryStore()
    lives, answers = await run(journal, steps)
    assert (await run(memory, steps))[1] == answers
    for name, life in lives.items():
        expected = life.snapshot if life.snapshot.seq else None
        assert journal.load(name) == memory.load(name) == expected
    assert sorted(snapshot.node for snapshot in journal.active()) == sorted(found.node for found in memory.active())
    assert dict(journal.open_effects()) == dict(memory.open_effects())
    assert kept(journal, steps) == kept(memory, steps)
    for digest, data in memory.blobs.items():
        assert journal.blob(digest) == data
    await journal.close()
    verdict = audit(path)
    assert verdict.sound, verdict.fault
    assert verdict.rows == len(steps)
    with open_reader(path) as reader:
        for name in NODES:
            assert [row.seq for row in reader.history(name)] == list(range(1, lives[name].snapshot.seq + 1))


@settings(max_examples=40)
@given(st.lists(STEPS, max_size=20))
def test_both_stores_end_where_the_units_lead(steps: Steps):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder) / "usher.db", steps))
