"""Nothing that is published is ever delivered later than we believe."""

from __future__ import annotations

import pytest

from tests.fakes.link import (
    SUBJECT,
    Heard,
    fill,
    handed_over,
    provisioner,
    receiver,
    running,
)
from transport.connection import Handed, NotSentError, Options, WhyNot
from transport.reports import Connected, Disconnected, Refused, Report

pytestmark = pytest.mark.network


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


async def test_what_the_sockets_hold_is_not_delivered_after_the_end(broker, proxy):
    """A broker that was silent and wakes up must not find what asyncio and the kernel kept for it."""
    heard: Heard[bytes] = Heard()
    report: Heard[Report] = Heard()
    options = Options(backoff=(0.01,), ping=0.5, connect_timeout=20.0)
    link = provisioner(proxy.url, broker, report=report, options=options)
    async with running(receiver(broker, heard)), running(link):
        sent = await fill(link, proxy, SUBJECT)
        lost = await report.kind(Disconnected)
        proxy.resume()
        await proxy.until_links(1)
        await report.kind(Connected, 2)
        link.publish(SUBJECT, b"sentinel")
        await heard.until(lambda items: b"sentinel" in items)
        handed = sent - lost.unsent
        arrived = len(heard.items) - 1
        assert handed > 10
        assert arrived < handed // 2  # no more than had left this machine's sockets


async def test_between_the_end_and_the_report_of_it_nothing_is_taken(broker):
    async with running(provisioner(broker.url, broker)) as link:
        login = link._login
        assert login is not None
        login.end("as when reading fails")
        with pytest.raises(NotSentError) as caught:
            link.publish(SUBJECT, b"x")
        assert caught.value.why is WhyNot.DISCONNECTED


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
