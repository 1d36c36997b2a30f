"""How many recorded steps a second `usher replay --verify` decides again, on one core.

Rules:
1. The database is a fleet's as the real journal writes it (benchmarks.fleets); every row is read, its event decoded and
   decided again, and compared with what was recorded, and every node with what is held.
2. What counts is the best of the repetitions, in processor time of this process, since others may be at work; all of
   them are told, and the time on the clock and a calibration beside them.

    python -m benchmarks.replay [--nodes 5000] [--rows 60000] [--repeat 5] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.fleets import AT_REST, build
from benchmarks.processes import calibration
from store.folding import open_past
from usher.state import StateDirectory

AIM: Final = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that were decided again, and for each repetition how many a second: of processor time, and by the clock.

    `calibration` is the milliseconds of a fixed piece of Python beside them.
    """

    nodes: int
    rows: int
    of_processor: list[float]
    by_the_clock: list[float]
    calibration: float

    @property
    def met(self) -> bool:
        """Whether the aim is met."""
        return max(self.of_processor) >= AIM


def measured(path: Path, repeat: int) -> Found:
    """Verify everything, so many times."""
    processor: list[float] = []
    clock: list[float] = []
    nodes = rows = 0
    for _ in range(repeat):
        began, used = time.perf_counter(), time.process_time()
        with open_past(path) as past:
            folded = past.fold()
        took, used = time.perf_counter() - began, time.process_time() - used
        if folded.fault is not None or folded.undecided:
            raise SystemExit(f"what was built does not verify: {folded}")
        nodes, rows = folded.nodes, folded.rows
        processor.append(rows / used)
        clock.append(rows / took)
    return Found(nodes, rows, processor, clock, calibration())


def main() -> int:
    """Build, measure, and tell."""
    parser = argparse.ArgumentParser(description="Recorded steps a second that are decided again, on one core.")
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="usher-replay-") as folder:
        state = StateDirectory(Path(folder))
        asyncio.run(build(state, AT_REST, args.nodes, args.rows, time.time_ns() // 1_000_000))
        found = measured(state.database, args.repeat)
    if args.json:
        print(json.dumps(asdict(found) | {"aim": AIM, "met": found.met}))
    else:
        print(f"{found.rows} rows of {found.nodes} nodes, decided again {args.repeat} times")
        print(f"a second of processor time: {', '.join(f'{each:,.0f}' for each in found.of_processor)} (aim {AIM:,})")
        print(f"a second by the clock:      {', '.join(f'{each:,.0f}' for each in found.by_the_clock)}")
        print(f"calibration: {found.calibration:.1f} ms")
    return 0 if found.met else 1


if __name__ == "__main__":
    sys.exit(main())
