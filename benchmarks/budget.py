"""What a node costs the daemon, a line a component: each part alone, with what a node really gives it.

Rules:
1. All parts are measured in one process and one go, with the values of whole lives (benchmarks.life); the best of
   several rounds counts, since what comes on top is the machine's other users.
2. CPU of the thread that does the work; only the COMMIT is of the store's own thread.
3. What no part explains is named as the rest, against the whole that benchmarks.throughput measures in the same run.

    python -m benchmarks.budget [--lives 200] [--width 24] [--nodes 1000] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.parts import Parts
from benchmarks.processes import calibration
from benchmarks.scene import RunError, Setting, run
from benchmarks.throughput import ROOT, machine
from usher import logs


@dataclass(frozen=True, slots=True)
class Line:
    """A component: how often a node needs it, and its CPU in microseconds a node."""

    title: str
    count: int
    us: float


def lines(parts: Parts, width: int) -> list[Line]:
    """The budget's lines."""
    turns, asked = len(parts.lives[0].turns), len(parts.lives[0].asked)
    answered = sum(said is not None for said in parts.lives[0].replies)
    verify, prove, issue = (parts.measure(work) for work in (parts.verify, parts.prove, parts.issue))
    events, snapshots = parts.measure(parts.events), parts.measure(parts.snapshots)
    logs.set_up(str(parts.directory / "usher.log"), "info")
    log, metrics = parts.measure(parts.log), parts.measure(parts.metrics)
    logs.set_up("discard", "info")
    loop, commit, batches = asyncio.run(parts.store(width))
    bare, bare_commit, _ = asyncio.run(parts.store(width, blobs=False))
    seal, chain, blobs = parts.measure(parts.seal), parts.measure(parts.chain), max(loop - bare, 0.0)
    performed = len(parts.lives[0].performed)
    return [
        Line("requests encoded", asked, parts.measure(parts.encode)),
        Line("requests signed", asked, parts.measure(parts.sign)),
        Line("replies decoded, hashes checked", answered, parts.measure(parts.decode)),
        Line("provisioning token verified", 1, verify),
        Line("nonce proof verified", 1, prove),
        Line("server token signed", 1, issue),
        Line("effects, beside the above", performed, parts.measure(parts.perform) - verify - prove - issue - seal),
        Line("secrets and inventory sealed", parts.sealed, seal),
        Line("decisions (the table)", turns, parts.measure(parts.decisions)),
        Line("event codec", turns, events),
        Line("units", turns, parts.measure(parts.units) - events),
        Line("snapshot codec", turns, snapshots),
        Line(f"journal: statements, batches of {width}", turns, loop - snapshots - chain - blobs),
        Line("journal: chain", turns, chain),
        Line("journal: the inventory's blob", 1, blobs + max(commit - bare_commit, 0.0)),
        Line(f"journal: COMMIT, {batches / len(parts.lives):.2f} a node", 1, min(commit, bare_commit)),
        Line("log lines", turns, log),
        Line("metrics", turns + performed, metrics),
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what a node costs the daemon, a line a component")
    parser.add_argument("--lives", type=int, default=200, help="nodes whose lives are measured (default 200)")
    parser.add_argument("--width", type=int, default=24, help="units in a batch (default 24)")
    parser.add_argument("--nodes", type=int, default=1000, help="of the whole run (default 1000)")
    parser.add_argument("--repeat", type=int, default=3, help="whole runs (default 3)")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="on a real disk, for databases")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.chdir(ROOT)
    calibrations = [calibration()]
    with tempfile.TemporaryDirectory(dir=asked.dir, prefix=".benchmark-") as folder:
        found = lines(Parts(Path(folder), asked.lives), asked.width)
    calibrations.append(calibration())
    setting = Setting(asked.nodes, "inline", 50, 4, asked.dir, 60 + asked.nodes / 20)
    try:
        whole = median(asyncio.run(run(setting)).with_looks for _ in range(asked.repeat)) * 1000
    except RunError as error:
        print(f"budget: {error}", file=sys.stderr)
        return 1
    calibrations.append(calibration())
    named = sum(line.us for line in found)
    rest = Line("the rest: event loop, engine, executor, RPC bookkeeping, TLS, sockets, nats-py", 1, whole - named)
    _tell([*found, rest, Line("all, as measured", 1, whole)], calibrations, as_json=asked.json)
    return 0


def _tell(found: Sequence[Line], calibrations: Sequence[float], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**machine(), "calibration_ms": calibrations, "lines": [asdict(line) for line in found]}))
        return
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print("calibration: " + ", ".join(f"{each:.1f}" for each in calibrations) + " ms\n")
    print("| component | a node | CPU us | share |\n|---|---:|---:|---:|")
    for line in found:
        print(f"| {line.title} | {line.count} | {line.us:,.0f} | {line.us / found[-1].us:.0%} |")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
