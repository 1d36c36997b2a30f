"""`usher run` against a real broker and a simulated fleet: one run, and everything that can be seen of it."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import signal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fsm.states import State
from store.reader import open_reader
from tests.fakes.link import connection
from tests.fakes.whole import Whole, fetched, free_port, whole
from tests.patience import PATIENCE

pytestmark = pytest.mark.network

UNSAFE = ("*", "a b", "x" * 300, "..", "a..b", "\x1b[31m", ">")
SUBJECT = "choria.lifecycle.event.startup.provision_mode_server"


async def garbage(made: Whole) -> None:
    """What any node may publish: names that are none, documents that are none, answers to nobody."""
    broker = made.broker
    link = connection("impostor", broker.url, "node", broker.passwords.node)
    await link.start()
    async with asyncio.timeout(PATIENCE):
        await link.ready()
    for name in UNSAFE:
        event = {"specversion": "1.0", "type": "io.choria.lifecycle.v1.startup", "source": "io.choria.lifecycle"}
        document = event | {"id": "1", "subject": name, "data": {"identity": name, "component": "x"}}
        link.publish(SUBJECT, json.dumps(document).encode())
    for payload in (b"", b"{", b"\xff" * 1000, b"[" * 10_000, b"null", b'{"data":5}', b"x" * 100_000):
        link.publish(SUBJECT, payload)
        link.publish("provisioning.reply.22ec67b1822edddbee1f71725ee3827c.x", payload)
        link.publish("choria.lifecycle.event.shutdown.provision_mode_server", payload)
    await link.close()


async def test_a_fleet_is_provisioned_and_all_of_it_can_be_seen(tmp_path: Path):
    port = await free_port()
    async with whole(tmp_path / "w", monitor_port=port, monitor_address="127.0.0.1") as made:
        daemon = made.daemon()
        await made.until_so((made.site.state / "control.sock").exists)
        assert (await made.ask("pause", "--reason", "the fleet is switched on")).code == 0
        status = await made.ask("status", "--json")
        assert status.code == 1
        paused = json.loads(status.out)["paused"]
        assert (paused["by"], paused["reason"]) == (getpass.getuser(), "the fleet is switched on")
        made.fleet(20)
        await made.until(1, State.DISCOVERED)
        assert (await fetched(port, "/readyz"))[0] == 503
        assert (await fetched(port, "/healthz"))[0] == 200

        second = await made.say(*made.site.daemon())
        assert (second.code, second.out) == (2, "")
        assert f"process {daemon.pid} holds its lock" in second.err
        assert "Traceback" not in second.err

        # a pause is not forgotten by a restart
        os.kill(daemon.pid, signal.SIGTERM)
        assert await daemon.ended == 0
        assert not (made.site.state / "control.sock").exists()
        assert (await made.ask("status")).code == 3
        daemon = made.daemon()
        await made.until_so((made.site.state / "control.sock").exists)
        assert (await made.ask("status")).code == 1
        assert set(made.counts()) == {State.DISCOVERED}
        await garbage(made)
        assert (await made.ask("resume", "--reason", "go")).code == 0
        held = await made.ask("nodes", "quarantine", "node-0020.example.net", "--reason", "smoke")
        assert held.code in {0, 1}
        await made.until(19, State.PROVISIONED)
        await made.until_so(lambda: sum(made.counts().values()) == 20)

        code, text = await fetched(port, "/metrics")
        assert code == 200
        read = {family.name: family for family in text_string_to_metric_families(text)}
        (provisioned,) = read["choria_provisioner_provisioned"].samples
        assert provisioned.labels == {"site": "demo"}
        assert provisioned.value == made.counts()[State.PROVISIONED]
        assert "node-0001" not in text
        assert read["usher_discards"].samples
        assert (await fetched(port, "/readyz"))[0] == 200

        status = await made.ask("status", "--json")
        document = json.loads(status.out)
        assert (status.code, document["connected"], document["bugs"]) == (0, True, 0)
        assert document["states"] == {state.value: count for state, count in made.counts().items()}
        os.kill(daemon.pid, signal.SIGINT)
        assert await daemon.ended == 0

        moves = [line for line in made.log(daemon) if line["component"] == "machine" and "row" in line]
        assert all({"level", "msg", "time", "node", "generation", "seq", "epoch"} <= line.keys() for line in moves)
        with open_reader(made.site.state / "usher.db") as reader:
            assert {line["node"] for line in moves} <= {f"node-{number:04d}.example.net" for number in range(1, 21)}
            assert reader.counts() == made.counts()
        assert {line["epoch"] for line in moves} == {2}
        assert "Traceback" not in "".join(child.log.read_text() for child in made.children)
