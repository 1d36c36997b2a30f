"""A process that is killed from outside while it commits: what was acknowledged is there, the database is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from store.audit import audit
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.units import Life

COMMITS = """
import asyncio, sys
from pathlib import Path
from fsm.effects import Effect
from fsm.states import State
from store.repository import open_store
from tests.fakes.units import Life, blob

async def node(journal, name):
    life = Life(name)
    while True:
        unit = life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT, blobs=[blob(name.encode() * 200)])
        await journal.commit(unit)
        sys.stdout.write(f"{name} {life.snapshot.seq}\\n")
        sys.stdout.flush()
        await journal.started([unit.opens.id])

async def main():
    journal = open_store(Path(sys.argv[1]))
    await journal.begin_epoch()
    await asyncio.gather(*(node(journal, f"n{number}") for number in range(64)))

asyncio.run(main())
"""


def killed_after(path: Path, root: Path, lines: int) -> dict[str, int]:
    """Run the process, kill it after so many acknowledgements; the last row that each node was told of."""
    told: dict[str, int] = {}
    with subprocess.Popen(
        [sys.executable, "-c", COMMITS, path], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        for count, line in enumerate(process.stdout, 1):
            if count == lines:
                process.kill()
            if line.endswith("\n"):
                name, seq = line.split()
                told[name] = int(seq)
    assert process.returncode == -9
    return told


@pytest.mark.parametrize("lines", [100, 3000])
async def test_what_was_acknowledged_survives(tmp_path: Path, root: Path, lines: int):
    path = tmp_path / "usher.db"
    told = killed_after(path, root, lines)
    assert sum(told.values()) >= lines
    journal = open_store(path)
    for name, seq in told.items():
        snapshot = journal.load(name)
        assert snapshot is not None
        assert snapshot.seq >= seq
    assert await journal.begin_epoch() == 2
    open_now = {of.node: of.opened for of, _ in journal.open_effects()}
    assert open_now == {snapshot.node: snapshot.seq for snapshot in journal.active()}
    for snapshot in journal.active():
        await journal.commit(Life(snapshot.node, 2, snapshot).unit())
    await journal.close()
    verdict = audit(path)
    assert verdict.sound, verdict.fault
    with open_reader(path) as reader:
        rows = [row.seq for row in reader.history("n0", limit=100_000)]
    assert rows == list(range(1, len(rows) + 1))
