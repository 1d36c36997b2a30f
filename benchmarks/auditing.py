"""What the audit costs: verifying, a checkpoint, an export and its verification, a prune, over a large history.

Rules:
1. The database is written with the real journal and real decisions (benchmarks.fleets), mostly at rest.
2. Each figure is the best of `--runs`; seconds of this process's own clock, one core.
3. A checkpoint is taken as the daemon takes it, through its journal, with synchronous=FULL on the disk of `--dir`.

    python -m benchmarks.auditing [--nodes 10000] [--rows 100000] [--runs 3] [--dir DIR] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.fleets import DAY, SHAPES, build
from fsm.runtime.clock import SystemClock
from security.keys import SigningKey
from store.audit import audit
from store.identity import opened
from store.pruning import make_bases, plan
from store.reader import open_reader
from store.repository import open_store
from usher.audit.bundle import Source, write
from usher.audit.bundle_check import check
from usher.audit.keeper import Keeper
from usher.audit.keys import AuditKeys
from usher.audit.ranges import find
from usher.audit.verify import examine
from usher.config.audit import AuditSettings
from usher.keyplace import KeyPlace
from usher.state import StateDirectory

_CHECKPOINTS: Final = 20


def best(runs: int, work: Callable[[], object]) -> float:
    """The shortest of so many runs, in seconds."""
    took = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return min(took)


async def checkpoints(state: StateDirectory, key: SigningKey) -> float:
    """Seconds that a checkpoint takes until it is durable, the mean of some."""
    journal = open_store(state.database)
    keeper = Keeper(AuditKeys(KeyPlace(state.audit_key, ours=True), key), AuditSettings(), SystemClock())
    await keeper.take_up(journal)
    begun = time.perf_counter()
    for _ in range(_CHECKPOINTS):
        await keeper.take("asked")
    took = (time.perf_counter() - begun) / _CHECKPOINTS
    await journal.close()
    return took


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    now = time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        state, key = StateDirectory(Path(folder) / "state"), SigningKey.generate()
        rows = asyncio.run(build(state, SHAPES["at rest"], args.nodes, args.rows, now))
        checkpoint = asyncio.run(checkpoints(state, key))
        path, out = state.database, Path(folder)
        names = iter(range(10**6))

        def export() -> Path:
            target = out / f"bundle-{next(names)}"
            with open_reader(path) as reader:
                write(target, [Source(reader, find(reader, None, None))], key, {})
            return target

        def bases() -> None:
            with opened(path) as db:
                place = plan(db, now - 10 * DAY).position
                for _ in make_bases(db, place):
                    pass

        def whole() -> None:
            with open_reader(path) as reader:
                assert examine(reader).fault is None

        figures = {
            "nodes": args.nodes,
            "rows": rows,
            "checkpoint_ms": 1000 * checkpoint,
            "chain_rows_a_second": rows / best(args.runs, lambda: audit(path)),
            "verify_rows_a_second": rows / best(args.runs, whole),
            "export_rows_a_second": rows / best(args.runs, export),
            "bases_nodes_a_second": args.nodes / best(args.runs, bases),
        }
        bundle = export()
        figures["bundle_rows_a_second"] = rows / best(args.runs, lambda: check(bundle, [key.public_hex]))
        figures["bundle_bytes_a_row"] = (bundle / "history.jsonl").stat().st_size / rows
    return figures


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dir", default=None, help="where the database is written (default: the temporary directory)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = measure(args)
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:22} {value:12,.1f}" if isinstance(value, float) else f"{name:22} {value:12,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
