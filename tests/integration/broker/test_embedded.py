"""The embedded broker as its users meet it: TLS, users, permissions, accounts; its beginning and its end."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError

from security.issuing import make_broker_certificate
from tests.patience import PATIENCE
from usher.simulator.broker import HOST, BrokerFailedError, EmbeddedBroker

pytestmark = pytest.mark.network


class Noted:
    """What a client was told asynchronously."""

    def __init__(self) -> None:
        self.errors: asyncio.Queue[str] = asyncio.Queue()

    async def note(self, error: Exception) -> None:
        self.errors.put_nowait(str(error))


async def client(broker: EmbeddedBroker, user: str, password: str, noted: Noted | None = None) -> Client:
    made = Client()
    try:
        await made.connect(
            broker.url,
            user=user,
            password=password,
            tls=ssl.create_default_context(cafile=str(broker.certificate)),
            error_cb=(noted or Noted()).note,
            allow_reconnect=False,
        )
    except Exception:
        await made.close()  # a refused connection keeps its socket until then
        raise
    return made


async def test_it_speaks_tls_and_takes_messages_of_a_megabyte(broker: EmbeddedBroker):
    provisioner = await client(broker, "provisioner", broker.passwords.provisioner)
    assert provisioner.max_payload == 1024 * 1024
    await provisioner.close()


@pytest.mark.parametrize("user", ["provisioner", "node", "fleet", "stranger"])
async def test_a_wrong_password_is_refused(broker: EmbeddedBroker, user: str):
    noted = Noted()
    with pytest.raises(Exception, match="Authorization Violation"):
        await client(broker, user, "wrong", noted)


async def test_a_request_goes_to_a_node_and_back(broker: EmbeddedBroker):
    provisioner = await client(broker, "provisioner", broker.passwords.provisioner)
    node = await client(broker, "node", broker.passwords.node)
    requests = await node.subscribe("provisioning.node.n1.example.net")
    await node.flush()
    replies = await provisioner.subscribe("provisioning.reply.caller.>")
    await provisioner.publish("provisioning.node.n1.example.net", b"ask", reply="provisioning.reply.caller.1")
    asked = await requests.next_msg(10)
    assert (asked.data, asked.reply) == (b"ask", "provisioning.reply.caller.1")
    await node.publish(asked.reply, b"answer")
    assert (await replies.next_msg(10)).data == b"answer"
    await provisioner.close()
    await node.close()


async def test_nobody_there_is_said_at_once(broker: EmbeddedBroker):
    provisioner = await client(broker, "provisioner", broker.passwords.provisioner)
    with pytest.raises(NoRespondersError):
        await provisioner.request("provisioning.node.nobody.example.net", b"ask", timeout=10)
    await provisioner.close()


async def test_a_node_may_not_speak_to_other_nodes(broker: EmbeddedBroker):
    noted = Noted()
    node = await client(broker, "node", broker.passwords.node, noted)
    await node.publish("provisioning.node.other.example.net", b"ask")
    said = await asyncio.wait_for(noted.errors.get(), PATIENCE)
    assert "permissions violation for publish" in said.lower()
    await node.close()


async def test_a_node_may_not_listen_to_replies(broker: EmbeddedBroker):
    noted = Noted()
    node = await client(broker, "node", broker.passwords.node, noted)
    await node.subscribe("provisioning.reply.>")
    said = await asyncio.wait_for(noted.errors.get(), PATIENCE)
    assert "permissions violation for subscription" in said.lower()
    await node.close()


async def test_lifecycle_events_reach_both_accounts(broker: EmbeddedBroker):
    provisioner = await client(broker, "provisioner", broker.passwords.provisioner)
    fleet = await client(broker, "fleet", broker.passwords.fleet)
    node = await client(broker, "node", broker.passwords.node)
    subject = "choria.lifecycle.event.startup.provision_mode_server"
    here, there = await provisioner.subscribe(subject), await fleet.subscribe(subject)
    await provisioner.flush()
    await fleet.flush()
    await node.publish(subject, b"{}")
    assert (await here.next_msg(10)).data == b"{}"
    assert (await there.next_msg(10)).data == b"{}"
    for each in (provisioner, fleet, node):
        await each.close()


async def test_the_election_key_reaches_the_stream_of_the_other_account(broker: EmbeddedBroker):
    fleet = await client(broker, "fleet", broker.passwords.fleet)
    provisioner = await client(broker, "provisioner", broker.passwords.provisioner)
    await fleet.jetstream().add_stream(
        name="KV_CHORIA_LEADER_ELECTION", subjects=["$KV.CHORIA_LEADER_ELECTION.>"], max_msgs_per_subject=1
    )
    info = await provisioner.request("choria.streams.STREAM.INFO.KV_CHORIA_LEADER_ELECTION", b"", timeout=10)
    assert b'"max_msgs_per_subject":1' in info.data
    key = "choria.streams.$KV.CHORIA_LEADER_ELECTION.provisioner"
    ack = await provisioner.request(key, b"me", timeout=10, headers={"Nats-Expected-Last-Subject-Sequence": "0"})
    assert b'"seq":1' in ack.data
    await fleet.jetstream().delete_stream("KV_CHORIA_LEADER_ELECTION")
    await fleet.close()
    await provisioner.close()


async def test_it_stops_and_comes_back_at_the_same_place(tmp_path: Path):
    broker = EmbeddedBroker(tmp_path / "broker", make_broker_certificate([HOST]))
    async with broker:
        port, pid = broker.port, broker.pid
        assert port > 0
    assert broker.pid == 0
    async with broker:
        assert broker.port == port
        assert broker.pid != pid
        provisioner = await client(broker, "provisioner", broker.passwords.provisioner)
        await provisioner.close()
    assert "Server Exiting" in broker.tail()


async def test_only_its_owner_may_read_its_files(tmp_path: Path):
    async with EmbeddedBroker(tmp_path / "broker", make_broker_certificate([HOST])) as broker:
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in broker.directory.iterdir() if path.is_file()}
    assert modes == {"broker.conf": 0o600, "broker.log": 0o600, "tls.key": 0o600, "tls.pem": 0o600}
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700


async def test_a_port_in_use_is_an_error_with_the_words_of_the_broker(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        broker = EmbeddedBroker(tmp_path / "broker", make_broker_certificate([HOST]), port=taken.getsockname()[1])
        with pytest.raises(BrokerFailedError, match="address already in use"):
            await broker.astart()
    assert broker.pid == 0


def test_a_broken_certificate_is_an_error_with_the_words_of_the_broker(tmp_path: Path):
    broker = EmbeddedBroker(tmp_path / "broker", ("nonsense", "nonsense"))
    with pytest.raises(BrokerFailedError, match="certificate"):
        broker.start()
    assert broker.pid == 0


PARENT = """
import sys
from pathlib import Path
from security.issuing import make_broker_certificate
from usher.simulator.broker import HOST, EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1]), make_broker_certificate([HOST]))
broker.start()
print(broker.pid, flush=True)
sys.stdin.read()
"""


def test_it_ends_when_its_parent_is_killed(tmp_path: Path, root: Path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "broker")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    with parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        ended, _, _ = select.select([child], [], [], PATIENCE)
        os.close(child)
    assert ended, "the broker outlived its parent"
