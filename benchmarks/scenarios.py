"""Large bursts, churn and cruel fleets: what they cost, and whether they stay within their aims.

Rules:
1. Every scenario prints one table, and for each aim what was found and whether that is enough; else it exits with 1.
2. What is compared is run in alternation, and the median is taken.
3. Nothing is left out of a run: no warm-up, no end that is cut off, unless the table says so.

    python -m benchmarks.scenarios burst|churn|deferred|inventories|cruel [--nodes N] [--seconds S] [--dir DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import yaml

from benchmarks.lasting import churn, deferred
from benchmarks.processes import calibration, cost
from benchmarks.scene import Figures, RunError, Setting, end_on_signals, run
from benchmarks.stage import FLAT, Aim, Asked, Stage, Told, metrics, most_lag, progress, staged
from benchmarks.throughput import INLINE, ROOT, machine

ROGUES: Final = "docs/profiles/rogues.yaml"
HONEST: Final = """
SELECT min(at) AS seen, min(CASE WHEN target = 'restarted' THEN at END) AS restarted
FROM history WHERE node LIKE 'node-%' GROUP BY node
"""


async def burst(asked: Asked) -> Told:
    """A tenth of the nodes in one burst, then all of them: a large burst costs a node what a small one does."""
    nodes = asked.nodes or 50_000
    found: list[tuple[Figures, float]] = []
    for count in (max(1, nodes // 10), nodes):
        lag: list[float] = []
        setting = Setting(count, "inline", max(1, count // 100), INLINE, asked.directory, 60 + count / 100)
        figures = await run(setting, lambda port, lag=lag: lag.append(most_lag(metrics(port))))  # type: ignore[misc]
        found.append((figures, lag[0]))
        progress(f"{count} nodes: {figures.a_minute:,.0f} a minute, {figures.with_looks:.2f} ms")
    return Told(list(_burst_rows(found)), list(_burst_aims(found)))


def _burst_rows(found: Sequence[tuple[Figures, float]]) -> Iterator[Sequence[str]]:
    yield ("", *(f"{each.nodes:,} nodes" for each, _ in found))
    yield ("nodes a minute", *(f"{each.a_minute:,.0f}" for each, _ in found))
    yield ("p50, first seen to restarted, s", *(f"{each.p50_ms / 1000:.1f}" for each, _ in found))
    yield ("p99, first seen to restarted, s", *(f"{each.p99_ms / 1000:.1f}" for each, _ in found))
    yield ("daemon, CPU ms a node", *(f"{each.daemon:.2f}" for each, _ in found))
    yield ("daemon with the looks, CPU ms a node", *(f"{each.with_looks:.2f}" for each, _ in found))
    yield ("fleet, CPU ms a node", *(f"{each.fleet:.2f}" for each, _ in found))
    yield ("broker, CPU ms a node", *(f"{each.broker:.2f}" for each, _ in found))
    yield ("daemon, peak memory MB", *(f"{each.peak_mb:,.0f}" for each, _ in found))
    yield ("the loop was never later than, s", *(f"{lag:g}" for _, lag in found))
    yield ("units a node", *(f"{each.units:.2f}" for each, _ in found))
    yield ("began anew", *(f"{each.anew}" for each, _ in found))
    yield ("first taken up by a listing", *(f"{each.second_discovery}" for each, _ in found))
    yield ("lost", *(f"{each.lost}" for each, _ in found))
    yield ("processors that others used meanwhile", *(f"{each.others:.2f}" for each, _ in found))


def _burst_aims(found: Sequence[tuple[Figures, float]]) -> Iterator[Aim]:
    (small, _), (large, _) = found
    more = large.with_looks / small.with_looks
    yield Aim("the cost a node is flat: at most a tenth more", f"{(more - 1) * 100:+.0f}%", more <= FLAT)
    second, lost = small.second_discovery + large.second_discovery, small.lost + large.lost
    yield Aim("nobody is first taken up by a listing", f"{second} did", not second)
    yield Aim("nobody is lost", f"{lost} were", not lost)


async def inventories(asked: Asked) -> Told:
    """The same burst with facts of 2 KB, of 100 KB, and one half of each."""
    nodes, found = asked.nodes or 500, []
    both = {"facts": [{"nodes": "50%", "size": 2_000}, {"nodes": "50%", "size": 100_000}]}
    with tempfile.TemporaryDirectory() as folder:
        (mixed := Path(folder) / "mixed.yaml").write_text(yaml.safe_dump(both))
        fleets = (("--facts-size", "2000"), ("--facts-size", "100000"), ("--profile", str(mixed)))
        for count, words in zip((nodes, nodes, 2 * nodes), fleets, strict=True):
            lag: list[float] = []
            setting = Setting(count, "inline", 50, INLINE, asked.directory, 60 + count / 5, fleet=words)
            figures = await run(setting, lambda port, lag=lag: lag.append(most_lag(metrics(port))))  # type: ignore[misc]
            found.append((figures, lag[0]))
    first, *rows = _burst_rows(found)
    heads = ("2 KB", "100 KB", "half of each")
    head = ("facts of", *(f"{size}, {name}" for size, name in zip(heads, first[1:], strict=True)))
    lost = sum(each.lost for each, _ in found)
    second = sum(each.second_discovery for each, _ in found)
    aims = [Aim("nobody is lost", f"{lost} were", not lost),
            Aim("nobody is first taken up by a listing", f"{second} did", not second)]  # fmt: skip
    return Told([head, *rows], aims)


@dataclass(frozen=True, slots=True)
class Honest:
    """What became of the honest nodes of a run; CPU in seconds until they had all restarted."""

    a_minute: float
    p99_s: float
    lost: int
    cpu: float
    names: int


async def cruel(asked: Asked) -> Told:
    """Honest nodes alone, and beside a tenth as many cruel ones, in alternation."""
    nodes = asked.nodes or 2_000
    alone: list[Honest] = []
    beside: list[Honest] = []
    for _ in range(asked.repeat):
        for found, among in ((alone, False), (beside, True)):
            found.append(await _honest(asked.directory, nodes, cruel=among))
            progress(f"{'beside cruel ones' if among else 'alone'}: {found[-1].a_minute:,.0f} a minute")
    lines: tuple[tuple[str, Callable[[Honest], float], int], ...] = (
        ("honest nodes a minute", lambda each: each.a_minute, 0),
        ("p99, first seen to restarted, s", lambda each: each.p99_s, 2),
        ("honest nodes lost", lambda each: each.lost, 0),
        ("daemon, CPU s until then", lambda each: each.cpu, 2),
        ("names that the daemon knew in the end", lambda each: each.names, 0),
    )
    rows = [("", f"{nodes:,} honest nodes alone", "beside a tenth as many cruel ones"),
            *((title, *(_spread([of(one) for one in found], digits) for found in (alone, beside)))
              for title, of, digits in lines)]  # fmt: skip
    rate = median(each.a_minute for each in beside) / median(each.a_minute for each in alone)
    lost = sum(each.lost for each in (*alone, *beside))
    return Told(rows, [Aim("less than 10% of the honest rate is lost", f"{(1 - rate) * 100:.1f}%", rate > 0.9),
                       Aim("no honest node is lost", f"{lost} were", not lost)])  # fmt: skip


async def _honest(directory: Path, nodes: int, *, cruel: bool) -> Honest:
    async with staged(directory) as stage:
        if cruel:
            await _let_loose(stage, max(10, nodes // 10))
        begun = cost(stage.daemon.pid)
        words = ("--names", "node-{:05d}", "--connections", str(max(1, nodes // 40)), "--together", "--once")
        await stage.until_over(stage.fleet("honest", nodes, *words), 120 + nodes / 20)
        took = cost(stage.daemon.pid) - begun
        names = sum(stage.status()["states"].values())
        rows = (await stage.end()).rows(HONEST)
    whole = sorted(row["restarted"] - row["seen"] for row in rows if row["restarted"] is not None)
    first = min(row["seen"] for row in rows)
    last = max(row["restarted"] for row in rows if row["restarted"] is not None)
    a_minute = len(whole) / (last - first) * 60_000
    return Honest(a_minute, whole[len(whole) * 99 // 100] / 1000, nodes - len(whole), took.own, names)


async def _let_loose(stage: Stage, many: int) -> None:
    """The cruel nodes of docs/profiles/rogues.yaml, none honest among them; returns when the daemon knows of most."""
    told = yaml.safe_load((ROOT / ROGUES).read_text())
    parts = {name: each if isinstance(each, dict) else {"nodes": each} for name, each in told["cruelties"].items()}
    whole = sum(each["nodes"] for each in parts.values())
    cruelties = {name: {**each, "nodes": max(1, each["nodes"] * many // whole)} for name, each in parts.items()}
    count = sum(each["nodes"] for each in cruelties.values())
    profile = stage.profile(yaml.safe_dump({"seed": told["seed"], "cruelties": cruelties}))
    stage.fleet("cruel", count, "--names", "cruel-{:05d}", "--connections", "50", "--profile", profile)
    await stage.until(lambda said: sum(said["states"].values()) >= count, 60)


def _spread(values: Sequence[float], digits: int) -> str:
    middle, low, high = median(values), min(values), max(values)
    text = f"{middle:,.{digits}f}"
    return text if low == high else f"{text} ({low:,.{digits}f} to {high:,.{digits}f})"


SCENARIOS: Final[dict[str, Callable[[Asked], Awaitable[Told]]]] = {
    "burst": burst,
    "churn": churn,
    "deferred": deferred,
    "inventories": inventories,
    "cruel": cruel,
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="large bursts, churn and cruel fleets")
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--nodes", type=int, default=0, metavar="N", help="fewer, to try it (churn: names a second)")
    parser.add_argument("--seconds", type=float, default=0, metavar="S", help="of churn (600), of deferred (180)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds of cruel (default 3)")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="on a real disk, for databases")
    asked = parser.parse_args()
    os.chdir(ROOT)  # the daemons with an in-process helper are modules of this folder
    try:
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            return asyncio.run(_measured(asked.scenario, Asked(asked.nodes, asked.seconds, asked.repeat, asked.dir)))
    except RunError as error:
        print(f"scenarios: {error}", file=sys.stderr)
        return 1
    return 130


async def _measured(scenario: str, asked: Asked) -> int:
    task = asyncio.current_task()
    if task is not None:
        end_on_signals(task)
    before = calibration()
    told = await SCENARIOS[scenario](asked)
    print(f"calibration {before:.1f} and {calibration():.1f} ms;", *(f"{k} {v}" for k, v in machine().items()))
    head, *rows = told.rows
    print("", "| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1), sep="\n")
    print(*("| " + " | ".join(row) + " |" for row in rows), sep="\n")
    print("", "| aim | found | |", "|---|---:|---|", sep="\n")
    print(*(f"| {aim.wanted} | {aim.found} | {'met' if aim.met else 'missed'} |" for aim in told.aims), sep="\n")
    return int(not all(aim.met for aim in told.aims))


if __name__ == "__main__":
    sys.exit(main())
