"""The audit beside a real daemon: checkpoints reach the site's command, and whoever cuts the tail is found by them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.audited import edit
from tests.fakes.whole import Whole, whole

pytestmark = pytest.mark.network
KEEP = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


def settings(kept: Path) -> dict[str, object]:
    command = f'{sys.executable} -c "{KEEP}" {kept}'
    return {"audit": {"checkpoint_command": command, "checkpoint_rows": 100, "checkpoint_interval": "10m"}}


async def verify(made: Whole, *words: str) -> dict[str, object]:
    said = await made.ask("audit", "verify", "--json", *words)
    document: dict[str, object] = json.loads(said.out)
    return document


async def test_checkpoints_leave_the_machine_and_bind_it(tmp_path: Path):
    kept = tmp_path / "kept.jsonl"
    async with whole(tmp_path / "w", **settings(kept)) as made:
        daemon, state = made.daemon(), made.site.state
        made.fleet(20)
        await made.until(20, State.PROVISIONED)
        await made.until_so(lambda: kept.exists() and len(kept.read_text().splitlines()) >= 2)

        # while it runs: verified, exported, signed on demand, handed to another key, pruned
        beside = await verify(made, "--checkpoints", str(kept))
        assert beside["fault"] is None
        taken = await made.ask("audit", "checkpoint", "--json")
        assert json.loads(taken.out)["daemon"] is True
        first = json.loads((await made.ask("audit", "key", "--json")).out)["key"]
        rotated = await made.ask("audit", "rotate-key", "--reason", "a drill", "--json")
        assert json.loads(rotated.out)["before"] == first
        bundle = await made.ask("audit", "export", "--out", str(tmp_path / "bundle"))
        assert bundle.code == 0, bundle.err
        checked = await made.say("audit", "verify", "--bundle", str(tmp_path / "bundle"), "--key", first)
        assert checked.code == 0, checked.out
        dry = await made.ask("audit", "prune", "--before", "now", "--dry-run")
        assert "would go" in dry.out
        pruned = await made.ask("audit", "prune", "--before", "now", "--reason", "a drill", "--json")
        assert json.loads(pruned.out)["deleted"] > 100, pruned.err
        assert (await made.ask("db", "check")).code == 0

        # a clean stop signs the last row
        os.kill(daemon.pid, signal.SIGTERM)
        assert await daemon.ended == 0
        last = json.loads(json.loads(kept.read_text().splitlines()[-1])["checkpoint"])
        document = await verify(made, "--checkpoints", str(kept), "--key", first)
        assert document["fault"] is None
        assert last["history"]["hash"] == document["head"]

        # whoever owns the machine cuts the end off, its checkpoints too: what was kept elsewhere finds it
        database = state / "usher.db"
        shutil.copy(database, tmp_path / "whole.db")
        end = last["history"]["position"]
        edit(
            database,
            "DELETE FROM checkpoints",
            f"DELETE FROM effects WHERE position >= {end}",  # noqa: S608 a number
            f"DELETE FROM history WHERE position >= {end}",  # noqa: S608 a number
            "UPDATE nodes SET seq = seq - 1 WHERE seq - 1 = (SELECT max(seq) FROM history h WHERE h.node = nodes.node)",
        )
        found = await made.ask("audit", "verify", "--checkpoints", str(kept))
        assert found.code == 1
        assert "does not verify" in found.out
