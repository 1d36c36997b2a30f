"""What durability costs: sealing, the chain and the blobs, side by side in one run.

Rules:
1. Whole runs (benchmarks.scene) of the daemon as it is and of daemons without a part (benchmarks.bare_daemon), in
   turns: each round runs every variant once, in another order, so that the machine's other users strike all alike.
2. A cost is the median over the rounds of what the daemon as it is took more than the variant of the same round.
3. Inventories have 40 facts and are each node's own.

    python -m benchmarks.sealing [--nodes 2000] [--rounds 7] [--dir DIR] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.bare_daemon import PARTS
from benchmarks.processes import calibration
from benchmarks.scene import Figures, RunError, Setting, end_on_signals, run
from benchmarks.throughput import INLINE, ROOT, machine

AIM: Final = 15.0
"""Percent of the throughput without all three."""
FACTS: Final = 40
WHOLE: Final = "as it is"
VARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    WHOLE: (),
    **{f"without {part}": (part,) for part in PARTS},
    "without all three": PARTS,
}
Rounds = list[dict[str, Figures]]


def main() -> int:
    """Measure and print; 1 if the aim was missed."""
    parser = argparse.ArgumentParser(description="what sealing, chain and blobs cost")
    parser.add_argument("--nodes", type=int, default=2000, help="of each run (default 2000)")
    parser.add_argument("--rounds", type=int, default=7, help="default 7")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="on a real disk, for databases")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.chdir(ROOT)
    try:
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            return asyncio.run(_measure(asked.nodes, asked.rounds, asked.dir, as_json=asked.json))
    except RunError as error:
        print(f"sealing: {error}", file=sys.stderr)
        return 1
    return 130


async def _measure(nodes: int, count: int, directory: Path, *, as_json: bool) -> int:
    task = asyncio.current_task()
    if task is not None:
        end_on_signals(task)
    calibrations, rounds = [calibration()], []
    with tempfile.TemporaryDirectory(dir=directory, prefix=".benchmark-") as folder:
        facts = _facts(Path(folder))
        for number in range(count):
            rounds.append(await _round(nodes, number, Path(folder), facts))
            calibrations.append(calibration())
            _progress(number, rounds[-1], calibrations[-1])
    if as_json:
        every = [{name: asdict(figures) for name, figures in each.items()} for each in rounds]
        print(json.dumps({**machine(), "calibration_ms": calibrations, "rounds": every}))
    else:
        print(*_told(nodes, rounds, calibrations), sep="\n")
    return int(slower(rounds, "without all three") > AIM)


def _facts(folder: Path) -> Path:
    values = {f"fact_{number:02d}": f"a value of the usual length, number {number:04d}" for number in range(FACTS)}
    (folder / "facts.json").write_text(json.dumps(values))
    return folder / "facts.json"


async def _round(nodes: int, number: int, folder: Path, facts: Path) -> dict[str, Figures]:
    """Every variant once, each round beginning with the next one."""
    names = list(VARIANTS)
    turn = number % len(names)
    found = {}
    for name in names[turn:] + names[:turn]:
        daemon = ("benchmarks.bare_daemon", "--without", ",".join(VARIANTS[name]))
        setting = Setting(nodes, "inline", 50, INLINE, folder, 60 + nodes / 20, daemon, ("--facts", str(facts)))
        found[name] = await run(setting)
    return found


# -- what is told -----------------------------------------------------------------------------------------------------


def slower(rounds: Rounds, variant: str) -> float:
    """Percent of the variant's throughput that the daemon as it is does not reach."""
    return median((1 - each[WHOLE].a_minute / each[variant].a_minute) * 100 for each in rounds)


def dearer(rounds: Rounds, variant: str) -> float:
    """Percent of the variant's CPU a node that the daemon as it is takes more."""
    return median((each[WHOLE].with_looks / each[variant].with_looks - 1) * 100 for each in rounds)


def _progress(number: int, found: Mapping[str, Figures], calibrated: float) -> None:
    said = ", ".join(f"{name} {each.a_minute:,.0f} ({each.with_looks:.2f} ms)" for name, each in found.items())
    others = max(each.others for each in found.values())
    print(f"{number + 1}: {said}; others {others:.2f}, calibration {calibrated:.1f} ms", file=sys.stderr)


def _told(nodes: int, rounds: Rounds, calibrations: Sequence[float]) -> Iterator[str]:
    yield f"{nodes:,} nodes, {len(rounds)} rounds, " + ", ".join(f"{name} {value}" for name, value in machine().items())
    low, high = min(calibrations), max(calibrations)
    others = median(each.others for found in rounds for each in found.values())
    yield f"calibration: {median(calibrations):.1f} ms ({low:.1f} to {high:.1f}); others used {others:.2f} processors\n"
    yield "| | nodes a minute | it costs | CPU ms a node | it costs |\n|---|---:|---:|---:|---:|"
    for name in VARIANTS:
        rate, cpu = (median(getattr(each[name], of) for each in rounds) for of in ("a_minute", "with_looks"))
        costs = ("", "") if name == WHOLE else (f"{slower(rounds, name):.1f}%", f"{dearer(rounds, name):.1f}%")
        yield f"| {name} | {rate:,.0f} | {costs[0]} | {cpu:.2f} | {costs[1]} |"


if __name__ == "__main__":
    sys.exit(main())
