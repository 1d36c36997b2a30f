"""Which broker is tried next."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from transport.news import Place
from transport.rounds import Address, Rounds
from transport.servers import BadServerError

A, B, C = (f"nats://{name}:4222" for name in "abc")


async def one_round(rounds: Rounds) -> list[str]:
    """The addresses of a whole round."""
    tried = []
    while (address := await rounds.next()) is not None:
        tried.append(address.url)
        if not rounds.more:
            break
    return tried


async def test_a_round_is_what_is_configured_and_then_what_the_cluster_named():
    rounds = Rounds([A, B])
    rounds.learn([Place("c", 4222), Place("a", 4222), Place("127.0.0.1", 1)], Address(A))
    assert await one_round(rounds) == [A, B, C, "nats://127.0.0.1:1"]
    assert await one_round(rounds) == [A, B, C, "nats://127.0.0.1:1"]


async def test_news_replace_news_and_nothing_else():
    rounds = Rounds([A])
    rounds.learn([Place("b", 4222)], Address(A))
    rounds.learn([Place("c", 4222)], Address(A))
    rounds.learn([], Address(A))
    assert await one_round(rounds) == [A, C]


async def test_who_was_left_comes_last_of_what_is_configured():
    rounds = Rounds([A, B])
    rounds.learn([Place("c", 4222)], Address(A))
    assert (await rounds.next()) == Address(A)
    rounds.left(Address(A))
    assert await one_round(rounds) == [B, A, C]
    rounds.left(Address(C))
    assert await one_round(rounds) == [A, B]


async def test_who_is_about_to_go_comes_last_of_all_once():
    rounds = Rounds([A, B])
    rounds.learn([Place("c", 4222)], Address(A))
    rounds.left(Address(A), going=True)
    assert await one_round(rounds) == [B, C, A]
    assert await one_round(rounds) == [B, A, C]


async def test_a_server_twice_is_one():
    assert await one_round(Rounds([A, B, A])) == [A, B]


async def test_the_name_of_a_certificate_follows_an_address_that_was_learned():
    rounds = Rounds([A])
    rounds.learn([Place("10.0.0.2", 4222), Place("c", 4222), Place("::1", 4222)], Address(A))
    tried = [await rounds.next() for _ in range(4)]
    assert tried == [Address(A), Address("nats://10.0.0.2:4222", "a"), Address(C), Address("nats://[::1]:4222", "a")]
    rounds.learn([Place("10.0.0.3", 4222)], Address("nats://10.0.0.2:4222", "a"))
    await rounds.next()
    assert await rounds.next() == Address("nats://10.0.0.3:4222", "a")


async def test_an_address_that_was_configured_lends_no_name():
    rounds = Rounds(["10.0.0.1:4222"])
    rounds.learn([Place("10.0.0.2", 4222)], Address("nats://10.0.0.1:4222"))
    await rounds.next()
    assert await rounds.next() == Address("nats://10.0.0.2:4222")


async def test_each_round_asks_anew_and_the_last_that_was_known_counts_while_nobody_can_say():
    answers: list[Sequence[str]] = [[A, B], [], [C], ["http://no"], [B]]

    async def find() -> Sequence[str]:
        return answers.pop(0)

    rounds = Rounds(find)
    assert [await one_round(rounds) for _ in range(5)] == [[A, B], [A, B], [C], [C], [B]]


async def test_none_is_none():
    async def find() -> Sequence[str]:
        return []

    assert await Rounds(find).next() is None
    with pytest.raises(BadServerError):
        Rounds([])
