"""The walks of docs/recovery.md for what is lost, as drills: the disk, the key file, the machine."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from fsm.states import State
from tests.integration.recovery.drill import NODES, drill, emptied
from usher.simulator.networks import Kind

pytestmark = pytest.mark.network

LAST = f"node-{NODES:04d}.example.net"


async def test_the_disk_is_lost(tmp_path: Path):
    """An empty database on a live fleet: who had left is not known any more, everybody else begins anew."""
    async with drill(tmp_path / "w") as made:
        fleet = made.servers()
        await made.killed_in_the_middle(hold=LAST)
        before = {node["node"]: node for node in await made.told(fleet)}
        emptied(made.state)
        daemon = made.hurried()
        after = await made.until_left(fleet)
        await made.stopped(daemon)
        known = {node for (node,) in made.rows("SELECT node FROM nodes")}
        left = {name for name, node in before.items() if node["phase"] == "provisioned"}
        for node in after:
            if node["node"] in left:  # it holds what it was given, and nobody disturbed it
                assert node["token_id"] == before[node["node"]]["token_id"]
                assert made_nothing(node, before[node["node"]])
        assert before[LAST]["phase"] != "provisioned", "it was held, and nobody knows that any more"
        unknown = {name: node["phase"] for name, node in before.items() if name not in known}
        assert set(unknown.values()) <= {"provisioned", "restarting"}, "who had not left by himself is found"
        assert len(after) == NODES
        assert any("a new database was made, it knows no node" in line["msg"] for line in made.log(daemon))


def made_nothing(node: dict[str, object], before: dict[str, object]) -> bool:
    """Whether no request that changes it has reached a node since."""
    now, then = node["requests"], before["requests"]
    assert isinstance(now, dict)
    assert isinstance(then, dict)
    return all(now.get(action, 0) == then.get(action, 0) for action in ("configure", "restart", "gen25519"))


async def test_the_key_file_is_lost(tmp_path: Path):
    """Nodes between their inventory and their configuration begin anew; everything else is kept."""
    async with drill(tmp_path / "w") as made:
        fleet = made.servers()
        await made.killed_in_the_middle()
        beyond = {node for (node,) in made.rows("SELECT node FROM nodes WHERE state IN ('restarted', 'provisioned')")}
        (made.state / "vault.key").unlink()
        daemon = made.hurried()
        await made.until_left(fleet)
        await made.until(NODES, State.PROVISIONED)
        await made.stopped(daemon)
        assert any("is not at hand: what it sealed is lost" in line["msg"] for line in made.log(daemon))
        assert made.rows_of("facts-lost")
        generations = made.generations()
        assert {node: generations[node] for node in beyond} == dict.fromkeys(beyond, 1)


async def test_the_key_file_of_a_site_with_certificates_is_lost(tmp_path: Path):
    """Their requests were sealed too: they are asked for another, and nobody gets a certificate for the one before."""
    async with drill(tmp_path / "w", Kind.X509) as made:
        fleet = made.servers()
        await made.killed_in_the_middle()
        (made.state / "vault.key").unlink()
        daemon = made.hurried()
        told = await made.until_left(fleet)
        await made.until(NODES, State.PROVISIONED)
        await made.stopped(daemon)
        assert made.rows_of("facts-lost")
        assert max(node["requests"]["gencsr"] for node in told) > 1


async def test_a_key_file_that_the_site_provides_is_never_made_anew(tmp_path: Path):
    key = tmp_path / "vault.key"
    async with drill(tmp_path / "w", vault_key_file=str(key)) as made:
        daemon = made.hurried()
        assert await daemon.ended != 0
        assert str(key) in daemon.log.read_text()
        assert not key.exists()


async def test_the_machine_is_lost_and_the_state_directory_is_on_another(tmp_path: Path):
    """Moved while under way: another directory is another machine as far as usher can tell."""
    async with drill(tmp_path / "w") as made:
        fleet = made.servers()
        await made.killed_in_the_middle()
        epoch = made.rows("SELECT epoch FROM meta")[0][0]
        moved = tmp_path / "moved"
        shutil.copytree(made.state, moved, ignore=shutil.ignore_patterns("control.sock", "lock"))
        emptied(made.state)
        shutil.copytree(moved, made.state, dirs_exist_ok=True)
        daemon = made.hurried()
        await made.until_left(fleet)
        await made.until(NODES, State.PROVISIONED)
        status = await made.ask("status")
        assert (status.code, "started    took up " in status.out) == (0, True)
        await made.stopped(daemon)
        assert made.rows("SELECT epoch FROM meta")[0][0] == epoch + 1
        took_up = [line for line in made.log(daemon) if line["msg"].startswith("took up")]
        assert len(took_up) == 1
        assert took_up[0]["interrupted"] + took_up[0]["not_sent"] > 0
        assert took_up[0]["waiting"] == 0
        assert set(made.generations().values()) == {1}


async def test_the_disk_is_full_and_then_is_not(tmp_path: Path):
    """Work stops and nothing is sent; a kill meanwhile loses nothing; with room it goes on, and no node lost a try."""
    async with drill(tmp_path / "w") as made:
        daemon = made.hurried()
        await made.until_so((made.state / "control.sock").exists)
        await made.stopped(daemon)
        fleet = made.servers()
        daemon = made.hurried("--room", "6")
        await made.until_so(lambda: any("disk" in line["msg"] and "full" in line["msg"] for line in made.log(daemon)))
        status = await made.ask("status")
        assert (status.code, "is full" in status.out) == (1, True)
        os.kill(daemon.pid, signal.SIGKILL)
        await daemon.ended
        daemon = made.hurried("--room", "1")
        await made.until_so(lambda: made.log(daemon))
        os.kill(daemon.pid, signal.SIGUSR1)
        await made.until(NODES, State.PROVISIONED)
        await made.until_left(fleet)
        await made.stopped(daemon)
        assert set(made.generations().values()) == {1}
        assert not made.rows_of("fail")
