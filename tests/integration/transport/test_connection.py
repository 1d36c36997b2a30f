"""A connection to a real broker, through everything that a network and a broker can do to it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from security.issuing import make_broker_certificate
from tests.fakes.link import QUICK, Discarded, Heard, Known, connection, fill, handed_over
from transport.connection import Connection, Handed, NotSentError, Options, WhyNot
from transport.credentials import tls_context
from transport.reports import Complaint, Connected, Disconnected, Refused, Report
from usher.simulator.broker import HOST, EmbeddedBroker

pytestmark = pytest.mark.network
SUBJECT = "provisioning.node.n1"


@contextlib.asynccontextmanager
async def running(link: Connection) -> AsyncIterator[Connection]:
    """Started and logged in; closed at the end."""
    await link.start()
    try:
        async with asyncio.timeout(20):
            await link.ready()
        yield link
    finally:
        await link.close()


@contextlib.asynccontextmanager
async def started(link: Connection) -> AsyncIterator[Connection]:
    """Started; closed at the end."""
    await link.start()
    try:
        yield link
    finally:
        await link.close()


def provisioner(url: str, broker: EmbeddedBroker, **more: object) -> Connection:
    return connection("rpc", url, "provisioner", broker.passwords.provisioner, **more)  # type: ignore[arg-type]


def receiver(broker: EmbeddedBroker, heard: Heard[bytes]) -> Connection:
    """A node that listens at SUBJECT, connected to the broker itself."""
    node = connection("node", broker.url, "node", broker.passwords.node)
    node._subscriptions[SUBJECT] = lambda _subject, data, _status: heard(data)
    return node


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


async def test_what_is_published_while_away_is_not_sent_at_once(broker, proxy):
    report: Heard[Report] = Heard()
    link = provisioner(proxy.url, broker, report=report)
    with pytest.raises(NotSentError) as caught:
        link.publish(SUBJECT, b"x")
    assert caught.value.why is WhyNot.DISCONNECTED
    async with running(link):
        proxy.refuse()
        proxy.cut()
        await report.kind(Refused)
        with pytest.raises(NotSentError) as caught:
            link.publish(SUBJECT, b"x")
        assert caught.value.why is WhyNot.DISCONNECTED
        proxy.refuse(refusing=False)
        await report.kind(Connected, 2)


async def test_what_was_not_handed_to_a_socket_never_arrives(broker, proxy):
    """The narrow window: nats-py by itself would send what is in its buffer over the next login."""
    heard: Heard[bytes] = Heard()
    report: Heard[Report] = Heard()
    ended: list[tuple[str, list[bytes]]] = []
    async with running(receiver(broker, heard)), running(provisioner(proxy.url, broker, report=report)) as link:
        link.on_ended(lambda login, unsent: ended.append((login, list(unsent))))
        name = link.connection
        await fill(link, proxy)
        handed = link.publish(SUBJECT, b"too late")
        proxy.cut()
        lost = await report.kind(Disconnected)
        proxy.resume()
        assert lost.unsent > 1
        assert [login for login, _ in ended] == [name]
        assert any(command is handed.command for command in ended[0][1])
        await report.kind(Connected, 2)
        link.publish(SUBJECT, b"sentinel")
        await heard.until(lambda items: b"sentinel" in items)
        assert heard.items == [b"sentinel"]


async def test_what_was_handed_to_a_dead_socket_is_not_called_unsent_and_does_not_arrive_later(broker, proxy):
    heard: Heard[bytes] = Heard()
    report: Heard[Report] = Heard()
    async with running(receiver(broker, heard)), running(provisioner(proxy.url, broker, report=report)) as link:
        proxy.silence()
        handed = link.publish(SUBJECT, b"into the void")
        await handed_over(link)
        assert not link.withdraw(handed)
        proxy.cut()
        assert (await report.kind(Disconnected)).unsent == 0
        proxy.resume()
        await report.kind(Connected, 2)
        link.publish(SUBJECT, b"sentinel")
        await heard.until(lambda items: b"sentinel" in items)
        assert heard.items == [b"sentinel"]


async def test_what_is_still_here_can_be_taken_back(broker, proxy):
    heard: Heard[bytes] = Heard()
    async with running(receiver(broker, heard)), running(provisioner(proxy.url, broker)) as link:
        await fill(link, proxy)
        handed = link.publish(SUBJECT, b"taken back")
        assert link.withdraw(handed)
        assert not link.withdraw(handed)
        assert not link.withdraw(Handed("another login", handed.command))
        link.publish(SUBJECT, b"sentinel")
        proxy.resume()
        await heard.until(lambda items: b"sentinel" in items)
        assert heard.items == [b"sentinel"]


async def test_a_broker_that_takes_nothing_is_congestion(broker, proxy):
    async with running(provisioner(proxy.url, broker, options=Options(most_waiting=600_000))) as link:
        await fill(link, proxy)
        with pytest.raises(NotSentError) as caught:
            link.publish(SUBJECT, b"x" * 200_000)
        assert caught.value.why is WhyNot.CONGESTED
        proxy.resume()


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


@contextlib.asynccontextmanager
async def impostor(*lines: bytes) -> AsyncIterator[tuple[str, Heard[bytes]]]:
    """Somebody who listens, says these lines, and keeps what he is told."""
    told: Heard[bytes] = Heard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(lines))
        try:
            told(await reader.read(65536))
        except ConnectionError:
            told(b"")
        writer.transport.abort()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield f"nats://{HOST}:{server.sockets[0].getsockname()[1]}", told
    finally:
        server.close()


async def test_a_broker_without_tls_gets_no_password():
    report: Heard[Report] = Heard()
    async with (
        impostor(b'INFO {"server_id":"x","max_payload":1000}\r\n') as (url, told),
        started(connection("rpc", url, "provisioner", "s3cret", report=report)),
    ):
        assert (await report.kind(Refused)).reason == "the broker does not offer TLS"
        assert set(await told.until(bool)) == {b""}


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n", b"INFO []\r\n", b"INFO not json\r\n", b"INFO \xff\xfe\r\n", b"", b"x" * 200_000,
        b'INFO {"tls_required":true,"max_payload":"many"}\r\n', b'INFO {"connect_urls":5}\r\n',
    ],
)  # fmt: skip
async def test_whoever_is_no_broker_is_refused_and_tried_again(greeting):
    report: Heard[Report] = Heard()
    options = Options(backoff=(0.01,), connect_timeout=0.2)
    link = impostor(greeting)
    async with link as (url, _), started(connection("rpc", url, "u", "p", report=report, options=options)):
        refused = await report.kind(Refused, 2)
        assert refused.reason
        assert "Error" not in refused.reason


class Broken:
    """Credentials whose file is unreadable."""

    user = "provisioner"
    token = ""

    @property
    def password(self) -> str:
        raise ValueError("s3cret")

    def sign_nonce(self, nonce: bytes) -> bytes:
        return nonce


async def test_credentials_that_cannot_be_used_are_told(broker):
    report: Heard[Report] = Heard()
    link = Connection(
        "rpc", [broker.url], Broken(), tls_context(), name="test", discards=Discarded(), report=report, options=QUICK
    )
    async with started(link):
        assert (await report.kind(Refused)).reason == "usher's own credentials cannot be used (ValueError)"


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


async def test_closing_hands_over_what_is_pending(broker):
    heard: Heard[bytes] = Heard()
    async with running(receiver(broker, heard)):
        link = provisioner(broker.url, broker)
        async with running(link):
            for number in range(50):
                link.publish(SUBJECT, b"%d" % number)
        await heard.until(lambda items: len(items) == 50)
        assert heard.items == [b"%d" % number for number in range(50)]
        with pytest.raises(NotSentError):
            link.publish(SUBJECT, b"x")


async def test_closing_twice_or_before_the_start_is_fine(broker):
    link = provisioner(broker.url, broker)
    await link.close()
    async with running(link):
        pass
    await link.close()


def test_the_context_is_not_one_that_talks_in_the_clear():
    assert isinstance(tls_context(), ssl.SSLContext)
