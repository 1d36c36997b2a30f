"""`python -m tests.crash`: the crash matrix as a command; see matrix.py.

Rules:
1. A line a cell as it is done, the matrix at the end; the exit code is 1 if a cell failed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.crash.failpoints import Cell
from tests.crash.matrix import NODES, Result, cells, play, table
from tests.crash.stage import StageError
from usher.simulator.networks import Kind


def main() -> int:
    """Live every cell and print the matrix."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description="SIGKILL at every failpoint")
    parser.add_argument(
        "--nodes", type=int, default=NODES, metavar="N", help=f"in flight in each cell (default {NODES})"
    )
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="cells at once (default 3)")
    parser.add_argument("--only", default="", metavar="FAILPOINT[:EFFECT]", help="a row, or a cell, of the matrix")
    parser.add_argument("--network", choices=[kind.value for kind in Kind], help="its fleet alone (default: both)")
    asked = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="usher-crash-") as folder:
        results = asyncio.run(
            _all(
                cells(asked.only, [Kind(asked.network)] if asked.network else list(Kind)),
                Path(folder),
                asked.nodes,
                asked.at_once,
            )
        )
    print(*_told(results, time.monotonic() - begun), sep="\n")
    return int(not all(result.well for result in results))


async def _all(chosen: Sequence[Cell], folder: Path, nodes: int, at_once: int) -> list[Result]:
    room = asyncio.Semaphore(at_once)

    async def one(number: int, cell: Cell) -> Result:
        async with room:
            try:
                result = await play(cell, folder / str(number), nodes)
            except StageError as error:
                result = Result(cell, nodes, 0, 0, (), 0, 0, 0.0, (), (), (), str(error))
            _progress(result)
            return result

    return await asyncio.gather(*(one(number, cell) for number, cell in enumerate(chosen)))


def _progress(result: Result) -> None:
    waited = "".join(f", {count} waited ({row})" for row, count in result.waited)
    copied = "".join(f", {done} of {pages} pages written back" for done, pages in result.copied)
    print(
        f"{'ok' if result.well else 'FAILED'}  {result.cell}: {result.ended} of {result.nodes}, {result.deaths} deaths"
        f" with {'/'.join(map(str, result.flying))} in flight, {result.anew} anew, {result.interrupted} interrupted,"
        f" {result.seconds:.0f} s{waited}{copied}",
        file=sys.stderr,
        flush=True,
    )
    for line in (result.failure, *map(str, result.broken[:5])):
        if line:
            print(f"        {line}", file=sys.stderr, flush=True)


def _told(results: Sequence[Result], seconds: float) -> list[str]:
    deaths, failed = sum(result.deaths for result in results), sum(not result.well for result in results)
    counts = (
        f"{len(results)} cells, {deaths} deaths, {sum(result.ended for result in results)} nodes at their end, "
        f"{sum(result.interrupted for result in results)} effects interrupted, "
        f"{sum(count for result in results for _, count in result.waited)} nodes waited for a request to run out, "
        f"{failed} cells failed"
    )
    tables = (
        line
        for kind in sorted({result.cell.kind for result in results})
        for line in (f"{kind}:", "", *table(results, kind), "")
    )
    return [*tables, f"{counts}; {seconds / 60:.1f} minutes"]


if __name__ == "__main__":
    sys.exit(main())
