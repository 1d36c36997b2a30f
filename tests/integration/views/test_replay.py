"""`usher replay` over what the real engine wrote: a daemon that is killed among a fleet, commands without a daemon."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from fsm.states import State
from tests.fakes.whole import whole
from tests.fakes.written import write_database
from usher.cli import main
from usher.views import common

NODE = "web1.example.net"


def answered(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int = 0) -> str:
    assert main([str(word) for word in words]) == code
    return capsys.readouterr().out


def test_what_an_operator_does_without_a_daemon_replays(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asyncio.run(write_database(tmp_path, common.now()))
    for verb in ("quarantine", "release", "forget"):
        node = NODE if verb == "forget" else "web4.example.net"
        answered(capsys, "nodes", verb, node, "--reason", "a drill", "--state", tmp_path)
    verified = json.loads(answered(capsys, "replay", "--verify", "--json", "--state", tmp_path))
    assert (verified["agrees"], verified["nodes"], verified["declared_different"]) == (True, 6, 0)
    assert verified["rows"] > 34
    told = [json.loads(line) for line in answered(capsys, "replay", NODE, "--json", "--state", tmp_path).splitlines()]
    assert (told[-1]["row"], told[-1]["target"], told[-1]["judged"]) == ("forget", "unseen", "agrees")
    assert told[-1]["detail"].endswith(": a drill")


@pytest.mark.network
async def test_a_fleet_whose_usher_was_killed_replays_to_what_is_held_beside_the_next_daemon(tmp_path: Path):
    async with whole(tmp_path / "w") as made:
        made.fleet(12, "--together")
        daemon = made.daemon()
        await made.until(4, State.ENROLLED, State.CONFIGURED, State.RESTARTED, State.PROVISIONED)
        os.kill(daemon.pid, signal.SIGKILL)
        await daemon.ended
        killed = json.loads((await made.ask("replay", "--verify", "--json")).out)
        made.daemon()
        await made.until(12, State.PROVISIONED)
        said = await made.ask("replay", "--verify", "--json")
        found = json.loads(said.out)
        assert (said.code, found["agrees"], found["nodes"], found["nodes_not_decided"]) == (0, True, 12, 0)
        assert (killed["agrees"], killed["fault"]) == (True, None)
        assert found["rows"] > killed["rows"]
