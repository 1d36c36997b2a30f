"""SRV records from a real little DNS server, honest, empty, silent, broken and hostile."""

from __future__ import annotations

import dns.message
import dns.rcode
import dns.rrset
import pytest

from tests.fakes.dns_server import serving
from transport.srv import MOST, SrvAnswer, SrvResolver, Target

NAME = "_mcollective-server._tcp.example.net"


def resolver(server, *search: str) -> SrvResolver:
    return SrvResolver(lambda: server.resolver(*search))


async def ask(*records: str, **given: object) -> SrvAnswer:
    async with serving(records={NAME: list(records)} if records else {}, **given) as server:
        return await resolver(server).ask(NAME)


async def test_targets_come_by_priority():
    answer = await ask("20 0 4222 c.example.net.", "5 0 4333 a.example.net.", "10 1 4222 b.example.net.")
    assert answer == SrvAnswer(
        (Target("a.example.net", 4333), Target("b.example.net", 4222), Target("c.example.net", 4222))
    )


async def test_within_a_priority_the_weight_draws():
    """One of a hundred draws that takes the lighter first: less than once in 10^100 runs none takes the heavier."""
    async with serving(records={NAME: ["0 1000 1 heavy.", "0 10 1 light."]}) as server:
        firsts = [(await resolver(server).ask(NAME)).targets[0].host for _ in range(50)]
    assert firsts.count("heavy") > firsts.count("light")


async def test_no_such_name_is_certain():
    assert await ask() == SrvAnswer(problem="DNS knows no such name")


async def test_a_name_without_srv_records_is_certain():
    assert await ask(names={NAME}) == SrvAnswer(problem="DNS knows the name, and no SRV record of it")


async def test_a_service_that_is_decidedly_not_there():
    assert await ask("0 0 0 .") == SrvAnswer(problem="DNS says that there is no such service")


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_server_that_cannot_is_not_certain(rcode):
    assert await ask(rcode=rcode) == SrvAnswer(problem="no DNS server could answer", certain=False)


async def test_silence_is_not_certain():
    assert await ask(broken=lambda _: None) == SrvAnswer(problem="DNS did not answer in time", certain=False)


def foreign(reply: dns.message.Message) -> bytes:
    reply.id ^= 1
    return reply.to_wire()


def another_question(reply: dns.message.Message) -> bytes:
    query = dns.message.make_query("evil.example.net", "SRV")
    other = dns.message.make_response(query)
    other.id = reply.id
    return other.to_wire()


def another_name(reply: dns.message.Message) -> bytes:
    reply.answer.append(dns.rrset.from_text("evil.example.net.", 30, "IN", "SRV", "0 0 1 evil."))
    return reply.to_wire()


@pytest.mark.parametrize("broken", [lambda _: b"", lambda _: b"\xff" * 600, foreign, another_question, another_name])
async def test_what_is_not_the_answer_gives_no_target(broken):
    answer = await ask(broken=broken)
    assert answer.targets == ()
    assert answer.problem


@pytest.mark.parametrize(
    "target",
    [
        r"a\032b.example.net.",
        r"a\010b.",
        r"a\.b.",
        r"\255\254.",
        r"u\064evil.",
        r"\000.",
        "*.",
        r"a\:4222.",
        r"\091\093.",
    ],
)
async def test_a_hostile_target_is_left_out_and_counted(target: str):
    answer = await ask(f"0 0 4222 {target}", "1 0 4222 good.example.net.")
    assert answer == SrvAnswer((Target("good.example.net", 4222),), "1 of 2 SRV records are unusable")


async def test_port_nought_is_unusable():
    assert await ask("0 0 0 a.") == SrvAnswer(problem="1 of 1 SRV records are unusable")


async def test_a_flood_of_targets_is_cut():
    """Larger than a datagram may be for most; the little server sends it all the same."""
    answer = await ask(*(f"0 0 {port} a." for port in range(1, 201)))
    assert len(answer.targets) == MOST


@pytest.mark.parametrize("name", ["a..b", "x" * 64, ".".join(["x" * 60] * 5), "\udcff", "", "a b", "é" * 70])
async def test_what_is_no_name_is_said(name: str):
    async with serving() as server:
        answer = await resolver(server).ask(name)
    assert answer.targets == ()
    assert answer.problem


async def test_the_search_domains_count():
    async with serving(records={"_mcollective-server._tcp.corp.example.net": ["0 0 1 a."]}) as server:
        answer = await resolver(server, "example.net").ask("_mcollective-server._tcp.corp")
    assert answer.targets == (Target("a", 1),)
    assert server.asked == ["_mcollective-server._tcp.corp", "_mcollective-server._tcp.corp.example.net"]


async def test_a_machine_without_dns_is_said():
    def none() -> object:
        raise OSError(2, "No such file or directory")

    assert await SrvResolver(none).ask(NAME) == SrvAnswer(  # type: ignore[arg-type]
        problem="DNS cannot be asked: No such file or directory", certain=False
    )
