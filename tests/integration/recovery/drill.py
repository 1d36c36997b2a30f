"""A drill: a site whose usher is killed in the middle of a fleet, loses something, and is started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsm.states import State
from tests.fakes.whole import WITHIN, Whole, whole
from usher.children import Child
from usher.simulator.networks import Kind

NODES = 24


@dataclass
class Drill(Whole):
    """A fleet that reports what its nodes hold, and a daemon with shorter waits."""

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.site.state

    @property
    def database(self) -> Path:
        return self.state / "usher.db"

    @property
    def report(self) -> Path:
        return self.site.directory / "report.jsonl"

    def servers(self, nodes: int = NODES) -> Child:
        """Switch them on."""
        return self.fleet(nodes, "--together", "--report", str(self.report))

    def hurried(self, *words: str) -> Child:
        """`usher run`, with shorter waits."""
        command = [sys.executable, "-m", "tests.integration.recovery.hurried", *self.site.daemon()[1:], *words]
        child = Child("daemon", command, self.site.directory / f"daemon-{len(self.children)}.log")
        child.start()
        self.children.append(child)
        return child

    async def killed_in_the_middle(self, least: int = 6, hold: str = "") -> None:
        """A daemon that is killed when some nodes have restarted, and others are before that; one may be held."""
        daemon = self.hurried()
        if hold:
            await self.until(NODES, *State)
            assert (await self.ask("nodes", "quarantine", hold, "--reason", "a drill")).code == 0
        await self.until(least, State.RESTARTED, State.PROVISIONED)
        os.kill(daemon.pid, signal.SIGKILL)
        assert await daemon.ended == -signal.SIGKILL
        assert set(self.counts()) - {State.RESTARTED, State.PROVISIONED}, "the drill came too late"

    async def _news(self) -> None:
        """A daemon that ends by itself while something is awaited is no daemon to wait for."""
        await super()._news()
        newest = [child for child in self.children if child.name == "daemon"][-1:]
        assert all(child.pid or child.ended.result() == -signal.SIGKILL for child in newest), newest[0].tail()

    async def stopped(self, daemon: Child) -> None:
        os.kill(daemon.pid, signal.SIGTERM)
        code = await daemon.ended
        assert code == 0, (code, daemon.tail())

    async def told(self, fleet: Child) -> list[dict[str, Any]]:
        """What each node holds now."""
        before = self.report.stat().st_ino
        os.kill(fleet.pid, signal.SIGUSR1)
        await self.until_so(lambda: self.report.stat().st_ino != before)
        return [json.loads(line) for line in self.report.read_text().splitlines()]

    async def until_left(self, fleet: Child, nodes: int = NODES) -> list[dict[str, Any]]:
        """Wait until every node has left provisioning; each holds the key of its token or certificate."""
        begun, told = time.monotonic(), await self.told(fleet)
        while [node["phase"] for node in told] != ["provisioned"] * nodes:
            assert time.monotonic() - begun < WITHIN, (told, self.counts(), [child.tail() for child in self.children])
            await self._news()
            told = await self.told(fleet)
        assert all(node["key"] == node["token_key"] and node["tls_key"] == node["certificate_key"] for node in told)
        assert all(node["token_key"] or node["certificate_key"] for node in told)
        assert not [child for child in self.children if "Traceback" in child.log.read_text()]
        return told

    def rows(self, sql: str) -> list[Any]:
        """An answer of the database, for a look behind the commands."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()

    def rows_of(self, name: str) -> set[str]:
        """The nodes for which a row of the table has fired."""
        return {node for (node,) in self.rows(f"SELECT DISTINCT node FROM history WHERE name = '{name}'")}  # noqa: S608

    def generations(self) -> dict[str, int]:
        return dict(self.rows("SELECT node, max(generation) FROM history GROUP BY node"))


@asynccontextmanager
async def drill(directory: Path, kind: Kind = Kind.ISSUER, **settings: Any) -> AsyncIterator[Drill]:
    """A site with a helper that takes its time, so that a kill finds nodes in every phase."""
    script = directory / "site" / ("helper.py" if kind is Kind.ISSUER else "x509_helper.py")
    async with whole(
        directory, kind, helper=f"/bin/sh -c 'sleep 0.3; exec {script}'", retry_cap="5s", **settings
    ) as made:
        yield Drill(made.broker, made.site, made.children)


def emptied(folder: Path) -> None:
    """The disk of the state directory is another one."""
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
