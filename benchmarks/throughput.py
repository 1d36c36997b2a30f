"""How fast a burst of nodes is provisioned, and what a node costs, measured on the whole of it.

Rules:
1. Each configuration is run several times, in turns, so that the machine's other users do not strike one alone;
   the table has the median and, behind it, the best.
2. A calibration before, between and after the runs, and what others used of the processors meanwhile, say whether two
   tables can be compared.
3. A run that lost a node, or that needed a second discovery, is a failure: the exit code is 1.

    python -m benchmarks.throughput [--nodes 1000,5000] [--helper inline|exec] [--connections N] [--repeat N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.processes import calibration
from benchmarks.scene import FLAGS, Figures, RunError, Setting, end_on_signals, run

ROOT: Final = Path(__file__).resolve().parent.parent
INLINE: Final = 64
"""Workers of the helper within the daemon: it is no process, so the processors do not bound how many run at once."""


@dataclass(frozen=True, slots=True)
class Column:
    """A line of the table: what it is called, its figure, its digits, and which end of it is the best."""

    title: str
    of: Callable[[Figures], float]
    digits: int = 0
    best: Callable[[Sequence[float]], float] = min


COLUMNS: Final = (
    Column("nodes a minute", lambda f: f.a_minute, best=max),
    Column("p50, hint to restarted, ms", lambda f: f.p50_ms),
    Column("p99, hint to restarted, ms", lambda f: f.p99_ms),
    Column("daemon, CPU ms a node", lambda f: f.daemon, 2),
    Column("daemon with the looks, CPU ms a node", lambda f: f.with_looks, 2),
    Column("helpers, CPU ms a node", lambda f: f.helpers, 2),
    Column("fleet, CPU ms a node", lambda f: f.fleet, 2),
    Column("broker, CPU ms a node", lambda f: f.broker, 2),
    Column("daemon, peak memory MB", lambda f: f.peak_mb),
    Column("units a node", lambda f: f.units, 2),
    Column("began anew", lambda f: f.anew),
    Column("needed a second discovery", lambda f: f.second_discovery, best=max),
    Column("lost", lambda f: f.lost, best=max),
    Column("processors that others used meanwhile", lambda f: f.others, 2),
)


def main() -> int:
    """Measure and print."""
    asked = _arguments()
    os.chdir(ROOT)  # the daemon with an in-process helper is a module of this folder
    settings = [
        Setting(nodes, asked.helper, asked.connections, asked.workers, asked.dir, 60 + nodes / 20)
        for nodes in asked.nodes
    ]
    try:
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            return asyncio.run(_measure(settings, asked.repeat, as_json=asked.json))
    except RunError as error:
        print(f"throughput: {error}", file=sys.stderr)
        return 1
    return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="nodes a minute, and what a node costs")
    parser.add_argument("--nodes", type=_numbers, default=[1000, 5000], metavar="N,N", help="default 1000,5000")
    parser.add_argument("--helper", choices=("inline", "exec"), default="inline", help="default inline: costs nothing")
    parser.add_argument("--connections", type=int, default=50, metavar="N", help="of the fleet (default 50)")
    cores = os.cpu_count() or 1
    workers = f"helpers at once (default {cores}, in the process {INLINE})"
    parser.add_argument("--workers", type=int, metavar="N", help=workers)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each, in turns (default 3)")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="on a real disk, for databases")
    parser.add_argument("--json", action="store_true", help="every run, and the calibrations, as one document")
    asked = parser.parse_args()
    asked.workers = asked.workers or (INLINE if asked.helper == "inline" else cores)
    return asked


def _numbers(text: str) -> list[int]:
    found = [int(part) for part in text.split(",") if part.isdecimal() and int(part) > 0]
    if len(found) != len(text.split(",")):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers of nodes")
    return found


async def _measure(settings: Sequence[Setting], repeat: int, *, as_json: bool) -> int:
    task = asyncio.current_task()
    if task is not None:
        end_on_signals(task)
    calibrations = [calibration()]
    runs: list[list[Figures]] = [[] for _ in settings]
    for _ in range(repeat):
        for setting, found in zip(settings, runs, strict=True):
            found.append(await run(setting))
            calibrations.append(calibration())
            _progress(found[-1], calibrations[-1])
    if as_json:
        everything = [asdict(figures) for found in runs for figures in found]
        print(json.dumps({**machine(), "calibration_ms": calibrations, "runs": everything}))
    else:
        print(*_told(settings[0], runs, calibrations), sep="\n")
    return int(any(figures.lost or figures.second_discovery for found in runs for figures in found))


def _progress(figures: Figures, calibrated: float) -> None:
    print(
        f"{figures.nodes} nodes: {figures.a_minute:,.0f} a minute, {figures.daemon:.2f} ms"
        f" ({figures.with_looks:.2f} with the looks); others used {figures.others:.2f} processors,"
        f" calibration {calibrated:.1f} ms",
        file=sys.stderr,
    )


def machine() -> dict[str, str]:
    """What it was measured on; no names."""
    return {
        "cores": str(os.cpu_count()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "kernel": platform.release(),
    }


def _told(setting: Setting, runs: Sequence[Sequence[Figures]], calibrations: Sequence[float]) -> Iterator[str]:
    """The table as Markdown: a column a size, the median and, behind it, the best."""
    helper = f"python{sys.version_info[0]}.{sys.version_info[1]} {FLAGS}, {setting.workers} at once"
    yield f"helper: {helper if setting.helper == 'exec' else 'in the process'}; " + ", ".join(
        f"{name} {value}" for name, value in machine().items()
    )
    low, high = min(calibrations), max(calibrations)
    yield f"calibration: {median(calibrations):.1f} ms ({low:.1f} to {high:.1f})"
    yield ""
    yield "| | " + " | ".join(f"{found[0].nodes:,} nodes" for found in runs) + " |"
    yield "|---|" + "---:|" * len(runs)
    for column in COLUMNS:
        cells = (_cell(column, [column.of(figures) for figures in found]) for found in runs)
        yield f"| {column.title} | " + " | ".join(cells) + " |"


def _cell(column: Column, values: Sequence[float]) -> str:
    middle, best = median(values), column.best(values)
    text = f"{middle:,.{column.digits}f}"
    return text if best == middle else f"{text} ({best:,.{column.digits}f})"


if __name__ == "__main__":
    sys.exit(main())
