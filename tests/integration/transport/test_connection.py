"""A connection to a real broker, through everything that a network and a node can do to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from security.issuing import make_broker_certificate
from tests.fakes.link import (
    QUICK,
    SUBJECT,
    Discarded,
    Heard,
    Known,
    connection,
    provisioner,
    receiver,
    running,
    started,
)
from transport.connection import Connection, NotSentError, Options, WhyNot
from transport.credentials import tls_context
from transport.reports import Complaint, Connected, Disconnected, Refused, Report
from usher.simulator.broker import HOST, EmbeddedBroker

pytestmark = pytest.mark.network


async def test_messages_arrive(broker):
    heard: Heard[bytes] = Heard()
    async with running(receiver(broker, heard)), running(provisioner(broker.url, broker)) as link:
        handed = link.publish(SUBJECT, b"hello")
        assert handed.connection == link.connection != ""
        await heard.until(lambda items: items == [b"hello"])


async def test_each_login_has_its_own_name_and_is_reported(broker, proxy):
    report: Heard[Report] = Heard()
    async with running(provisioner(proxy.url, broker, report=report)) as link:
        first = await report.kind(Connected)
        assert first == Connected("rpc", link.connection, proxy.url)
        proxy.cut()
        lost = await report.kind(Disconnected)
        assert (lost.connection, lost.server, lost.unsent) == (first.connection, proxy.url, 0)
        assert lost.reason
        second = await report.kind(Connected, 2)
        assert second.connection not in {"", first.connection}
        assert link.connection == second.connection


async def test_subscriptions_come_back_before_anybody_can_publish(broker, proxy):
    heard: Heard[bytes] = Heard()
    report: Heard[Report] = Heard()
    link = provisioner(proxy.url, broker, report=report)
    await link.subscribe("provisioning.node.n2", lambda _subject, data, _status: heard(data))
    async with running(link):
        for turn in (1, 2, 3):
            await report.kind(Connected, turn)
            link.publish("provisioning.node.n2", b"%d" % turn)
            await heard.until(lambda items, turn=turn: items[-1:] == [b"%d" % turn])
            proxy.cut()
            await report.kind(Disconnected, turn)


async def test_a_broker_that_falls_silent_is_noticed(broker, proxy):
    report: Heard[Report] = Heard()
    options = Options(backoff=(0.01,), ping=0.02, connect_timeout=20.0)
    async with running(provisioner(proxy.url, broker, report=report, options=options)):
        proxy.silence()
        lost = await report.kind(Disconnected)
        assert lost.reason == "the broker did not answer pings"
        proxy.resume()
        await report.kind(Connected, 2)


async def test_a_message_larger_than_the_broker_takes_is_not_sent(broker):
    async with running(provisioner(broker.url, broker)) as link:
        with pytest.raises(NotSentError) as caught:
            link.publish(SUBJECT, b"x" * (link.max_payload + 1))
        assert caught.value.why is WhyNot.TOO_LARGE
        assert str(link.max_payload) in caught.value.detail
        link.publish(SUBJECT, b"x" * link.max_payload)


async def test_a_wrong_password_is_told_and_tried_again(broker):
    report: Heard[Report] = Heard()
    async with started(connection("rpc", broker.url, "provisioner", "wrong", report=report)) as link:
        refused = await report.kind(Refused, 3)
        assert refused.server == broker.url
        assert "Authorization Violation" in refused.reason
        assert refused.again > 0
        assert "wrong" not in repr(report.items)
        link._credentials = Known("provisioner", broker.passwords.provisioner)
        await report.kind(Connected)


async def test_nobody_listens_there_is_told_and_tried_again():
    report: Heard[Report] = Heard()
    async with started(connection("rpc", "nats://127.0.0.1:1", "u", "p", report=report)):
        assert (await report.kind(Refused, 2)).reason == "nobody listens there"


async def test_the_next_server_is_tried(broker):
    report: Heard[Report] = Heard()
    link = Connection(
        "rpc", ["nats://127.0.0.1:1", broker.url], Known("provisioner", broker.passwords.provisioner), tls_context(),
        name="test", discards=Discarded(), report=report, options=QUICK,
    )  # fmt: skip
    async with running(link):
        assert [type(item) for item in report.items] == [Refused, Connected]
        assert link.server == broker.url


async def test_a_certificate_is_verified_if_there_is_a_ca(broker, tmp_path: Path):
    report: Heard[Report] = Heard()
    other = tmp_path / "other.pem"
    other.write_text(make_broker_certificate([HOST])[0])
    known = Known("provisioner", broker.passwords.provisioner)

    def link(ca: Path) -> Connection:
        return Connection(
            "rpc", [broker.url], known, tls_context(ca), name="test", discards=Discarded(), report=report, options=QUICK
        )

    async with started(link(other)):
        assert "certificate does not verify" in (await report.kind(Refused)).reason
    async with running(link(broker.certificate)):
        pass


async def test_a_violated_permission_is_reported_and_the_login_lives_on(broker):
    report: Heard[Report] = Heard()
    discards = Discarded()
    link = connection("node", broker.url, "node", broker.passwords.node, report=report, discards=discards)
    async with running(link):
        login = link.connection
        link.publish("provisioning.node.n1", b"a node may not ask a node")
        complaint = await report.kind(Complaint)
        assert complaint.connection == login
        assert "ermissions" in complaint.reason
        assert discards.counts["permission_violation"] == 1
        assert link.connection == login


async def test_a_handler_with_a_bug_ends_nothing(broker):
    report: Heard[Report] = Heard()
    heard: Heard[bytes] = Heard()
    discards = Discarded()

    def handler(_subject: str, data: bytes, _status: int) -> None:
        if data == b"bug":
            raise KeyError(data)
        heard(data)

    link = provisioner(broker.url, broker, report=report, discards=discards)
    await link.subscribe(SUBJECT, handler)
    async with running(link):
        link.publish(SUBJECT, b"bug")
        link.publish(SUBJECT, b"fine")
        await heard.until(lambda items: items == [b"fine"])
        assert discards.counts["handler_bug"] == 1
        assert "KeyError" in (await report.kind(Complaint)).reason


@pytest.mark.parametrize("odd", [b"\x0b7", b"\x0c", b"\x1f", b"\xff\xfe", b"\x00"])
async def test_a_subject_that_a_rogue_made_ends_nothing(broker, odd):
    """The broker lets a node publish these; nats-py's own parser would end our login at the first two."""
    heard: Heard[bytes] = Heard()
    report: Heard[Report] = Heard()
    link = provisioner(broker.url, broker, report=report)
    await link.subscribe("provisioning.reply.x.*", lambda _subject, data, _status: heard(data))
    async with running(link), running(connection("node", broker.url, "node", broker.passwords.node)) as node:
        login = node._login
        assert login is not None
        login.hand_over(b"PUB provisioning.reply.x." + odd + b" 5\r\nrogue\r\n")
        node.publish("provisioning.reply.x.a", b"honest")
        await heard.until(lambda items: b"honest" in items)
        assert [type(item) for item in report.items] == [Connected]


async def test_a_broker_that_ends_and_comes_back(tmp_path: Path):
    report: Heard[Report] = Heard()
    own = EmbeddedBroker(tmp_path, make_broker_certificate([HOST]))
    async with own:
        link = connection("rpc", own.url, "provisioner", own.passwords.provisioner, report=report)
        async with running(link):
            await own.astop()
            await report.kind(Disconnected)
            await report.kind(Refused)
            await own.astart()
            await report.kind(Connected, 2)


async def test_closing_twice_or_before_the_start_is_fine(broker):
    link = provisioner(broker.url, broker)
    await link.close()
    async with running(link):
        pass
    await link.close()


@pytest.mark.parametrize("task", ["_reading_task", "_flusher_task", "_ping_interval_task"])
async def test_whatever_ends_a_part_of_a_login_ends_the_login(broker, task):
    report: Heard[Report] = Heard()
    async with running(provisioner(broker.url, broker, report=report)) as link:
        getattr(link._login, task).cancel()
        assert (await report.kind(Disconnected)).reason
        await report.kind(Connected, 2)
