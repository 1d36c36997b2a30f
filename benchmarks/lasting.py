"""Names that come and go, and nodes that are put off again and again: a daemon that is watched for minutes.

Rules:
1. What a minute came to is the difference of two samples; a queue is told by the most that any sample of it found.
2. The first minute is shown and not judged: fewer names are there than stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import yaml

from benchmarks.processes import Cost, cost, peak
from benchmarks.stage import FLAT, Aim, Asked, Sample, Told, most_lag, progress, staged
from store.reader import Reader

MINUTE: Final = 60.0
STAYS: Final = 60.0
EACH_SECOND: Final = 200
LEAST: Final = 0.1
"""Cores that discovery's answers may take."""
FIRST: Final = "SELECT count(*) AS found FROM history WHERE seq = 1 AND event != 'hint_startup'"
ANEW: Final = "SELECT count(DISTINCT node) AS found FROM history WHERE generation > 1"
QUEUES: Final = (
    ("waiting room", "choria_provisioner_work_queue_entries"),
    ("names not looked at", "usher_hints_waiting"),
    ("effects queued", "usher_effects_queued"),
    ("commits waiting", "usher_commits_waiting"),
    ("in flight", "choria_provisioner_busy_workers"),
    ("due later", "usher_due_nodes"),
)


async def churn(asked: Asked) -> Told:
    """New names, each gone after a minute: every minute is like the one before."""
    seconds, each = asked.seconds or 10 * MINUTE, asked.nodes or EACH_SECOND
    stays = min(STAYS, seconds / 3)
    told = {"nodes": 100, "churn": {"each_second": each, "stays": stays, "seconds": seconds + MINUTE}}
    async with staged(asked.directory) as stage:
        stage.fleet("fleet", 100, "--profile", stage.profile(yaml.safe_dump(told)), "--connections", "50")
        await stage.until(lambda said: sum(said["states"].values()) >= 100 + each, MINUTE)
        whole = await stage.samples(seconds, 2.0)
        lag, top = most_lag(whole[-1].metrics), peak(stage.daemon.pid)
        reader = await stage.end()
        second, anew = _count(reader, FIRST), _count(reader, ANEW)
    spans = _spans(whole, min(MINUTE, seconds / 3))
    progress(f"worst lag {lag:g} s, peak {top:.0f} MB, second discoveries {second}, began anew {anew}")
    rows = [("minute", *(str(number) for number in range(1, len(spans) + 1))), *_churn_rows(spans)]
    ends = [("peak memory MB", f"{top:,.0f}"), ("the loop was never later than, s", f"{lag:g}"),
            ("began anew", str(anew))]  # fmt: skip
    rows += [(title, *([""] * (len(spans) - 1)), value) for title, value in ends]
    return Told(rows, list(_churn_aims(spans, second)))


def _spans(whole: Sequence[Sample], length: float) -> list[list[Sample]]:
    """The samples of each minute, from its first to the first of the next."""
    number = round((whole[-1].at - whole[0].at) / length)
    starts = [next(i for i, s in enumerate(whole) if s.at - whole[0].at >= n * length - 1e-6) for n in range(number)]
    starts.append(len(whole) - 1)
    return [list(whole[a : b + 1]) for a, b in pairwise(starts)]


def _more(span: Sequence[Sample], name: str) -> float:
    return span[-1].metrics.get(name, 0.0) - span[0].metrics.get(name, 0.0)


def _names(span: Sequence[Sample]) -> float:
    return _more(span, "choria_provisioner_event_discovered_total") + _more(span, "choria_provisioner_discovered_total")


def _each(span: Sequence[Sample]) -> float:
    """CPU in milliseconds for each new name of a span."""
    return (span[-1].cpu - span[0].cpu) * 1000 / (_names(span) or 1)


def _most(span: Sequence[Sample], name: str) -> float:
    return max(sample.metrics.get(name, 0.0) for sample in span)


def _churn_rows(spans: Sequence[Sequence[Sample]]) -> Iterator[Sequence[str]]:
    yield ("new names", *(f"{_names(span):,.0f}" for span in spans))
    provisioned = "choria_provisioner_provisioned_total"
    yield ("provisioned", *(f"{_more(span, provisioned):,.0f}" for span in spans))
    yield ("daemon, CPU ms a name", *(f"{_each(span):.2f}" for span in spans))
    yield ("memory at its end, MB", *(f"{span[-1].resident:,.1f}" for span in spans))
    for title, name in QUEUES:
        yield (f"most {title}", *(f"{_most(span, name):,.0f}" for span in spans))
    oldest = "usher_oldest_waiting_seconds"
    yield ("longest wait in the room, s", *(f"{_most(span, oldest):.2f}" for span in spans))
    size = "usher_database_bytes"
    yield ("database and log, MB", *(f"{span[-1].metrics.get(size, 0.0) / 1e6:,.0f}" for span in spans))


def _churn_aims(spans: Sequence[Sequence[Sample]], second: int) -> Iterator[Aim]:
    early, late = spans[min(1, len(spans) - 1)], spans[-1]
    title = f"from minute {min(2, len(spans))} to {len(spans)}"
    more = _each(late) / _each(early)
    yield Aim(f"the cost a name is flat {title}", f"{(more - 1) * 100:+.0f}%", more <= FLAT)
    more = late[-1].resident / early[-1].resident
    yield Aim(f"memory is flat {title}", f"{(more - 1) * 100:+.0f}%", more <= FLAT)
    for name, series in QUEUES[:4]:
        was, now = _most(early, series), _most(late, series)
        yield Aim(f"{name} do not grow {title}", f"{was:,.0f} to {now:,.0f}", now <= max(was * FLAT, EACH_SECOND))
    yield Aim("nobody waits for a second discovery", f"{second} did", not second)


async def deferred(asked: Asked) -> Told:
    """Nodes that the helper puts off, which answer every discovery: what the answers cost, and asking anew as well."""
    nodes, seconds = asked.nodes or 20_000, asked.seconds or 3 * MINUTE
    answers = await _deferred(asked.directory, nodes, seconds, 3600)
    anew = await _deferred(asked.directory, nodes, max(seconds / 2, MINUTE), 60)
    rows = [("", "asked anew after an hour", "asked anew each minute"),
            *((title, one, two) for (title, one), (_, two) in zip(answers[0], anew[0], strict=True))]  # fmt: skip
    aim = Aim("discovery's replies: less than 0.1 cores", f"{answers[1]:.3f}", answers[1] < LEAST)
    return Told(rows, [aim])


async def _deferred(directory: Path, nodes: int, seconds: float, defer: int) -> tuple[list[tuple[str, str]], float]:
    async with staged(directory, ("benchmarks.deferring_daemon", "--defer", str(defer))) as stage:
        stage.fleet("fleet", nodes, "--names", "node-{:05d}", "--connections", str(max(1, nodes // 100)))
        await stage.until(lambda said: said["states"].get("deferred", 0) >= nodes * 0.5, 60 + nodes / 50)
        if defer > MINUTE:
            await stage.until(lambda said: said["states"].get("deferred", 0) == nodes, 60 + nodes / 50)
            await asyncio.sleep(10)
        others = [cost(stage.fleets[0].pid), cost(stage.broker)]
        span = await stage.samples(seconds, 1.0)
        others = [now - was for now, was in zip((cost(stage.fleets[0].pid), cost(stage.broker)), others, strict=True)]
    progress(f"{nodes} nodes put off for {defer} s: measured")
    return list(_deferred_rows(span, others)), (span[-1].cpu - span[0].cpu) / (span[-1].at - span[0].at)


def _deferred_rows(span: Sequence[Sample], others: Sequence[Cost]) -> Iterator[tuple[str, str]]:
    took = span[-1].at - span[0].at
    cycles = _more(span, "choria_provisioner_discover_cycles_total")
    yield "measured, s", f"{took:.0f}"
    yield "discoveries", f"{cycles:.0f}"
    yield "valid replies of nodes, whenever they came", f"{_more(span, 'choria_protocol_valid_total'):,.0f}"
    yield "answers to the last within its window", f"{span[-1].metrics.get('usher_discovery_answers', 0.0):,.0f}"
    yield "generations begun anew", f"{_more(span, 'choria_provisioner_helper_time_count'):,.0f}"
    yield "daemon, cores", f"{(span[-1].cpu - span[0].cpu) / took:.3f}"
    yield "daemon, CPU s a discovery", f"{(span[-1].cpu - span[0].cpu) / (cycles or 1):.2f}"
    yield "daemon, the most cores in a second", f"{max(_cores(span)):.2f}"
    yield "fleet, cores", f"{others[0].own / took:.3f}"
    yield "broker, cores", f"{others[1].own / took:.3f}"
    yield "daemon, memory at its end, MB", f"{span[-1].resident:,.0f}"
    yield "the loop was never later than, s", f"{most_lag(span[-1].metrics):g}"


def _cores(span: Sequence[Sample]) -> Iterator[float]:
    return ((now.cpu - was.cpu) / (now.at - was.at) for was, now in pairwise(span))


def _count(reader: Reader, query: str) -> int:
    return int(reader.rows(query)[0]["found"])
