"""`usher simulate` as a process: lines that a parent can follow, signals, and a broker that refuses."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from security.issuing import make_issuer
from tests.fakes.provisioning import asking, enrol
from tests.fakes.simulated import SECRET
from tests.patience import PATIENCE
from usher.simulator.broker import EmbeddedBroker

pytestmark = pytest.mark.network


@pytest.fixture
def words(tmp_path: Path, broker: EmbeddedBroker) -> list[str]:
    seed = tmp_path / "issuer.seed"
    seed.write_text(make_issuer(bytes(32)).seed_hex)
    credentials = ["--issuer-seed", str(seed), "--secret", SECRET, "--user", "node"]
    return [*credentials, "--broker", broker.url, "--ca", str(broker.certificate), "--nodes", "3", "--every", "0.01"]


@asynccontextmanager
async def simulating(*words: str) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "usher", "simulate", *words, stdout=PIPE, stderr=PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_progress_and_a_clean_end(words: list[str], broker: EmbeddedBroker, number: signal.Signals) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        simulating(*words, "--password", broker.passwords.node, "--json") as child,
    ):
        assert child.stdout is not None
        assert child.stderr is not None
        line: dict[str, dict[str, int]] = {"phases": {"unprovisioned": 0}}
        while line["phases"]["unprovisioned"] < 3:
            line = orjson.loads(await child.stdout.readline())
        assert {"at", "nodes", "connected", "phases", "requests", "answers", "events", "struck"} == set(line)
        child.send_signal(number)
        rest, complaints = await child.communicate()
        assert child.returncode == 0
        assert complaints == b""
        assert orjson.loads(rest.splitlines()[-1])["nodes"] == 3


async def test_lines_for_people(words: list[str], broker: EmbeddedBroker) -> None:
    async with asyncio.timeout(PATIENCE), simulating(*words, "--password", broker.passwords.node) as child:
        assert child.stdout is not None
        line = ""
        while "3 unprovisioned" not in line:
            line = (await child.stdout.readline()).decode()
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0


async def test_a_broker_that_refuses(words: list[str]) -> None:
    async with asyncio.timeout(PATIENCE), simulating(*words, "--password", "wrong") as child:
        _, complaints = await child.communicate()
        assert child.returncode == 1
        assert complaints.decode().count("\n") == 1
        assert "Authorization Violation" in complaints.decode()


async def test_once_ends_when_all_have_left(words: list[str], broker: EmbeddedBroker) -> None:
    more = ["--password", broker.passwords.node, "--json", "--once", "--nodes", "2", "--connections", "1"]
    async with asyncio.timeout(PATIENCE), simulating(*words, *more) as child, asking(broker) as (rpc, _):
        assert child.stdout is not None
        while b'"unprovisioned":2' not in await child.stdout.readline():
            pass
        await asyncio.gather(*(enrol(rpc, f"node-000{number}.example.net") for number in (1, 2)))
        rest, _ = await child.communicate()
        assert child.returncode == 0
        assert orjson.loads(rest.splitlines()[-1])["phases"]["provisioned"] == 2


async def test_a_report_of_what_each_node_holds(words: list[str], broker: EmbeddedBroker, tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    more = ["--password", broker.passwords.node, "--json", "--once", "--nodes", "2", "--report", str(report)]
    async with asyncio.timeout(PATIENCE), simulating(*words, *more) as child, asking(broker) as (rpc, _):
        assert child.stdout is not None
        while b'"unprovisioned":2' not in await child.stdout.readline():
            pass
        assert [orjson.loads(line)["key"] for line in report.read_bytes().splitlines()] == ["", ""]
        await enrol(rpc, "node-0001.example.net")
        before = report.stat().st_ino
        child.send_signal(signal.SIGUSR1)
        while report.stat().st_ino == before:
            await child.stdout.readline()
        told = [orjson.loads(line) for line in report.read_bytes().splitlines()]
        assert told[0]["key"] == told[0]["token_key"] != ""
        assert len(told[0]["times"]["restart"]) == 1
        assert told[1]["requests"] == {}
        await enrol(rpc, "node-0002.example.net")
        await child.communicate()
        assert child.returncode == 0
        assert {orjson.loads(line)["process"] for line in report.read_bytes().splitlines()} == {"server"}


async def test_a_report_that_cannot_be_written_ends_it_at_once(words: list[str], broker: EmbeddedBroker) -> None:
    more = ["--password", broker.passwords.node, "--report", "/nowhere/report"]
    async with asyncio.timeout(PATIENCE), simulating(*words, *more) as child:
        said, complaints = await child.communicate()
        assert (child.returncode, said) == (1, b"")
        assert complaints.decode().count("\n") == 1
        assert "/nowhere/report" in complaints.decode()
