"""How many transitions a second become durable, beside a loop that never idles.

Rules:
1. Units are what a real node makes: a life of 13, with effects that open, are marked as started, and close; blobs; a
   secret; a snapshot of some 700 bytes.
2. The database is the daemon's own: WAL, synchronous=FULL, on the disk that `--dir` names.
3. A callback that never rests keeps the loop busy all the time, as a fleet would; its own time is not counted as ours.

    python benchmarks/store.py [--units 40000] [--nodes 400] [--dir DIR] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

# ruff: noqa: E402 this file's own directory has to leave the path first: here lies another `store`
HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != HERE]

from fsm.codec import encode_event
from fsm.effects import Effect, Intent
from fsm.events import (
    Ack,
    Done,
    Due,
    DueKind,
    Event,
    HelperFacts,
    Hint,
    HintKind,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    Payload,
    Sent,
    Sighting,
    TokenFacts,
    Verdict,
)
from fsm.snapshot import Awaited, Doing, Facts, Quiet, Snapshot
from fsm.states import State
from fsm.unit import Blob, Closing, HistoryRow, Secret, Unit
from store.journal import Journal
from store.repository import open_store

AT = 1_760_000_000_000
SPIN = 100e-6  # seconds that the other callback works in each turn


def _digest(*words: object) -> str:
    return sha256(repr(words).encode()).hexdigest()


def _facts(node: str) -> Facts:
    return Facts(
        AT,
        JwtFacts(_digest(node, 1), "2nQxZ0bTzLk1jWmJx0q0v7yPq1S", True),
        InventoryFacts(_digest(node, 2), "0.29.4", False),
        KeyFacts(_digest(node, 3), "/etc/choria"),
        HelperFacts(_digest(node, 4), Verdict.CONFIGURE, ""),
        TokenFacts("5c1ff8d4c8e2d7c8f3a1b2c3d4e5f607", _digest(node, 5), 1_790_000_000, "3f8a9c0d1e2f4a5b"),
        _digest("the fleet's configuration"),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of a life: the state that it leads to, the effect that it opens, what closed the one before it."""

    state: State
    opens: Effect | None = None
    facts: Payload | None = None
    held: tuple[str, ...] = ()
    blobs: tuple[int, ...] = ()  # sizes


def _life(facts: Facts) -> tuple[Step, ...]:
    ack = Ack("Reconfigured provisioning, restart to activate", facts.configured)
    return (
        Step(State.DISCOVERED),
        Step(State.DISCOVERED, Effect.FETCH_JWT),
        Step(State.DISCOVERED, Effect.FETCH_INVENTORY, facts.jwt, ("jwt",), (900,)),
        Step(State.INVENTORIED, Effect.NEW_KEY, facts.inventory, ("inventory",), (4000,)),
        Step(State.INVENTORIED, Effect.RUN_HELPER, facts.key, ("key",)),
        Step(State.INVENTORIED, Effect.SIGN_TOKEN, facts.helper, ("helper",), (1200, -600)),
        Step(State.ENROLLED, Effect.CONFIGURE, facts.token, ("token",)),
        Step(State.CONFIGURED, Effect.RESTART, ack, ("configured",)),
        Step(State.RESTARTED, None, ack),
        Step(State.RESTARTED, Effect.LOOK),
        Step(State.RESTARTED, None, Sighting(present=False)),
        Step(State.RESTARTED, Effect.LOOK),
        Step(State.PROVISIONED, None, Sighting(present=False)),
    )


def _blobs(node: str, sizes: tuple[int, ...]) -> tuple[Blob, ...]:
    """Bytes of a node's own; those of a negative size are the same for the whole fleet."""
    texts = [(f"{node if size > 0 else 'fleet'} " * abs(size))[: abs(size)].encode() for size in sizes]
    return tuple(Blob(sha256(text).hexdigest(), text) for text in texts)


def units(node: str) -> Iterator[Unit]:
    """A node's life, as the engine would hand it to the journal; built ahead, so that it costs nothing in the run."""
    everything = _facts(node)
    snapshot, entropy = Snapshot(node, first=AT), bytes(16)
    for seq, step in enumerate(_life(everything), 1):
        closed, at = snapshot.open, AT + seq
        opens = Doing(
            effect=step.opens, seq=seq, opened=seq, epoch=1, tries=1, at=at, entropy=entropy, since=at, open=True
        ) if step.opens else None  # fmt: skip
        held = {name: getattr(everything, name) for name in step.held}
        after = replace(
            snapshot, state=step.state, generation=1, seq=seq,
            since=at if step.state != snapshot.state else snapshot.since,
            doing=opens or (snapshot.doing and replace(snapshot.doing, open=False)),
            awaited=Awaited(at, DueKind.LOOK, 5000) if step.state is State.RESTARTED and not opens else None,
            facts=replace(snapshot.facts, at=AT, **held), quiet=Quiet(at, "c-1", at, "") if seq > 7 else None,
            answered=seq > 2,
        )  # fmt: skip
        body: Done | Hint | Due
        if closed is not None and step.facts is not None:
            identity = snapshot.effect_id()
            assert identity is not None
            body = Done(closed.effect, identity, step.facts, Sent(at, "c-1"))
        else:
            body = Hint(HintKind.STARTUP) if seq == 1 else Due(DueKind.STEP, at)
        row = HistoryRow(
            node, 1, 1, seq, at, 1, "0123456789abcdef", str(body.trigger), f"{step.state}_by_step", snapshot.state,
            step.state, encode_event(Event(at, entropy, body)),
        )  # fmt: skip
        identity = after.effect_id()
        yield Unit(
            after,
            row,
            Intent(identity, step.opens, at, entropy) if identity and step.opens else None,
            Closing(closed.opened, None, None) if closed else None,
            _blobs(node, step.blobs),
            (Secret("token", bytes(700)),) if step.state is State.ENROLLED else (),
            drop=step.state is State.PROVISIONED,
        )
        snapshot = after


@dataclass(slots=True)
class Busy:
    """The other callback: works for a while in every turn of the loop, and counts what it took."""

    seconds: float = SPIN
    cpu: float = 0.0
    turns: int = 0
    stopped: bool = False
    longest: float = 0.0
    _before: float = field(default_factory=time.perf_counter)

    def turn(self) -> None:
        """Work, and come again in the next turn."""
        began, before = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, began - self._before)
        while time.perf_counter() - began < self.seconds:
            pass
        self.turns += 1
        self._before = time.perf_counter()
        self.cpu += time.thread_time() - before
        if not self.stopped:
            asyncio.get_running_loop().call_soon(self.turn)


async def _node(journal: Journal, life: list[Unit], waits: list[float]) -> None:
    for unit in life:
        before = time.perf_counter()
        await journal.commit(unit)
        waits.append(time.perf_counter() - before)
        if unit.opens is not None:
            assert await journal.started([unit.opens.id])


async def _worker(journal: Journal, lives: list[list[Unit]], waits: list[float]) -> None:
    while lives:
        await _node(journal, lives.pop(), waits)


async def measure(folder: Path, count: int, width: int, spin: float) -> dict[str, float]:
    """Run `count` units, `width` nodes at once, and say how it went; milliseconds and microseconds as named."""
    life = len(_life(_facts("")))
    lives = [list(units(f"node{number:06}.fleet.example.net")) for number in range(max(1, count // life))]
    bodies = sum(len(unit.history.payload) for unit in lives[0]) / life
    total, waits = len(lives) * life, []
    journal = open_store(folder / "usher.db")
    await journal.begin_epoch()
    busy = Busy(spin)
    began, cpu, everything = time.perf_counter(), time.thread_time(), time.process_time()
    if spin:
        asyncio.get_running_loop().call_soon(busy.turn)
    await asyncio.gather(*(_worker(journal, lives, waits) for _ in range(width)))
    took, cpu, everything = time.perf_counter() - began, time.thread_time() - cpu, time.process_time() - everything
    busy.stopped = True
    await journal.close()
    waits.sort()
    return {
        "units": total,
        "nodes at once": width,
        "payload bytes": bodies,
        "seconds": took,
        "units a second": total / took,
        "loop CPU us a unit": (cpu - busy.cpu) / total * 1e6,
        "process CPU us a unit": (everything - busy.cpu) / total * 1e6,
        "commit p50 ms": waits[len(waits) // 2] * 1e3,
        "commit p99 ms": waits[len(waits) * 99 // 100] * 1e3,
        "longest turn ms": busy.longest * 1e3,
        "database MB": (folder / "usher.db").stat().st_size / 1e6,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="units a second that become durable beside a loop that never idles")
    parser.add_argument("--units", type=int, default=40_000)
    parser.add_argument("--nodes", type=int, default=400, help="nodes that are under way at once")
    parser.add_argument("--dir", type=Path, default=Path.cwd(), help="where the database is made, on a real disk")
    parser.add_argument("--idle", action="store_true", help="without the callback that keeps the loop busy")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.dir, prefix=".benchmark-") as folder:
        found = asyncio.run(measure(Path(folder), asked.units, asked.nodes, 0.0 if asked.idle else SPIN))
    if asked.json:
        print(json.dumps({name.replace(" ", "_"): round(value, 2) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:<24}{value:>12,.1f}")


if __name__ == "__main__":
    main()
